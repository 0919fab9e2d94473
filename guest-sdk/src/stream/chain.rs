//! Fused steps: closures that hand rows on to each other, and the `transform` that they become.

use std::rc::Rc;

use super::Stream;
use crate::bindings::weir::service::topology::{Edge, Operator, Transform};
use crate::columns::{BatchRows, RawRow};
use crate::format::Data;
use crate::function::{Function, Outputs, Reject};
use crate::row::Item;

/// What takes a step's rows.
pub(super) type Next<'n, K, V> = dyn FnMut(Item<'_, K, V>) -> Result<(), Reject> + 'n;

/// Steps from a row of the input to the rows that they make of it.
pub(super) type Run<K, V> = dyn Fn(&RawRow<'_>, &mut Next<'_, K, V>) -> Result<(), Reject>;

impl<K: Data, V: Data> Stream<K, V> {
    /// A node of the steps so far.
    pub(super) fn materialise(&self) -> Edge {
        self.transform(self.function(), 1, self.steps.clone())
    }

    /// The steps so far as one function.
    pub(crate) fn function(&self) -> Function {
        let run = Rc::clone(&self.run);
        Function::Transform(Box::new(move |batch| {
            let rows = BatchRows::of(batch);
            let mut outputs = Outputs::like(batch);
            for row in 0..rows.len() {
                outputs.begin(row);
                let result = run(&rows.get(row), &mut |item| {
                    outputs.push(
                        |keys| item.write_key(keys),
                        |values| item.write_value(values),
                        item.timestamp(),
                    )
                });
                outputs.end(result);
            }
            outputs.finish()
        }))
    }

    /// A node of the steps so far and a last one, which says the port that a row leaves by.
    pub(super) fn materialise_ports(
        &self,
        step: &'static str,
        ports: usize,
        choose: impl Fn(&mut Item<'_, K, V>) -> Result<Option<usize>, Reject> + 'static,
    ) -> Edge {
        let run = Rc::clone(&self.run);
        let function = Function::Transform(Box::new(move |batch| {
            let rows = BatchRows::of(batch);
            let mut outputs = Outputs::like(batch);
            for row in 0..rows.len() {
                outputs.begin(row);
                let result = run(&rows.get(row), &mut |mut item| {
                    let Some(port) = choose(&mut item)? else {
                        return Ok(());
                    };
                    outputs.push_to(
                        u8::try_from(port).expect("ports were counted"),
                        |keys| item.write_key(keys),
                        |values| item.write_value(values),
                        item.timestamp(),
                    )
                });
                outputs.end(result);
            }
            outputs.finish()
        }));
        let mut steps = self.steps.clone();
        steps.push(step);
        self.transform(function, ports, steps)
    }

    fn transform(&self, function: Function, ports: usize, steps: Vec<&'static str>) -> Edge {
        let mut graph = self.graph.borrow_mut();
        let ports = u8::try_from(ports).unwrap_or_else(|_| {
            graph
                .mistakes
                .push(format!("{ports} branches of one stream; at most 255"));
            u8::MAX
        });
        let name = format!("{}-steps", graph.name(self.input));
        let transform = Operator::Transform(Transform {
            function: graph.function(function),
            ports,
            steps: steps.into_iter().map(str::to_owned).collect(),
            rekeys: self.rekeys,
        });
        graph.node(&name, vec![self.input], transform)
    }
}

/// The edge that leaves a node by a port.
pub(super) fn port_of(edge: Edge, port: usize) -> Edge {
    let port = u8::try_from(port).unwrap_or(u8::MAX);
    Edge { port, ..edge }
}
