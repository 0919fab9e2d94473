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
    /// - **Order**: what a row forwards, in the order of the calls, at the row's place.
    /// - **Timestamps**: the row's, or what [`Context::forward_at`] says. **Headers**: the row's.
    /// - **Nulls**: refused, unless the type is an `Option`; a row without a key is no exception.
    /// - **State**: the stores, for ever: what is put and not deleted stays. A row sees what those
    ///   before it wrote. An error takes back what its row wrote.
    /// - **Cost**: one call a batch, and one of the host for each look at a store:
    ///   [`Context::get_many`] looks at many keys in one.
    ///
    /// ```
    /// use weir::{Context, Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let seen = t.store::<String, i64>("seen");
    ///     t.stream::<String, String>("clicks")
    ///         .process("first-click", seen, |ctx: &mut Context<String, String>, click, seen| {
    ///             if ctx.get(seen, click.key).is_none() {
    ///                 ctx.put(seen, click.key, &click.timestamp);
    ///                 ctx.forward(click.key, click.value);
    ///             }
    ///         })
    ///         .to("first-clicks");
    /// });
    /// for page in ["/home", "/cart"] {
    ///     driver.topic("clicks").send("ada".to_owned(), page.to_owned());
    /// }
    /// let first = driver.topic::<String, String>("first-clicks").read();
    /// assert_eq!(first, [("ada".to_owned(), "/home".to_owned())]);
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
                let mut outputs = Outputs::like(batch);
                for (row, stream_time) in stream_times.iter().enumerate() {
                    outputs.begin(row);
                    let raw = rows.get(row);
                    let result = Item::<K, V>::of(&raw).row().and_then(|input| {
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
    /// - **Order**, **timestamps** and headers as of [`process`](Stream::process).
    /// - **Nulls**: rows without a key are passed over; a null value is refused, unless it is an
    ///   `Option`.
    /// - **State**: an entry a key, with a changelog, until it is `None`. An error leaves it as it
    ///   was.
    /// - **Cost**: one call a batch, with which the states travel: each is read once and written
    ///   once. Cheaper than a store of [`process`](Stream::process), as long as it is small.
    ///
    /// ```
    /// use weir::{Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     t.stream::<String, i64>("readings")
    ///         .update("last", |last: &mut Option<i64>, row, out| {
    ///             if let Some(before) = last.replace(*row.value) {
    ///                 out.forward(row.key, &(row.value - before));
    ///             }
    ///         })
    ///         .to("steps");
    /// });
    /// for reading in [10_i64, 12, 11] {
    ///     driver.topic("readings").send("meter".to_owned(), reading);
    /// }
    /// let steps = driver.topic::<String, i64>("steps").read();
    /// assert_eq!(steps, [("meter".to_owned(), 2), ("meter".to_owned(), -1)]);
    /// ```
    pub fn update<A: Data, K2: Data, V2: Data, R: Verdict>(
        &self,
        store: &str,
        update: impl Fn(&mut Option<A>, Row<'_, K, V>, &mut Forward<'_, K2, V2>) -> R + 'static,
    ) -> Stream<K2, V2> {
        let function = Function::Update(Box::new(move |batch, groups, states| {
            let rows = BatchRows::of(batch);
            let mut outputs = Outputs::like(batch);
            let mut states = Groups::of(states);
            for (row, group) in groups.iter().enumerate() {
                outputs.begin(row);
                let raw = rows.get(row);
                let result = states.with::<R>(*group, |state| {
                    let mut item = Item::<K, V>::of(&raw);
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
    /// Calls `punctuate` whenever the schedule is due, with the time of its clock.
    ///
    /// - **Order**: by stream time, after the row that made it due and before the next; by the wall
    ///   clock, between batches. A jump over several intervals is one call.
    /// - **Timestamps**: that time, or what [`Context::forward_at`] says. No headers.
    /// - **State** and **cost**: those of the stores; a call each time, in each task.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weir::{Context, Schedule, Topology, testing::Driver};
    ///
    /// let mut driver = Driver::new(|t: &mut Topology| {
    ///     let open = t.store::<String, i64>("open");
    ///     t.stream::<String, i64>("orders")
    ///         .process("remind", open, |ctx: &mut Context<String, i64>, order, open| {
    ///             ctx.put(open, order.key, order.value);
    ///         })
    ///         .every(Schedule::wall_clock(Duration::from_secs(60)), |ctx, _, open| {
    ///             for (order, sum) in ctx.range(open, None, None, 100) {
    ///                 ctx.forward(&order, &sum);
    ///                 ctx.delete(open, &order);
    ///             }
    ///         })
    ///         .to("reminders");
    /// });
    /// driver.topic("orders").send("order 1".to_owned(), 5_i64);
    /// driver.advance(60_000);
    /// let reminders = driver.topic::<String, i64>("reminders").read();
    /// assert_eq!(reminders, [("order 1".to_owned(), 5)]);
    /// ```
    pub fn every<R: Verdict>(
        self,
        schedule: Schedule,
        punctuate: impl Fn(&mut Context<'_, K, V>, i64, S) -> R + 'static,
    ) -> Process<K, V, S> {
        let (stores, ids) = (self.stores, self.stores.ids());
        let call = Box::new(move |at: i64, access: &mut dyn Access| -> Output {
            let mut outputs = Outputs::with_room(0, 0, 0);
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
        let mut states = Column::with_room(self.read.len(), self.given.bytes());
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
