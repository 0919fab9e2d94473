//! validations: decides orders when their checks have answered.
//!
//! All checks pass: VALIDATED. The first that does not: FAILED. Neither in time: FAILED, too. An
//! order is decided once and for all; what comes later changes nothing. Which checks there are and
//! how long they may take is configuration.

use std::collections::BTreeSet;
use std::time::Duration;

use orders_model::{
    FRAUD_CHECK, INVENTORY_CHECK, ORDER_DETAILS_CHECK, Order, OrderId, OrderState, Validation,
    Verdict,
};
use serde::{Deserialize, Serialize};
use weir::{Context, Row, Schedule, Store, Topology};

/// How many undecided orders one look at the clock takes; the next look takes the rest.
const LOOKED_AT: u32 = 100_000;

/// Declares the service.
#[weir::service]
pub fn validations(t: &mut Topology) {
    let all = [INVENTORY_CHECK, FRAUD_CHECK, ORDER_DETAILS_CHECK].map(str::to_owned);
    let checks = t.config_or("checks", Vec::from(all));
    let timeout = t.config_or("validation-timeout", Duration::from_mins(10));
    let decider = Decider {
        cases: t.store("cases"),
        waiting: t.store("waiting"),
    };
    let orders = t
        .stream::<OrderId, Order>("orders")
        .map_values(|order| Event::Order(order.clone()));
    let answers = t
        .stream::<OrderId, Validation>("order-validations")
        .map_values(|answer| Event::Answer(answer.clone()));
    let look = (timeout / 20).clamp(Duration::from_millis(100), Duration::from_secs(10));
    let timeout = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    orders
        .merge(&answers)
        .process(
            "decide",
            (decider.cases, decider.waiting),
            move |ctx, event, _| {
                decider.take(ctx, event, &checks);
            },
        )
        .every(Schedule::wall_clock(look), move |ctx, now, _| {
            decider.time_out(ctx, now, timeout);
        })
        .to("orders");
}

/// What is heard of an order.
#[derive(Serialize, Deserialize)]
enum Event {
    Order(Order),
    Answer(Validation),
}

/// What is known of an order.
#[derive(Serialize, Deserialize)]
enum Case {
    Open {
        /// Answers may come before it.
        order: Option<Order>,
        passed: BTreeSet<String>,
        failed: bool,
    },
    Closed,
}

#[derive(Clone, Copy)]
struct Decider {
    cases: Store<OrderId, Case>,
    /// Orders without a decision → since when, by the wall clock; 0: no look at the clock yet.
    waiting: Store<OrderId, i64>,
}

impl Decider {
    fn take(
        self,
        ctx: &mut Context<'_, OrderId, Order>,
        event: Row<'_, OrderId, Event>,
        checks: &[String],
    ) {
        let id = event.key;
        let case = ctx.get(self.cases, id).unwrap_or(Case::Open {
            order: None,
            passed: BTreeSet::new(),
            failed: false,
        });
        let Case::Open {
            mut order,
            mut passed,
            mut failed,
        } = case
        else {
            return;
        };
        match event.value {
            Event::Order(created) if created.state == OrderState::Created => {
                if order.is_none() {
                    order = Some(created.clone());
                    ctx.put(self.waiting, id, &0);
                }
            }
            // Somebody else's decision is one, too.
            Event::Order(_) => return self.close(ctx, id),
            Event::Answer(answer) if checks.contains(&answer.check_type) => {
                match answer.validation_result {
                    Verdict::Pass => {
                        passed.insert(answer.check_type.clone());
                    }
                    Verdict::Fail | Verdict::Error => failed = true,
                }
            }
            Event::Answer(_) => return,
        }
        let passes = checks.iter().all(|check| passed.contains(check));
        match &order {
            Some(order) if failed => self.decide(ctx, order, OrderState::Failed),
            Some(order) if passes => self.decide(ctx, order, OrderState::Validated),
            _ => ctx.put(
                self.cases,
                id,
                &Case::Open {
                    order,
                    passed,
                    failed,
                },
            ),
        }
    }

    /// Fails the orders that have waited too long.
    fn time_out(self, ctx: &mut Context<'_, OrderId, Order>, now: i64, timeout: i64) {
        for (id, since) in ctx.range(self.waiting, None, None, LOOKED_AT) {
            if since == 0 {
                ctx.put(self.waiting, &id, &now);
            } else if now - since >= timeout
                && let Some(Case::Open {
                    order: Some(order), ..
                }) = ctx.get(self.cases, &id)
            {
                self.decide(ctx, &order, OrderState::Failed);
            }
        }
    }

    fn decide(self, ctx: &mut Context<'_, OrderId, Order>, order: &Order, state: OrderState) {
        let decided = Order {
            state,
            ..order.clone()
        };
        ctx.forward(&order.id, &decided);
        self.close(ctx, &order.id);
    }

    fn close(self, ctx: &mut Context<'_, OrderId, Order>, id: &OrderId) {
        ctx.put(self.cases, id, &Case::Closed);
        ctx.delete(self.waiting, id);
    }
}
