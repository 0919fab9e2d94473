//! The names of stores that nobody named: they are those of changelog topics, too.

/// The name of a table's store that the service did not name.
pub(super) fn unnamed_store(node: &str) -> String {
    format!("{node}-store")
}

/// The name of the store of a foreign-key join's subscriptions.
pub(super) fn subscription_store(node: &str) -> String {
    format!("{node}-subscriptions")
}

/// The name of the store of a stream-table join's rows that wait.
pub(super) fn buffer_store(node: &str) -> String {
    format!("{node}-buffer")
}
