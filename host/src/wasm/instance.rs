//! An instance: the functions of a service, for one thread.
//!
//! The Wasm instance behind it is made when it is first needed and thrown away after a trap, after
//! a malformed answer and by [`Instance::reset`], so that memory of a future that never happened
//! cannot leak into the next one. Before each call the deadline, the fuel and the clock are set
//! anew. Calls that have stores lend them to the guest for just that long.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::Store;
use weir_core::functions::{
    Combined, Failure, Folded, FunctionId, Functions, Outcome, Output, Request, Response, State,
    Steps, Updated,
};
use weir_core::record::{Batch, Column, Malformed};
use weir_core::topology::description::Description;

use super::bindings::weir::service::{records, topology};
use super::bindings::{self, Service};
use super::convert::{self, Pairs, batch_in, column_in};
use super::data::Data;
use super::lend::lend;
use super::log::Log;
use super::{Component, DescribeError, Limits, describe, failure};

/// The functions of a service. Not to be called on a thread of an async runtime: a call blocks for
/// up to the limit of time.
pub struct Instance {
    component: Component,
    config: Vec<(String, String)>,
    log: Log,
    time: i64,
    seed: Option<u64>,
    live: Option<Live>,
}

struct Live {
    store: Store<Data>,
    service: Service,
}

type Described = Result<topology::Description, String>;

impl Instance {
    pub(super) fn new(
        component: Component,
        name: &str,
        config: &BTreeMap<String, String>,
    ) -> Instance {
        Instance {
            log: Log::new(Arc::from(name), component.limits()),
            config: config
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            component,
            time: 0,
            seed: None,
            live: None,
        }
    }

    /// Throws the Wasm instance away, after an aborted transaction: the next call finds a fresh
    /// one.
    pub fn reset(&mut self) {
        self.live = None;
    }

    /// What the guest's wall clock says (milliseconds since the epoch) in calls that carry no time
    /// of their own.
    pub fn set_time(&mut self, time: i64) {
        self.time = time;
    }

    /// Where the guest's random numbers start at the next call; made from the task and the offset,
    /// so that a replay has the same.
    pub fn seed(&mut self, seed: u64) {
        self.seed = Some(seed);
    }

    /// The component that it is an instance of.
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// Makes an instance and throws it away.
    pub(super) fn try_out(&self) -> Result<(), Failure> {
        self.bare().map(|_| ())
    }

    /// Makes an instance, and says what it describes.
    pub(super) fn describe(&self) -> Result<Description, DescribeError> {
        let (_, described) = self
            .bare()
            .and_then(|live| self.described(live))
            .map_err(DescribeError::Failed)?;
        described
            .map(describe::description)
            .map_err(DescribeError::Refused)
    }

    /// A Wasm instance that was not described yet.
    fn bare(&self) -> Result<Live, Failure> {
        let limits = self.component.limits();
        let pre = self.component.pre();
        let mut store = Store::new(pre.engine(), Data::new(&self.log, limits));
        store.limiter(|data| &mut data.meter);
        store.set_hostcall_fuel(limits.transfer_bytes);
        self.arm(&mut store)?;
        match pre.instantiate(&mut store) {
            Ok(service) => Ok(Live { store, service }),
            Err(error) => Err(failed(&error, &store, limits)),
        }
    }

    fn described(&self, mut live: Live) -> Result<(Live, Described), Failure> {
        self.arm(&mut live.store)?;
        let config = convert::pairs(&self.config);
        match live.service.call_describe(&mut live.store, &config) {
            Ok(described) => Ok((live, described)),
            Err(error) => Err(failed(&error, &live.store, self.component.limits())),
        }
    }

    /// Grants the time and the fuel of one call.
    fn arm(&self, store: &mut Store<Data>) -> Result<(), Failure> {
        let limits = self.component.limits();
        store.set_epoch_deadline(self.component.engine().ticks(limits.call_time));
        if let Some(fuel) = limits.fuel {
            store
                .set_fuel(fuel)
                .map_err(|error| Failure::Host(format!("{error:#}")))?;
        }
        Ok(())
    }

    /// A Wasm instance that is ready to be called. A service that described itself once and fails
    /// now is the host's trouble, not that of the row at hand.
    fn ready(&mut self) -> Result<Live, Failure> {
        if let Some(live) = self.live.take() {
            return Ok(live);
        }
        let host = |reason: String| Failure::Host(format!("a fresh instance failed: {reason}"));
        let made = self.bare().and_then(|live| self.described(live));
        match made {
            Ok((live, Ok(_))) => Ok(live),
            Ok((_, Err(refused))) => Err(host(refused)),
            Err(Failure::Trapped { reason, .. }) => Err(host(reason)),
            Err(other) => Err(other),
        }
    }

    /// One call: makes the instance ready, runs `call`, and makes its answer the engine's. The
    /// instance is kept only where both went well.
    fn call<A, R>(
        &mut self,
        time: Option<i64>,
        state: Option<&mut dyn State>,
        call: impl FnOnce(&Service, &mut Store<Data>) -> wasmtime::Result<A>,
        answer: impl FnOnce(A) -> Result<R, Malformed>,
    ) -> Result<R, Failure> {
        let Live { mut store, service } = self.ready()?;
        self.arm(&mut store)?;
        let data = store.data_mut();
        data.room.set_time(time.unwrap_or(self.time));
        if let Some(seed) = self.seed.take() {
            data.room.seed(seed);
        }
        data.meter.memory_refused = false;
        data.meter.table_refused = false;
        let result = match state {
            None => call(&service, &mut store),
            Some(state) => lend(&mut store, state, |store| call(&service, store)),
        };
        let answered = match result {
            Ok(answered) => answered,
            Err(error) => {
                return Err(failed(&error, &store, self.component.limits()));
            }
        };
        let answer = answer(answered).map_err(|error| failure::malformed(&error))?;
        self.live = Some(Live { store, service });
        Ok(answer)
    }
}

impl Functions for Instance {
    fn transform(&mut self, function: FunctionId, input: &Batch) -> Result<Output, Failure> {
        self.call(
            input.timestamps.iter().max().copied(),
            None,
            |service, store| service.call_transform(store, function.0, batch_in(input)),
            |answer| convert::output(answer, input.len()),
        )
    }

    fn combine(
        &mut self,
        function: FunctionId,
        keys: &Column,
        left: &Column,
        right: &Column,
    ) -> Result<Combined, Failure> {
        self.call(
            None,
            None,
            |service, store| {
                let (keys, left, right) = (column_in(keys), column_in(left), column_in(right));
                service.call_combine(store, function.0, keys, left, right)
            },
            |answer| convert::combined(answer, keys.len()),
        )
    }

    fn fold(
        &mut self,
        function: FunctionId,
        input: &Batch,
        steps: &Steps,
        states: &Column,
    ) -> Result<Folded, Failure> {
        let kinds: Vec<u8> = steps.kinds.iter().map(|&kind| kind as u8).collect();
        let program = records::Steps {
            kinds: &kinds,
            left: &steps.left,
            right: &steps.right,
            rows: &steps.rows,
        };
        self.call(
            input.timestamps.iter().max().copied(),
            None,
            |service, store| {
                service.call_fold(
                    store,
                    function.0,
                    batch_in(input),
                    program,
                    column_in(states),
                )
            },
            |answer| convert::folded(answer, kinds.len(), input.len()),
        )
    }

    fn update(
        &mut self,
        function: FunctionId,
        input: &Batch,
        groups: &[u32],
        states: &Column,
    ) -> Result<Updated, Failure> {
        self.call(
            input.timestamps.iter().max().copied(),
            None,
            |service, store| {
                service.call_update(
                    store,
                    function.0,
                    batch_in(input),
                    groups,
                    column_in(states),
                )
            },
            |answer| convert::updated(answer, input.len(), states.len()),
        )
    }

    fn process(
        &mut self,
        function: FunctionId,
        input: &Batch,
        stream_times: &[i64],
        state: &mut dyn State,
    ) -> Result<Output, Failure> {
        self.call(
            stream_times.last().copied(),
            Some(state),
            |service, store| service.call_process(store, function.0, batch_in(input), stream_times),
            |answer| convert::output(answer, input.len()),
        )
    }

    fn punctuate(
        &mut self,
        function: FunctionId,
        schedule: u32,
        at: i64,
        state: &mut dyn State,
    ) -> Result<Output, Failure> {
        self.call(
            Some(at),
            Some(state),
            |service, store| service.call_punctuate(store, function.0, schedule, at),
            |answer| convert::output(answer, 1),
        )
    }

    fn locate(
        &mut self,
        function: FunctionId,
        request: &Request,
    ) -> Result<Result<Vec<u8>, Response>, Failure> {
        let pairs = Pairs::of(request);
        self.call(
            Some(request.time),
            None,
            |service, store| service.call_locate(store, function.0, pairs.request(request)),
            |answer| Ok(answer.map_err(convert::response)),
        )
    }

    fn handle(
        &mut self,
        function: FunctionId,
        requests: &[Request],
        state: &mut dyn State,
    ) -> Result<Vec<Outcome>, Failure> {
        let pairs: Vec<Pairs<'_>> = requests.iter().map(Pairs::of).collect();
        let asked: Vec<bindings::Request<'_>> = pairs
            .iter()
            .zip(requests)
            .map(|(pairs, request)| pairs.request(request))
            .collect();
        self.call(
            requests.last().map(|request| request.time),
            Some(state),
            |service, store| service.call_handle(store, function.0, &asked),
            |answer| convert::outcomes(answer, requests.len()),
        )
    }

    fn answer(
        &mut self,
        function: FunctionId,
        request: &Request,
        state: &mut dyn State,
    ) -> Result<Option<Response>, Failure> {
        let pairs = Pairs::of(request);
        self.call(
            Some(request.time),
            Some(state),
            |service, store| service.call_answer(store, function.0, pairs.request(request)),
            |answer| Ok(answer.map(convert::response)),
        )
    }
}

fn failed(error: &wasmtime::Error, store: &Store<Data>, limits: &Limits) -> Failure {
    let data = store.data();
    failure::of(error, &data.meter, &data.log, limits)
}
