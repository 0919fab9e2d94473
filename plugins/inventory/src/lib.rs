//! inventory: reserves stock for orders.
//!
//! Orders and stock levels meet by product. Looking at the stock, reserving and answering are one
//! transaction, so that nothing is sold twice. What is reserved of a product is one number, so that
//! an order costs the same however many came before it.

use orders_model::{INVENTORY_CHECK, Order, OrderId, OrderState, Product, Validation};
use serde::{Deserialize, Serialize};
use weir::{Context, Row, Store, Topology};

/// Declares the service.
#[weir::service]
pub fn inventory(t: &mut Topology) {
    let stock = t.table::<Product, i32>("warehouse-inventory");
    let ledger = Ledger {
        reserved: t.store("reserved"),
        shipped: t.store("shipped"),
        reservations: t.store("reservations"),
        answers: t.store("answers"),
    };
    let orders = t
        .stream::<OrderId, Order>("orders")
        .filter(|order| order.state != OrderState::Validated)
        .rekey("orders-by-product", |order| order.product.clone())
        .left_join(&stock, |order, stock| Event::Order {
            order: order.clone(),
            stock: stock.copied(),
        });
    let levels = stock.changes().map_values(|_| Event::Level);
    let stores = (
        ledger.reserved,
        ledger.shipped,
        ledger.reservations,
        ledger.answers,
    );
    orders
        .merge(&levels)
        .process("reserve", stores, move |ctx, event, _| {
            ledger.take(ctx, event)
        })
        .to("order-validations");
}

/// What happens to a product.
#[derive(Serialize, Deserialize)]
enum Event {
    /// An order of it, and its stock level; `None`: the warehouse does not know it.
    Order { order: Order, stock: Option<i32> },
    /// Its stock was counted anew.
    Level,
}

#[derive(Clone, Copy)]
struct Ledger {
    /// Product → how many are reserved, shipped ones included until the stock is counted anew.
    reserved: Store<Product, i32>,
    /// Product → how many of these were shipped.
    shipped: Store<Product, i32>,
    /// Product and order → how many it has reserved.
    reservations: Store<(Product, OrderId), i32>,
    /// Product and order → what was answered: the same order gets the same answer.
    answers: Store<(Product, OrderId), bool>,
}

type Answering<'a> = Context<'a, OrderId, Validation>;

impl Ledger {
    fn take(self, ctx: &mut Answering<'_>, event: Row<'_, Product, Event>) {
        let product = event.key;
        match event.value {
            Event::Level => self.recount(ctx, product),
            Event::Order { order, stock } => match order.state {
                OrderState::Created => self.reserve(ctx, order, *stock),
                OrderState::Failed => {
                    let released = self.close(ctx, order);
                    self.add(ctx, self.reserved, product, -released);
                }
                OrderState::Shipped => {
                    let shipped = self.close(ctx, order);
                    self.add(ctx, self.shipped, product, shipped);
                }
                OrderState::Validated => {}
            },
        }
    }

    /// Reserves if there is enough, and answers.
    fn reserve(self, ctx: &mut Answering<'_>, order: &Order, stock: Option<i32>) {
        let key = (order.product.clone(), order.id.clone());
        let passes = ctx.get(self.answers, &key).unwrap_or_else(|| {
            let reserved = ctx.get(self.reserved, &order.product).unwrap_or(0);
            let left = i64::from(stock.unwrap_or(0)) - i64::from(reserved);
            let passes = order.quantity > 0 && left >= i64::from(order.quantity);
            if passes {
                ctx.put(self.reservations, &key, &order.quantity);
                self.add(ctx, self.reserved, &order.product, order.quantity);
            }
            ctx.put(self.answers, &key, &passes);
            passes
        });
        let answer = Validation::of(&order.id, INVENTORY_CHECK, passes);
        ctx.forward(&order.id, &answer);
    }

    /// Ends an order's reservation; says how many that were.
    fn close(self, ctx: &mut Answering<'_>, order: &Order) -> i32 {
        let key = (order.product.clone(), order.id.clone());
        let quantity = ctx.get(self.reservations, &key).unwrap_or(0);
        if quantity != 0 {
            ctx.delete(self.reservations, &key);
        }
        quantity
    }

    /// What was shipped is no longer in the new level.
    fn recount(self, ctx: &mut Answering<'_>, product: &Product) {
        if let Some(shipped) = ctx.get(self.shipped, product) {
            self.add(ctx, self.reserved, product, -shipped);
            ctx.delete(self.shipped, product);
        }
    }

    fn add(
        self,
        ctx: &mut Answering<'_>,
        store: Store<Product, i32>,
        product: &Product,
        quantity: i32,
    ) {
        if quantity != 0 {
            let sum = ctx.get(store, product).unwrap_or(0) + quantity;
            ctx.put(store, product, &sum);
        }
    }
}
