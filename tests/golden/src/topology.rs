//! A case's topology as a description and closures.

use std::collections::HashMap;

use serde_json::Value as Json;
use weir_core::functions::FunctionId;
use weir_core::testing::{Closures, RowView};
use weir_core::topology::description::{
    Description, Edge, JoinKind, Node, Operator, StreamStreamJoin,
};

use crate::functions::Function;
use crate::value::{Type, Value};

/// A stream or table of the case.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) edge: Edge,
    pub(crate) key: Type,
    pub(crate) value: Type,
    pub(crate) table: bool,
}

pub(crate) struct Builder {
    pub(crate) description: Description,
    pub(crate) closures: Closures,
    pub(crate) made: HashMap<String, Made>,
    topics: Json,
    functions: u32,
}

/// The topology and functions of a case's [`declaration`](crate::case::Case::declaration). Errors:
/// what it has that is not built.
pub fn build(declaration: &str) -> Result<(Description, Closures), String> {
    let case: Json = serde_json::from_str(declaration).map_err(|error| error.to_string())?;
    let built = declare(&case).ok_or("an operator that is not built")?;
    Ok((built.description, built.closures))
}

fn declare(case: &Json) -> Option<Builder> {
    let mut builder = Builder {
        description: Description::default(),
        closures: Closures::default(),
        made: HashMap::new(),
        topics: case["topics"].clone(),
        functions: 0,
    };
    for node in case["topology"].as_array().unwrap() {
        builder.add(node)?;
    }
    Some(builder)
}

pub(crate) fn text<'j>(node: &'j Json, field: &str) -> &'j str {
    node[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} of {node}"))
}

pub(crate) fn ms(node: &Json, field: &str) -> i64 {
    node[field]
        .as_i64()
        .unwrap_or_else(|| panic!("{field} of {node}"))
}

fn kind(node: &Json) -> JoinKind {
    match text(node, "kind") {
        "inner" => JoinKind::Inner,
        "left" => JoinKind::Left,
        _ => JoinKind::Outer,
    }
}

fn plain(name: &Json) -> Type {
    match name.as_str().unwrap() {
        "string" => Type::Text,
        "int64" => Type::Number,
        other => panic!("no input of type {other}"),
    }
}

type Rows = Vec<(Value, Value, u8)>;

impl Builder {
    pub(crate) fn function(&mut self) -> u32 {
        self.functions += 1;
        self.functions
    }

    pub(crate) fn node(&mut self, name: &str, inputs: Vec<Edge>, operator: Operator) -> Edge {
        self.description.nodes.push(Node {
            name: name.to_owned(),
            inputs,
            operator,
        });
        Edge {
            node: u32::try_from(self.description.nodes.len() - 1).unwrap(),
            port: 0,
        }
    }

    pub(crate) fn keep(&mut self, name: &str, edge: Edge, (key, value): (Type, Type), table: bool) {
        self.made.insert(
            name.to_owned(),
            Made {
                edge,
                key,
                value,
                table,
            },
        );
    }

    fn transform(
        &mut self,
        name: &str,
        from: &Made,
        (ports, rekeys): (u8, bool),
        f: impl Fn(&Value, &Value) -> Rows + 'static,
    ) -> Edge {
        let id = self.function();
        let (key, value) = (from.key.clone(), from.value.clone());
        let closures = std::mem::take(&mut self.closures);
        // A windowed key that nobody maps goes through as its bytes.
        self.closures = closures.transform(id, move |row: RowView<'_>| {
            let (k, v) = (key.decode(row.key), value.decode(row.value));
            let bytes = |made: &Value| {
                if *made == k && matches!(made, Value::Window(..)) {
                    row.key.map(<[u8]>::to_vec)
                } else {
                    made.bytes()
                }
            };
            Ok(f(&k, &v)
                .iter()
                .map(|(k, v, port)| (bytes(k), bytes(v), *port))
                .collect())
        });
        let operator = Operator::Transform {
            function: FunctionId(id),
            ports,
            steps: Vec::new(),
            rekeys,
        };
        self.node(name, vec![from.edge], operator)
    }

    /// Makes an operator of tables of the transform that was added last.
    fn of_table(&mut self, node: &Json, operator: impl Fn(FunctionId, Option<String>) -> Operator) {
        let last = self.description.nodes.last_mut().unwrap();
        let Operator::Transform { function, .. } = last.operator else {
            panic!("the last node is a transform");
        };
        last.operator = operator(function, named(node));
    }

    fn add(&mut self, node: &Json) -> Option<()> {
        let name = text(node, "name");
        let from = node["from"].as_str().map(|from| self.made[from].clone());
        let types = |from: &Made| (from.key.clone(), from.value.clone());
        match text(node, "op") {
            "source" | "table" | "global_table" => self.source(name, node),
            op @ ("filter" | "filter_not") => {
                let from = from?;
                let (f, wanted) = (Function::of(&node["predicate"]), op == "filter");
                let edge = self.transform(name, &from, (1, false), move |k, v| {
                    if f.predicate(k, v) == wanted {
                        vec![(k.clone(), v.clone(), 0)]
                    } else {
                        Vec::new()
                    }
                });
                if from.table {
                    self.of_table(node, |function, store| Operator::TableFilter {
                        function,
                        store,
                    });
                }
                self.keep(name, edge, types(&from), from.table);
            }
            "map" | "select_key" | "map_values" | "group_by" => self.map(name, &from?, node)?,
            "flat_map" | "flat_map_values" => {
                let from = from?;
                let (f, made) = (
                    Function::of(&node["function"]),
                    Function::of(&node["function"]),
                );
                let rekeys = text(node, "op") == "flat_map";
                let edge = self.transform(name, &from, (1, rekeys), move |k, v| {
                    f.flat_map(k, v)
                        .into_iter()
                        .map(|(k, v)| (k, v, 0))
                        .collect()
                });
                self.keep(
                    name,
                    edge,
                    made.flat_map_type(&from.key, &from.value),
                    false,
                );
            }
            "split" => self.split(name, &from?, node),
            "merge" => {
                let inputs: Vec<Made> = node["inputs"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|i| self.made[i.as_str().unwrap()].clone())
                    .collect();
                let edge = self.node(
                    name,
                    inputs.iter().map(|made| made.edge).collect(),
                    Operator::Merge,
                );
                self.keep(name, edge, types(&inputs[0]), false);
            }
            "peek" | "group_by_key" | "to_stream" => {
                let mut made = from?;
                made.table = false;
                self.made.insert(name.to_owned(), made);
            }
            "repartition" => {
                let from = from?;
                let operator = Operator::Repartition {
                    name: name.to_owned(),
                    partitions: None,
                };
                let edge = self.node(name, vec![from.edge], operator);
                self.keep(name, edge, types(&from), false);
            }
            "count" | "reduce" | "aggregate" => self.aggregate(name, &from?, node),
            "cogroup" => self.cogroup(name, node),
            "to_table" => {
                let from = from?;
                let edge = self.node(
                    name,
                    vec![from.edge],
                    Operator::ToTable { store: named(node) },
                );
                self.keep(name, edge, types(&from), true);
            }
            "suppress" => self.suppress(name, &from?, node),
            "stream_stream_join" | "stream_table_join" | "stream_global_table_join" => {
                self.join(name, node)?
            }
            "table_table_join" | "foreign_key_join" => self.table_join(name, node),
            "process" => self.process(name, &from?, node),
            "to" => self.to(name, &from?, node),
            _ => return None,
        }
        Some(())
    }

    fn source(&mut self, name: &str, node: &Json) {
        let topic = text(node, "topic").to_owned();
        let declared = &self.topics[&topic];
        let types = (plain(&declared["key"]), plain(&declared["value"]));
        let (operator, table) = match text(node, "op") {
            "source" => (Operator::Source { topic }, false),
            "table" => (
                Operator::Table {
                    topic,
                    store: named(node),
                    history: node["versioned_history_ms"].as_i64(),
                },
                true,
            ),
            _ => (
                Operator::GlobalTable {
                    topic,
                    store: store(node),
                },
                true,
            ),
        };
        let edge = self.node(name, Vec::new(), operator);
        self.keep(name, edge, types, table);
    }

    fn map(&mut self, name: &str, from: &Made, node: &Json) -> Option<()> {
        let rekeys = text(node, "op") != "map_values";
        let function = |field: &str, usual: &str| {
            if node[field].is_null() {
                Function::of(&Json::String(usual.to_owned()))
            } else {
                Function::of(&node[field])
            }
        };
        let (key, value) = (function("key", "key"), function("value", "value"));
        let types = (
            key.map_type(&from.key, &from.value),
            value.map_type(&from.key, &from.value),
        );
        let edge = self.transform(name, from, (1, rekeys), move |k, v| {
            vec![(key.map(k, v), value.map(k, v), 0)]
        });
        if from.table {
            self.of_table(node, |function, store| {
                if rekeys {
                    Operator::TableGroupBy { function }
                } else {
                    Operator::TableMapValues { function, store }
                }
            });
        }
        self.keep(name, edge, types, from.table);
        Some(())
    }

    fn split(&mut self, name: &str, from: &Made, node: &Json) {
        let branches = node["branches"].as_array().unwrap();
        let predicates: Vec<Function> = branches
            .iter()
            .map(|b| Function::of(&b["predicate"]))
            .collect();
        let mut names: Vec<&str> = branches.iter().map(|b| text(b, "name")).collect();
        names.extend(node["default"].as_str());
        let ports = u8::try_from(names.len()).unwrap();
        let edge = self.transform(name, from, (ports, false), move |k, v| {
            let port = predicates
                .iter()
                .position(|p| p.predicate(k, v))
                .unwrap_or(predicates.len());
            let port = u8::try_from(port).unwrap();
            if port < ports {
                vec![(k.clone(), v.clone(), port)]
            } else {
                Vec::new()
            }
        });
        for (port, branch) in (0..).zip(names) {
            self.keep(
                &format!("{name}.{branch}"),
                Edge { port, ..edge },
                (from.key.clone(), from.value.clone()),
                false,
            );
        }
    }

    fn join(&mut self, name: &str, node: &Json) -> Option<()> {
        let (left, right) = (
            self.made[text(node, "left")].clone(),
            self.made[text(node, "right")].clone(),
        );
        let joiner = Function::of(&node["joiner"]);
        let value = joiner.join_type(&left.value, &right.value);
        let id = self.function();
        let types = (left.key.clone(), left.value.clone(), right.value.clone());
        let closures = std::mem::take(&mut self.closures);
        self.closures = closures.combine(id, move |k, l, r| {
            Ok(joiner
                .join(&types.0.decode(k), &types.1.decode(l), &types.2.decode(r))
                .bytes())
        });
        let function = FunctionId(id);
        let operator = match text(node, "op") {
            "stream_stream_join" => Operator::StreamStreamJoin(StreamStreamJoin {
                kind: kind(node),
                function,
                before: ms(node, "before_ms"),
                after: ms(node, "after_ms"),
                grace: ms(node, "grace_ms"),
                left_store: format!("{name}-this"),
                right_store: format!("{name}-other"),
            }),
            "stream_table_join" => Operator::StreamTableJoin {
                kind: kind(node),
                function,
                grace: node["grace_ms"].as_i64(),
            },
            _ => {
                let key = Function::of(&node["key"]);
                let id = self.function();
                let (k, v) = (left.key.clone(), left.value.clone());
                let closures = std::mem::take(&mut self.closures);
                self.closures = closures.transform(id, move |row: RowView<'_>| {
                    let key = key.map(&k.decode(row.key), &v.decode(row.value));
                    Ok(vec![(key.bytes(), None, 0)])
                });
                Operator::GlobalTableJoin {
                    kind: kind(node),
                    function,
                    key: FunctionId(id),
                }
            }
        };
        let edge = self.node(name, vec![left.edge, right.edge], operator);
        self.keep(name, edge, (left.key, value), false);
        Some(())
    }

    fn table_join(&mut self, name: &str, node: &Json) {
        let [left, right] = ["left", "right"].map(|side| self.made[text(node, side)].clone());
        let joiner = Function::of(&node["joiner"]);
        let value = joiner.join_type(&left.value, &right.value);
        let id = self.function();
        let types = (left.value.clone(), right.value.clone());
        let closures = std::mem::take(&mut self.closures);
        self.closures = closures.combine(id, move |_, l, r| {
            let (l, r) = (types.0.decode(l), types.1.decode(r));
            Ok(joiner.join(&Value::Null, &l, &r).bytes())
        });
        let (kind, function, store) = (kind(node), FunctionId(id), named(node));
        let operator = if text(node, "op") == "table_table_join" {
            Operator::TableTableJoin {
                kind,
                function,
                store,
            }
        } else {
            let key = Function::of(&node["foreign_key"]);
            let id = self.function();
            let value = left.value.clone();
            let closures = std::mem::take(&mut self.closures);
            self.closures = closures.transform(id, move |row: RowView<'_>| {
                let key = key.map(&Value::Null, &value.decode(row.value));
                Ok(vec![(key.bytes(), None, 0)])
            });
            Operator::ForeignKeyJoin {
                kind,
                function,
                foreign_key: FunctionId(id),
                store,
            }
        };
        let edge = self.node(name, vec![left.edge, right.edge], operator);
        self.keep(name, edge, (left.key, value), true);
    }

    fn to(&mut self, name: &str, from: &Made, node: &Json) {
        if let Some(topic) = node["topic"].as_str() {
            self.node(
                name,
                vec![from.edge],
                Operator::Sink {
                    topic: topic.to_owned(),
                },
            );
            return;
        }
        let by = Function::of(&node["topic_by"]);
        let prefix = text(node, "topic_prefix").to_owned();
        let topics: Vec<String> = node["topics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t.as_str().unwrap().to_owned())
            .collect();
        let known = topics.clone();
        let ports = u8::try_from(topics.len()).unwrap();
        let edge = self.transform(
            &format!("{name}-choose"),
            from,
            (ports, false),
            move |k, v| {
                let topic = format!("{prefix}{}", by.map(k, v).text());
                let port = known.iter().position(|known| *known == topic).unwrap();
                vec![(k.clone(), v.clone(), u8::try_from(port).unwrap())]
            },
        );
        for (port, topic) in (0..).zip(topics) {
            self.node(
                &format!("{name}-{topic}"),
                vec![Edge { port, ..edge }],
                Operator::Sink { topic },
            );
        }
    }
}

/// The name of a table's store, if it was given one.
fn named(node: &Json) -> Option<String> {
    node["store"].as_str().map(str::to_owned)
}

pub(crate) fn store(node: &Json) -> String {
    node["store"]
        .as_str()
        .map_or_else(|| format!("{}-store", text(node, "name")), str::to_owned)
}
