//! The service that the design shows compiles as it stands there, and does what it says.

use serde::{Deserialize, Serialize};
use weir::testing::Driver;
use weir::{Context, Row, Store, Topology};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Product {
    Jumpers,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OrderId(String);

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum OrderState {
    Created,
}

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: OrderId,
    state: OrderState,
    product: Product,
    quantity: u32,
}

#[weir::service]
fn inventory(t: &mut Topology) {
    let stock = t.table::<Product, u32>("warehouse-inventory");
    let reserved = t.store::<Product, u32>("reserved");
    let reservations = t.store::<(Product, OrderId), u32>("reservations");
    t.stream::<OrderId, Order>("orders")
        .filter(|order| order.state == OrderState::Created)
        .rekey("orders-by-product", |order| order.product)
        .join(&stock, |order, stock| (order.clone(), *stock))
        .process("reserve", (reserved, reservations), reserve)
        .to("order-validations");
}

type Stores = (Store<Product, u32>, Store<(Product, OrderId), u32>);

fn reserve(
    ctx: &mut Context<'_, OrderId, bool>,
    row: Row<'_, Product, (Order, u32)>,
    (reserved, reservations): Stores,
) {
    let (order, stock) = row.value;
    let held = ctx.get(reserved, row.key).unwrap_or(0) + order.quantity;
    if held <= *stock {
        ctx.put(reserved, row.key, &held);
        ctx.put(reservations, &(*row.key, order.id.clone()), &order.quantity);
    }
    ctx.forward(&order.id, &(held <= *stock));
}

#[test]
fn the_service_of_the_design_reserves() {
    let mut driver = Driver::new(inventory);
    driver
        .topic("warehouse-inventory")
        .send(Product::Jumpers, 5_u32);
    for (id, quantity) in [("1", 3), ("2", 3), ("3", 2)] {
        let order = Order {
            id: OrderId(id.to_owned()),
            state: OrderState::Created,
            product: Product::Jumpers,
            quantity,
        };
        driver.topic("orders").send(order.id.clone(), order);
    }
    let answers = driver.topic::<OrderId, bool>("order-validations").read();
    let answers: Vec<_> = answers
        .iter()
        .map(|(id, passes)| (id.0.as_str(), *passes))
        .collect();
    assert_eq!(answers, [("1", true), ("2", false), ("3", true)]);
    assert_eq!(
        driver.store::<Product, u32>("reserved"),
        [(Product::Jumpers, 5)]
    );
    assert_eq!(driver.describe().lines().next(), Some("Topologies:"));
}
