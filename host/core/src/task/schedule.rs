//! Schedules: when a processor's punctuations are due.
//!
//! By stream time the first is due at 0, the next at the first multiple of the interval above
//! stream time; by the wall clock the first is due an interval after the task began. A jump over
//! several intervals makes one punctuation.

use crate::topology::description::{Clock, Schedule};
use crate::topology::{NodeId, Operation, Topology};

/// All schedules of a task.
#[derive(Debug)]
pub(super) struct Schedules {
    due: Vec<Due>,
}

#[derive(Debug)]
struct Due {
    node: NodeId,
    /// Position among the node's schedules.
    number: u32,
    schedule: Schedule,
    /// `None`: the wall clock has not begun.
    at: Option<i64>,
}

impl Schedules {
    /// Those of `nodes`, in their order.
    pub(super) fn new(topology: &Topology, nodes: &[NodeId]) -> Schedules {
        let mut due = Vec::new();
        for &node in nodes {
            if let Operation::Process { schedules, .. } = &topology.node(node).operation {
                due.extend((0..).zip(schedules).map(|(number, &schedule)| {
                    let at = (schedule.clock == Clock::StreamTime).then_some(0);
                    Due {
                        node,
                        number,
                        schedule,
                        at,
                    }
                }));
            }
        }
        Schedules { due }
    }

    /// The next time at which one of this clock is due.
    pub(super) fn next(&self, clock: Clock) -> Option<i64> {
        self.due
            .iter()
            .filter(|due| due.schedule.clock == clock)
            .filter_map(|due| due.at)
            .min()
    }

    /// The wall clock begins, unless it has begun.
    pub(super) fn start_wall_clock(&mut self, now: i64) {
        for due in self.due.iter_mut().filter(|due| due.at.is_none()) {
            due.at = Some(now.saturating_add(due.schedule.interval));
        }
    }

    /// Stream time was at least this before: what was due until then was done.
    pub(super) fn resume(&mut self, stream_time: i64) {
        self.take_due(Clock::StreamTime, stream_time);
    }

    /// Those that are due at this time, which are next due later.
    pub(super) fn take_due(&mut self, clock: Clock, now: i64) -> Vec<(NodeId, u32)> {
        let mut taken = Vec::new();
        for due in self
            .due
            .iter_mut()
            .filter(|due| due.schedule.clock == clock)
        {
            if let Some(at) = due.at.filter(|&at| at <= now) {
                let missed = (now - at) / due.schedule.interval;
                due.at =
                    Some(at.saturating_add((missed + 1).saturating_mul(due.schedule.interval)));
                taken.push((due.node, due.number));
            }
        }
        taken
    }
}
