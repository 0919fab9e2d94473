//! Each operator, told as a story on the real engine.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use weir::testing::Driver;
use weir::{
    Context, JoinWindows, Schedule, Session, SessionWindows, TimeWindows, Topology, Windowed,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Click {
    page: String,
    times: i64,
}

fn click(page: &str, times: i64) -> Click {
    let page = page.to_owned();
    Click { page, times }
}

fn send(driver: &mut Driver, at: i64, who: &str, page: &str, times: i64) {
    let row = (who.to_owned(), click(page, times));
    driver.topic("clicks").at(at).send(row.0, row.1);
}

/// The rows of a topic whose values are text, "key value".
fn lines(driver: &mut Driver, topic: &str) -> Vec<String> {
    let rows = driver.topic::<String, String>(topic).read();
    let line = |(key, value): (String, String)| format!("{key} {value}");
    rows.into_iter().map(line).collect()
}

#[test]
fn stateless_steps_are_one_node() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.stream::<String, Click>("clicks")
            .filter(|click| click.times > 0)
            .filter_rows(|row| row.key != "bot")
            .map_values(|click| click.page.clone())
            .map_rows(|row| format!("{} at {}", row.value, row.timestamp))
            .flat_map_values(|page| vec![page.clone(), page.to_uppercase()])
            .peek(|row| assert!(!row.value.is_empty()))
            .to("pages");
    });
    send(&mut driver, 5, "ada", "/home", 1);
    send(&mut driver, 6, "ada", "/none", 0);
    send(&mut driver, 7, "bot", "/home", 1);
    assert_eq!(
        lines(&mut driver, "pages"),
        ["ada /home at 5", "ada /HOME AT 5"]
    );
    let described = driver.describe();
    assert_eq!(described.matches("Processor:").count(), 1, "{described}");
}

#[test]
fn rows_that_no_step_changes_keep_their_bytes_and_headers() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.stream::<String, Click>("clicks")
            .filter(|click| click.times > 0)
            .to("kept");
    });
    let spaced = br#"{ "times": 1, "page": "/", "more": true }"#;
    let clicks = driver.topic::<String, Click>("clicks").header("trace", "7");
    clicks.send_bytes(Some(b"ada"), Some(spaced));
    let kept = driver.topic::<String, Vec<u8>>("kept").receive();
    assert_eq!(kept[0].value, spaced);
    assert_eq!(kept[0].headers, [("trace".to_owned(), Some(b"7".to_vec()))]);
}

#[test]
fn maps_rekey_and_split() {
    let mut driver = Driver::new(|t: &mut Topology| {
        let clicks = t.stream::<String, Click>("clicks");
        let pages = clicks.map(|row| (row.value.page.clone(), row.key.clone()));
        pages.to("by-page");
        clicks
            .flat_map(|row| (0..row.value.times).map(|n| (n.to_string(), "x".to_owned())))
            .to("many");
        let [few, many] = clicks
            .map_values(|click| click.times)
            .branch(|times| (*times > 0).then_some(usize::from(*times > 9)));
        few.map_values(i64::to_string).to("few");
        many.merge(&few).map_values(i64::to_string).to("any");
    });
    send(&mut driver, 0, "ada", "/home", 2);
    send(&mut driver, 0, "bob", "/home", 10);
    send(&mut driver, 0, "eve", "/home", 0);
    assert_eq!(
        lines(&mut driver, "by-page"),
        ["/home ada", "/home bob", "/home eve"]
    );
    assert_eq!(lines(&mut driver, "many").len(), 12);
    assert_eq!(lines(&mut driver, "few"), ["ada 2"]);
    assert_eq!(lines(&mut driver, "any"), ["ada 2", "bob 10"]);
}

#[test]
fn a_row_that_cannot_be_read_is_refused_alone() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.stream::<String, Click>("clicks")
            .try_map_values(|click| match click.times {
                0 => Err("clicked no times"),
                times => Ok(times.to_string()),
            })
            .to("times");
    });
    let bytes = |driver: &mut Driver, value: Option<&[u8]>| {
        let clicks = driver.topic::<String, Click>("clicks");
        clicks.send_bytes(Some(b"ada"), value);
    };
    bytes(&mut driver, Some(br#"{"page":"/","times":"often"}"#));
    bytes(&mut driver, None);
    send(&mut driver, 0, "ada", "/", 0);
    send(&mut driver, 0, "ada", "/", 3);
    assert_eq!(lines(&mut driver, "times"), ["ada 3"]);
    let letters = driver.dead_letters();
    let reasons: Vec<&str> = letters
        .iter()
        .map(|letter| letter.reason.as_str())
        .collect();
    assert!(
        reasons[0].starts_with("value: field `times`: invalid type"),
        "{reasons:?}"
    );
    assert!(reasons[1].starts_with("value: null"), "{reasons:?}");
    assert_eq!(reasons[2], "clicked no times");
}

#[test]
fn a_closure_that_panics_costs_its_row_and_no_other() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.stream::<String, Click>("clicks")
            .map_values(|click| (10 / click.times).to_string())
            .to("shares");
    });
    for (who, times) in [("a", 1), ("b", 0), ("c", 5)] {
        let clicks = driver.topic("clicks").partition(0);
        clicks.queue(who.to_owned(), click("/", times));
    }
    driver.run();
    assert_eq!(lines(&mut driver, "shares"), ["a 10", "c 2"]);
    let letters = driver.dead_letters();
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0].reason.contains("divide by zero"),
        "{}",
        letters[0].reason
    );
}

#[test]
fn groups_count_reduce_and_aggregate() {
    let mut driver = Driver::new(|t: &mut Topology| {
        let pages = t
            .stream::<String, Click>("clicks")
            .group_by("by-page", |click| click.page.clone());
        pages.count("counts").to_stream().to("counts");
        pages
            .reduce("most", |most, click| {
                if click.times > most.times {
                    click.clone()
                } else {
                    most
                }
            })
            .to_stream()
            .map_values(|click| click.times)
            .to("most");
        pages
            .aggregate("sums", || 0_i64, |sum, click| *sum += click.times)
            .to_stream()
            .to("sums");
    });
    for (who, times) in [("ada", 2), ("bob", 5), ("eve", 1)] {
        send(&mut driver, 0, who, "/home", times);
    }
    let mut values = |topic: &str| -> Vec<i64> {
        let rows = driver.topic::<String, i64>(topic).read();
        rows.into_iter().map(|(_, value)| value).collect()
    };
    assert_eq!(values("counts"), [1, 2, 3]);
    assert_eq!(values("most"), [2, 5, 5]);
    assert_eq!(values("sums"), [2, 7, 8]);
}

#[test]
fn windows_keep_times_apart() {
    let minute = Duration::from_secs(60);
    let mut driver = Driver::new(move |t: &mut Topology| {
        let clicks = t.stream::<String, Click>("clicks").group();
        clicks
            .windowed(TimeWindows::tumbling(minute).grace(minute / 2))
            .count("per-minute")
            .to_stream()
            .to("per-minute");
        clicks
            .windowed(TimeWindows::hopping(minute, minute / 2))
            .aggregate("hops", || 0_i64, |sum, click| *sum += click.times)
            .to_stream()
            .to("hops");
        clicks
            .sessions(SessionWindows::gap(minute).grace(minute))
            .aggregate(
                "visits",
                || 0_i64,
                |sum, click| *sum += click.times,
                |a, b| a + b,
            )
            .changes()
            .to("visits");
    });
    send(&mut driver, 10_000, "ada", "/", 1);
    send(&mut driver, 65_000, "ada", "/", 1);
    send(&mut driver, 50_000, "ada", "/", 1);
    send(&mut driver, 200_000, "ada", "/", 5);
    let minutes = driver.topic::<Windowed<String>, i64>("per-minute").read();
    let starts: Vec<_> = minutes.iter().map(|(key, n)| (key.start, *n)).collect();
    assert_eq!(starts, [(0, 1), (60_000, 1), (0, 2), (180_000, 1)]);
    let hops = driver.topic::<Windowed<String>, i64>("hops").read();
    assert!(
        hops.iter().all(|(key, _)| key.start % 30_000 == 0),
        "{hops:?}"
    );
    let visits = driver
        .topic::<Session<String>, Option<i64>>("visits")
        .read();
    let visits: Vec<_> = visits
        .iter()
        .map(|(key, n)| (key.start, key.end, *n))
        .collect();
    assert_eq!(
        visits,
        [
            (10_000, 10_000, Some(1)),
            (10_000, 10_000, None),
            (10_000, 65_000, Some(2)),
            (10_000, 65_000, None),
            (10_000, 65_000, Some(3)),
            (200_000, 200_000, Some(5)),
        ]
    );
}

#[test]
fn streams_meet_tables() {
    let mut driver = Driver::new(|t: &mut Topology| {
        let names = t.table::<String, String>("names");
        let prices = t.global_table::<String, i64>("prices");
        let clicks = t.stream::<String, Click>("clicks");
        clicks
            .join(&names, |click, name| format!("{name}: {}", click.page))
            .to("named");
        clicks
            .left_join(&names, |_, name| name.cloned().unwrap_or("?".to_owned()))
            .to("all");
        clicks
            .join_global(
                &prices,
                |row| row.value.page.clone(),
                |c, price| (c.times * price).to_string(),
            )
            .to("paid");
        clicks
            .left_join_global(&prices, |_| None, |_, price| format!("{price:?}"))
            .to("free");
    });
    driver
        .topic("names")
        .send("ada".to_owned(), "Ada".to_owned());
    driver.topic("prices").send("/home".to_owned(), 7_i64);
    send(&mut driver, 0, "ada", "/home", 2);
    send(&mut driver, 0, "bob", "/away", 2);
    assert_eq!(lines(&mut driver, "named"), ["ada Ada: /home"]);
    assert_eq!(lines(&mut driver, "all"), ["ada Ada", "bob ?"]);
    assert_eq!(lines(&mut driver, "paid"), ["ada 14"]);
    assert_eq!(lines(&mut driver, "free"), ["ada None", "bob None"]);
}

#[test]
fn streams_meet_streams() {
    let mut driver = Driver::new(|t: &mut Topology| {
        let windows = JoinWindows::within(Duration::from_secs(10));
        let left = t.stream::<String, String>("left");
        let right = t.stream::<String, i64>("right");
        left.join_stream("inner", &right, windows, |l, r| format!("{l}{r}"))
            .to("inner");
        left.left_join_stream("left-outer", &right, windows, |l, r| format!("{l}{r:?}"))
            .to("left-outer");
        left.outer_join_stream("outer", &right, windows.before(Duration::ZERO), |l, r| {
            format!("{l:?}{r:?}")
        })
        .to("outer");
    });
    driver
        .topic("left")
        .at(0)
        .send("k".to_owned(), "a".to_owned());
    driver.topic("right").at(10_000).send("k".to_owned(), 1_i64);
    driver.topic("right").at(10_001).send("k".to_owned(), 2_i64);
    driver
        .topic("left")
        .at(90_000)
        .send("k".to_owned(), "b".to_owned());
    driver
        .topic("left")
        .at(190_000)
        .send("k".to_owned(), "c".to_owned());
    assert_eq!(lines(&mut driver, "inner"), ["k a1"]);
    assert_eq!(lines(&mut driver, "left-outer"), ["k aSome(1)", "k bNone"]);
    assert_eq!(
        lines(&mut driver, "outer"),
        ["k Some(\"a\")Some(1)", "k NoneSome(2)", "k Some(\"b\")None"]
    );
}

#[test]
fn an_update_keeps_one_state_a_key() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.stream::<String, Click>("clicks")
            .update("totals", |total: &mut Option<i64>, row, out| {
                let sum = total.unwrap_or(0) + row.value.times;
                *total = (sum != 0).then_some(sum);
                if sum < 0 {
                    return Err(format!("{sum} clicks in all"));
                }
                out.forward(row.key, &sum.to_string());
                Ok(())
            })
            .to("totals");
    });
    for times in [2, 3, -9, -5] {
        let clicks = driver.topic("clicks");
        clicks.queue("ada".to_owned(), click("/", times));
    }
    driver.run();
    assert_eq!(lines(&mut driver, "totals"), ["ada 2", "ada 5", "ada 0"]);
    assert_eq!(driver.dead_letters()[0].reason, "-4 clicks in all");
    assert_eq!(driver.store::<String, i64>("totals"), []);
}

#[test]
fn a_processor_reads_and_writes_its_stores() {
    let mut driver = Driver::new(|t: &mut Topology| {
        let seen = t.store::<(String, String), i64>("seen");
        t.stream::<String, Click>("clicks")
            .process(
                "count",
                seen,
                |ctx: &mut Context<'_, String, String>, row, seen| {
                    let key = (row.key.clone(), row.value.page.clone());
                    let count = ctx.get(seen, &key).unwrap_or(0) + row.value.times;
                    ctx.put(seen, &key, &count);
                    if row.value.times < 0 {
                        return Err("negative");
                    }
                    let pages = ctx.prefix(seen, row.key, 10);
                    let pages: Vec<String> = pages
                        .into_iter()
                        .map(|((_, page), n)| format!("{page}={n}"))
                        .collect();
                    ctx.forward(row.key, &pages.join(" "));
                    Ok(())
                },
            )
            .to("pages");
    });
    let rows = [
        ("ada", "/b", 1),
        ("ada", "/a", 2),
        ("adam", "/c", 1),
        ("ada", "/a", -9),
        ("ada", "/a", 1),
    ];
    for (who, page, times) in rows {
        driver
            .topic("clicks")
            .partition(1)
            .queue(who.to_owned(), click(page, times));
    }
    driver.run();
    assert_eq!(
        lines(&mut driver, "pages"),
        ["ada /b=1", "ada /a=2 /b=1", "adam /c=1", "ada /a=3 /b=1"],
        "what a refused row wrote is taken back"
    );
    assert_eq!(driver.dead_letters().len(), 1);
}

#[test]
fn a_processor_is_called_by_both_clocks() {
    let mut driver = Driver::setup()
        .partitions(1)
        .start(|t: &mut Topology| {
            let sums = t.store::<String, i64>("sums");
            let second = Duration::from_secs(1);
            t.stream::<String, Click>("clicks")
                .process(
                    "sum",
                    sums,
                    |ctx: &mut Context<'_, String, String>, row, sums| {
                        let sum = ctx.get(sums, row.key).unwrap_or(0) + row.value.times;
                        ctx.put(sums, row.key, &sum);
                    },
                )
                .every(Schedule::wall_clock(second), |ctx, now, sums| {
                    for (key, sum) in ctx.range(sums, None, None, 10) {
                        ctx.forward(&key, &format!("{sum} at {now}"));
                    }
                })
                .every(Schedule::stream_time(second), |ctx, at, _| {
                    ctx.forward(&"stream".to_owned(), &at.to_string());
                })
                .to("sums");
        })
        .expect("a good service");
    send(&mut driver, 500, "ada", "/", 2);
    let first = lines(&mut driver, "sums");
    driver.advance(1_000);
    assert_eq!(
        lines(&mut driver, "sums"),
        ["ada 2 at 1000"],
        "after {first:?}"
    );
    send(&mut driver, 1_500, "ada", "/", 2);
    let due = lines(&mut driver, "sums");
    assert!(
        due.iter().all(|line| line.starts_with("stream ")),
        "{due:?}"
    );
}

#[test]
fn a_stream_made_a_table_is_joined_and_read() {
    let mut driver = Driver::new(|t: &mut Topology| {
        let latest = t
            .stream::<String, Click>("clicks")
            .map_values(|click| click.page.clone())
            .to_table("latest");
        t.stream::<String, i64>("asks")
            .join(&latest, |_, page| page.clone())
            .to("answers");
        t.get("/latest/{who}")
            .key_param("who")
            .stores(latest.store())
            .answer(|ctx, request, latest| {
                let page = ctx.get(latest, &request.param("who").to_owned())?;
                Some(weir::Response::json(200, &page))
            });
    });
    assert_eq!(driver.get("/latest/ada"), None);
    send(&mut driver, 0, "ada", "/home", 1);
    driver.topic("asks").send("ada".to_owned(), 1_i64);
    assert_eq!(lines(&mut driver, "answers"), ["ada /home"]);
    let answer = driver.get("/latest/ada").expect("it is there");
    assert_eq!(answer.json::<String>(), "/home");
}

#[test]
fn rows_repartitioned_meet_again() {
    let mut driver = Driver::new(|t: &mut Topology| {
        t.stream::<String, Click>("clicks")
            .select_key(|row| row.value.page.clone())
            .repartition_into(3, "pages")
            .map_values(|click| click.times.to_string())
            .to("pages");
    });
    for who in ["ada", "bob", "eve"] {
        send(&mut driver, 0, who, "/home", 1);
    }
    let rows = driver.topic::<String, String>("pages").receive();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.partition == rows[0].partition));
    assert!(driver.describe().contains("pages-repartition"));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let wrong = |t: &mut Topology| {
        let _: i32 = t.config_or("limit", 5);
        t.get("/all").answer(|_, _, ()| None);
        t.refuse("not on a Sunday");
    };
    let started = Driver::setup().config("limit", "five").start(wrong);
    assert_eq!(
        started.err().as_deref(),
        Some(
            "setting `limit`: `five` is not a whole number; \
             route GET /all: whom is it about? call `key_param` or `key`; not on a Sunday"
        )
    );
}
