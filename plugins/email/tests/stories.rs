//! Which mails go out, and where enriched orders go, on four partitions.

use email::{Mail, email};
use orders_model::{Customer, Order, OrderEnriched, OrderId, OrderState, Payment, Product};
use weir::testing::Driver;

fn customer(driver: &mut Driver, id: i64, level: &str) {
    let customer = Customer {
        id,
        first_name: "Franz".to_owned(),
        last_name: "Kafka".to_owned(),
        email: "franz@example.org".to_owned(),
        address: "Prague".to_owned(),
        level: level.to_owned(),
    };
    driver.topic("customers").send(id, customer);
}

fn order(driver: &mut Driver, at: i64, id: &str, customer: i64, state: OrderState) {
    let order = Order {
        id: OrderId(id.to_owned()),
        customer_id: customer,
        state,
        product: Product::Underpants,
        quantity: 3,
        price: 5.0,
    };
    driver.topic("orders").at(at).send(order.id.clone(), order);
}

fn payment(driver: &mut Driver, at: i64, id: &str, order: &str) {
    let payment = Payment {
        id: id.to_owned(),
        order_id: OrderId(order.to_owned()),
        ccy: "CZK".to_owned(),
        amount: 1000.0,
    };
    driver.topic("payments").at(at).send(id.to_owned(), payment);
}

fn mails(driver: &mut Driver) -> Vec<(String, Mail)> {
    let mails = driver.topic::<OrderId, Mail>("email-outbox").read();
    mails.into_iter().map(|(id, mail)| (id.0, mail)).collect()
}

#[test]
fn one_mail_for_an_order_that_is_validated_and_paid() {
    let mut driver = Driver::new(email);
    customer(&mut driver, 15, "gold");
    order(&mut driver, 0, "0", 15, OrderState::Created);
    payment(&mut driver, 10, "p0", "0");
    assert_eq!(mails(&mut driver), []);
    order(&mut driver, 20, "0", 15, OrderState::Validated);
    let sent = mails(&mut driver);
    assert_eq!(sent.len(), 1);
    let (id, mail) = &sent[0];
    assert_eq!(id, "0");
    assert_eq!(mail.to, "franz@example.org");
    assert_eq!(mail.idempotency_key, "order-paid/0");
    assert!(mail.body.contains("3 underpants") && mail.body.contains("1000 CZK"));
}

#[test]
fn rows_that_repeat_send_no_second_mail() {
    let mut driver = Driver::new(email);
    customer(&mut driver, 15, "gold");
    for _ in 0..2 {
        order(&mut driver, 20, "0", 15, OrderState::Validated);
        payment(&mut driver, 10, "p0", "0");
        payment(&mut driver, 11, "p1", "0");
        driver.crash();
    }
    assert_eq!(mails(&mut driver).len(), 1);
}

#[test]
fn orders_that_failed_or_are_not_paid_get_no_mail() {
    let mut driver = Driver::new(email);
    customer(&mut driver, 15, "gold");
    order(&mut driver, 0, "unpaid", 15, OrderState::Validated);
    order(&mut driver, 0, "failed", 15, OrderState::Failed);
    payment(&mut driver, 10, "p0", "failed");
    order(&mut driver, 0, "paid too late", 15, OrderState::Validated);
    payment(&mut driver, 60_001, "p1", "paid too late");
    assert_eq!(mails(&mut driver), []);
}

#[test]
fn an_order_that_was_long_in_the_checks_still_gets_its_mail() {
    let mut driver = Driver::new(email);
    customer(&mut driver, 15, "gold");
    payment(&mut driver, 10, "p0", "0");
    for minute in 1..=30 {
        let (id, at) = (format!("other {minute}"), minute * 60_000);
        order(&mut driver, at, &id, 15, OrderState::Validated);
        payment(&mut driver, at, &id, &id);
    }
    assert_eq!(mails(&mut driver).len(), 30);
    order(&mut driver, 0, "0", 15, OrderState::Validated);
    assert_eq!(mails(&mut driver).len(), 1);
}

#[test]
fn each_order_goes_once_to_the_topic_of_its_customers_level() {
    let mut driver = Driver::new(email);
    customer(&mut driver, 1, "gold");
    customer(&mut driver, 2, "bronze");
    order(&mut driver, 0, "0", 1, OrderState::Created);
    order(&mut driver, 1, "0", 1, OrderState::Validated);
    order(&mut driver, 2, "1", 2, OrderState::Created);
    let mut levels = |topic: &str| -> Vec<String> {
        let rows = driver.topic::<OrderId, OrderEnriched>(topic).read();
        let row = |(id, order): (OrderId, OrderEnriched)| {
            format!("{} {} {}", id.0, order.customer_id, order.customer_level)
        };
        rows.into_iter().map(row).collect()
    };
    assert_eq!(levels("orders-enriched"), ["0 1 gold", "1 2 bronze"]);
    assert_eq!(levels("gold"), ["0 1 gold"]);
    assert_eq!(levels("bronze"), ["1 2 bronze"]);
    assert_eq!(levels("silver"), [""; 0]);
}

#[test]
fn an_unknown_level_is_a_dead_letter_and_stops_nothing() {
    let mut driver = Driver::new(email);
    customer(&mut driver, 1, "tin");
    customer(&mut driver, 2, "silver");
    order(&mut driver, 0, "0", 1, OrderState::Created);
    order(&mut driver, 1, "1", 2, OrderState::Created);
    let letters = driver.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        letters[0].reason,
        "no topic `tin`: rows go to one of platinum, gold, silver, bronze"
    );
    let silver = driver.topic::<OrderId, OrderEnriched>("silver").read();
    assert_eq!(silver.len(), 1);
}
