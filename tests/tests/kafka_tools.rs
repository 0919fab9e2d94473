//! Kafka's own console tools are at home on what weir runs: a row that is typed is decided, the
//! decision is read, and each service's lag is shown.
//!
//! Left out, with the reason, where there is no Java.

use std::collections::BTreeMap;

use weir_tests::apache_kafka::{self, tool};
use weir_tests::orders::{Ecosystem, SERVICES, order};

const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/// Commit markers at a partition's end count as rows that were not read, as they do for Kafka
/// Streams: one for each service whose transaction was open when the last row was written. Three
/// services write to `order-validations`.
const MARKERS: u64 = 3;

/// What each service reads from others, and so has a lag in.
const READ: [(&str, &[&str]); 6] = [
    ("orders", &["orders"]),
    ("order-details", &["orders"]),
    ("inventory", &["orders", "warehouse-inventory"]),
    ("fraud", &["orders"]),
    ("validations", &["order-validations", "orders"]),
    ("email", &["orders", "payments"]),
];

#[test]
fn kafkas_console_tools_write_an_order_read_its_decision_and_show_the_lag() {
    if let Err(reason) = apache_kafka::tools() {
        eprintln!("left out, since Kafka's tools cannot be run: {reason:#}");
        return;
    }
    let mut shop = Ecosystem::start();
    shop.stock("JUMPERS", 10);
    shop.settle("inventory", "warehouse-inventory");
    let run = |class: &str, arguments: &[&str], input: &str| {
        tool(&shop.broker.bootstrap(), class, arguments, input)
            .unwrap_or_else(|error| panic!("{error:#}"))
    };

    let typed = format!("1:{}\n", order("1", 2, "JUMPERS", 1, 1.0));
    let keyed = ["--reader-property", "parse.key=true"];
    let by_colon = ["--reader-property", "key.separator=:"];
    run(
        PRODUCER,
        &[&["--topic", "orders"], &keyed[..], &by_colon].concat(),
        &typed,
    );
    let read = |topic: &str, rows: &str| {
        let committed = ["--isolation-level", "read_committed", "--from-beginning"];
        let some = ["--topic", topic, "--max-messages", rows];
        let patient = ["--timeout-ms", "30000"];
        run(CONSUMER, &[&some[..], &committed, &patient].concat(), "")
    };
    let decided = read("orders", "2");
    let states = |state: &str| decided.matches(&format!("\"{state}\"")).count();
    assert_eq!(
        (states("CREATED"), states("VALIDATED")),
        (1, 1),
        "{decided}"
    );
    let answers = read("order-validations", "3");
    assert_eq!(answers.matches("\"PASS\"").count(), 3, "{answers}");

    shop.payment("1");
    shop.flush();
    for (service, topics) in READ {
        topics.iter().for_each(|topic| shop.settle(service, topic));
    }
    let described = || lags(&run(GROUPS, &["--describe", "--all-groups"], ""));
    let before = described();
    for (service, topics) in READ {
        for topic in topics {
            let lag = before.get(&(service.to_owned(), (*topic).to_owned()));
            let is_read = lag.is_some_and(|lag| lag.is_some_and(|lag| lag <= MARKERS));
            assert!(is_read, "{service} in {topic}: {lag:?}");
        }
    }
    assert_eq!(READ.map(|(service, _)| service), SERVICES);
    let members = run(GROUPS, &["--describe", "--members", "--all-groups"], "");
    for service in SERVICES {
        let member = members
            .lines()
            .any(|line| line.split_whitespace().next() == Some(service));
        assert!(member, "{service} has a member: {members}");
    }

    shop.hosts[0].kill9();
    for id in ["2", "3", "4"] {
        shop.produce_order(&order(id, 2, "JUMPERS", 1, 1.0));
    }
    shop.flush();
    let behind = described();
    for service in SERVICES {
        let place = (service.to_owned(), "orders".to_owned());
        let (before, behind) = (before[&place], behind[&place]);
        assert_eq!(behind, before.map(|lag| lag + 3), "{service} in orders");
    }
}

/// Group and topic → the sum of its partitions' lags, by the names of the columns; `None`: some are
/// not known. Each group is a table of its own.
fn lags(shown: &str) -> BTreeMap<(String, String), Option<u64>> {
    let mut lags = BTreeMap::new();
    let mut columns = None;
    for line in shown.lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let column = |name: &str| cells.iter().position(|cell| *cell == name);
        if let (Some(group), Some(topic), Some(lag)) =
            (column("GROUP"), column("TOPIC"), column("LAG"))
        {
            columns = Some((group, topic, lag));
        } else if let Some((group, topic, lag)) = columns
            && cells.len() > lag
        {
            let place = (cells[group].to_owned(), cells[topic].to_owned());
            let sum = lags.entry(place).or_insert(Some(0));
            *sum = (*sum)
                .zip(cells[lag].parse().ok())
                .map(|(sum, lag): (u64, u64)| sum + lag);
        }
    }
    lags
}
