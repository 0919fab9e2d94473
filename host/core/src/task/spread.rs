//! Rows go through the nodes of a sub-topology.
//!
//! The definition is row by row, depth first, as in Kafka Streams: [`Pass::depth_first`].
//! [`Pass::in_batches`] gives the same answer with each node called once for all rows; places make
//! it so.

use crate::operator::{self, Emitted};
use crate::pass::Pass;
use crate::pass::error::Error;
use crate::pass::flow::{Flow, Inputs, Places, compare, merge};
use crate::record::Batch;
use crate::topology::{Child, Node, NodeId, Subtopology};

/// Rows for a node's input.
pub(crate) type Arrivals = Vec<(Child, Flow)>;

impl Pass<'_> {
    /// Sends rows through the nodes below, in whichever way the sub-topology needs.
    pub(crate) fn run(
        &mut self,
        subtopology: &Subtopology,
        arrivals: Arrivals,
    ) -> Result<(), Error> {
        if subtopology.row_by_row {
            self.depth_first(arrivals)
        } else {
            self.in_batches(&subtopology.nodes, arrivals)
        }
    }

    /// Node after node, each over all its rows.
    fn in_batches(&mut self, nodes: &[NodeId], arrivals: Arrivals) -> Result<(), Error> {
        let mut pending: Vec<Vec<(u8, Flow)>> = vec![Vec::new(); self.topology.nodes().len()];
        let arrive = |pending: &mut Vec<Vec<(u8, Flow)>>, child: Child, flow: Flow| {
            if !flow.rows.is_empty() {
                pending[child.node.0 as usize].push((child.input, flow));
            }
        };
        arrivals
            .into_iter()
            .for_each(|(child, flow)| arrive(&mut pending, child, flow));
        let topology = self.topology;
        for &id in nodes {
            let flows = std::mem::take(&mut pending[id.0 as usize]);
            if flows.is_empty() {
                continue;
            }
            let (flow, inputs) = merge(flows);
            let emitted = operator::run(self, id, flow.rows, flow.olds, &inputs, &flow.places)?;
            let (flow, ports) = emitted.into_flow(flow.places);
            spread(topology.node(id), flow, &ports, &mut |child, flow| {
                arrive(&mut pending, child, flow)
            });
        }
        Ok(())
    }

    /// Row after row, each all the way down before the next.
    fn depth_first(&mut self, arrivals: Arrivals) -> Result<(), Error> {
        let rows = |(number, (_, flow)): (usize, &(Child, Flow))| {
            (0..flow.rows.len()).map(move |row| (number, row))
        };
        let mut order: Vec<(usize, usize)> = arrivals.iter().enumerate().flat_map(rows).collect();
        let place = |&(number, row): &(usize, usize)| arrivals[number].1.places.row(row);
        order.sort_by(|one, other| compare(place(one), place(other)));
        for (number, row) in order {
            let (child, flow) = &arrivals[number];
            self.descend(*child, one_row(flow, row))?;
        }
        Ok(())
    }

    fn descend(&mut self, child: Child, flow: Flow) -> Result<(), Error> {
        let emitted = operator::run(
            self,
            child.node,
            flow.rows,
            flow.olds,
            &Inputs::All(child.input),
            &flow.places,
        )?;
        let (made, ports) = emitted.into_flow(flow.places);
        let node = self.topology.node(child.node);
        for row in 0..made.rows.len() {
            let port: Vec<u8> = ports.get(row).copied().into_iter().collect();
            let mut below = Vec::new();
            spread(node, one_row(&made, row), &port, &mut |child, flow| {
                below.push((child, flow))
            });
            for (child, flow) in below {
                self.descend(child, flow)?;
            }
        }
        Ok(())
    }

    /// Rows that a node made without a row of its own, for its readers.
    pub(crate) fn spread_below(&self, id: NodeId, emitted: Emitted, places: Places) -> Arrivals {
        let mut arrivals = Vec::new();
        let (flow, ports) = emitted.into_flow(places);
        spread(self.topology.node(id), flow, &ports, &mut |child, flow| {
            arrivals.push((child, flow))
        });
        arrivals
    }
}

fn one_row(flow: &Flow, row: usize) -> Flow {
    let only = [u32::try_from(row).expect("a batch is numbered in u32")];
    flow.select(&only)
}

/// Hands a node's rows to the readers of their ports. The last reader gets the rows themselves,
/// others a copy.
fn spread(node: &Node, flow: Flow, ports: &[u8], arrive: &mut dyn FnMut(Child, Flow)) {
    if node.children.len() == 1 {
        spread_port(&node.children[0], flow, arrive);
        return;
    }
    for (port, children) in node.children.iter().enumerate() {
        let here = |row: &u32| {
            ports
                .get(*row as usize)
                .is_none_or(|&p| usize::from(p) == port)
        };
        let count = u32::try_from(flow.rows.len()).expect("a batch is numbered in u32");
        // Without ports all rows leave by port 0.
        let rows: Vec<u32> = (0..count)
            .filter(|row| here(row) && (port == 0 || !ports.is_empty()))
            .collect();
        if !rows.is_empty() && !children.is_empty() {
            spread_port(children, flow.select(&rows), arrive);
        }
    }
}

fn spread_port(children: &[Child], flow: Flow, arrive: &mut dyn FnMut(Child, Flow)) {
    match children {
        [] => {}
        [only] => arrive(*only, flow),
        [others @ .., last] => {
            for (level, child) in (0_u32..).zip(others) {
                arrive(*child, flow.clone().with_level(level));
            }
            let level = u32::try_from(others.len()).expect("the number of nodes is checked");
            arrive(*last, flow.with_level(level));
        }
    }
}

/// The rows that a task read, for the nodes that read their topics.
pub(crate) fn arrivals(readers: &[NodeId], rows: &Batch, places: Places) -> Arrivals {
    let children: Vec<Child> = readers
        .iter()
        .map(|&node| Child { node, input: 0 })
        .collect();
    let mut arrivals = Vec::new();
    let flow = Flow::of(rows.clone(), places);
    spread_port(&children, flow, &mut |child, flow| {
        arrivals.push((child, flow))
    });
    arrivals
}
