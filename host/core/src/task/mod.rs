//! Tasks: one partition of one sub-topology, and all that it does between two commits.
//!
//! A task is a state machine: rows, requests and time come in, [`Effects`] come out, and nothing
//! happens for good before [`Task::finish_commit`]. An abort is to drop the task and to build it
//! anew from its backend and the committed positions.

pub mod partition_group;

mod commit;
mod metadata;
mod request;
mod schedule;
mod spread;

pub use crate::pass::dropped::{Dropped, Reason};
pub use crate::pass::effect::{Commit, DeadLetter, Effects, Position, Produce};
pub use crate::pass::error::Error;
pub use crate::pass::origin::Part;
pub use crate::topology::TaskId;
pub use partition_group::PartitionGroup;

use std::sync::Arc;

use crate::functions::Functions;
use crate::limits::Limits;
use crate::operator;
use crate::pass::Pass;
use crate::pass::flow::Places;
use crate::pass::memory::OperatorState;
use crate::pass::origin::Origin;
use crate::pass::outbox::Outbox;
use crate::record::Batch;
use crate::store::{Backend, Overlay};
use crate::time::Timestamp;
use crate::topology::description::Clock;
use crate::topology::{NodeId, Plan, Subtopology, Topology};

use partition_group::{Cut, Next, Run};
use schedule::Schedules;
use spread::arrivals;

/// One partition of one sub-topology.
pub struct Task {
    topology: Arc<Topology>,
    plan: Arc<Plan>,
    id: TaskId,
    limits: Limits,
    /// Names of the input topics, by input.
    inputs: Vec<String>,
    group: PartitionGroup,
    overlay: Overlay,
    states: Vec<OperatorState>,
    schedules: Schedules,
    dropped: Dropped,
    /// The position of each input at the last commit.
    committed: Vec<Option<i64>>,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No row is there.
    Idle,
    /// So many rows were handled.
    Rows(usize),
    /// Rows are there, but an empty input is waited for.
    Waiting {
        /// Wall clock, and rows may come before; `None`: until rows come or the end is reached.
        until: Option<Timestamp>,
    },
}

impl Task {
    /// A task over what `backend` has committed. Call [`Task::resume`] for each input with a
    /// committed position before the first row.
    pub fn new(
        topology: Arc<Topology>,
        plan: Arc<Plan>,
        id: TaskId,
        backend: Box<dyn Backend>,
        limits: Limits,
    ) -> Task {
        let subtopology = &topology.subtopologies()[id.subtopology as usize];
        let inputs: Vec<String> = subtopology
            .inputs
            .iter()
            .map(|source| source.topic.clone())
            .collect();
        let mut group = PartitionGroup::new(inputs.len(), limits.max_idle_ms);
        for (input, topic) in inputs.iter().enumerate() {
            if plan.partitions[topic] <= id.partition {
                group.reach_end(input);
            }
        }
        let shared: Vec<bool> = topology
            .stores()
            .iter()
            .map(|store| store.read_by_others)
            .collect();
        Task {
            id,
            group,
            overlay: Overlay::new(backend, &shared),
            states: topology
                .nodes()
                .iter()
                .map(|node| OperatorState::new(&topology, node))
                .collect(),
            schedules: Schedules::new(&topology, &subtopology.nodes),
            dropped: Dropped::default(),
            committed: vec![None; inputs.len()],
            inputs,
            limits,
            topology,
            plan,
        }
    }

    /// Its name.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// The topics that it reads; of each the partition that it is named after. A topic may have
    /// fewer partitions.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// Takes a batch over. Offsets go up. Panics for a topic that is not an input.
    pub fn enqueue(&mut self, topic: &str, rows: Batch, offsets: Vec<i64>) {
        let input = self.input(topic);
        self.group.enqueue(input, rows, offsets);
    }

    /// All rows that the input has were taken over, as far as is known. Until this is said of an
    /// input without rows, the rows of the others wait. Panics for a topic that is not an input.
    pub fn reach_end(&mut self, topic: &str) {
        let input = self.input(topic);
        self.group.reach_end(input);
    }

    /// Rows of an input that wait: above [`Limits::max_buffered_rows`] the worker pauses the
    /// partition.
    pub fn buffered(&self, topic: &str) -> usize {
        self.group.buffered(self.input(topic))
    }

    /// Bytes of an input that wait: above [`Limits::max_buffered_bytes`] the worker pauses the
    /// partition.
    pub fn buffered_bytes(&self, topic: &str) -> usize {
        self.group.buffered_bytes(self.input(topic))
    }

    /// The highest timestamp read so far.
    pub fn stream_time(&self) -> Timestamp {
        self.group.stream_time()
    }

    /// Rows that operators have passed over.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// Bytes of uncommitted writes: above [`Limits::max_uncommitted_bytes`] the worker commits.
    pub fn uncommitted_bytes(&self) -> usize {
        self.overlay.uncommitted_bytes()
    }

    /// Takes another version of the service, of the same shape, between two transactions: its
    /// functions and routes hold from now on. Panics where the shapes differ
    /// ([`Topology::differences`]).
    pub fn swap(&mut self, topology: Arc<Topology>) {
        assert!(
            self.topology.differences(&topology).is_empty(),
            "only a topology of the same shape takes another's place"
        );
        self.topology = topology;
    }

    /// When [`Task::step`] should be called for the wall clock though no row is there; `None`: for
    /// no reason.
    pub fn next_wall_clock(&self) -> Option<Timestamp> {
        self.schedules.next(Clock::WallClock).map(Timestamp)
    }

    /// Runs the schedules that the wall clock `now` has reached, then one batch of rows, then the
    /// schedules that stream time has reached. Never blocks. Errors: the worker aborts.
    pub fn step(
        &mut self,
        now: Timestamp,
        functions: &mut dyn Functions,
        effects: &mut Effects,
    ) -> Result<Progress, Error> {
        self.schedules.start_wall_clock(now.0);
        self.punctuate(Clock::WallClock, now.0, now, functions, effects)?;
        let cut = Cut {
            rows: self.limits.max_batch_rows,
            bytes: self.limits.max_batch_bytes,
            stream_time: self.schedules.next(Clock::StreamTime).map(Timestamp),
        };
        let run = match self.group.next(now, cut) {
            Next::Run(run) => run,
            Next::Waiting { until } => return Ok(Progress::Waiting { until }),
            Next::Idle => return Ok(Progress::Idle),
        };
        let rows = run.stream_times.len();
        self.run(&run, now, functions, effects)?;
        let stream_time = self.group.stream_time().0;
        self.punctuate(Clock::StreamTime, stream_time, now, functions, effects)?;
        for state in &mut self.states {
            state.expire(&mut self.overlay)?;
        }
        Ok(Progress::Rows(rows))
    }

    fn run(
        &mut self,
        run: &Run,
        now: Timestamp,
        functions: &mut dyn Functions,
        effects: &mut Effects,
    ) -> Result<(), Error> {
        let topology = Arc::clone(&self.topology);
        let subtopology = self.subtopology(&topology);
        let inputs = std::mem::take(&mut self.inputs);
        let origin = Origin::Consumed {
            parts: &run.parts,
            topics: &inputs,
            partition: self.id.partition,
        };
        let mut pass = self.pass(&topology, &run.stream_times, origin, now, functions);
        let mut arrived = Vec::new();
        for part in &run.parts {
            let places = Places::of_sequences(part.sequences.clone());
            arrived.extend(arrivals(
                &subtopology.inputs[part.input].readers,
                &part.rows,
                places,
            ));
        }
        let done = pass.run(subtopology, arrived);
        pass.finish(effects);
        self.overlay.end_batch();
        self.inputs = inputs;
        done
    }

    /// Runs the schedules of a clock that are due.
    fn punctuate(
        &mut self,
        clock: Clock,
        at: i64,
        now: Timestamp,
        functions: &mut dyn Functions,
        effects: &mut Effects,
    ) -> Result<(), Error> {
        for (node, schedule) in self.schedules.take_due(clock, at) {
            self.punctuate_one(node, schedule, at, now, functions, effects)?;
        }
        Ok(())
    }

    fn punctuate_one(
        &mut self,
        node: NodeId,
        schedule: u32,
        at: i64,
        now: Timestamp,
        functions: &mut dyn Functions,
        effects: &mut Effects,
    ) -> Result<(), Error> {
        let topology = Arc::clone(&self.topology);
        let stream_times = [self.group.stream_time().0];
        let mut pass = self.pass(
            &topology,
            &stream_times,
            Origin::Schedule { at },
            now,
            functions,
        );
        let done = operator::punctuate(&mut pass, node, schedule, at).and_then(|emitted| {
            let arrived = pass.spread_below(node, emitted, Places::of_sequences(vec![0]));
            let subtopology = &topology.subtopologies()
                [topology.node(node).subtopology.unwrap_or_default() as usize];
            pass.run(subtopology, arrived)
        });
        pass.finish(effects);
        self.overlay.end_batch();
        done
    }

    fn pass<'a>(
        &'a mut self,
        topology: &'a Topology,
        stream_times: &'a [i64],
        origin: Origin<'a>,
        now: Timestamp,
        functions: &'a mut dyn Functions,
    ) -> Pass<'a> {
        Pass {
            topology,
            plan: &self.plan,
            limits: &self.limits,
            overlay: &mut self.overlay,
            states: &mut self.states,
            dropped: &mut self.dropped,
            functions,
            stream_times,
            partition: self.id.partition,
            now,
            origin,
            failed: Vec::new(),
            outbox: Outbox::default(),
        }
    }

    fn subtopology<'t>(&self, topology: &'t Topology) -> &'t Subtopology {
        &topology.subtopologies()[self.id.subtopology as usize]
    }

    fn input(&self, topic: &str) -> usize {
        let found = self.inputs.iter().position(|input| input == topic);
        found.unwrap_or_else(|| panic!("task {} does not read topic `{topic}`", self.id))
    }
}
