//! Keys and values of the cases: texts, numbers, windows, and their bytes.

use serde_json::Value as Json;

/// What kind of bytes a key or value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Text,
    Number,
    /// A window of this size.
    Window(Box<Type>, i64),
    Session(Box<Type>),
}

/// A key or value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(String),
    Number(i64),
    Window(Box<Value>, i64, i64),
}

impl Type {
    pub(crate) fn decode(&self, bytes: Option<&[u8]>) -> Value {
        let Some(bytes) = bytes else {
            return Value::Null;
        };
        let long = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        match self {
            Type::Text => Value::Text(String::from_utf8(bytes.to_vec()).unwrap()),
            Type::Number => Value::Number(long(0)),
            Type::Window(key, size) => {
                let at = bytes.len() - 8;
                Value::Window(
                    Box::new(key.decode(Some(&bytes[..at]))),
                    long(at),
                    long(at) + size,
                )
            }
            Type::Session(key) => {
                let at = bytes.len() - 16;
                Value::Window(
                    Box::new(key.decode(Some(&bytes[..at]))),
                    long(at + 8),
                    long(at),
                )
            }
        }
    }
}

impl Value {
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Value::Null => None,
            Value::Text(text) => Some(text.clone().into_bytes()),
            Value::Number(number) => Some(number.to_be_bytes().to_vec()),
            Value::Window(..) => unreachable!("no function makes a windowed key"),
        }
    }

    pub(crate) fn of(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::String(text) => Value::Text(text.clone()),
            Json::Number(number) => Value::Number(number.as_i64().unwrap()),
            Json::Object(window) => {
                let key = Box::new(Value::of(&window["key"]));
                Value::Window(
                    key,
                    window["start_ms"].as_i64().unwrap(),
                    window["end_ms"].as_i64().unwrap(),
                )
            }
            other => panic!("no key or value: {other}"),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        *self == Value::Null
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Value::Null => "-".to_owned(),
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Window(key, start, _) => format!("{}@{start}", key.text()),
        }
    }

    pub(crate) fn number(&self) -> i64 {
        match self {
            Value::Number(number) => *number,
            Value::Text(text) => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                let good =
                    (1..=18).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
                if good { text.parse().unwrap() } else { 0 }
            }
            _ => 0,
        }
    }
}
