//! Processors: closures with stores, with punctuation, or with one state a key.

use std::ops::Deref;
use std::time::Duration;

use crate::bindings::weir::service::records::{Column, Output, Updated};
use crate::bindings::weir::service::topology::{
    Clock, Operator, Process as ProcessNode, Schedule as ScheduleNode, Update,
};
use crate::columns::{BatchRows, Rows};
use crate::context::{Context, Forward};
use crate::duration::milliseconds;
use crate::format::{self, Data};
use crate::function::{Function, Outputs, Reject};
use crate::row::{Item, Row};
use crate::state::{Access, Declared, Stores};
use crate::stream::Stream;

/// What a processor may return: nothing, or a result whose error refuses the row (its writes are
/// taken back).
pub trait Verdict {
    #[doc(hidden)]
    const FALLIBLE: bool;
    #[doc(hidden)]
    fn verdict(self) -> Result<(), String>;
}

impl Verdict for () {
    const FALLIBLE: bool = false;

    fn verdict(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: std::fmt::Display> Verdict for Result<(), E> {
    const FALLIBLE: bool = true;

    fn verdict(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

/// When a processor is called without a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    interval: Duration,
    clock: Clock,
}

impl Schedule {
    /// Each time that stream time has gone on by `interval`.
    pub fn stream_time(interval: Duration) -> Schedule {
        let clock = Clock::StreamTime;
        Schedule { interval, clock }
    }

    /// Each `interval` by the host's clock.
    pub fn wall_clock(interval: Duration) -> Schedule {
        let clock = Clock::WallClock;
        Schedule { interval, clock }
    }
}

/// A processor: the stream of the rows that it forwards, to which schedules can be added.
pub struct Process<K, V, S> {
    rows: Stream<K, V>,
    node: u32,
    function: u32,
    stores: S,
}

impl<K, V, S> Deref for Process<K, V, S> {
    type Target = Stream<K, V>;

    fn deref(&self) -> &Stream<K, V> {
        &self.rows
    }
}

impl<K: Data, V: Data> Stream<K, V> {
    /// Each row through `process`, which reads and writes `stores` and forwards rows.
    ///
    /// ```
    /// # use weir::{Context, Row, Topology};
    /// # fn service(t: &mut Topology) {
    /// let seen = t.store::<String, i64>("seen");
    /// t.stream::<String, String>("clicks")
    ///     .process("first-click", seen, |ctx: &mut Context<String, String>, click, seen| {
    ///         if ctx.get(seen, click.key).is_none() {
    ///             ctx.put(seen, click.key, &click.timestamp);
    ///             ctx.forward(click.key, click.value);
    ///         }
    ///     })
    ///     .to("first-clicks");
    /// # }
    /// ```
    pub fn process<K2: Data, V2: Data, S: Stores, R: Verdict>(
        &self,
        name: &str,
        stores: S,
        process: impl Fn(&mut Context<'_, K2, V2>, Row<'_, K, V>, S) -> R + 'static,
    ) -> Process<K2, V2, S> {
        let ids = stores.ids();
        let rows = Box::new(
            move |batch: &_, stream_times: &[i64], access: &mut dyn Access| {
                let rows = BatchRows::of(batch);
                let mut outputs = Outputs::with_rows(rows.len());
                for (row, stream_time) in stream_times.iter().enumerate() {
                    outputs.begin(row);
                    let raw = rows.get(row);
                    let result = Item::<K, V>::of(raw).row().and_then(|input| {
                        let mut context = Context {
                            stores: Declared {
                                access: &mut *access,
                                ids: &ids,
                                row: crate::function::row_number(row),
                                wrote: false,
                            },
                            stream_time: *stream_time,
                            out: Forward::new(&mut outputs, raw.timestamp),
                        };
                        let verdict = process(&mut context, input, stores).verdict();
                        let result = context.out.finish(verdict);
                        match result {
                            // Only a trap takes back what was put.
                            Err(Reject(reason)) if context.stores.wrote => panic!("{reason}"),
                            result => result,
                        }
                    });
                    outputs.end(result);
                }
                outputs.finish()
            },
        );
        let inputs = vec![self.edge()];
        let mut graph = self.graph.borrow_mut();
        let schedules = Vec::new();
        let function = graph.function(Function::Process { rows, schedules });
        let names = stores
            .ids()
            .into_iter()
            .map(|id| graph.store_names[id as usize].clone());
        let operator = Operator::Process(ProcessNode {
            function,
            stores: names.collect(),
            schedules: Vec::new(),
        });
        let edge = graph.node(name, inputs, operator);
        drop(graph);
        Process {
            rows: Stream::of(&self.graph, edge),
            node: edge.node,
            function,
            stores,
        }
    }

    /// Each row with the state of its key, in a store of this name: `update` changes the state
    /// (`None` deletes it) and forwards rows.
    ///
    /// The state travels with the batch: cheaper than a store of [`Stream::process`], as long as it
    /// is small.
    pub fn update<A: Data, K2: Data, V2: Data, R: Verdict>(
        &self,
        store: &str,
        update: impl Fn(&mut Option<A>, Row<'_, K, V>, &mut Forward<'_, K2, V2>) -> R + 'static,
    ) -> Stream<K2, V2> {
        let function = Function::Update(Box::new(move |batch, groups, states| {
            let rows = BatchRows::of(batch);
            let mut outputs = Outputs::with_rows(rows.len());
            let mut states = Groups::of(states);
            for (row, group) in groups.iter().enumerate() {
                outputs.begin(row);
                let raw = rows.get(row);
                let result = states.with::<R>(*group, |state| {
                    let mut item = Item::<K, V>::of(raw);
                    let mut out = Forward::new(&mut outputs, raw.timestamp);
                    let verdict = update(state, item.row()?, &mut out).verdict();
                    out.finish(verdict)
                });
                outputs.end(result);
            }
            states.finish(outputs)
        }));
        let inputs = vec![self.edge()];
        let mut graph = self.graph.borrow_mut();
        let operator = Operator::Update(Update {
            function: graph.function(function),
            store: store.to_owned(),
        });
        let edge = graph.node(store, inputs, operator);
        drop(graph);
        Stream::of(&self.graph, edge)
    }
}

impl<K: Data, V: Data, S: Stores> Process<K, V, S> {
    /// Calls `punctuate` whenever the schedule is due, with the time that it is due at.
    pub fn every<R: Verdict>(
        self,
        schedule: Schedule,
        punctuate: impl Fn(&mut Context<'_, K, V>, i64, S) -> R + 'static,
    ) -> Process<K, V, S> {
        let (stores, ids) = (self.stores, self.stores.ids());
        let call = Box::new(move |at: i64, access: &mut dyn Access| -> Output {
            let mut outputs = Outputs::with_rows(0);
            outputs.begin(0);
            let mut context = Context {
                stores: Declared {
                    access,
                    ids: &ids,
                    row: 0,
                    wrote: false,
                },
                stream_time: at,
                out: Forward::new(&mut outputs, at),
            };
            let verdict = punctuate(&mut context, at, stores).verdict();
            if let Err(Reject(reason)) = context.out.finish(verdict) {
                panic!("a punctuation failed: {reason}");
            }
            outputs.finish()
        });
        let mut graph = self.rows.graph.borrow_mut();
        if let Function::Process { schedules, .. } = &mut graph.functions[self.function as usize] {
            schedules.push(call);
        }
        let node = &mut graph.description.nodes[self.node as usize];
        if let Operator::Process(process) = &mut node.operator {
            process.schedules.push(ScheduleNode {
                interval: milliseconds(schedule.interval),
                clock: schedule.clock,
            });
        }
        drop(graph);
        self
    }
}

/// The states of an update: read when a row first asks, written after the last one.
struct Groups<'a, A> {
    given: Rows<'a>,
    read: Vec<Option<Option<A>>>,
}

impl<'a, A: Data> Groups<'a, A> {
    fn of(states: &'a Column) -> Groups<'a, A> {
        let given = Rows::of(states);
        let read = (0..given.len()).map(|_| None).collect();
        Groups { given, read }
    }

    fn load(&self, group: usize) -> Result<Option<A>, Reject> {
        match self.given.get(group) {
            None => Ok(None),
            bytes => format::decode_value(bytes)
                .map(Some)
                .map_err(|error| Reject(error.within("a stored state").to_string())),
        }
    }

    /// Runs `change` over the state of a group. If it fails, the state is as it was before.
    fn with<R: Verdict>(
        &mut self,
        group: u32,
        change: impl FnOnce(&mut Option<A>) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        let group = group as usize;
        let mut state = match self.read[group].take() {
            Some(state) => state,
            None => self.load(group)?,
        };
        let mut before = Vec::new();
        let was = match &state {
            Some(state) if R::FALLIBLE => format::encode_value(state, &mut before)?,
            _ => false,
        };
        let result = change(&mut state);
        if let Err(Reject(reason)) = &result {
            assert!(R::FALLIBLE, "{reason}");
            state = match was {
                true => Some(format::decode_value(Some(&before))?),
                false => None,
            };
        }
        self.read[group] = Some(state);
        result
    }

    fn finish(self, outputs: Outputs) -> Updated {
        let mut states = Column::with_rows(self.read.len());
        for (group, state) in self.read.iter().enumerate() {
            match state {
                None => states.push(self.given.get(group)),
                Some(None) => states.push(None),
                Some(Some(state)) => states
                    .push_with(|out| format::encode_value(state, out))
                    .unwrap_or_else(|error| panic!("a state to store: {error}")),
            }
        }
        Updated {
            output: outputs.finish(),
            states,
        }
    }
}
