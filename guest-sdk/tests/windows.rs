//! Windows of every kind, what sends them late, and cogroups: stories on the real engine.

use std::time::Duration;

use weir::testing::Driver;
use weir::{
    Context, Data, Session, SessionWindows, SlidingWindows, Suppressed, TimeWindows, Topology,
    Windowed,
};

const SECOND: Duration = Duration::from_secs(1);

/// A service on topics of one partition, where all cards share a stream time.
fn started(service: impl Fn(&mut Topology) + 'static) -> Driver {
    let started = Driver::setup().partitions(1).start(service);
    started.expect("a good service")
}

/// A payment of a card, at a second.
fn pay(driver: &mut Driver, topic: &str, second: i64, card: &str, sum: i64) {
    let payments = driver.topic(topic).at(second * 1000);
    payments.send(card.to_owned(), sum);
}

/// What windows came to, as "key@start second=value".
fn windows<V: Data + std::fmt::Debug>(driver: &mut Driver, topic: &str) -> Vec<String> {
    let rows = driver.topic::<Windowed<String>, V>(topic).read();
    let line = |(window, value): (Windowed<String>, V)| {
        format!("{}@{}={value:?}", window.key, window.start / 1000)
    };
    rows.into_iter().map(line).collect()
}

#[test]
fn sliding_windows_hold_rows_that_lie_near_each_other() {
    let mut driver = started(|t: &mut Topology| {
        t.stream::<String, i64>("payments")
            .group()
            .windowed(SlidingWindows::of(10 * SECOND).grace(5 * SECOND))
            .aggregate("sums", || 0_i64, |sum, paid| *sum += paid)
            .to_stream()
            .to("sums");
    });
    pay(&mut driver, "payments", 20, "card", 1);
    pay(&mut driver, "payments", 25, "card", 10);
    // Late, but in grace: it is in the window of the row after it, and in one of its own.
    pay(&mut driver, "payments", 24, "card", 100);
    // One window ends at 20, one at 25, one at 24; others begin a millisecond after a row.
    assert_eq!(
        windows::<i64>(&mut driver, "sums"),
        [
            "card@10=1",
            "card@20=10",
            "card@15=11",
            "card@20=110",
            "card@15=111",
            "card@14=101",
            "card@24=10"
        ]
    );
}

#[test]
fn windows_are_sent_once_when_they_close_and_a_jump_of_time_loses_none() {
    let mut driver = started(|t: &mut Topology| {
        let payments = t.stream::<String, i64>("payments").group();
        payments
            .windowed(TimeWindows::tumbling(10 * SECOND).grace(5 * SECOND))
            .emit_on_window_close()
            .reduce("sums", |sum, paid| sum + paid)
            .to_stream()
            .to("sums");
        payments
            .sessions(SessionWindows::gap(10 * SECOND))
            .emit_on_window_close()
            .reduce("visits", |sum, paid| sum + paid)
            .to_stream()
            .to("visits");
    });
    for (second, card, sum) in [(1, "b", 1), (2, "a", 10), (8, "b", 100), (14, "b", 1000)] {
        pay(&mut driver, "payments", second, card, sum);
    }
    assert!(windows::<i64>(&mut driver, "sums").is_empty());
    pay(&mut driver, "payments", 1_000_000, "a", 7);
    assert_eq!(
        windows::<i64>(&mut driver, "sums"),
        ["a@0=10", "b@0=101", "b@10=1000"]
    );
    let visits = driver.topic::<Session<String>, i64>("visits").read();
    let visits: Vec<_> = visits
        .iter()
        .map(|(key, sum)| (key.key.as_str(), key.start / 1000, key.end / 1000, *sum))
        .collect();
    assert_eq!(visits, [("a", 2, 2, 10), ("b", 1, 14, 1101)]);
}

#[test]
fn a_suppress_sends_the_final_result_of_each_window() {
    let mut driver = started(|t: &mut Topology| {
        t.stream::<String, i64>("payments")
            .group()
            .windowed(TimeWindows::tumbling(10 * SECOND).grace(5 * SECOND))
            .count("counts")
            .suppress("final", Suppressed::until_window_closes())
            .to_stream()
            .to("counts");
    });
    for second in [1, 2, 11, 4, 14] {
        pay(&mut driver, "payments", second, "card", 1);
    }
    assert!(windows::<i64>(&mut driver, "counts").is_empty());
    pay(&mut driver, "payments", 15, "card", 1);
    assert_eq!(windows::<i64>(&mut driver, "counts"), ["card@0=3"]);
}

#[test]
fn a_full_suppress_sends_early() {
    let mut driver = started(|t: &mut Topology| {
        let until = Suppressed::until_time_limit(3600 * SECOND).max_rows(1);
        let prices = t.table::<String, i64>("prices");
        prices.suppress("calm", until).changes().to("calm");
    });
    pay(&mut driver, "prices", 1, "tea", 5);
    pay(&mut driver, "prices", 2, "milk", 1);
    driver
        .topic::<String, i64>("prices")
        .at(3000)
        .partition(0)
        .send_bytes(Some(b"milk"), None);
    pay(&mut driver, "prices", 4, "ale", 9);
    let sent = driver.topic::<String, Option<i64>>("calm").read();
    assert_eq!(
        sent,
        [("tea".to_owned(), Some(5)), ("milk".to_owned(), None)]
    );
}

#[test]
fn streams_of_different_types_go_into_one_aggregate() {
    let mut driver = started(|t: &mut Topology| {
        let paid = t.stream::<String, i64>("paid").group();
        let names = t.stream::<String, String>("names").group();
        paid.cogroup(|seen: &mut String, paid| *seen += &paid.to_string())
            .and(&names, |seen, name| *seen += name)
            .windowed(TimeWindows::hopping(10 * SECOND, 5 * SECOND))
            .aggregate("windows", String::new)
            .to_stream()
            .to("windows");
        paid.cogroup(|seen: &mut String, paid| *seen += &paid.to_string())
            .and(&names, |seen, name| *seen += name)
            .sessions(SessionWindows::gap(10 * SECOND))
            .aggregate("sessions", String::new, |a, b| format!("{a}, {b}"))
            .to_stream()
            .to("sessions");
    });
    pay(&mut driver, "paid", 1, "card", 5);
    let names = driver.topic("names").at(6000);
    names.send("card".to_owned(), "ada".to_owned());
    assert_eq!(
        windows::<String>(&mut driver, "windows"),
        [r#"card@0="5""#, r#"card@0="5ada""#, r#"card@5="ada""#]
    );
    let sessions = driver.topic::<Session<String>, String>("sessions").read();
    let last = sessions
        .last()
        .map(|(key, seen)| (key.start, key.end, seen.as_str()));
    assert_eq!(last, Some((1000, 6000, ", 5ada")));
}

#[test]
fn what_waits_is_there_after_a_crash_and_after_the_loss_of_the_machine() {
    let mut driver = started(|t: &mut Topology| {
        let payments = t.stream::<String, i64>("payments").group();
        let windows = TimeWindows::tumbling(10 * SECOND);
        let counts = payments.windowed(windows).count("counts");
        counts
            .suppress("held", Suppressed::until_window_closes())
            .to_stream()
            .to("suppressed");
        payments
            .windowed(windows)
            .emit_on_window_close()
            .count("closing")
            .to_stream()
            .to("closed");
    });
    pay(&mut driver, "payments", 1, "card", 1);
    driver.crash();
    pay(&mut driver, "payments", 2, "card", 1);
    driver.lose_state();
    pay(&mut driver, "payments", 10, "card", 1);
    assert_eq!(windows::<i64>(&mut driver, "suppressed"), ["card@0=2"]);
    assert_eq!(windows::<i64>(&mut driver, "closed"), ["card@0=2"]);
}

#[test]
fn windows_are_read_by_key_from_processors_and_queries() {
    let mut driver = started(|t: &mut Topology| {
        let payments = t.stream::<String, i64>("payments");
        let windows = TimeWindows::tumbling(10 * SECOND).grace(20 * SECOND);
        let counts = payments.group().windowed(windows).count("counts");
        let first = |card: &str| Windowed {
            key: card.to_owned(),
            start: 0,
        };
        payments
            .process(
                "first-window",
                counts.store(),
                move |ctx: &mut Context<'_, String, i64>, row, counts| {
                    let count = ctx.get(counts, &first(row.key));
                    ctx.forward(row.key, &count.unwrap_or(-1));
                },
            )
            .to("seen");
        t.get("/first/{card}")
            .key_param("card")
            .stores(counts.store())
            .answer(move |ctx, request, counts| {
                let count = ctx.get(counts, &first(request.param("card")))?;
                Some(weir::Response::json(200, &count))
            });
    });
    assert_eq!(driver.get("/first/card"), None);
    for second in [1, 2, 11, 3] {
        pay(&mut driver, "payments", second, "card", 1);
    }
    let answer = driver.get("/first/card").expect("the window is there");
    assert_eq!(answer.json::<i64>(), 3);
    pay(&mut driver, "payments", 60, "card", 1);
    assert_eq!(driver.get("/first/card"), None, "it has expired");
    let seen = driver.topic::<String, i64>("seen").read();
    let seen: Vec<i64> = seen.into_iter().map(|(_, count)| count).collect();
    assert_eq!(seen, [1, 2, 2, 3, -1]);
}

#[test]
fn a_topology_that_cannot_work_is_refused_with_all_that_is_wrong() {
    let started = Driver::setup().start(|t: &mut Topology| {
        let payments = t.stream::<String, i64>("payments").group();
        payments
            .windowed(TimeWindows::tumbling(Duration::ZERO))
            .count("no-size");
        payments
            .windowed(TimeWindows::hopping(SECOND, 2 * SECOND))
            .count("gaps");
        payments
            .count("plain")
            .suppress("held", Suppressed::until_window_closes());
    });
    let mistakes = started.map(|_| ()).expect_err("nothing of it works");
    for named in ["4 mistakes", "`no-size`", "`gaps`", "`held`"] {
        assert!(mistakes.contains(named), "{named} in {mistakes}");
    }
}
