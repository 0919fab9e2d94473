//! The body of a posted order: read with every mistake named, not only the first.

use orders_model::{Order, OrderId, OrderState, Product};
use serde_json::{Map, Value};
use weir::{Request, Response};

/// An id is part of paths, keys and file names of others.
const LONGEST_ID: usize = 200;

/// The order in a request, or 400 with all mistakes.
pub(crate) fn read(request: Request<'_>) -> Result<Order, Response> {
    let body = match serde_json::from_slice(request.body()) {
        Ok(Value::Object(body)) => body,
        Ok(_) => return Err(Response::errors(400, &["body: an order is a JSON object"])),
        Err(error) => return Err(Response::errors(400, &[format!("body: not JSON: {error}")])),
    };
    let mut errors = Vec::new();
    let order = Order {
        id: id(&body, request.unique(), &mut errors),
        customer_id: customer(&body, &mut errors),
        state: state(&body, &mut errors),
        product: product(&body, &mut errors),
        quantity: quantity(&body, &mut errors),
        price: price(&body, &mut errors),
    };
    if errors.is_empty() {
        Ok(order)
    } else {
        Err(Response::errors(400, &errors))
    }
}

/// Whether two orders are the same but for how far they are.
pub(crate) fn is_same(one: &Order, other: &Order) -> bool {
    let state = other.state;
    Order {
        state,
        ..one.clone()
    } == *other
}

/// A text as one part of a path.
pub(crate) fn in_path(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

fn id(body: &Map<String, Value>, made: &str, errors: &mut Vec<String>) -> OrderId {
    match body.get("id") {
        None | Some(Value::Null) => OrderId(made.to_owned()),
        Some(Value::String(id)) if !id.is_empty() && id.len() <= LONGEST_ID => OrderId(id.clone()),
        Some(other) => {
            let expected = format!("a text of 1 to {LONGEST_ID} bytes, or nothing");
            wrong(errors, "id", other, &expected);
            OrderId(String::new())
        }
    }
}

fn customer(body: &Map<String, Value>, errors: &mut Vec<String>) -> i64 {
    field(
        body,
        "customerId",
        "a whole number of 64 bits",
        Value::as_i64,
        errors,
    )
}

fn quantity(body: &Map<String, Value>, errors: &mut Vec<String>) -> i32 {
    let whole = |value: &Value| i32::try_from(value.as_i64()?).ok();
    field(body, "quantity", "a whole number of 32 bits", whole, errors)
}

fn price(body: &Map<String, Value>, errors: &mut Vec<String>) -> f64 {
    field(body, "price", "a number", Value::as_f64, errors)
}

fn state(body: &Map<String, Value>, errors: &mut Vec<String>) -> OrderState {
    match body.get("state") {
        None | Some(Value::Null) => {}
        Some(Value::String(state)) if state == "CREATED" => {}
        Some(other) => wrong(
            errors,
            "state",
            other,
            "`CREATED`, or nothing: others decide",
        ),
    }
    OrderState::Created
}

fn product(body: &Map<String, Value>, errors: &mut Vec<String>) -> Product {
    let sold = |value: &Value| {
        let product = Product::from(value.as_str()?.to_owned());
        product.is_sold().then_some(product)
    };
    let expected = format!("one of {}", Product::SOLD.join(", "));
    field(
        body,
        "product",
        &expected,
        |value| sold(value).map(Some),
        errors,
    )
    .unwrap_or(Product::Jumpers)
}

fn field<T: Default>(
    body: &Map<String, Value>,
    name: &str,
    expected: &str,
    read: impl Fn(&Value) -> Option<T>,
    errors: &mut Vec<String>,
) -> T {
    let read = match body.get(name) {
        None => {
            errors.push(format!("{name}: missing; {expected}"));
            None
        }
        Some(value) => {
            let read = read(value);
            if read.is_none() {
                wrong(errors, name, value, expected);
            }
            read
        }
    };
    read.unwrap_or_default()
}

fn wrong(errors: &mut Vec<String>, name: &str, value: &Value, expected: &str) {
    errors.push(format!("{name}: {value} is not {expected}"));
}
