//! Scenario 12: hosts are killed again and again while a thousand orders arrive, and nothing is
//! lost or doubled.
//!
//! What is written is read with a plain client of committed rows, after the last order is decided.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use weir_tests::orders::{Ecosystem, SERVICES, order};
use weir_tests::random::Random;
use weir_tests::row::Row;
use weir_tests::wait;

const ORDERS: usize = 1000;
const KILLS: usize = 10;
const PRODUCTS: [&str; 2] = ["JUMPERS", "UNDERPANTS"];

#[test]
fn scenario_12_killing_the_host_loses_and_doubles_nothing() {
    survive_kills(1);
}

#[test]
fn scenario_12_with_two_hosts() {
    survive_kills(2);
}

fn survive_kills(hosts: usize) {
    let mut random = Random::from_environment();
    let mut shop = Ecosystem::prepare();
    for product in PRODUCTS {
        // Too little for all of them, so that reservations matter.
        shop.stock(product, 900);
    }
    for customer in 0..50 {
        shop.customer(customer, "silver");
    }
    for _ in 0..hosts {
        shop.host(&SERVICES);
    }
    shop.settle("inventory", "warehouse-inventory");

    let quantities = arrive(&mut shop, &mut random);
    for host in &mut shop.hosts {
        host.wait_until_ready();
    }
    wait::within(Duration::from_secs(180), || {
        (decided(&shop.client.read("orders")).len() == ORDERS).then_some(())
    })
    .unwrap_or_else(|| {
        panic!(
            "only {} decided",
            decided(&shop.client.read("orders")).len()
        )
    });
    // Whatever would be written twice has time to be.
    std::thread::sleep(Duration::from_secs(3));

    nothing_is_doubled(&shop);
    reservations_are_those_of_validated_orders(&shop, &quantities);
}

/// Writes the orders over some 20 seconds and kills a host every now and then; returns what each
/// order asks for.
fn arrive(shop: &mut Ecosystem, random: &mut Random) -> BTreeMap<String, (String, u32)> {
    let mut quantities = BTreeMap::new();
    let mut kills: Vec<usize> = (0..KILLS).map(|_| random.below(ORDERS)).collect();
    kills.sort_unstable();
    let started = Instant::now();
    for number in 0..ORDERS {
        let id = format!("c{number}");
        let product = PRODUCTS[random.below(PRODUCTS.len())];
        let quantity = 1 + random.below(3);
        let customer = random.below(50) as i64;
        shop.produce_order(&order(&id, customer, product, quantity as i64, 10.0));
        if number % 3 == 0 {
            shop.payment(&id);
        }
        quantities.insert(id, (product.to_owned(), quantity as u32));
        while kills.first() == Some(&number) {
            kills.remove(0);
            let victim = random.below(shop.hosts.len());
            shop.hosts[victim].kill9();
            shop.hosts[victim].start_again();
            std::thread::sleep(Duration::from_millis(random.below(3000) as u64));
        }
        let due = Duration::from_millis(20) * number as u32;
        std::thread::sleep(due.saturating_sub(started.elapsed()));
    }
    shop.flush();
    quantities
}

/// The decisions of each order.
fn decided(orders: &[Row]) -> BTreeMap<String, Vec<String>> {
    let mut decisions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in orders {
        let state = row.json()["state"].as_str().unwrap_or("?").to_owned();
        if state != "CREATED" {
            decisions
                .entry(row.key_text().to_owned())
                .or_default()
                .push(state);
        }
    }
    decisions
}

fn nothing_is_doubled(shop: &Ecosystem) {
    for (order, decisions) in decided(&shop.client.read("orders")) {
        assert_eq!(
            decisions.len(),
            1,
            "order {order} was decided {decisions:?}"
        );
    }
    let answers = shop.client.read("order-validations");
    once(
        "order-validations",
        answers.iter().map(|row| {
            let answer = row.json();
            format!("{} {}", answer["orderId"], answer["checkType"])
        }),
    );
    assert_eq!(answers.len(), 3 * ORDERS, "three answers an order");
    for topic in ["orders-enriched", "email-outbox"] {
        let rows = shop.client.read(topic);
        once(topic, rows.iter().map(|row| row.key_text().to_owned()));
    }
}

fn once(topic: &str, rows: impl Iterator<Item = String>) {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for row in rows {
        *counts.entry(row).or_default() += 1;
    }
    counts.retain(|_, count| *count > 1);
    assert!(counts.is_empty(), "doubled in {topic}: {counts:?}");
}

fn reservations_are_those_of_validated_orders(
    shop: &Ecosystem,
    quantities: &BTreeMap<String, (String, u32)>,
) {
    let mut expected: BTreeMap<String, u32> = BTreeMap::new();
    for (order, states) in decided(&shop.client.read("orders")) {
        if states == ["VALIDATED"] {
            let (product, quantity) = &quantities[&order];
            *expected.entry(product.clone()).or_default() += quantity;
        }
    }
    let reserved = wait::within(Duration::from_secs(30), || {
        let reserved = shop.numbers("inventory-reserved-changelog");
        (reserved == expected).then_some(reserved)
    });
    let found = reserved.unwrap_or_else(|| shop.numbers("inventory-reserved-changelog"));
    assert_eq!(
        found, expected,
        "what is reserved, and what validated orders asked for"
    );
}
