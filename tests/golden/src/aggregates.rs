//! The aggregates of a case: count, reduce, aggregate and cogroup, plain and in windows.

use serde_json::Value as Json;
use weir_core::functions::{FunctionId, Step};
use weir_core::testing::RowView;
use weir_core::topology::description::{Aggregator, Emit, Operator, Until, Window};

use crate::functions::Function;
use crate::topology::{Builder, Made, ms, store, text};
use crate::value::{Type, Value};

impl Builder {
    pub(crate) fn aggregate(&mut self, name: &str, from: &Made, node: &Json) {
        let (aggregator, value) = match text(node, "op") {
            "count" => (Aggregator::Count, Type::Number),
            "reduce" => self.reducer(from, node),
            _ => {
                let add = Function::of(&node[if from.table { "adder" } else { "aggregator" }]);
                self.aggregator(vec![(from.value.clone(), add)], node)
            }
        };
        if from.table {
            let store = store(node);
            let operator = Operator::TableAggregate { aggregator, store };
            let edge = self.node(name, vec![from.edge], operator);
            self.keep(name, edge, (from.key.clone(), value), true);
            return;
        }
        self.aggregated(name, std::slice::from_ref(from), (aggregator, value), node);
    }

    pub(crate) fn cogroup(&mut self, name: &str, node: &Json) {
        let (mut inputs, mut adders) = (Vec::new(), Vec::new());
        for input in node["inputs"].as_array().unwrap() {
            let from = self.made[text(input, "from")].clone();
            adders.push((from.value.clone(), Function::of(&input["aggregator"])));
            inputs.push(from);
        }
        let made = self.aggregator(adders, node);
        self.aggregated(name, &inputs, made, node);
    }

    pub(crate) fn suppress(&mut self, name: &str, from: &Made, node: &Json) {
        let until = match node["until_time_limit_ms"].as_i64() {
            None => Until::WindowCloses,
            Some(limit) => Until::TimeLimit {
                limit,
                max_rows: node["max_rows"].as_u64(),
            },
        };
        let store = store(node);
        let edge = self.node(name, vec![from.edge], Operator::Suppress { store, until });
        self.keep(name, edge, (from.key.clone(), from.value.clone()), true);
    }

    fn aggregated(
        &mut self,
        name: &str,
        inputs: &[Made],
        (aggregator, value): (Aggregator, Type),
        node: &Json,
    ) {
        let emit = match node["emit"].as_str() {
            None => Emit::OnUpdate,
            Some("on_window_close") => Emit::OnWindowClose,
            Some(other) => panic!("no emit {other}"),
        };
        let window = window(&node["window"]);
        let plain = Box::new(inputs[0].key.clone());
        let key = match window {
            None => *plain,
            Some(Window::Session { .. }) => Type::Session(plain),
            Some(Window::Hopping { size, .. } | Window::Sliding { size, .. }) => {
                Type::Window(plain, size)
            }
        };
        let operator = Operator::Aggregate {
            aggregator,
            store: store(node),
            window,
            emit,
            skip_null_values: matches!(window, None | Some(Window::Sliding { .. })),
        };
        let edges = inputs.iter().map(|input| input.edge).collect();
        let edge = self.node(name, edges, operator);
        self.keep(name, edge, (key, value), true);
    }

    fn reducer(&mut self, from: &Made, node: &Json) -> (Aggregator, Type) {
        let reduce = Function::of(&node[if from.table { "adder" } else { "reducer" }]);
        let subtract = from.table.then(|| Function::of(&node["subtractor"]));
        let (value, made) = (from.value.clone(), reduce.reduce_type(&from.value));
        let state = made.clone();
        let aggregator = self.fold(move |step, left, right, row| {
            let later = match step {
                Step::Merge => made.decode(right),
                _ => value.decode(row.value),
            };
            let reduce = match step {
                Step::Subtract => subtract.as_ref().unwrap(),
                _ => &reduce,
            };
            match left {
                None => later,
                Some(left) => reduce.fold(&made.decode(Some(left)), &later),
            }
        });
        (aggregator, state)
    }

    /// An aggregator with a type and a function for each input.
    fn aggregator(&mut self, adders: Vec<(Type, Function)>, node: &Json) -> (Aggregator, Type) {
        let initial = Value::of(&node["initial"]);
        let made = match &initial {
            Value::Number(_) => Type::Number,
            _ => Type::Text,
        };
        let state = made.clone();
        let merge = match &node["merger"] {
            Json::Null => None,
            merger => Some(Function::of(merger)),
        };
        let subtract = match &node["subtractor"] {
            Json::Null => None,
            subtractor => Some(Function::of(subtractor)),
        };
        let aggregator = self.fold(move |step, left, right, row| {
            let old = left.map_or(initial.clone(), |left| made.decode(Some(left)));
            if step == Step::Merge {
                return merge.as_ref().unwrap().fold(&old, &made.decode(right));
            }
            let (value, add) = &adders[row.input as usize];
            let add = match step {
                Step::Subtract => subtract.as_ref().unwrap(),
                _ => add,
            };
            add.fold(&old, &value.decode(row.value))
        });
        (aggregator, state)
    }

    fn fold(
        &mut self,
        f: impl Fn(Step, Option<&[u8]>, Option<&[u8]>, RowView<'_>) -> Value + 'static,
    ) -> Aggregator {
        let id = self.function();
        let closures = std::mem::take(&mut self.closures);
        self.closures = closures.fold(id, move |step, left, right, row| {
            Ok(f(step, left, right, row).bytes())
        });
        Aggregator::Function(FunctionId(id))
    }
}

fn window(spec: &Json) -> Option<Window> {
    let grace = || ms(spec, "grace_ms");
    let size = || ms(spec, "size_ms");
    Some(match spec["type"].as_str()? {
        "session" => Window::Session {
            gap: ms(spec, "gap_ms"),
            grace: grace(),
        },
        "sliding" => Window::Sliding {
            size: size(),
            grace: grace(),
        },
        kind => Window::Hopping {
            size: size(),
            advance: if kind == "tumbling" {
                size()
            } else {
                ms(spec, "advance_ms")
            },
            grace: grace(),
        },
    })
}
