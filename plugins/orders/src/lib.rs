//! orders: takes orders over HTTP, and shows them.
//!
//! The view is the table of `orders`; what this service has written itself and not yet read back
//! stands in `pending`, so that a client sees its own order at once and two posts of one id are
//! decided in order.

mod posted;

use orders_model::{Order, OrderId, OrderState};
use weir::{Command, Query, Request, Response, Store, Topic, Topology};

/// Declares the service.
#[weir::service]
pub fn orders(t: &mut Topology) {
    let topic = t.topic::<OrderId, Order>("orders");
    let pending = t.store::<OrderId, Order>("pending");
    let table = t.table::<OrderId, Order>("orders");
    let view = View {
        pending,
        table: table.store(),
    };
    table.changes().process(
        "read-back",
        pending,
        |ctx: &mut weir::Context<'_, OrderId, ()>, row, pending| {
            let read = row.value.as_ref().map(|order| order.state);
            if read.is_some() && read == ctx.get(pending, row.key).map(|order| order.state) {
                ctx.delete(pending, row.key);
            }
        },
    );
    let stores = (view.pending, view.table);

    t.post("/v1/orders")
        .key(|request| posted::read(request).map(|order| order.id))
        .stores(stores)
        .to(topic)
        .handle(move |ctx, request, _| view.create(ctx, request, topic));
    t.post("/v1/orders/{id}/ship")
        .key_param("id")
        .stores(stores)
        .to(topic)
        .handle(move |ctx, request, _| view.ship(ctx, request, topic));
    t.get("/v1/orders/{id}")
        .key_param("id")
        .stores(stores)
        .answer(move |ctx, request, _| {
            let order = view.find(ctx, request)?;
            Some(Response::json(200, &order))
        });
    t.get("/v1/orders/{id}/validated")
        .key_param("id")
        .stores(stores)
        .answer(move |ctx, request, _| {
            let order = view.find(ctx, request)?;
            (order.state != OrderState::Created).then(|| Response::json(200, &order))
        });
}

#[derive(Clone, Copy)]
struct View {
    pending: Store<OrderId, Order>,
    table: Store<OrderId, Order>,
}

impl View {
    /// A new order; the same one again is answered as the first time, another one of the same id is
    /// refused.
    fn create(
        self,
        ctx: &mut Command<'_>,
        request: Request<'_>,
        topic: Topic<OrderId, Order>,
    ) -> Response {
        let order = match posted::read(request) {
            Ok(order) => order,
            Err(refused) => return refused,
        };
        let known = ctx.get(self.pending, &order.id);
        match known.or_else(|| ctx.get(self.table, &order.id)) {
            None => self.write(ctx, topic, &order),
            Some(known) if posted::is_same(&known, &order) => {}
            Some(_) => {
                let reason = format!("id: `{}` is another order's; choose a new one", order.id.0);
                return Response::errors(409, &[reason]);
            }
        }
        let location = format!("/v1/orders/{}", posted::in_path(&order.id.0));
        Response::json(201, &order).header("location", location)
    }

    /// Sends a validated order on its way.
    fn ship(
        self,
        ctx: &mut Command<'_>,
        request: Request<'_>,
        topic: Topic<OrderId, Order>,
    ) -> Response {
        let id = OrderId(request.param("id").to_owned());
        let known = ctx.get(self.pending, &id);
        match known.or_else(|| ctx.get(self.table, &id)) {
            None => Response::errors(404, &[format!("no order has the id `{}`", id.0)]),
            Some(order) if order.state == OrderState::Validated => {
                let state = OrderState::Shipped;
                let shipped = Order { state, ..order };
                self.write(ctx, topic, &shipped);
                Response::json(200, &shipped)
            }
            Some(order) => {
                let state = format!("{:?}", order.state).to_uppercase();
                let reason = format!("order `{}` is {state}; only VALIDATED is shipped", id.0);
                Response::errors(409, &[reason])
            }
        }
    }

    fn write(self, ctx: &mut Command<'_>, topic: Topic<OrderId, Order>, order: &Order) {
        ctx.put(self.pending, &order.id, order);
        ctx.append(topic, &order.id, order);
    }

    /// The order that a query asks for. Both stores are read, so that a change of either is seen.
    fn find(self, ctx: &mut Query<'_>, request: Request<'_>) -> Option<Order> {
        let id = OrderId(request.param("id").to_owned());
        let pending = ctx.get(self.pending, &id);
        let read = ctx.get(self.table, &id);
        pending.or(read)
    }
}
