//! The order in which the nodes of a sub-topology run, each over a whole batch.
//!
//! Inputs stand before their readers, and the writer of a store before its other readers: these
//! then see the store as of a row's place. Where that is impossible (two processors write one
//! store, or one writes what a node above it reads), the batch cannot go through the nodes one
//! after the other, and the sub-topology runs row by row.

use crate::store::StoreId;

use super::{Node, Operation, Subtopology, Topology};

/// Orders the nodes, or marks the sub-topology as one that runs row by row.
pub(super) fn order(topology: &Topology, subtopology: &mut Subtopology) {
    let nodes = &subtopology.nodes;
    let writes: Vec<Vec<StoreId>> = nodes
        .iter()
        .map(|&id| writes(topology, topology.node(id)))
        .collect();
    let reads: Vec<Vec<StoreId>> = nodes
        .iter()
        .map(|&id| topology.node(id).operation.touches())
        .collect();
    // Of each node, by position: those that must run before it.
    let before: Vec<Vec<usize>> = (0..nodes.len())
        .map(|node| {
            let inputs = &topology.node(nodes[node]).inputs;
            let must = |other: &usize| {
                let feeds = inputs.iter().any(|input| input.node == nodes[*other]);
                let hands_over = writes[*other]
                    .iter()
                    .any(|store| reads[node].contains(store));
                feeds || (*other != node && hands_over)
            };
            (0..nodes.len()).filter(must).collect()
        })
        .collect();
    let mut done = vec![false; nodes.len()];
    let mut ordered = Vec::with_capacity(nodes.len());
    let ready = |done: &[bool]| {
        (0..done.len()).find(|&n| !done[n] && before[n].iter().all(|&other| done[other]))
    };
    while let Some(next) = ready(&done) {
        done[next] = true;
        ordered.push(nodes[next]);
    }
    subtopology.row_by_row = ordered.len() < nodes.len();
    if !subtopology.row_by_row {
        subtopology.nodes = ordered;
    }
}

/// The stores that a node may write: a processor only the shared ones of those that it names.
fn writes(topology: &Topology, node: &Node) -> Vec<StoreId> {
    let mut writes = node.operation.writes();
    if matches!(node.operation, Operation::Process { .. }) {
        writes.retain(|&store| topology.store(store).shared);
    }
    writes
}
