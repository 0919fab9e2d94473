//! The port behind which a guest stands: the functions of a service, called by number with whole
//! batches.
//!
//! The engine never knows whether a function is a Wasm export or a closure of the same process. A
//! function is pure but for the [`State`] that it is handed; whatever goes wrong inside it is a
//! [`Failure`], which is data: the engine applies the failure policy to the row that caused it.

use crate::record::{Batch, Column};

/// The number of a function, as the service's description gave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(pub u32);

/// An input row that a function refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Row of the input batch.
    pub row: u32,
    /// For people.
    pub reason: String,
}

/// What a function made of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The rows. Where `headers` is `None`, a row has the headers of its origin.
    pub rows: Batch,
    /// The input row of each output row, ascending.
    pub origins: Vec<u32>,
    /// The port that each row leaves by; empty: all by port 0.
    pub ports: Vec<u8>,
    /// Input rows that were refused; they have no output row. Ascending.
    pub rejected: Vec<Rejection>,
}

/// The answer of a joiner: a value for each pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Combined {
    /// One a row; that of a rejected row means nothing.
    pub values: Column,
    /// Rows that were refused. Ascending.
    pub rejected: Vec<Rejection>,
}

/// What one step of a fold does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// The aggregator over state `left` and row `rows`.
    Add = 0,
    /// The subtractor over state `left` and row `rows`.
    Subtract = 1,
    /// The session merger over states `left` and `right`.
    Merge = 2,
}

/// The program of a fold: numbered states, one made by each step. All columns have one entry a
/// step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// What each step does.
    pub kinds: Vec<Step>,
    /// The state it starts from; [`Steps::NO_STATE`]: none yet, so the initial value.
    pub left: Vec<u32>,
    /// The later state of a merge; else the number of the input by which the row came.
    pub right: Vec<u32>,
    /// The input row on whose behalf the step is made.
    pub rows: Vec<u32>,
}

impl Steps {
    /// As `left`: there is no state yet.
    pub const NO_STATE: u32 = u32::MAX;
}

/// The answer of a fold: the state after each step. Shorter than the steps where a step made null
/// (that null is the last state) or refused its row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// In the order of steps.
    pub states: Column,
    /// The row of the step after the last state, if that was refused.
    pub rejected: Option<Rejection>,
}

/// The answer of a keyed processor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Updated {
    /// Rows out.
    pub output: Output,
    /// The state of each group after its last row; null deletes it.
    pub states: Column,
}

/// Why a call came to nothing. It names no row: the engine splits the batch until it has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The guest trapped, ran out of time, memory or fuel, or answered with a malformed batch.
    #[error("{reason}")]
    Trapped {
        /// For people: what happened, e.g. "out of memory (limit 64 MiB)".
        reason: String,
        /// The Wasm backtrace, if there is one.
        backtrace: String,
    },
    /// The store under [`State`] failed, or the host is at fault. Not the row's doing: the
    /// transaction is aborted.
    #[error("host: {0}")]
    Host(String),
}

/// The stores that a processor or a route declared, by position. `row` is the row of the batch on
/// whose behalf it is asked. Errors are the host's: unknown store, a write in a query, a backend
/// that failed.
pub trait State {
    /// The values in the order of keys, null where there is none.
    fn get_many(&mut self, store: u32, row: u32, keys: &Column) -> Result<Column, StateError>;

    /// Puts, or deletes where the value is `None`.
    fn put(
        &mut self,
        store: u32,
        row: u32,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), StateError>;

    /// Entries with `start` <= key < `end` in the order of bytes, at most `limit`: keys and values.
    fn range(
        &mut self,
        store: u32,
        row: u32,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        limit: u32,
    ) -> Result<(Column, Column), StateError>;
}

/// A call of [`State`] that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The guest's fault: it traps.
    #[error("{0}")]
    Misuse(String),
    /// The backend's fault: the transaction is aborted.
    #[error("{0}")]
    Backend(String),
}

/// A request to a service. Shapes as in `wit/http.wit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Named parts of the path, decoded.
    pub parameters: Vec<(String, String)>,
    /// Decoded, in order.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
    /// Wall clock when it came, milliseconds since the epoch.
    pub time: i64,
    /// 32 hexadecimal digits, made for this request.
    pub unique: String,
}

/// A service's answer to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// In order.
    pub headers: Vec<(String, String)>,
    /// As it leaves.
    pub body: Vec<u8>,
}

/// A row that a command appends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Index in the route's topics.
    pub topic: u8,
    /// `None`: no key.
    pub key: Option<Vec<u8>>,
    /// `None`: a tombstone.
    pub value: Option<Vec<u8>>,
}

/// What a command decided. The response leaves when the rows have committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The answer.
    pub response: Response,
    /// The rows.
    pub rows: Vec<Appended>,
}

/// The functions of one version of one service.
///
/// After a [`Failure::Trapped`] the next call finds a fresh instance: the adapter sees to that.
/// Cost: a call is 0.3-0.4 µs, a row some 40-60 ns, so hand over whole batches.
pub trait Functions {
    /// Stateless steps.
    fn transform(&mut self, function: FunctionId, input: &Batch) -> Result<Output, Failure>;

    /// The joiner.
    fn combine(
        &mut self,
        function: FunctionId,
        keys: &Column,
        left: &Column,
        right: &Column,
    ) -> Result<Combined, Failure>;

    /// Aggregators.
    fn fold(
        &mut self,
        function: FunctionId,
        input: &Batch,
        steps: &Steps,
        states: &Column,
    ) -> Result<Folded, Failure>;

    /// Keyed processor. Row i belongs to group `groups[i]`.
    fn update(
        &mut self,
        function: FunctionId,
        input: &Batch,
        groups: &[u32],
        states: &Column,
    ) -> Result<Updated, Failure>;

    /// Free processor. `stream_times[i]` is the task's stream time at row i.
    fn process(
        &mut self,
        function: FunctionId,
        input: &Batch,
        stream_times: &[i64],
        state: &mut dyn State,
    ) -> Result<Output, Failure>;

    /// A schedule is due.
    fn punctuate(
        &mut self,
        function: FunctionId,
        schedule: u32,
        at: i64,
        state: &mut dyn State,
    ) -> Result<Output, Failure>;

    /// The key that a request is about, or the answer that refuses it.
    fn locate(
        &mut self,
        function: FunctionId,
        request: &Request,
    ) -> Result<Result<Vec<u8>, Response>, Failure>;

    /// Commands, decided in order: one outcome a request.
    fn handle(
        &mut self,
        function: FunctionId,
        requests: &[Request],
        state: &mut dyn State,
    ) -> Result<Vec<Outcome>, Failure>;

    /// A query over committed state. `None`: not yet.
    fn answer(
        &mut self,
        function: FunctionId,
        request: &Request,
        state: &mut dyn State,
    ) -> Result<Option<Response>, Failure>;
}
