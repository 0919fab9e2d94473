//! Views: how a table is read by key.
//!
//! A table that has a store is read there. One that has none (a filter, other values, a join) is
//! made of those above it, for the keys that are asked for, so that a reader sees it as of the same
//! place as they are.

use crate::functions::FunctionId;
use crate::store::StoreId;
use crate::store::window::Retention;

use super::description::JoinKind;

/// A table, to be read by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// Entries of a key-value store.
    Keys(StoreId),
    /// Windows; keys are those that topics carry.
    Windows {
        /// Where they are.
        store: StoreId,
        /// How long.
        retention: Retention,
    },
    /// Sessions; keys are those that topics carry.
    Sessions {
        /// Where they are.
        store: StoreId,
        /// How long.
        retention_ms: i64,
    },
    /// Versions; a reader that asks for no time sees the latest.
    Versions {
        /// Where they are.
        store: StoreId,
        /// How long.
        history_ms: i64,
    },
    /// What a suppress has sent: of a key that is held back what it was before, of all others what
    /// the table above has.
    Suppressed {
        /// What is held back.
        buffer: StoreId,
        /// The table above.
        of: Box<View>,
    },
    /// What a function makes of another table's values; no row is no entry.
    Mapped {
        /// `transform`.
        function: FunctionId,
        /// The other table.
        of: Box<View>,
    },
    /// Two tables joined.
    Joined {
        /// Which may stand alone.
        kind: JoinKind,
        /// `combine`.
        function: FunctionId,
        /// The left table.
        left: Box<View>,
        /// The right table.
        right: Box<View>,
    },
}

impl View {
    /// Adds the stores that are read, each once.
    pub(super) fn stores(&self, stores: &mut Vec<StoreId>) {
        match self {
            View::Keys(store)
            | View::Windows { store, .. }
            | View::Sessions { store, .. }
            | View::Versions { store, .. } => {
                if !stores.contains(store) {
                    stores.push(*store);
                }
            }
            View::Mapped { of, .. } => of.stores(stores),
            View::Suppressed { buffer, of } => {
                stores.push(*buffer);
                of.stores(stores);
            }
            View::Joined { left, right, .. } => {
                left.stores(stores);
                right.stores(stores);
            }
        }
    }
}
