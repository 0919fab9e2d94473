//! Two hosts share the tasks of each service: what happens to them when one stops, and when one is
//! killed and comes back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use weir_tests::orders::{Ecosystem, SERVICES, order};
use weir_tests::{Weir, wait};

/// Well below the session's 10 s, after which the tasks of a member that says nothing go to others.
const SOON: Duration = Duration::from_secs(3);

fn two_hosts() -> Ecosystem {
    let mut shop = Ecosystem::start();
    shop.host(&SERVICES);
    wait::until("both hosts have tasks of each service", || {
        let shared = shop.hosts.iter().all(|host| {
            let tasks = tasks(host);
            SERVICES
                .iter()
                .all(|service| tasks.get(*service).is_some_and(|tasks| *tasks > 0))
        });
        shared.then_some(())
    });
    shop
}

/// How many tasks of each service run on a host.
fn tasks(host: &Weir) -> BTreeMap<String, u32> {
    let metrics = host.get("/metrics").expect(200).body;
    let line = |line: &str| {
        let (service, count) = line
            .strip_prefix("weir_tasks{service=\"")?
            .split_once("\"} ")?;
        Some((service.to_owned(), count.parse().ok()?))
    };
    metrics.lines().filter_map(line).collect()
}

fn sum(hosts: &[&Weir]) -> BTreeMap<String, u32> {
    let mut sum = BTreeMap::new();
    for (service, count) in hosts.iter().flat_map(|host| tasks(host)) {
        *sum.entry(service).or_default() += count;
    }
    sum
}

/// Once a host was ready before it had any tasks, and the first orders waited for them.
#[test]
fn a_host_is_ready_when_its_tasks_run() {
    let shop = Ecosystem::start();
    let at_once = tasks(&shop.hosts[0]);
    for service in SERVICES {
        assert!(
            at_once.get(service).is_some_and(|tasks| *tasks >= 4),
            "{at_once:?}"
        );
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(tasks(&shop.hosts[0]), at_once, "none came later");
}

/// Once a static member was not known to leave: the tasks of a host that had stopped in order were
/// nobody's for 10 s.
#[test]
fn a_host_that_stops_leaves_its_tasks_to_the_other() {
    let mut shop = two_hosts();
    let all = sum(&[&shop.hosts[0], &shop.hosts[1]]);
    let status = shop.hosts[1].terminate(Duration::from_secs(20));
    assert!(status.success(), "{status}");
    let stopped = Instant::now();
    wait::until("the other host has all tasks", || {
        (tasks(&shop.hosts[0]) == all).then_some(())
    });
    let took = stopped.elapsed();
    assert!(took < SOON, "it took {took:?}");
    shop.stock("JUMPERS", 10);
    shop.settle("inventory", "warehouse-inventory");
    shop.post(&order("1", 2, "JUMPERS", 1, 1.0));
    assert_eq!(shop.decision("1"), "VALIDATED");
}

#[test]
fn a_host_that_is_killed_comes_back_without_a_rebalance() {
    let mut shop = two_hosts();
    let before = [tasks(&shop.hosts[0]), tasks(&shop.hosts[1])];
    let changes = |shop: &mut Ecosystem| {
        let log = shop.hosts[0].child().log();
        log.matches("tasks revoked").count() + log.matches("tasks assigned").count()
    };
    let changed = changes(&mut shop);
    shop.hosts[1].kill9();
    shop.hosts[1].start_again();
    shop.hosts[1].wait_until_ready();
    wait::until("the tasks are back", || {
        (tasks(&shop.hosts[1]) == before[1]).then_some(())
    });
    assert_eq!(tasks(&shop.hosts[0]), before[0]);
    assert_eq!(
        changes(&mut shop),
        changed,
        "nothing moved on the other host"
    );
}
