//! What clients of orders see, on four partitions.

use orders::orders;
use orders_model::{Order, OrderId, OrderState};
use serde_json::{Value, json};
use weir::testing::{Answer, Driver};

fn order(id: &str) -> Value {
    json!({
        "id": id, "customerId": 2, "product": "JUMPERS", "quantity": 10, "price": 100.0,
    })
}

fn post(driver: &mut Driver, body: &Value) -> Answer {
    driver.request("POST", "/v1/orders", body)
}

fn errors(answer: &Answer) -> Vec<String> {
    serde_json::from_value(answer.json::<Value>()["errors"].clone()).expect("a list of errors")
}

/// What another service decides.
fn decide(driver: &mut Driver, id: &str, state: OrderState) {
    let order: Order = driver
        .get(&format!("/v1/orders/{id}"))
        .expect("it is there")
        .json();
    driver
        .topic("orders")
        .send(order.id.clone(), Order { state, ..order });
}

#[test]
fn a_posted_order_is_at_its_location() {
    let mut driver = Driver::new(orders);
    let answer = post(&mut driver, &order("1"));
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.header("location"), Some("/v1/orders/1"));
    let got: Value = driver.get("/v1/orders/1").expect("it is there").json();
    let mut created = order("1");
    created["state"] = json!("CREATED");
    assert_eq!(got, created);
    let rows = driver.topic::<OrderId, Order>("orders").read();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].1.state, OrderState::Created);
}

#[test]
fn an_order_is_seen_before_it_was_read_back() {
    let mut driver = Driver::new(orders);
    driver.hold_commits();
    post(&mut driver, &order("1"));
    assert_eq!(driver.get("/v1/orders/1"), None, "not before it is durable");
    driver.commit();
    assert_eq!(driver.store::<OrderId, Order>("orders"), []);
    assert!(driver.get("/v1/orders/1").is_some());
    driver.release_commits();
    assert_eq!(
        driver.store::<OrderId, Order>("pending"),
        [],
        "it was read back"
    );
    assert!(driver.get("/v1/orders/1").is_some());
}

#[test]
fn the_same_order_is_taken_once_and_another_one_of_its_id_is_refused() {
    let mut driver = Driver::new(orders);
    assert_eq!(post(&mut driver, &order("same")).status(), 201);
    assert_eq!(post(&mut driver, &order("same")).status(), 201);
    decide(&mut driver, "same", OrderState::Validated);
    driver.topic::<OrderId, Order>("orders").read();
    assert_eq!(post(&mut driver, &order("same")).status(), 201);
    let mut other = order("same");
    other["quantity"] = json!(11);
    let refused = post(&mut driver, &other);
    assert_eq!(refused.status(), 409);
    assert_eq!(
        errors(&refused),
        ["id: `same` is another order's; choose a new one"]
    );
    assert_eq!(driver.topic::<OrderId, Order>("orders").read(), []);
}

#[test]
fn every_mistake_is_named() {
    let mut driver = Driver::new(orders);
    let answer = post(
        &mut driver,
        &json!({ "id": "", "product": "SOCKS", "quantity": 1.5, "price": "2", "state": "SHIPPED" }),
    );
    assert_eq!(answer.status(), 400);
    assert_eq!(
        errors(&answer),
        [
            "id: \"\" is not a text of 1 to 200 bytes, or nothing",
            "customerId: missing; a whole number of 64 bits",
            "state: \"SHIPPED\" is not `CREATED`, or nothing: others decide",
            "product: \"SOCKS\" is not one of JUMPERS, UNDERPANTS, STOCKINGS",
            "quantity: 1.5 is not a whole number of 32 bits",
            "price: \"2\" is not a number",
        ]
    );
    let answer = driver
        .ask("POST", "/v1/orders", b"{\"id\": ")
        .expect("an answer");
    assert_eq!(answer.status(), 400);
    assert!(errors(&answer)[0].contains("not JSON"));
    assert_eq!(driver.topic::<OrderId, Order>("orders").read(), []);
}

#[test]
fn an_order_without_an_id_gets_one() {
    let mut driver = Driver::new(orders);
    let mut nameless = order("");
    nameless.as_object_mut().expect("an object").remove("id");
    let answer = post(&mut driver, &nameless);
    assert_eq!(answer.status(), 201);
    let location = answer.header("location").expect("a location").to_owned();
    let got: Order = driver.get(&location).expect("it is there").json();
    assert_eq!(location, format!("/v1/orders/{}", got.id.0));
    assert_eq!(got.id.0.len(), 32);
}

#[test]
fn an_id_may_be_any_text() {
    let mut driver = Driver::new(orders);
    let answer = post(&mut driver, &order("a/b ü"));
    assert_eq!(answer.header("location"), Some("/v1/orders/a%2Fb%20%C3%BC"));
}

#[test]
fn a_reader_waits_for_the_order_and_for_its_decision() {
    let mut driver = Driver::new(orders);
    assert_eq!(driver.get("/v1/orders/1"), None);
    post(&mut driver, &order("1"));
    assert!(driver.get("/v1/orders/1").is_some());
    assert_eq!(driver.get("/v1/orders/1/validated"), None);
    decide(&mut driver, "1", OrderState::Failed);
    let answer = driver.get("/v1/orders/1/validated").expect("it is decided");
    assert_eq!(answer.json::<Order>().state, OrderState::Failed);
}

#[test]
fn only_a_validated_order_is_shipped_and_only_once() {
    let mut driver = Driver::new(orders);
    let ship = |driver: &mut Driver| driver.request("POST", "/v1/orders/1/ship", &json!({}));
    assert_eq!(ship(&mut driver).status(), 404);
    post(&mut driver, &order("1"));
    let refused = ship(&mut driver);
    assert_eq!(refused.status(), 409);
    assert_eq!(
        errors(&refused),
        ["order `1` is CREATED; only VALIDATED is shipped"]
    );
    decide(&mut driver, "1", OrderState::Validated);
    let shipped = ship(&mut driver);
    assert_eq!(shipped.status(), 200);
    assert_eq!(shipped.json::<Order>().state, OrderState::Shipped);
    assert_eq!(ship(&mut driver).status(), 409);
    assert_eq!(
        driver
            .get("/v1/orders/1/validated")
            .expect("an answer")
            .status(),
        200
    );
    assert_eq!(driver.store::<OrderId, Order>("pending"), []);
}

#[test]
fn two_posts_in_one_transaction_are_decided_in_order() {
    let mut driver = Driver::new(orders);
    driver.hold_commits();
    assert_eq!(post(&mut driver, &order("1")).status(), 201);
    let mut other = order("1");
    other["price"] = json!(1.0);
    assert_eq!(post(&mut driver, &other).status(), 409);
    driver.release_commits();
    assert_eq!(driver.topic::<OrderId, Order>("orders").read().len(), 1);
}
