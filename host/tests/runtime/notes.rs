//! The service of these tests: functions of this very process, on real brokers and a real database.
//!
//! Rows of `<name>-in` go to `<name>-out` with the version's mark, and are counted by key into
//! `<name>-counts`. The value `bad` is refused, `trap` traps. `POST /notes/{id}` keeps a note once
//! and writes it to `<name>-in`; `GET /notes/{id}` waits for it; `GET /latest/{id}` waits for the
//! last value of a table.

use std::sync::Arc;

use weir_core::functions::{
    Appended, Combined, Failure, Folded, FunctionId, Functions, Outcome, Output, Rejection,
    Request, Response, State, Steps, Updated,
};
use weir_core::record::{Batch, Column};
use weir_core::topology::description::{
    Aggregator, Description, Edge, Emit, Node, Operator, Route, RouteKey, RouteKind, Store,
};
use weir_host::runtime::{Guest, Moment, Program};

/// A version of the service.
pub(crate) struct Notes {
    pub(crate) name: String,
    /// What it puts before each value.
    pub(crate) mark: &'static str,
    /// A node that other versions do not have.
    pub(crate) extra: bool,
}

impl Notes {
    pub(crate) fn new(name: &str, mark: &'static str) -> Arc<Notes> {
        Arc::new(Notes {
            name: name.to_owned(),
            mark,
            extra: false,
        })
    }

    pub(crate) fn topics(name: &str) -> Vec<String> {
        ["in", "out", "counts", "table"]
            .map(|topic| format!("{name}-{topic}"))
            .to_vec()
    }
}

fn node(name: &str, input: Option<u32>, operator: Operator) -> Node {
    let inputs = input.map(|node| Edge { node, port: 0 });
    Node {
        name: name.to_owned(),
        inputs: inputs.into_iter().collect(),
        operator,
    }
}

fn route(
    method: &str,
    path: &str,
    kind: RouteKind,
    function: u32,
    store: &str,
    topics: &[String],
) -> Route {
    Route {
        method: method.to_owned(),
        path: path.to_owned(),
        kind,
        function: FunctionId(function),
        key: RouteKey::Parameter("id".to_owned()),
        stores: vec![store.to_owned()],
        topics: topics.to_vec(),
    }
}

impl Program for Notes {
    fn digest(&self) -> String {
        format!("{}{}", self.mark, self.extra)
    }

    fn describe(&self) -> Result<Description, String> {
        let topic = |what: &str| format!("{}-{what}", self.name);
        let mark = Operator::Transform {
            function: FunctionId(0),
            ports: 1,
            steps: vec!["mark".to_owned()],
            rekeys: false,
        };
        let count = Operator::Aggregate {
            aggregator: Aggregator::Count,
            store: "counts".to_owned(),
            window: None,
            emit: Emit::OnUpdate,
            skip_null_values: true,
        };
        let remember = Operator::Process {
            function: FunctionId(1),
            stores: vec!["notes".to_owned()],
            schedules: Vec::new(),
        };
        let table = Operator::Table {
            topic: topic("table"),
            store: Some("latest".to_owned()),
            history: None,
        };
        let mut nodes = vec![
            node("in", None, Operator::Source { topic: topic("in") }),
            node("mark", Some(0), mark),
            node(
                "out",
                Some(1),
                Operator::Sink {
                    topic: topic("out"),
                },
            ),
            node("count", Some(0), count),
            node(
                "counted",
                Some(3),
                Operator::Sink {
                    topic: topic("counts"),
                },
            ),
            node("remember", Some(0), remember),
            node("table", None, table),
        ];
        if self.extra {
            nodes.push(node(
                "extra",
                Some(1),
                Operator::Sink {
                    topic: topic("out"),
                },
            ));
        }
        let routes = vec![
            route(
                "POST",
                "/notes/{id}",
                RouteKind::Command,
                2,
                "notes",
                &[topic("in")],
            ),
            route("GET", "/notes/{id}", RouteKind::Query, 3, "notes", &[]),
            route("GET", "/latest/{id}", RouteKind::Query, 3, "latest", &[]),
        ];
        let stores = vec![Store {
            name: "notes".to_owned(),
            logged: true,
        }];
        Ok(Description {
            nodes,
            stores,
            routes,
        })
    }

    fn instance(&self) -> Result<Box<dyn Guest>, String> {
        Ok(Box::new(Instance { mark: self.mark }))
    }
}

struct Instance {
    mark: &'static str,
}

impl Guest for Instance {
    fn reset(&mut self) {}

    fn enter(&mut self, _moment: Moment) {}
}

fn trap(reason: &str) -> Failure {
    Failure::Trapped {
        reason: reason.to_owned(),
        backtrace: "0: mark".to_owned(),
    }
}

fn id_of(request: &Request) -> Column {
    [Some(request.parameters[0].1.as_bytes())]
        .into_iter()
        .collect()
}

impl Functions for Instance {
    fn transform(&mut self, _: FunctionId, input: &Batch) -> Result<Output, Failure> {
        let mut output = Output::default();
        for row in 0..input.len() {
            let number = u32::try_from(row).map_err(|_| trap("too many rows"))?;
            match input.values.get(row) {
                Some(b"bad") => {
                    output.rejected.push(Rejection {
                        row: number,
                        reason: "bad is bad".to_owned(),
                    });
                }
                Some(b"trap") => return Err(trap("unreachable")),
                value => {
                    let marked = value.map(|value| [self.mark.as_bytes(), value].concat());
                    output.rows.push(
                        input.keys.get(row),
                        marked.as_deref(),
                        input.timestamps[row],
                    );
                    output.origins.push(number);
                }
            }
        }
        Ok(output)
    }

    fn process(
        &mut self,
        _: FunctionId,
        _: &Batch,
        _: &[i64],
        _: &mut dyn State,
    ) -> Result<Output, Failure> {
        Ok(Output::default())
    }

    fn handle(
        &mut self,
        _: FunctionId,
        requests: &[Request],
        state: &mut dyn State,
    ) -> Result<Vec<Outcome>, Failure> {
        let mut outcomes = Vec::new();
        for (row, request) in (0..).zip(requests) {
            let key = id_of(request);
            let known = state
                .get_many(0, row, &key)
                .map_err(|error| trap(&error.to_string()))?;
            let id = key.get(0).unwrap_or_default();
            let mut outcome = Outcome::default();
            outcome.response.status = match known.get(0) {
                Some(known) if known == request.body => 200,
                Some(_) => 409,
                None => {
                    let put = state.put(0, row, id, Some(&request.body));
                    put.map_err(|error| trap(&error.to_string()))?;
                    let (key, value) = (Some(id.to_vec()), Some(request.body.clone()));
                    outcome.rows.push(Appended {
                        topic: 0,
                        key,
                        value,
                    });
                    201
                }
            };
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn answer(
        &mut self,
        _: FunctionId,
        request: &Request,
        state: &mut dyn State,
    ) -> Result<Option<Response>, Failure> {
        let found = state
            .get_many(0, 0, &id_of(request))
            .map_err(|error| trap(&error.to_string()))?;
        let body = found.get(0).map(<[u8]>::to_vec);
        Ok(body.map(|body| Response {
            status: 200,
            headers: Vec::new(),
            body,
        }))
    }

    fn combine(
        &mut self,
        _: FunctionId,
        _: &Column,
        _: &Column,
        _: &Column,
    ) -> Result<Combined, Failure> {
        Err(trap("no joiner"))
    }

    fn fold(&mut self, _: FunctionId, _: &Batch, _: &Steps, _: &Column) -> Result<Folded, Failure> {
        Err(trap("no aggregator"))
    }

    fn update(
        &mut self,
        _: FunctionId,
        _: &Batch,
        _: &[u32],
        _: &Column,
    ) -> Result<Updated, Failure> {
        Err(trap("no update"))
    }

    fn punctuate(
        &mut self,
        _: FunctionId,
        _: u32,
        _: i64,
        _: &mut dyn State,
    ) -> Result<Output, Failure> {
        Err(trap("no schedule"))
    }

    fn locate(&mut self, _: FunctionId, _: &Request) -> Result<Result<Vec<u8>, Response>, Failure> {
        Err(trap("keys are parameters"))
    }
}
