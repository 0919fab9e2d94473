//! Bad input of every kind: what is wrong is said, with what to do about it, and what is right goes
//! on.
//!
//! They run on the embedded broker, and on Apache Kafka where `WEIR_TEST_BROKER=kafka`. What HTTP
//! says to bad requests is in `http_api`.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use weir_tests::orders::{Ecosystem, order};
use weir_tests::row::{NewRow, Row};
use weir_tests::{Broker, Client, Weir, paths, ports, wait};

/// A core module that was not built against the contract.
const MODULE: &str = "(module)";
/// A component that wants the network.
const SOCKET: &str = r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#;

/// Runs the daemon on one file, called `bad.wasm`, until it gives up.
fn run_file(bytes: &[u8]) -> (ExitStatus, String) {
    let [nobody] = ports::free();
    let mut host = Weir::host("host", &nobody.to_string()).args(["--components", "components"]);
    std::fs::create_dir(host.folder().join("components")).unwrap();
    host = host.file("components/bad.wasm", bytes);
    host.start_again();
    host.wait_until_ended()
}

/// Runs `weir describe` on it.
fn describe_file(bytes: &[u8]) -> (ExitStatus, String) {
    let mut weir = Weir::new("weir")
        .args(["describe", "bad.wasm"])
        .file("bad.wasm", bytes);
    weir.start_again();
    weir.wait_until_ended()
}

/// Both refuse the file, name it, and say this.
#[track_caller]
fn refused(bytes: &[u8], reason: &str) {
    for (status, said) in [run_file(bytes), describe_file(bytes)] {
        assert!(!status.success(), "{said}");
        assert!(
            said.contains("bad.wasm: ") && said.contains(reason),
            "{said}"
        );
    }
}

#[test]
fn a_file_that_is_not_wasm_is_refused() {
    let reason = "not a Wasm file (it begins with \"#!/bin/s\", not with \"\\0asm\"); `weir build` \
                  makes a component of a crate";
    refused(b"#!/bin/sh\n", reason);
}

#[test]
fn a_module_without_a_component_type_is_refused() {
    let reason = "a core module without a component type: it was not built against the contract \
                  in wit/ (with weir-sdk";
    refused(&wat::parse_str(MODULE).unwrap(), reason);
}

#[test]
fn a_component_that_imports_a_socket_is_refused() {
    let reason = "it imports `wasi:sockets/tcp@0.2.0`, which a service is not granted: a service \
                  has no network; read a topic, or write rows to an outbox topic";
    refused(&wat::parse_str(SOCKET).unwrap(), reason);
}

#[test]
fn all_files_that_are_refused_are_named_at_once() {
    let [nobody] = ports::free();
    let mut host = Weir::host("host", &nobody.to_string()).args(["--components", "components"]);
    std::fs::create_dir(host.folder().join("components")).unwrap();
    host = host
        .file("components/script.wasm", "#!/bin/sh\n")
        .file("components/module.wasm", wat::parse_str(MODULE).unwrap());
    host.start_again();
    let (status, said) = host.wait_until_ended();
    assert!(!status.success(), "{said}");
    assert!(
        said.contains("script.wasm: ") && said.contains("module.wasm: "),
        "{said}"
    );
}

/// What `/readyz` says while it is not ready; `None` if it is, or nothing listens yet.
fn unready(host: &Weir) -> Option<String> {
    let response = weir_tests::http::send("GET", &host.url("/readyz"), None).ok()?;
    (response.status == 503).then_some(response.body)
}

/// Waits until `/readyz` says 503 and this.
#[track_caller]
fn wait_for_trouble(host: &Weir, trouble: &str) -> String {
    let mut last = String::new();
    let said = wait::within(wait::SOON, || {
        last = unready(host)?;
        last.contains(trouble).then(|| last.clone())
    });
    said.unwrap_or_else(|| panic!("/readyz never said `{trouble}`, at last it said: {last}"))
}

/// A host with the service `fragile` alone, which gives up on a row after a second or 16 MiB; not
/// started.
fn fragile(broker: &Broker) -> Weir {
    let host = Weir::host("host", &broker.bootstrap());
    let config = format!(
        "[services.fragile]\ncomponent = {:?}\ncall_time = \"1s\"\nmemory = \"16MiB\"\n",
        paths::component("fragile").display().to_string()
    );
    host.args(["--config", "weir.toml"])
        .file("weir.toml", config)
}

/// A broker with the topics of `fragile`.
fn prepared(broker: &Broker) -> Client {
    let client = broker.client();
    client.create_topics(&["fragile-in", "fragile-out"]);
    client
}

/// The rows `name-0`, `name-1` and so on.
fn rows(name: &str, count: usize) -> Vec<NewRow> {
    let row = |number| NewRow::new(format!("{number}"), format!("{name}-{number}"));
    (0..count).map(row).collect()
}

/// The values of rows, sorted; doubles stay.
fn values(rows: &[Row]) -> Vec<&str> {
    let mut values: Vec<_> = rows.iter().map(Row::value_text).collect();
    values.sort_unstable();
    values
}

/// Every row that `rows` made came out, once.
#[track_caller]
fn all_came_out_once(client: &Client, names: &[&str], count: usize) {
    let expected: BTreeSet<String> = names
        .iter()
        .flat_map(|name| (0..count).map(move |number| format!("{name}-{number}")))
        .collect();
    let out = client.read_until("fragile-out", |rows| rows.len() >= expected.len());
    assert!(
        values(&out).into_iter().eq(&expected),
        "{} rows came out",
        out.len()
    );
}

#[test]
fn a_topic_that_is_missing_is_named_until_it_is_made() {
    let broker = Broker::start();
    let mut host = fragile(&broker);
    host.start_again();
    let said = wait_for_trouble(&host, "service fragile: starting: ");
    let said = if said.contains("fragile-in") {
        said
    } else {
        wait_for_trouble(&host, "fragile-in")
    };
    assert!(
        said.contains("`fragile-in`") && said.contains("`fragile-out`"),
        "both: {said}"
    );
    assert!(said.contains("create it"), "what to do: {said}");
    let client = prepared(&broker);
    client.produce("fragile-in", rows("row", 1));
    host.wait_until_ready();
    let out = client.read_until("fragile-out", |rows| !rows.is_empty());
    assert_eq!(values(&out), ["ROW-0"]);
}

#[test]
fn topics_of_different_partition_counts_cannot_be_joined() {
    let broker = Broker::start();
    let client = broker.client();
    client.create_topic("clicks", 4, &[]);
    client.create_topic("users", 2, &[]);
    client.create_topic("joined", 4, &[]);
    let config = format!(
        "[services.joining]\ncomponent = {:?}\n\
         config = {{ workload = \"join\", in = \"clicks\", table = \"users\", \
         out = \"joined\" }}\n",
        paths::component("bench").display().to_string()
    );
    let mut host = Weir::host("host", &broker.bootstrap())
        .args(["--config", "weir.toml"])
        .file("weir.toml", config);
    host.start_again();
    let said = wait_for_trouble(&host, "so they need the same number of partitions");
    assert!(said.contains("`clicks` (4 partitions)"), "{said}");
    assert!(said.contains("`users` (2 partitions)"), "{said}");
    let remedy = "give them the same number, or repartition one";
    assert!(said.contains(remedy), "{said}");
}

#[test]
fn an_unknown_key_of_the_configuration_is_named_with_its_line() {
    let mut host = Weir::new("host")
        .args(["run", "--config", "weir.toml"])
        .file(
            "weir.toml",
            "brokers = \"127.0.0.1:9\"\n\n[services.fragile]\nworker = 2\n",
        );
    host.start_again();
    let (status, said) = host.wait_until_ended();
    assert!(!status.success(), "{said}");
    assert!(
        said.contains("weir.toml: ") && said.contains("line 4, column 1"),
        "{said}"
    );
    assert!(
        said.contains("unknown field `worker`, expected one of"),
        "{said}"
    );
}

#[test]
fn brokers_that_are_away_at_the_start_are_waited_for() {
    let mut broker = Broker::durable();
    let client = prepared(&broker);
    client.produce("fragile-in", rows("before", 10));
    broker.kill9();
    let mut host = fragile(&broker);
    host.start_again();
    let trouble = format!("brokers do not answer: {}", broker.bootstrap());
    let said = wait_for_trouble(&host, &trouble);
    assert!(said.contains("weir keeps trying"), "{said}");
    assert!(said.contains("service fragile: starting"), "{said}");
    host.get("/healthz").expect(200);
    broker.start_again();
    host.wait_until_ready();
    all_came_out_once(&client, &["BEFORE"], 10);
}

#[test]
fn brokers_that_are_lost_are_waited_for_and_nothing_is_lost_with_them() {
    let mut broker = Broker::durable();
    let client = prepared(&broker);
    let mut host = fragile(&broker).start();
    client.produce("fragile-in", rows("before", 1000));
    broker.kill9();
    let lost = Instant::now();
    let address = broker.bootstrap();
    wait_for_trouble(
        &host,
        &format!("brokers do not answer: {address} (connection refused)"),
    );
    let took = lost.elapsed();
    assert!(took < Duration::from_secs(4), "noticed after {took:?}");
    host.get("/healthz").expect(200);
    broker.start_again();
    client.produce("fragile-in", rows("after", 1000));
    host.wait_until_ready();
    all_came_out_once(&client, &["BEFORE", "AFTER"], 1000);
}

#[test]
fn a_state_folder_belongs_to_one_process() {
    let [nobody] = ports::free();
    let mut first = Weir::host("first", &nobody.to_string()).args(["--components", "components"]);
    std::fs::create_dir(first.folder().join("components")).unwrap();
    first.start_again();
    wait_for_trouble(&first, "brokers: ");
    let state: PathBuf = first.folder().join("state");
    let mut second = Weir::new("second")
        .args([
            "run",
            "--http",
            "127.0.0.1:0",
            "--components",
            "components",
            "--state",
        ])
        .arg(&state);
    std::fs::create_dir(second.folder().join("components")).unwrap();
    second.start_again();
    let (status, said) = second.wait_until_ended();
    assert!(!status.success(), "{said}");
    let expected = format!(
        "the state folder {} is used by another weir process; stop that one, or give this one its \
         own with --state",
        state.display()
    );
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn a_state_folder_that_cannot_be_used_is_named_with_the_reason_once() {
    let mut host = Weir::host("host", "127.0.0.1:1")
        .args(["--components", "components"])
        .file("state", "a file where the folder should be");
    std::fs::create_dir(host.folder().join("components")).unwrap();
    host.start_again();
    let (status, said) = host.wait_until_ended();
    assert!(!status.success(), "{said}");
    let state = host.folder().join("state");
    let expected = format!("the state folder {} cannot be used: ", state.display());
    assert!(said.contains(&expected), "{said}");
    assert_eq!(said.matches("File exists").count(), 1, "{said}");
}

#[test]
fn malformed_rows_go_to_the_dead_letters_and_the_service_goes_on() {
    let mut shop = Ecosystem::prepare();
    shop.host(&["order-details"]);
    let key = "key-of-a-bad-row";
    let bad = [r#"{"id": "#, "[]", "\u{0}"];
    shop.client
        .produce("orders", bad.map(|value| NewRow::new(key, value)));
    shop.produce_order(&order("good", 1, "JUMPERS", 1, 1.0));
    assert_eq!(shop.answers("ORDER_DETAILS_CHECK", 1), ["good PASS"]);
    let topic = "order-details.dead-letters";
    let letters = shop
        .client
        .read_until(topic, |rows| rows.len() >= bad.len());
    let values: Vec<_> = letters.iter().map(Row::value_text).collect();
    assert_eq!(values, bad, "the rows as they were, in their order");
    for (offset, letter) in letters.iter().enumerate() {
        assert_eq!(letter.key_text(), key);
        assert_eq!(letter.header("service"), Some("order-details"));
        assert_eq!(letter.header("topic"), Some("orders"));
        assert_eq!(
            letter.header("partition"),
            Some(&*letter.partition.to_string())
        );
        assert!(letter.header("offset").is_some(), "{offset}: {letter:?}");
        assert!(
            letter
                .header("reason")
                .is_some_and(|reason| !reason.is_empty()),
            "{letter:?}"
        );
    }
}

#[test]
fn a_row_that_breaks_its_function_does_not_break_its_neighbours() {
    let broker = Broker::start();
    let client = prepared(&broker);
    let bad = ["trap", "loop", "allocate"];
    let mut mixed = rows("row", 100);
    for (bad, at) in bad.iter().zip([20, 50, 80]) {
        mixed.insert(at, NewRow::new("bad", *bad));
    }
    // All into one partition: they are neighbours in one batch.
    client.produce("fragile-in", mixed.into_iter().map(|row| row.partition(1)));
    let host = fragile(&broker).start();
    all_came_out_once(&client, &["ROW"], 100);
    let letters = client.read_until("fragile.dead-letters", |rows| rows.len() >= bad.len());
    let values: Vec<_> = letters.iter().map(Row::value_text).collect();
    assert_eq!(values, bad);
    let reasons = ["this row is poison", "time", "memory"];
    for (letter, expected) in letters.iter().zip(reasons) {
        let reason = letter.header("reason").unwrap();
        assert!(reason.contains(expected), "{letter:?}");
    }
    assert!(letters[0].header("backtrace").is_some(), "{:?}", letters[0]);
    host.get("/readyz").expect(200);
}

#[test]
fn sigterm_commits_what_was_read_and_exits_0() {
    let broker = Broker::start();
    let client = prepared(&broker);
    let mut host = fragile(&broker).start();
    client.produce("fragile-in", rows("row", 5000));
    client.read_until("fragile-out", |rows| !rows.is_empty());
    let status = host.terminate(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0), "{status}");
    let said = host.child().log();
    assert!(said.contains("weir has stopped"), "{said}");
    let positions = client.committed("fragile", "fragile-in");
    let read: i64 = positions.iter().map(|position| position.unwrap_or(0)).sum();
    let out = client.read("fragile-out").len();
    assert_eq!(
        i64::try_from(out).unwrap(),
        read,
        "a row is read if and only if it has come out"
    );
    host.start_again();
    host.wait_until_ready();
    all_came_out_once(&client, &["ROW"], 5000);
}
