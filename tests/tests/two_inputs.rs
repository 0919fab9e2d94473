//! A task with two inputs sees them in the order of time, as far as the broker has their rows.
#![expect(clippy::unwrap_used, reason = "tests")]

use weir_tests::row::NewRow;
use weir_tests::{Broker, Weir, paths};

const USERS: usize = 800;
/// Users that are written together: an answer holds one batch or more.
const BATCH: usize = 20;
const CLICKS: usize = 200;

fn user(number: usize) -> String {
    format!("user-{number}")
}

/// An answer of the broker has some 20 users here, so that there are many, and often none is left
/// to be taken; and clicks from the first one on.
#[test]
fn a_join_sees_all_that_its_table_holds_before_it_sees_younger_rows_of_the_stream() {
    let broker = Broker::start();
    let client = broker.client();
    for topic in ["users", "clicks", "seen"] {
        client.create_topic(topic, 1, &[]);
    }
    let filler = "x".repeat(500);
    let writer = client.writer();
    for n in 0..USERS {
        writer.send("users", &NewRow::new(user(n), format!("{n} {filler}")));
        if n % BATCH == 0 {
            writer.flush();
        }
    }
    writer.flush();
    // The users that come last in their topic.
    let clicks = (USERS - CLICKS..USERS).map(|n| NewRow::new(user(n), "click by "));
    client.produce("clicks", clicks);

    let config = format!(
        "[kafka]\n\"fetch.message.max.bytes\" = \"10000\"\n\
         [services.joining]\ncomponent = {:?}\n\
         config = {{ workload = \"join\", in = \"clicks\", table = \"users\", out = \"seen\" }}\n",
        paths::component("bench").display().to_string()
    );
    let _host = Weir::host("host", &broker.bootstrap())
        .args(["--config", "weir.toml"])
        .file("weir.toml", config)
        .start();
    client.read_until("seen", |rows| {
        rows.last()
            .is_some_and(|row| row.key_text() == user(USERS - 1))
    });

    // What comes now is handled as it comes, with no other traffic to push it.
    client.produce("users", [NewRow::new("user-0", "a new name")]);
    client.produce("clicks", [NewRow::new("user-0", "click by ")]);
    let seen = client.read_until("seen", |rows| {
        rows.last().is_some_and(|row| row.key_text() == "user-0")
    });
    let (last, before) = seen.split_last().unwrap();
    assert_eq!(last.value_text(), "click by a new name");
    assert_eq!(before.len(), CLICKS, "every click found its user");
    for (n, row) in (USERS - CLICKS..).zip(before) {
        assert_eq!(row.key_text(), user(n));
        assert!(row.value_text().starts_with(&format!("click by {n} x")));
    }
}
