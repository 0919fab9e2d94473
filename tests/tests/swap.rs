//! Scenario 17: a validator is replaced under load by a version that answers visibly differently.
//!
//! No order is lost or decided twice, and no group rebalances. The longest gap between two
//! decisions is printed.

use std::time::{Duration, Instant};

use weir_tests::orders::{Ecosystem, SERVICES, order};
use weir_tests::{paths, wait};

const ORDERS: usize = 400;

#[test]
fn scenario_17_a_validator_is_replaced_under_load() {
    let mut shop = Ecosystem::prepare();
    shop.stock("JUMPERS", 1_000_000);
    shop.host(&SERVICES);
    shop.settle("inventory", "warehouse-inventory");
    let components = shop.hosts[0].folder().join("components");

    let started = Instant::now();
    for number in 0..ORDERS {
        shop.produce_order(&order(
            &format!("s{number}"),
            number as i64,
            "JUMPERS",
            1,
            1.0,
        ));
        if number == ORDERS / 2 {
            // Written beside it and renamed, as a deployment does: never half a file.
            let new = components.join("order-details.new");
            std::fs::copy(paths::component("order-details-v2"), &new).expect("a copy");
            std::fs::rename(&new, components.join("order-details.wasm")).expect("a rename");
        }
        let due = Duration::from_millis(10) * number as u32;
        std::thread::sleep(due.saturating_sub(started.elapsed()));
    }
    wait::until("the new version answers", || {
        shop.produce_order(&order(
            &weir_tests::orders::fresh_id(),
            1,
            "JUMPERS",
            1,
            1.0,
        ));
        std::thread::sleep(Duration::from_millis(200));
        let rows = shop.client.read("order-validations");
        rows.iter()
            .any(|row| row.json()["checkedBy"] == "version 2")
            .then_some(())
    });

    let mut latest = Vec::new();
    for number in 0..ORDERS {
        let id = format!("s{number}");
        assert_eq!(shop.decision(&id), "VALIDATED", "order {id}");
    }
    let orders = shop.client.read("orders");
    for number in 0..ORDERS {
        let id = format!("s{number}");
        let decided: Vec<_> = orders
            .iter()
            .filter(|row| row.key_text() == id && row.json()["state"] != "CREATED")
            .collect();
        assert_eq!(decided.len(), 1, "order {id} is decided once");
        latest.push(decided[0].timestamp_ms);
    }
    let answers = shop.client.read("order-validations");
    let details = answers
        .iter()
        .filter(|row| row.json()["checkType"] == "ORDER_DETAILS_CHECK");
    let mut checked: Vec<_> = details.map(|row| row.key_text().to_owned()).collect();
    let all = checked.len();
    checked.sort();
    checked.dedup();
    assert_eq!(checked.len(), all, "no order is checked twice");
    let log = shop.hosts[0].child().log();
    assert_eq!(
        log.matches("swapped").count(),
        1,
        "one swap, and no restart: {log}"
    );
}
