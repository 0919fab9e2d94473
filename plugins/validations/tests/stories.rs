//! How validations decides, on four partitions.

use orders_model::{Order, OrderId, OrderState, Product, Validation, Verdict};
use validations::validations;
use weir::testing::Driver;

const MINUTE: i64 = 60_000;

fn created(driver: &mut Driver, id: &str) {
    state(driver, id, OrderState::Created);
}

fn state(driver: &mut Driver, id: &str, state: OrderState) {
    let order = Order {
        id: OrderId(id.to_owned()),
        customer_id: 0,
        state,
        product: Product::Underpants,
        quantity: 3,
        price: 5.0,
    };
    driver.topic("orders").send(order.id.clone(), order);
}

fn answer(driver: &mut Driver, id: &str, check: &str, result: Verdict) {
    let id = OrderId(id.to_owned());
    let answer = Validation {
        order_id: id.clone(),
        check_type: format!("{check}_CHECK"),
        validation_result: result,
    };
    driver.topic("order-validations").send(id, answer);
}

/// What the service wrote: an order is decided where the state is not CREATED.
fn decisions(driver: &mut Driver) -> Vec<(String, OrderState)> {
    let rows = driver.topic::<OrderId, Order>("orders").read();
    rows.into_iter()
        .filter(|(_, order)| order.state != OrderState::Created)
        .map(|(id, order)| {
            assert_eq!(
                (order.quantity, order.price),
                (3, 5.0),
                "only the state differs"
            );
            (id.0, order.state)
        })
        .collect()
}

fn decided(id: &str, state: OrderState) -> (String, OrderState) {
    (id.to_owned(), state)
}

#[test]
fn all_checks_decide_and_the_first_that_fails_does() {
    let mut driver = Driver::new(validations);
    created(&mut driver, "0");
    created(&mut driver, "1");
    for check in ["INVENTORY", "FRAUD", "ORDER_DETAILS"] {
        answer(&mut driver, "0", check, Verdict::Pass);
    }
    answer(&mut driver, "1", "FRAUD", Verdict::Pass);
    answer(&mut driver, "1", "ORDER_DETAILS", Verdict::Fail);
    answer(&mut driver, "1", "INVENTORY", Verdict::Pass);
    assert_eq!(
        decisions(&mut driver),
        [
            decided("0", OrderState::Validated),
            decided("1", OrderState::Failed)
        ]
    );
}

#[test]
fn one_check_three_times_decides_nothing() {
    let mut driver = Driver::new(validations);
    created(&mut driver, "0");
    for _ in 0..3 {
        answer(&mut driver, "0", "FRAUD", Verdict::Pass);
    }
    assert_eq!(decisions(&mut driver), []);
    answer(&mut driver, "0", "INVENTORY", Verdict::Pass);
    answer(&mut driver, "0", "ORDER_DETAILS", Verdict::Pass);
    assert_eq!(
        decisions(&mut driver),
        [decided("0", OrderState::Validated)]
    );
}

#[test]
fn an_error_fails_an_order_as_a_no_does() {
    let mut driver = Driver::new(validations);
    created(&mut driver, "0");
    answer(&mut driver, "0", "FRAUD", Verdict::Error);
    assert_eq!(decisions(&mut driver), [decided("0", OrderState::Failed)]);
}

#[test]
fn a_decision_is_for_ever() {
    let mut driver = Driver::new(validations);
    created(&mut driver, "0");
    answer(&mut driver, "0", "FRAUD", Verdict::Fail);
    created(&mut driver, "0");
    for check in ["INVENTORY", "FRAUD", "ORDER_DETAILS"] {
        answer(&mut driver, "0", check, Verdict::Pass);
    }
    answer(&mut driver, "0", "INVENTORY", Verdict::Fail);
    driver.advance(20 * MINUTE);
    driver.advance(20 * MINUTE);
    assert_eq!(decisions(&mut driver), [decided("0", OrderState::Failed)]);
}

#[test]
fn answers_may_come_before_the_order() {
    let mut driver = Driver::new(validations);
    for check in ["INVENTORY", "FRAUD", "ORDER_DETAILS"] {
        answer(&mut driver, "0", check, Verdict::Pass);
    }
    assert_eq!(decisions(&mut driver), []);
    created(&mut driver, "0");
    assert_eq!(
        decisions(&mut driver),
        [decided("0", OrderState::Validated)]
    );
}

#[test]
fn an_order_that_nobody_answers_for_fails_after_ten_minutes() {
    let mut driver = Driver::new(validations);
    created(&mut driver, "0");
    for _ in 0..10 {
        driver.advance(MINUTE);
    }
    assert_eq!(decisions(&mut driver), []);
    driver.advance(MINUTE);
    assert_eq!(decisions(&mut driver), [decided("0", OrderState::Failed)]);
    driver.advance(MINUTE);
    assert_eq!(decisions(&mut driver), []);
}

#[test]
fn checks_that_come_minutes_late_still_count() {
    let mut driver = Driver::new(validations);
    created(&mut driver, "0");
    answer(&mut driver, "0", "INVENTORY", Verdict::Pass);
    answer(&mut driver, "0", "FRAUD", Verdict::Pass);
    for _ in 0..9 {
        driver.advance(MINUTE);
        driver.crash();
    }
    answer(&mut driver, "0", "ORDER_DETAILS", Verdict::Pass);
    assert_eq!(
        decisions(&mut driver),
        [decided("0", OrderState::Validated)]
    );
}

#[test]
fn checks_and_patience_are_configuration() {
    let setup = Driver::setup()
        .name("validations")
        .config("checks", "FRAUD_CHECK, CREDIT_CHECK")
        .config("validation-timeout", "30s");
    let mut driver = setup.start(validations).expect("a good configuration");
    created(&mut driver, "0");
    created(&mut driver, "1");
    answer(&mut driver, "0", "INVENTORY", Verdict::Fail);
    answer(&mut driver, "0", "FRAUD", Verdict::Pass);
    answer(&mut driver, "0", "CREDIT", Verdict::Pass);
    assert_eq!(
        decisions(&mut driver),
        [decided("0", OrderState::Validated)]
    );
    driver.advance(2_000);
    driver.advance(31_000);
    assert_eq!(decisions(&mut driver), [decided("1", OrderState::Failed)]);
}

#[test]
fn a_wrong_configuration_says_what_to_change() {
    let setup = Driver::setup()
        .config("validation-timeout", "soon")
        .config("timeout", "1s");
    let mistakes = setup.start(validations).err().expect("it is wrong");
    assert_eq!(
        mistakes,
        "setting `validation-timeout`: `soon` is not a duration like 250ms, 30s, 10m, 1h or 7d; \
         no setting is called `timeout`; this service has `checks`, `validation-timeout`"
    );
}

#[test]
fn somebody_elses_decision_is_one() {
    let mut driver = Driver::new(validations);
    created(&mut driver, "0");
    state(&mut driver, "0", OrderState::Failed);
    for check in ["INVENTORY", "FRAUD", "ORDER_DETAILS"] {
        answer(&mut driver, "0", check, Verdict::Pass);
    }
    assert_eq!(decisions(&mut driver), [decided("0", OrderState::Failed)]);
}
