//! order-details, next version: the same answers, signed.

use orders_model::{ORDER_DETAILS_CHECK, Order, OrderId, OrderState, Validation};
use serde::{Deserialize, Serialize};
use weir::Topology;

/// Declares the service.
#[weir::service]
pub fn order_details(t: &mut Topology) {
    t.stream::<OrderId, Order>("orders")
        .filter(|order| order.state == OrderState::Created)
        .map_values(signed)
        .to("order-validations");
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    #[serde(flatten)]
    answer: Validation,
    checked_by: String,
}

fn signed(order: &Order) -> Signed {
    Signed {
        answer: Validation::of(&order.id, ORDER_DETAILS_CHECK, makes_sense(order)),
        checked_by: "version 2".to_owned(),
    }
}

fn makes_sense(order: &Order) -> bool {
    order.quantity > 0 && order.price >= 0.0 && order.product.is_sold()
}
