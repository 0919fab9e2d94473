//! What inventory reserves, on four partitions.

use inventory::inventory;
use orders_model::{Order, OrderId, OrderState, Product, Validation, Verdict};
use weir::testing::Driver;

/// Two products, one order a line: "1 JUMPERS 3" is a new order; "1 JUMPERS 3 FAILED" what became
/// of it.
struct Shop {
    driver: Driver,
}

impl Shop {
    fn with(underpants: i32, jumpers: i32) -> Shop {
        let mut shop = Shop {
            driver: Driver::new(inventory),
        };
        shop.stock("UNDERPANTS", underpants);
        shop.stock("JUMPERS", jumpers);
        shop
    }

    fn stock(&mut self, product: &str, level: i32) {
        let product = Product::from(product.to_owned());
        self.driver
            .topic("warehouse-inventory")
            .send(product, level);
    }

    fn order(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let id = OrderId(words[0].to_owned());
        let order = Order {
            id: id.clone(),
            customer_id: 1,
            state: match words.get(3) {
                Some(&"FAILED") => OrderState::Failed,
                Some(&"SHIPPED") => OrderState::Shipped,
                Some(&"VALIDATED") => OrderState::Validated,
                _ => OrderState::Created,
            },
            product: Product::from(words[1].to_owned()),
            quantity: words[2].parse().expect("a quantity"),
            price: 10.0,
        };
        self.driver.topic("orders").send(id, order);
    }

    fn answers(&mut self) -> String {
        let rows = self
            .driver
            .topic::<OrderId, Validation>("order-validations")
            .read();
        let line = |(id, answer): (OrderId, Validation)| {
            assert_eq!(answer.check_type, "INVENTORY_CHECK");
            let passes = answer.validation_result == Verdict::Pass;
            format!("{} {}", id.0, if passes { "PASS" } else { "FAIL" })
        };
        rows.into_iter().map(line).collect::<Vec<_>>().join(", ")
    }

    fn reserved(&self) -> Vec<(String, i32)> {
        let mut reserved = self.driver.store::<Product, i32>("reserved");
        reserved.retain(|(_, quantity)| *quantity != 0);
        reserved.sort();
        let named = reserved
            .into_iter()
            .map(|(product, sum)| (product.into(), sum));
        named.collect()
    }

    fn reservations(&self) -> usize {
        self.driver
            .store::<(Product, OrderId), i32>("reservations")
            .len()
    }
}

fn sums(of: &[(&str, i32)]) -> Vec<(String, i32)> {
    of.iter()
        .map(|(product, sum)| ((*product).to_owned(), *sum))
        .collect()
}

#[test]
fn stock_is_reserved_order_by_order() {
    let mut shop = Shop::with(75, 1);
    shop.order("0 UNDERPANTS 3");
    shop.order("1 JUMPERS 1");
    shop.order("2 JUMPERS 1");
    assert_eq!(shop.answers(), "0 PASS, 1 PASS, 2 FAIL");
    assert_eq!(shop.reserved(), sums(&[("JUMPERS", 1), ("UNDERPANTS", 3)]));
}

#[test]
fn what_nobody_can_deliver_fails_instead_of_being_ignored() {
    let mut shop = Shop::with(75, 1);
    shop.order("0 HATS 1");
    shop.order("1 STOCKINGS 1");
    shop.order("2 UNDERPANTS 0");
    shop.order("3 UNDERPANTS -5");
    assert_eq!(shop.answers(), "0 FAIL, 1 FAIL, 2 FAIL, 3 FAIL");
    assert_eq!(shop.reserved(), []);
}

#[test]
fn the_same_order_twice_reserves_once_and_gets_the_same_answer() {
    let mut shop = Shop::with(75, 1);
    shop.order("0 UNDERPANTS 50");
    shop.order("0 UNDERPANTS 50");
    shop.order("1 UNDERPANTS 50");
    shop.order("0 UNDERPANTS 50 FAILED");
    shop.order("1 UNDERPANTS 50");
    shop.order("0 UNDERPANTS 50");
    assert_eq!(shop.answers(), "0 PASS, 0 PASS, 1 FAIL, 1 FAIL, 0 PASS");
    assert_eq!(shop.reserved(), []);
}

#[test]
fn an_order_that_fails_gives_its_reservation_back() {
    let mut shop = Shop::with(75, 50);
    shop.order("dear JUMPERS 50");
    shop.order("next JUMPERS 50");
    shop.order("dear JUMPERS 50 FAILED");
    shop.order("dear JUMPERS 50 FAILED");
    shop.order("next JUMPERS 50 FAILED");
    shop.order("last JUMPERS 50");
    assert_eq!(shop.answers(), "dear PASS, next FAIL, last PASS");
    assert_eq!(shop.reserved(), sums(&[("JUMPERS", 50)]));
}

#[test]
fn a_shipped_order_counts_until_the_stock_is_counted_anew() {
    let mut shop = Shop::with(0, 10);
    shop.order("0 JUMPERS 6");
    shop.order("1 JUMPERS 3");
    shop.order("0 JUMPERS 6 VALIDATED");
    shop.order("0 JUMPERS 6 SHIPPED");
    assert_eq!(shop.reservations(), 1);
    shop.order("2 JUMPERS 2");
    assert_eq!(shop.reserved(), sums(&[("JUMPERS", 9)]));
    shop.stock("JUMPERS", 4);
    assert_eq!(shop.reserved(), sums(&[("JUMPERS", 3)]));
    shop.order("3 JUMPERS 2");
    shop.order("4 JUMPERS 1");
    assert_eq!(shop.answers(), "0 PASS, 1 PASS, 2 FAIL, 3 FAIL, 4 PASS");
}

#[test]
fn a_crash_reserves_nothing_twice_and_loses_nothing() {
    let mut shop = Shop::with(75, 1);
    shop.order("0 UNDERPANTS 3");
    shop.driver.hold_commits();
    shop.order("1 JUMPERS 1");
    shop.driver.crash();
    shop.driver.release_commits();
    shop.driver.lose_state();
    shop.order("2 JUMPERS 1");
    assert_eq!(shop.answers(), "0 PASS, 1 PASS, 2 FAIL");
    assert_eq!(shop.reserved(), sums(&[("JUMPERS", 1), ("UNDERPANTS", 3)]));
}
