//! email: one mail for each order that is validated and paid, and each order with its customer's
//! level.
//!
//! A mail is a row of the outbox, in the transaction with everything else; whoever sends it knows
//! by its idempotency key whether that was done before. An order and its payment are at most a
//! minute apart in event time, however late they come.

use std::time::Duration;

use orders_model::{Customer, CustomerId, Order, OrderEnriched, OrderId, OrderState, Payment};
use serde::{Deserialize, Serialize};
use weir::{Data, JoinWindows, Stream, Topology};

const LEVELS: [&str; 4] = ["platinum", "gold", "silver", "bronze"];
const APART: Duration = Duration::from_mins(1);
/// A validator may be away for long: the order is as old as it is when it comes.
const LATE: Duration = Duration::from_hours(24);

/// Declares the service.
#[weir::service]
pub fn email(t: &mut Topology) {
    let customers = t.global_table::<CustomerId, Customer>("customers");
    let orders = t.stream::<OrderId, Order>("orders");
    let payments = t
        .stream::<String, Payment>("payments")
        .rekey("payments-by-order", |payment| payment.order_id.clone());

    let paid = orders
        .filter(|order| order.state == OrderState::Validated)
        .join_stream(
            "paid",
            &payments,
            JoinWindows::within(APART).grace(LATE),
            |order, payment| (order.clone(), payment.clone()),
        )
        .join_global(
            &customers,
            |row| row.value.0.customer_id,
            |(order, payment), customer| Mail::of(order, payment, customer),
        );
    once("mailed", &paid).to("email-outbox");

    let enriched = once("enriched", &orders).join_global(
        &customers,
        |row| row.value.customer_id,
        |order, customer| OrderEnriched {
            id: order.id.clone(),
            customer_id: order.customer_id,
            customer_level: customer.level.clone(),
        },
    );
    enriched.to("orders-enriched");
    enriched.to_with(&LEVELS, |row| row.value.customer_level.clone());
}

/// The first row of each key.
fn once<V: Data + Clone>(store: &str, rows: &Stream<OrderId, V>) -> Stream<OrderId, V> {
    rows.update(store, |seen: &mut Option<bool>, row, out| {
        if seen.replace(true).is_none() {
            out.forward(row.key, row.value);
        }
    })
}

/// A mail to be sent: a row of the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// The same for the same mail, however often it is written.
    pub idempotency_key: String,
    /// The customer's address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

impl Mail {
    fn of(order: &Order, payment: &Payment, customer: &Customer) -> Mail {
        let OrderId(id) = &order.id;
        let product = String::from(order.product.clone()).to_lowercase();
        Mail {
            idempotency_key: format!("order-paid/{id}"),
            to: customer.email.clone(),
            subject: format!("Your order {id}"),
            body: format!(
                "Dear {} {},\n\nwe have {} {} for you, and your payment of {} {}. \
                 They are sent to: {}\n",
                customer.first_name,
                customer.last_name,
                order.quantity,
                product,
                payment.amount,
                payment.ccy,
                customer.address,
            ),
        }
    }
}
