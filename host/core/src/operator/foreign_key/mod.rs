//! Foreign-key join: a row of the left table says which key of the right table it is about.
//!
//! Three nodes, in the tasks where the rows are. [`subscribe`] sends a *subscription* to the
//! partition of the foreign key; [`subscriptions`] keeps it beside the right table, and answers it
//! now and whenever the right row changes; [`join`] takes *answers* back at the left row's
//! partition, and joins those that the left row still waits for. Between them lie repartition
//! topics, so that it is right with any number of partitions.

pub(super) mod join;
mod message;
pub(super) mod subscribe;
pub(super) mod subscriptions;
