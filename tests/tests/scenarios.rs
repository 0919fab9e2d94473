//! The scenarios of the order ecosystem, end to end: real components, a real broker, real clients.
//!
//! They run on the embedded broker, and on Apache Kafka where `WEIR_TEST_BROKER=kafka`. Topics have
//! 4 partitions.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use serde_json::json;
use weir_tests::orders::{Ecosystem, SERVICES, order};
use weir_tests::{http, wait};

#[test]
fn scenario_1_an_order_in_stock_is_validated() {
    let shop = Ecosystem::start();
    shop.stock("UNDERPANTS", 75);
    shop.stock("JUMPERS", 10);
    shop.settle("inventory", "warehouse-inventory");
    shop.post(&order("1", 2, "JUMPERS", 1, 1.0));
    assert_eq!(shop.decision("1"), "VALIDATED");
}

#[test]
fn scenario_2_stock_is_used_up_to_the_last_piece() {
    let shop = Ecosystem::start();
    shop.stock("UNDERPANTS", 75);
    shop.stock("JUMPERS", 10);
    shop.settle("inventory", "warehouse-inventory");
    for id in 0..10 {
        shop.post(&order(&id.to_string(), 2, "JUMPERS", 1, 1.0));
    }
    for id in 0..10 {
        assert_eq!(shop.decision(&id.to_string()), "VALIDATED", "order {id}");
    }
    shop.post(&order("one-too-many", 2, "JUMPERS", 1, 1.0));
    assert_eq!(shop.decision("one-too-many"), "FAILED");
}

#[test]
fn scenario_3_without_stock_every_order_fails() {
    let shop = Ecosystem::start();
    shop.stock("UNDERPANTS", 75_000);
    shop.stock("JUMPERS", 0);
    shop.settle("inventory", "warehouse-inventory");
    for id in 0..10 {
        shop.post(&order(&id.to_string(), 2, "JUMPERS", 1, 1.0));
    }
    for id in 0..10 {
        assert_eq!(shop.decision(&id.to_string()), "FAILED", "order {id}");
    }
}

#[test]
fn scenario_4_what_was_posted_can_be_got() {
    let shop = Ecosystem::start();
    the_order_is_at_its_location(&shop);
}

#[test]
fn scenario_4_with_two_hosts() {
    let mut shop = Ecosystem::start();
    shop.host(&SERVICES);
    the_order_is_at_its_location(&shop);
}

fn the_order_is_at_its_location(shop: &Ecosystem) {
    let posted = order("1", 2, "JUMPERS", 10, 100.0);
    let host = &shop.hosts[0];
    let response = host.post("/v1/orders", &posted).expect(201);
    let location = response.header("location").unwrap().to_owned();
    assert_eq!(location, "/v1/orders/1");
    for path in [location.as_str(), "/v1/orders/1"] {
        let got = host.get(path).expect(200).json();
        for field in ["id", "customerId", "product", "quantity", "price"] {
            assert_eq!(got[field], posted[field], "{field} of {path}");
        }
    }
}

#[test]
fn scenario_5_an_order_that_never_comes_times_out() {
    let shop = Ecosystem::start();
    shop.hosts[0].get("/v1/orders/nobody?timeout=0").expect(404);
    let asked = Instant::now();
    shop.hosts[0]
        .get("/v1/orders/nobody?timeout=100")
        .expect(504);
    let waited = asked.elapsed();
    let about = Duration::from_millis(100)..Duration::from_millis(1500);
    assert!(about.contains(&waited), "waited {waited:?}");
}

#[test]
fn scenario_6_every_host_answers_for_every_order() {
    let mut shop = Ecosystem::start();
    shop.host(&SERVICES);
    for id in 0..8 {
        let posted = order(&format!("o{id}"), 2, "JUMPERS", 1, 1.0);
        shop.post(&posted);
        for host in &shop.hosts {
            let got = host.get(&format!("/v1/orders/o{id}")).expect(200).json();
            assert_eq!(got["id"], posted["id"]);
            assert_eq!(got["price"], posted["price"]);
        }
    }
}

#[test]
fn scenario_7_stock_is_reserved_order_by_order() {
    let mut shop = Ecosystem::prepare();
    shop.stock("UNDERPANTS", 75);
    shop.stock("JUMPERS", 1);
    shop.host(&["inventory"]);
    shop.settle("inventory", "warehouse-inventory");
    for order in [
        order("0", 1, "UNDERPANTS", 3, 10.0),
        order("1", 2, "JUMPERS", 1, 75.0),
        order("2", 2, "JUMPERS", 1, 75.0),
    ] {
        let count = order["id"].as_str().unwrap().parse::<usize>().unwrap() + 1;
        shop.produce_order(&order);
        shop.answers("INVENTORY_CHECK", count);
    }
    assert_eq!(
        shop.answers("INVENTORY_CHECK", 3),
        ["0 PASS", "1 PASS", "2 FAIL"]
    );
    let reserved = shop.numbers("inventory-reserved-changelog");
    assert_eq!(
        reserved.into_iter().collect::<Vec<_>>(),
        [("JUMPERS".to_owned(), 1), ("UNDERPANTS".to_owned(), 3)]
    );
}

#[test]
fn scenario_8_a_customer_who_spends_too_much_fails() {
    let mut shop = Ecosystem::prepare();
    shop.host(&["fraud"]);
    let orders = [
        order("0", 0, "UNDERPANTS", 3, 5.0),
        order("1", 0, "JUMPERS", 1, 75.0),
        order("2", 1, "JUMPERS", 1, 75.0),
        order("3", 1, "JUMPERS", 1, 75.0),
        order("4", 1, "JUMPERS", 50, 75.0),
        order("5", 2, "UNDERPANTS", 10, 100.0),
        order("6", 2, "UNDERPANTS", 10, 100.0),
        order("7", 2, "UNDERPANTS", 1, 5.0),
    ];
    for (index, order) in orders.iter().enumerate() {
        shop.produce_order(order);
        shop.answers("FRAUD_CHECK", index + 1);
    }
    let expected = [
        "0 PASS", "1 PASS", "2 PASS", "3 PASS", "4 FAIL", "5 PASS", "6 FAIL", "7 FAIL",
    ];
    assert_eq!(shop.answers("FRAUD_CHECK", 8), expected);
}

#[test]
fn scenario_9_details_are_checked_once_also_over_a_restart() {
    let mut shop = Ecosystem::prepare();
    shop.host(&["order-details"]);
    shop.produce_order(&order("0", 0, "UNDERPANTS", 3, 5.0));
    shop.produce_order(&order("1", 0, "JUMPERS", -1, 75.0));
    assert_eq!(shop.answers("ORDER_DETAILS_CHECK", 2), ["0 PASS", "1 FAIL"]);
    let status = shop.hosts[0].terminate(Duration::from_secs(20));
    assert!(status.success(), "{status}");
    shop.hosts[0].start_again();
    shop.hosts[0].wait_until_ready();
    shop.produce_order(&order("2", 0, "JUMPERS", 1, 75.0));
    assert_eq!(
        shop.answers("ORDER_DETAILS_CHECK", 3),
        ["0 PASS", "1 FAIL", "2 PASS"]
    );
}

#[test]
fn scenario_10_an_order_is_decided_once() {
    let mut shop = Ecosystem::prepare();
    shop.host(&["validations"]);
    shop.produce_order(&order("0", 0, "UNDERPANTS", 3, 5.0));
    shop.produce_order(&order("1", 0, "JUMPERS", 1, 75.0));
    answer(&shop, "0", "INVENTORY_CHECK", "PASS");
    answer(&shop, "0", "FRAUD_CHECK", "PASS");
    answer(&shop, "0", "ORDER_DETAILS_CHECK", "PASS");
    answer(&shop, "1", "FRAUD_CHECK", "PASS");
    answer(&shop, "1", "ORDER_DETAILS_CHECK", "FAIL");
    answer(&shop, "1", "INVENTORY_CHECK", "PASS");
    shop.settle("validations", "order-validations");
    wait::until("both are decided", || {
        (!shop.decisions("0").is_empty() && !shop.decisions("1").is_empty()).then_some(())
    });
    assert_eq!(shop.decisions("0"), ["VALIDATED"]);
    assert_eq!(shop.decisions("1"), ["FAILED"]);
}

#[test]
fn scenario_13_one_check_three_times_decides_nothing() {
    let mut shop = Ecosystem::prepare();
    shop.host(&["validations"]);
    shop.produce_order(&order("0", 0, "UNDERPANTS", 3, 5.0));
    for _ in 0..3 {
        answer(&shop, "0", "FRAUD_CHECK", "PASS");
    }
    shop.settle("validations", "order-validations");
    shop.settle("validations", "orders");
    assert_eq!(shop.decisions("0"), [""; 0]);
    answer(&shop, "0", "INVENTORY_CHECK", "PASS");
    answer(&shop, "0", "ORDER_DETAILS_CHECK", "PASS");
    wait::until("it is decided", || {
        (!shop.decisions("0").is_empty()).then_some(())
    });
    assert_eq!(shop.decisions("0"), ["VALIDATED"]);
}

fn answer(shop: &Ecosystem, order: &str, check: &str, result: &str) {
    let answer = json!({"orderId": order, "checkType": check, "validationResult": result});
    let row = weir_tests::row::NewRow::json(order, &answer);
    shop.client.produce("order-validations", [row]);
}

#[test]
fn scenario_11_one_mail_for_an_order_that_is_validated_and_paid() {
    let mut shop = Ecosystem::prepare();
    shop.customer(15, "gold");
    let mut validated = order("0", 15, "UNDERPANTS", 3, 5.0);
    validated["state"] = json!("VALIDATED");
    shop.produce_order(&order("0", 15, "UNDERPANTS", 3, 5.0));
    shop.produce_order(&validated);
    shop.payment("0");
    shop.host(&["email"]);
    let mails = shop
        .client
        .read_until("email-outbox", |rows| !rows.is_empty());
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].key_text(), "0");
    let gold = shop.client.read_until("gold", |rows| !rows.is_empty());
    assert_eq!(gold[0].json()["customerLevel"], "gold");
    shop.settle("email", "orders");
    shop.settle("email", "payments");
    assert_eq!(shop.client.read("email-outbox").len(), 1);
}

#[test]
fn scenario_14_a_hundred_wait_for_one_order() {
    let shop = Ecosystem::start();
    let url = shop.hosts[0].url("/v1/orders/popular?timeout=30000");
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || http::get(&url).status)
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    shop.post(&order("popular", 2, "JUMPERS", 1, 1.0));
    let answered = waiting.into_iter().map(|waiting| waiting.join().unwrap());
    assert_eq!(answered.filter(|status| *status == 200).count(), 100);
}

#[test]
fn scenario_15_a_validator_that_is_away_only_makes_it_later() {
    let mut shop = Ecosystem::prepare();
    shop.stock("JUMPERS", 10);
    shop.host(&[
        "orders",
        "order-details",
        "inventory",
        "validations",
        "email",
    ]);
    shop.settle("inventory", "warehouse-inventory");
    shop.post(&order("1", 2, "JUMPERS", 1, 1.0));
    shop.hosts[0]
        .get("/v1/orders/1/validated?timeout=2000")
        .expect(504);
    shop.host(&["fraud"]);
    assert_eq!(shop.decision("1"), "VALIDATED");
}

#[test]
fn scenario_16_an_order_that_fails_gives_its_reservation_back() {
    let shop = Ecosystem::start();
    shop.stock("JUMPERS", 50);
    shop.settle("inventory", "warehouse-inventory");
    shop.post(&order("too-dear", 2, "JUMPERS", 50, 75.0));
    assert_eq!(shop.decision("too-dear"), "FAILED");
    wait::until("the reservation is given back", || {
        shop.numbers("inventory-reserved-changelog")
            .is_empty()
            .then_some(())
    });
    shop.post(&order("modest", 3, "JUMPERS", 50, 1.0));
    assert_eq!(shop.decision("modest"), "VALIDATED");
}
