//! order-details: checks that an order makes sense by itself.
//!
//! A new order passes if its quantity is positive, its price is not negative and its product is
//! sold. No state: the same order gets the same answer for ever.

use orders_model::{ORDER_DETAILS_CHECK, Order, OrderId, OrderState, Validation};
use weir::Topology;

/// Declares the service.
#[weir::service]
pub fn order_details(t: &mut Topology) {
    t.stream::<OrderId, Order>("orders")
        .filter(|order| order.state == OrderState::Created)
        .map_values(|order| Validation::of(&order.id, ORDER_DETAILS_CHECK, makes_sense(order)))
        .to("order-validations");
}

fn makes_sense(order: &Order) -> bool {
    order.quantity > 0 && order.price >= 0.0 && order.product.is_sold()
}
