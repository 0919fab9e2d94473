//! Whom fraud refuses, on four partitions.

use fraud::fraud;
use orders_model::{CustomerId, Order, OrderId, OrderState, Product, Validation, Verdict};
use weir::Windowed;
use weir::testing::Driver;

const HOUR: i64 = 3_600_000;

fn send(driver: &mut Driver, at: i64, id: &str, customer: CustomerId, quantity: i32, price: f64) {
    let id = OrderId(id.to_owned());
    let order = Order {
        id: id.clone(),
        customer_id: customer,
        state: OrderState::Created,
        product: Product::Jumpers,
        quantity,
        price,
    };
    driver.topic("orders").at(at).send(id, order);
}

fn answers(driver: &mut Driver) -> String {
    let rows = driver
        .topic::<OrderId, Validation>("order-validations")
        .read();
    let line = |(id, answer): (OrderId, Validation)| {
        assert_eq!(id, answer.order_id);
        assert_eq!(answer.check_type, "FRAUD_CHECK");
        let passes = answer.validation_result == Verdict::Pass;
        format!("{} {}", id.0, if passes { "PASS" } else { "FAIL" })
    };
    rows.into_iter().map(line).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_session_of_two_thousand_is_too_much() {
    let mut driver = Driver::new(fraud);
    send(&mut driver, 0, "0", 0, 3, 5.0);
    send(&mut driver, 1, "1", 0, 1, 75.0);
    send(&mut driver, 2, "2", 1, 1, 75.0);
    send(&mut driver, 3, "3", 1, 1, 75.0);
    send(&mut driver, 4, "4", 1, 50, 75.0);
    send(&mut driver, 5, "5", 2, 10, 100.0);
    send(&mut driver, 6, "6", 2, 10, 100.0);
    send(&mut driver, 7, "7", 2, 1, 5.0);
    assert_eq!(
        answers(&mut driver),
        "0 PASS, 1 PASS, 2 PASS, 3 PASS, 4 FAIL, 5 PASS, 6 FAIL, 7 FAIL"
    );
}

#[test]
fn an_hour_without_an_order_begins_anew() {
    let mut driver = Driver::new(fraud);
    send(&mut driver, 0, "0", 7, 1, 1999.0);
    send(&mut driver, HOUR, "1", 7, 1, 1.0);
    send(&mut driver, 2 * HOUR + 1, "2", 7, 1, 1999.0);
    assert_eq!(answers(&mut driver), "0 PASS, 1 FAIL, 2 PASS");
}

#[test]
fn a_value_that_is_not_positive_hides_nothing() {
    let mut driver = Driver::new(fraud);
    send(&mut driver, 0, "0", 7, -100, 50.0);
    send(&mut driver, 1, "1", 7, 1, 1999.0);
    send(&mut driver, 2, "2", 7, 1, -500.0);
    send(&mut driver, 3, "3", 7, 1, 1.0);
    assert_eq!(answers(&mut driver), "0 PASS, 1 PASS, 2 PASS, 3 FAIL");
}

/// Once it was: an order that was written twice could make the next one fail.
#[test]
fn an_order_that_comes_twice_is_answered_and_counted_once() {
    let mut driver = Driver::new(fraud);
    for at in 0..2 {
        send(&mut driver, at, "0", 7, 1, 1000.0);
    }
    send(&mut driver, 2, "1", 7, 1, 999.0);
    send(&mut driver, 3, "2", 7, 1, 1.0);
    assert_eq!(answers(&mut driver), "0 PASS, 1 PASS, 2 FAIL");
}

#[test]
fn a_late_order_is_answered_by_the_sessions_that_it_joins() {
    let mut driver = Driver::new(fraud);
    let day = 24 * HOUR;
    send(&mut driver, day, "early", 7, 1, 1000.0);
    send(&mut driver, day + 2 * HOUR, "late", 7, 1, 900.0);
    send(&mut driver, 90 * day, "much later", 7, 1, 1.0);
    send(&mut driver, day + HOUR, "between", 7, 1, 100.0);
    assert_eq!(
        answers(&mut driver),
        "early PASS, late PASS, much later PASS, between FAIL"
    );
}

#[test]
fn more_than_two_orders_in_half_a_minute_raise_an_alert() {
    let mut driver = Driver::new(fraud);
    for (second, id) in [(1, "0"), (2, "1"), (29, "2"), (29, "3"), (31, "4")] {
        send(&mut driver, second * 1000, id, 7, 1, 1.0);
    }
    send(&mut driver, 30_000, "5", 8, 1, 1.0);
    let alerts = driver
        .topic::<Windowed<CustomerId>, i64>("fraud-alerts")
        .read();
    let window = Windowed { key: 7, start: 0 };
    assert_eq!(alerts, [(window.clone(), 3), (window, 4)]);
}

#[test]
fn a_crash_counts_nothing_twice() {
    let mut driver = Driver::new(fraud);
    send(&mut driver, 0, "0", 7, 1, 1500.0);
    driver.hold_commits();
    send(&mut driver, 1, "1", 7, 1, 499.0);
    driver.crash();
    driver.release_commits();
    driver.lose_state();
    send(&mut driver, 2, "2", 7, 1, 1.0);
    assert_eq!(answers(&mut driver), "0 PASS, 1 PASS, 2 FAIL");
}
