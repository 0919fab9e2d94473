//! What order-details says to orders, on four partitions.

use order_details::order_details;
use orders_model::{Order, OrderId, OrderState, Product, Validation, Verdict};
use weir::testing::Driver;

fn order(id: &str, product: Product, quantity: i32, price: f64) -> Order {
    Order {
        id: OrderId(id.to_owned()),
        customer_id: 0,
        state: OrderState::Created,
        product,
        quantity,
        price,
    }
}

fn send(driver: &mut Driver, order: Order) {
    driver.topic("orders").send(order.id.clone(), order);
}

fn answers(driver: &mut Driver) -> Vec<(String, Verdict)> {
    let rows = driver
        .topic::<OrderId, Validation>("order-validations")
        .read();
    rows.into_iter()
        .map(|(key, answer)| {
            assert_eq!(key, answer.order_id);
            assert_eq!(answer.check_type, "ORDER_DETAILS_CHECK");
            (key.0, answer.validation_result)
        })
        .collect()
}

#[test]
fn an_order_that_makes_sense_passes_and_one_that_does_not_fails() {
    let mut driver = Driver::new(order_details);
    send(&mut driver, order("0", Product::Underpants, 3, 5.0));
    send(&mut driver, order("1", Product::Jumpers, -1, 75.0));
    send(&mut driver, order("2", Product::Jumpers, 0, 75.0));
    send(&mut driver, order("3", Product::Jumpers, 1, -0.5));
    send(
        &mut driver,
        order("4", Product::Unknown("HATS".to_owned()), 1, 1.0),
    );
    send(&mut driver, order("5", Product::Stockings, 1, 0.0));
    let results = answers(&mut driver);
    let results: Vec<_> = results
        .iter()
        .map(|(id, result)| (id.as_str(), *result))
        .collect();
    assert_eq!(
        results,
        [
            ("0", Verdict::Pass),
            ("1", Verdict::Fail),
            ("2", Verdict::Fail),
            ("3", Verdict::Fail),
            ("4", Verdict::Fail),
            ("5", Verdict::Pass),
        ]
    );
}

#[test]
fn nothing_is_validated_twice_after_a_restart() {
    let mut driver = Driver::new(order_details);
    send(&mut driver, order("0", Product::Underpants, 3, 5.0));
    driver.crash();
    send(&mut driver, order("1", Product::Jumpers, -1, 75.0));
    driver.crash();
    assert_eq!(answers(&mut driver).len(), 2);
}

#[test]
fn only_new_orders_are_checked() {
    let mut driver = Driver::new(order_details);
    for state in [
        OrderState::Validated,
        OrderState::Failed,
        OrderState::Shipped,
    ] {
        let order = order("0", Product::Jumpers, 1, 1.0);
        send(&mut driver, Order { state, ..order });
    }
    assert_eq!(answers(&mut driver), []);
}

#[test]
fn a_malformed_order_is_a_dead_letter_and_its_neighbours_are_checked() {
    let mut driver = Driver::new(order_details);
    let malformed = br#"{"id":"0","customerId":"ada","state":"CREATED"}"#;
    driver
        .topic::<OrderId, Order>("orders")
        .send_bytes(Some(b"0"), Some(malformed));
    send(&mut driver, order("1", Product::Jumpers, 1, 1.0));
    assert_eq!(answers(&mut driver), [("1".to_owned(), Verdict::Pass)]);
    let letters = driver.dead_letters();
    assert_eq!(letters.len(), 1);
    assert!(
        letters[0].reason.contains("customerId"),
        "{}",
        letters[0].reason
    );
}
