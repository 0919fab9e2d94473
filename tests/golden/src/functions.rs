//! The functions of the cases, by name.

use serde_json::Value as Json;

use crate::value::{Type, Value};

/// A function: its name and arguments.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    name: String,
    arguments: Vec<Json>,
}

impl Function {
    pub(crate) fn of(json: &Json) -> Function {
        match json {
            Json::String(name) => Function {
                name: name.clone(),
                arguments: Vec::new(),
            },
            Json::Array(parts) => Function {
                name: parts[0].as_str().unwrap().to_owned(),
                arguments: parts[1..].to_vec(),
            },
            other => panic!("no function: {other}"),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn number(&self) -> i64 {
        self.arguments[0].as_i64().unwrap()
    }

    fn text(&self) -> &str {
        self.arguments[0].as_str().unwrap()
    }

    pub(crate) fn predicate(&self, k: &Value, v: &Value) -> bool {
        match self.name.as_str() {
            "always" => true,
            "value_starts_with" => !v.is_null() && v.text().starts_with(self.text()),
            "key_starts_with" => !k.is_null() && k.text().starts_with(self.text()),
            "value_is_even" => !v.is_null() && v.number() % 2 == 0,
            "value_greater_than" => !v.is_null() && v.number() > self.number(),
            "value_is_null" => v.is_null(),
            "value_is_not_null" => !v.is_null(),
            "key_is_not_null" => !k.is_null(),
            other => panic!("no predicate {other}"),
        }
    }

    pub(crate) fn map(&self, k: &Value, v: &Value) -> Value {
        let of_value = |text: &dyn Fn(String) -> String| {
            if v.is_null() {
                Value::Null
            } else {
                Value::Text(text(v.text()))
            }
        };
        let field = |of: &Value| {
            let fields = of.text();
            let found = fields
                .split(',')
                .nth(usize::try_from(self.number()).unwrap())
                .map(str::to_owned);
            if of.is_null() {
                Value::Null
            } else {
                found.map_or(Value::Null, Value::Text)
            }
        };
        let first = |of: &Value| {
            let first = if of.is_null() {
                None
            } else {
                of.text().chars().next()
            };
            first.map_or(Value::Null, |c| Value::Text(c.to_string()))
        };
        let of_key = |text: &str| {
            if k.is_null() {
                Value::Null
            } else {
                Value::Text(k.text() + text)
            }
        };
        match self.name.as_str() {
            "key" => k.clone(),
            "value" => v.clone(),
            "null" => Value::Null,
            "constant" => Value::of(&self.arguments[0]),
            "upper" => of_value(&|text| text.to_uppercase()),
            "append" => of_value(&|text| text + self.text()),
            "text" => of_value(&|text| text),
            "null_if" => {
                if v.text() == self.text() {
                    Value::Null
                } else {
                    v.clone()
                }
            }
            "with_key" => Value::Text(format!("{}:{}", k.text(), v.text())),
            "number" if !v.is_null() => Value::Number(v.number()),
            "plus" if !v.is_null() => Value::Number(v.number() + self.number()),
            "number" | "plus" => Value::Null,
            "value_field" => field(v),
            "key_field" => field(k),
            "first_char_of_value" => first(v),
            "first_char_of_key" => first(k),
            "key_text" => of_key(""),
            "key_append" => of_key(self.text()),
            "window_key" => match k {
                Value::Window(key, _, _) => (**key).clone(),
                other => panic!("no windowed key: {other:?}"),
            },
            other => panic!("no mapper {other}"),
        }
    }

    pub(crate) fn map_type(&self, k: &Type, v: &Type) -> Type {
        match self.name.as_str() {
            "key" => k.clone(),
            "value" | "null_if" => v.clone(),
            "number" | "plus" => Type::Number,
            "constant" if self.arguments[0].is_number() => Type::Number,
            "window_key" => match k {
                Type::Window(key, _) | Type::Session(key) => (**key).clone(),
                other => panic!("no windowed key: {other:?}"),
            },
            _ => Type::Text,
        }
    }

    pub(crate) fn flat_map(&self, k: &Value, v: &Value) -> Vec<(Value, Value)> {
        let text = v.text();
        let fields = || {
            if v.is_null() || text.is_empty() {
                Vec::new()
            } else {
                text.split(',').collect()
            }
        };
        match self.name.as_str() {
            "fields" => fields()
                .into_iter()
                .map(|f| (k.clone(), Value::Text(f.to_owned())))
                .collect(),
            "fields_as_keys" => fields()
                .into_iter()
                .map(|f| (Value::Text(f.to_owned()), Value::Text(k.text())))
                .collect(),
            "twice" => vec![(k.clone(), v.clone()); 2],
            other => panic!("no flat mapper {other}"),
        }
    }

    pub(crate) fn flat_map_type(&self, k: &Type, v: &Type) -> (Type, Type) {
        match self.name.as_str() {
            "fields" => (k.clone(), Type::Text),
            "fields_as_keys" => (Type::Text, Type::Text),
            _ => (k.clone(), v.clone()),
        }
    }

    pub(crate) fn join(&self, k: &Value, l: &Value, r: &Value) -> Value {
        let pair = format!("{}|{}", l.text(), r.text());
        match self.name.as_str() {
            "pair" => Value::Text(pair),
            "pair_with_key" => Value::Text(format!("{}:{pair}", k.text())),
            "pair_or_null_if_left" if l.text() == self.text() => Value::Null,
            "pair_or_null_if_left" => Value::Text(pair),
            "left" => l.clone(),
            "right" => r.clone(),
            "sum" => Value::Number(l.number() + r.number()),
            other => panic!("no joiner {other}"),
        }
    }

    pub(crate) fn join_type(&self, l: &Type, r: &Type) -> Type {
        match self.name.as_str() {
            "left" => l.clone(),
            "right" => r.clone(),
            "sum" => Type::Number,
            _ => Type::Text,
        }
    }

    /// A reducer, aggregator or merger.
    pub(crate) fn fold(&self, a: &Value, b: &Value) -> Value {
        let between = |text: &str| Value::Text(format!("{}{text}{}", a.text(), b.text()));
        match self.name.as_str() {
            "concat" => between(""),
            "concat_plus" => between("+"),
            "concat_minus" => between("-"),
            "concat_or_null_if" if b.text() == self.text() => Value::Null,
            "concat_or_null_if" => between(""),
            "sum" => Value::Number(a.number() + b.number()),
            "subtract" => Value::Number(a.number() - b.number()),
            "first" => a.clone(),
            "last" => b.clone(),
            "max" => match (a, b) {
                (Value::Null, other) | (other, Value::Null) => other.clone(),
                (Value::Number(a), Value::Number(b)) => Value::Number(*a.max(b)),
                _ => {
                    if a.bytes() >= b.bytes() {
                        a.clone()
                    } else {
                        b.clone()
                    }
                }
            },
            other => panic!("no reducer {other}"),
        }
    }

    pub(crate) fn reduce_type(&self, v: &Type) -> Type {
        match self.name.as_str() {
            "first" | "last" | "max" => v.clone(),
            "sum" | "subtract" => Type::Number,
            _ => Type::Text,
        }
    }
}
