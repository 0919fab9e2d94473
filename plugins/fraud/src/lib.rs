//! fraud: refuses orders of customers who spend more in a session than is plausible.
//!
//! A session is a customer's orders with no hour without one between them. Each new order is
//! answered by the total of its session, itself included, and once: a row that comes twice is not
//! spent twice. Sessions are kept so long that no order is too late for an answer.

use std::time::Duration;

use orders_model::{CustomerId, FRAUD_CHECK, Order, OrderId, OrderState, Validation};
use serde::{Deserialize, Serialize};
use weir::{SessionWindows, TimeWindows, Topology};

const LIMIT: f64 = 2000.0;
const GAP: Duration = Duration::from_hours(1);
const FOREVER: Duration = Duration::from_hours(10 * 365 * 24);
const ALERT_WINDOW: Duration = Duration::from_secs(30);
const ALERT_ABOVE: i64 = 2;

/// Declares the service.
#[weir::service]
pub fn fraud(t: &mut Topology) {
    let orders = t
        .stream::<OrderId, Order>("orders")
        .filter(|order| order.state == OrderState::Created)
        .update("seen", |seen: &mut Option<bool>, order, out| {
            if seen.replace(true).is_none() {
                out.forward(order.key, order.value);
            }
        })
        .rekey::<CustomerId>("orders-by-customer", |order| order.customer_id)
        .group();
    orders
        .sessions(SessionWindows::gap(GAP).grace(FOREVER))
        .aggregate("spent", Spent::default, Spent::add, Spent::merge)
        .to_stream()
        .map(|session| answer(session.value))
        .to("order-validations");
    orders
        .windowed(TimeWindows::tumbling(ALERT_WINDOW).grace(ALERT_WINDOW))
        .count("order-counts")
        .to_stream()
        .filter(|count| *count > ALERT_ABOVE)
        .to("fraud-alerts");
}

/// What a customer has spent in a session, and the order that the total was last told for.
#[derive(Default, Serialize, Deserialize)]
struct Spent {
    total: f64,
    latest: String,
}

impl Spent {
    fn add(&mut self, order: &Order) {
        self.total += (f64::from(order.quantity) * order.price).max(0.0);
        self.latest.clone_from(&order.id.0);
    }

    fn merge(self, later: Spent) -> Spent {
        Spent {
            total: self.total + later.total,
            latest: later.latest,
        }
    }
}

fn answer(spent: &Spent) -> (OrderId, Validation) {
    let order = OrderId(spent.latest.clone());
    let answer = Validation::of(&order, FRAUD_CHECK, spent.total < LIMIT);
    (order, answer)
}
