//! What the order services say to each other: the rows of their topics.
//!
//! JSON in camelCase; a product is a plain name, so that it can be a key.

use serde::{Deserialize, Serialize};

/// An order's id: the key of `orders`, `order-validations` and all that comes of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId(pub String);

/// A customer's id: the key of `customers`, 64 bits big-endian.
pub type CustomerId = i64;

/// An order, as `orders` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Chosen by the client, or made for it.
    pub id: OrderId,
    /// Whose order it is.
    pub customer_id: CustomerId,
    /// How far it is.
    pub state: OrderState,
    /// What is ordered.
    pub product: Product,
    /// How many; whether that makes sense is checked later.
    pub quantity: i32,
    /// Of one.
    pub price: f64,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderState {
    /// Posted, and being checked.
    Created,
    /// All checks passed.
    Validated,
    /// A check did not, or answered too late.
    Failed,
    /// On its way to the customer.
    Shipped,
}

/// What is sold. A row may name what is not: that is for the checks to refuse, not for the parser.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[expect(missing_docs, reason = "products are what they are called")]
pub enum Product {
    Jumpers,
    Underpants,
    Stockings,
    /// Anything else.
    Unknown(String),
}

impl Product {
    /// All that is sold.
    pub const SOLD: [&str; 3] = ["JUMPERS", "UNDERPANTS", "STOCKINGS"];

    /// Whether it is sold.
    pub fn is_sold(&self) -> bool {
        !matches!(self, Product::Unknown(_))
    }
}

impl From<String> for Product {
    fn from(name: String) -> Product {
        match name.as_str() {
            "JUMPERS" => Product::Jumpers,
            "UNDERPANTS" => Product::Underpants,
            "STOCKINGS" => Product::Stockings,
            _ => Product::Unknown(name),
        }
    }
}

impl From<Product> for String {
    fn from(product: Product) -> String {
        match product {
            Product::Jumpers => "JUMPERS".to_owned(),
            Product::Underpants => "UNDERPANTS".to_owned(),
            Product::Stockings => "STOCKINGS".to_owned(),
            Product::Unknown(name) => name,
        }
    }
}

/// One check's answer to one order, as `order-validations` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// The order that was checked.
    pub order_id: OrderId,
    /// Which check; one of the names below, or one that the operator has added.
    pub check_type: String,
    /// What it says.
    pub validation_result: Verdict,
}

/// The check of the service `inventory`.
pub const INVENTORY_CHECK: &str = "INVENTORY_CHECK";
/// The check of the service `fraud`.
pub const FRAUD_CHECK: &str = "FRAUD_CHECK";
/// The check of the service `order-details`.
pub const ORDER_DETAILS_CHECK: &str = "ORDER_DETAILS_CHECK";

impl Validation {
    /// A check's answer: PASS or FAIL.
    pub fn of(order: &OrderId, check: &str, passes: bool) -> Validation {
        Validation {
            order_id: order.clone(),
            check_type: check.to_owned(),
            validation_result: if passes { Verdict::Pass } else { Verdict::Fail },
        }
    }
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// The order is fine.
    Pass,
    /// It is not.
    Fail,
    /// The check could not tell.
    Error,
}

/// An order with what is known of its customer, as `orders-enriched` and the topics of the levels
/// have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEnriched {
    /// The order.
    pub id: OrderId,
    /// The customer.
    pub customer_id: CustomerId,
    /// The customer's level, and the name of the topic that the row goes to.
    pub customer_level: String,
}

/// A payment, as `payments` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The key.
    pub id: String,
    /// What is paid.
    pub order_id: OrderId,
    /// The currency.
    pub ccy: String,
    /// How much of it.
    pub amount: f64,
}

/// A customer, as `customers` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct Customer {
    pub id: CustomerId,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub address: String,
    #[serde(default = "bronze")]
    pub level: String,
}

fn bronze() -> String {
    "bronze".to_owned()
}
