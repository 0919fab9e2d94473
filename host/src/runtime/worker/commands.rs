//! Commands: requests that a worker takes like rows, a run of them at once, between two batches.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use weir_core::functions::Request;
use weir_core::task::TaskId;

use crate::runtime::clock;
use crate::runtime::letter::{Asked, Reply};
use crate::runtime::program::Moment;

use super::fault::Fault;
use super::session::Session;
use super::tasks::Owned;

/// Requests that one call decides at most.
const RUN: usize = 256;

impl Session<'_> {
    /// Decides the commands that wait and whose tasks are at work. Whether there were any.
    pub(super) fn decide(&mut self) -> Result<bool, Fault> {
        if self.queue.is_empty() {
            return Ok(false);
        }
        self.turn_away();
        let mut busy = false;
        while let Some(run) = self.next_run() {
            self.decide_run(run)?;
            busy = true;
        }
        Ok(busy)
    }

    /// Those that nobody waits for any more are forgotten; those whose task is not here look for it
    /// elsewhere.
    fn turn_away(&mut self) {
        let now = Instant::now();
        for asked in std::mem::take(self.queue) {
            if asked.reply.is_closed() || asked.deadline <= now {
                continue;
            }
            if self.tasks.contains_key(&asked.task) {
                self.queue.push_back(asked);
            } else {
                let _gone = asked.reply.send(Reply::Moved);
            }
        }
    }

    /// The next commands of one route and task, in order. Commands of a task that are for different
    /// routes keep their order.
    fn next_run(&mut self) -> Option<Vec<Asked>> {
        let running = |task: &TaskId| matches!(self.tasks.get(task), Some(Owned::Running(_)));
        let first = self.queue.iter().position(|asked| running(&asked.task))?;
        let (task, route) = (self.queue[first].task, self.queue[first].route);
        let mut run = Vec::new();
        let mut left = VecDeque::with_capacity(self.queue.len());
        let mut closed = BTreeSet::new();
        for asked in std::mem::take(self.queue) {
            let of_run = asked.task == task && !closed.contains(&task);
            if of_run && asked.route == route && run.len() < RUN {
                run.push(asked);
                continue;
            }
            if asked.task == task {
                closed.insert(task);
            }
            left.push_back(asked);
        }
        *self.queue = left;
        Some(run)
    }

    fn decide_run(&mut self, run: Vec<Asked>) -> Result<(), Fault> {
        let Some(Asked {
            task: id, route, ..
        }) = run.first()
        else {
            return Ok(());
        };
        let (id, route) = (*id, *route);
        let Some(Owned::Running(running)) = self.tasks.get_mut(&id) else {
            return Ok(());
        };
        let requests: Vec<Request> = run.iter().map(|asked| asked.request.clone()).collect();
        let time = requests.first().map_or(0, |request| request.time);
        self.guest.enter(Moment {
            time,
            seed: seed(&requests),
        });
        self.transaction.touch(id);
        let outcomes = running.task.handle(
            route,
            &requests,
            clock::now(),
            self.guest.as_mut(),
            &mut self.effects,
        );
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(error) => {
                // Asked again after the abort.
                run.into_iter()
                    .rev()
                    .for_each(|asked| self.queue.push_front(asked));
                return Err(error.into());
            }
        };
        for (asked, outcome) in run.into_iter().zip(outcomes) {
            self.transaction.decided(asked, outcome.response);
        }
        self.worker
            .shared
            .meters
            .commands
            .increment(requests.len() as u64);
        self.carry_out()
    }
}

/// The same when the same requests are asked again.
fn seed(requests: &[Request]) -> u64 {
    let unique = requests
        .first()
        .map_or("", |request| request.unique.as_str());
    unique
        .get(..16)
        .and_then(|half| u64::from_str_radix(half, 16).ok())
        .unwrap_or(0)
}
