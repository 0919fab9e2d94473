//! The processors of the cases.

use serde_json::Value as Json;
use weir_core::functions::FunctionId;
use weir_core::record::{Batch, Column};
use weir_core::topology::description::{Clock, Operator, Schedule, Store};

use crate::functions::Function;
use crate::topology::{Builder, Made};
use crate::value::{Type, Value};

impl Builder {
    pub(crate) fn process(&mut self, name: &str, from: &Made, node: &Json) {
        let f = Function::of(&node["function"]);
        let id = self.function();
        let shared = matches!(
            f.name(),
            "dedupe" | "running_count" | "emit_store_every" | "count_every"
        );
        let mut stores = Vec::new();
        if let Some(store) = node["store"].as_str() {
            stores.push(store.to_owned());
            let declared = self
                .description
                .stores
                .iter()
                .any(|known| known.name == store);
            if shared && !declared {
                self.description.stores.push(Store {
                    name: store.to_owned(),
                    logged: true,
                });
            }
        }
        let schedules = match f.name() {
            "emit_store_every" | "count_every" => vec![Schedule {
                interval: f.number(),
                clock: Clock::StreamTime,
            }],
            _ => Vec::new(),
        };
        let (types, name_of) = ((from.key.clone(), from.value.clone()), f.name().to_owned());
        let value = if matches!(f.name(), "running_count" | "count_every") {
            Type::Number
        } else if matches!(f.name(), "enrich" | "tag_stream_time") {
            Type::Text
        } else {
            from.value.clone()
        };
        let closures = std::mem::take(&mut self.closures);
        let every = name_of.clone();
        self.closures = closures.process(id, move |number, time, row, state| {
            let v = types.1.decode(row.value);
            let owned = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
            let send = |value: Option<Vec<u8>>| Ok(Ok(vec![(owned(row.key), value, 0)]));
            let old = match row.key {
                Some(key) if !stores_of_none(&every) => owned(
                    state
                        .get_many(0, number, &Column::from_iter([Some(key)]))
                        .unwrap()
                        .get(0),
                ),
                _ => None,
            };
            match (every.as_str(), row.key) {
                ("dedupe", None) => send(owned(row.value)),
                ("dedupe", Some(key)) => {
                    if old.as_deref() == row.value {
                        return Ok(Ok(Vec::new()));
                    }
                    state.put(0, number, key, row.value).unwrap();
                    send(owned(row.value))
                }
                ("running_count" | "count_every", Some(key)) => {
                    let count = Type::Number.decode(old.as_deref()).number() + 1;
                    state
                        .put(0, number, key, Some(&count.to_be_bytes()))
                        .unwrap();
                    if every == "count_every" {
                        Ok(Ok(Vec::new()))
                    } else {
                        send(Some(count.to_be_bytes().to_vec()))
                    }
                }
                ("emit_store_every", Some(key)) => {
                    state.put(0, number, key, row.value).unwrap();
                    Ok(Ok(Vec::new()))
                }
                ("enrich", _) => {
                    let table = types.1.decode(old.as_deref());
                    send(Value::Text(format!("{}|{}", v.text(), table.text())).bytes())
                }
                ("tag_stream_time", _) => send(Value::Text(format!("{}@{time}", v.text())).bytes()),
                _ => Ok(Ok(Vec::new())),
            }
        });
        self.punctuations(id, name_of);
        let operator = Operator::Process {
            function: FunctionId(id),
            stores,
            schedules,
        };
        let edge = self.node(name, vec![from.edge], operator);
        self.keep(name, edge, (from.key.clone(), value), false);
    }

    fn punctuations(&mut self, id: u32, name_of: String) {
        let closures = std::mem::take(&mut self.closures);
        self.closures = closures.punctuate(id, move |_, at, state| {
            let (keys, values) = state.range(0, 0, None, None, u32::MAX).unwrap();
            let mut rows = Batch::default();
            for (key, value) in keys.iter().zip(values.iter()) {
                rows.push(key, value, at);
                if name_of == "count_every" {
                    state.put(0, 0, key.unwrap(), None).unwrap();
                }
            }
            Ok(rows)
        });
    }
}

fn stores_of_none(function: &str) -> bool {
    function == "tag_stream_time"
}
