//! Foreign-key join: a row of the left table says which key of the right table it is about.
//!
//! Three nodes, in the tasks where the rows are. [`subscribe`] sends a *subscription* to the
//! partition of the foreign key; [`subscriptions`] keeps it beside the right table, and answers it
//! now and whenever the right row changes; [`join`] takes *answers* back at the left row's
//! partition, and joins those that the left row still waits for. Between them lie repartition
//! topics, so that it is right with any number of partitions.
//!
//! Kafka Streams answers a left row that keeps its foreign key, or that is new, only if there is a
//! right row. If the row changes while the answer to its former value is under way, that answer
//! comes late and is passed over; with no right row none follows, and the former result stays for
//! ever. So an inner join keeps its results, and asks for an answer in any case where it has one.

pub(super) mod join;
mod message;
pub(super) mod subscribe;
pub(super) mod subscriptions;
