//! The orders of the demo: a mix in which every outcome occurs, each known beforehand.
//!
//! Customers are so many that no honest order comes near the limit of the fraud check; only the
//! rich one's orders do.

use serde_json::{Value, json};

/// Stock at the beginning: product and level. There are no stockings.
pub(super) const STOCK: [(&str, i32); 3] = [
    ("JUMPERS", 1_000_000),
    ("UNDERPANTS", 1_000_000),
    ("STOCKINGS", 0),
];

/// Customers and what level each has.
pub(super) const LEVELS: [&str; 4] = ["platinum", "gold", "silver", "bronze"];

/// Why an order is in the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// In stock, affordable, paid.
    Good,
    /// The same request a second time.
    PostedTwice,
    /// A negative quantity, which the details check refuses.
    BadDetails,
    /// A product of which there is nothing.
    OutOfStock,
    /// Worth more than the fraud check allows.
    Fraud,
    /// A product that does not exist: no order at all.
    Malformed,
    /// The id of a good order, with another body.
    Conflict,
}

impl Kind {
    /// For the table.
    pub(super) fn label(self) -> &'static str {
        match self {
            Kind::Good => "good, paid",
            Kind::PostedTwice => "posted twice",
            Kind::BadDetails => "negative quantity",
            Kind::OutOfStock => "out of stock",
            Kind::Fraud => "over the fraud limit",
            Kind::Malformed => "unknown product",
            Kind::Conflict => "same id, other body",
        }
    }

    /// The status that the last `POST` is answered with.
    pub(super) fn status(self) -> u16 {
        match self {
            Kind::Malformed => 400,
            Kind::Conflict => 409,
            _ => 201,
        }
    }

    /// The state that the order ends in; `None`: there is no order, or it is another one's.
    pub(super) fn decision(self) -> Option<&'static str> {
        match self {
            Kind::Good | Kind::PostedTwice => Some("VALIDATED"),
            Kind::BadDetails | Kind::OutOfStock | Kind::Fraud => Some("FAILED"),
            Kind::Malformed | Kind::Conflict => None,
        }
    }

    /// Whether a mail goes out: for orders that are validated and paid.
    pub(super) fn mails(self) -> bool {
        self.decision() == Some("VALIDATED")
    }
}

/// One order of the mix.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) body: Value,
}

/// The `index`th order. Of twenty, eleven are good.
pub(super) fn order(prefix: &str, index: usize) -> Posted {
    let kind = match index % 20 {
        3 | 13 => Kind::PostedTwice,
        5 | 15 => Kind::BadDetails,
        7 => Kind::OutOfStock,
        9 | 19 => Kind::Fraud,
        11 => Kind::Malformed,
        17 => Kind::Conflict,
        _ => Kind::Good,
    };
    // A conflict is with the order before it, which is a good one.
    let number = if kind == Kind::Conflict {
        index - 1
    } else {
        index
    };
    let id = format!("{prefix}-{number}");
    let customer = number as i64;
    let product = match kind {
        Kind::OutOfStock => "STOCKINGS",
        Kind::Malformed => "SOCKS",
        _ if number.is_multiple_of(2) => "JUMPERS",
        _ => "UNDERPANTS",
    };
    let (quantity, price) = match kind {
        Kind::BadDetails => (-1, 10.0),
        Kind::Fraud => (50, 100.0),
        Kind::Conflict => (2, 10.0),
        _ => (1, 10.0),
    };
    let body = json!({
        "id": id, "customerId": customer, "product": product, "quantity": quantity, "price": price,
    });
    Posted { kind, id, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_with_the_good_order_before_it() {
        let (before, conflict) = (order("d", 16), order("d", 17));
        assert_eq!((before.kind, conflict.kind), (Kind::Good, Kind::Conflict));
        assert_eq!(before.id, conflict.id);
        assert_ne!(before.body, conflict.body);
    }
}
