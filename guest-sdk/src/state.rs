//! Stores, as a processor or a route sees them.
//!
//! A [`Store`] is a handle: it says which store, and what is in it. The context of the call at hand
//! reads and writes it ([`crate::Context`], [`crate::Command`], [`crate::Query`]); only those
//! stores that the processor or the route has declared.

use std::marker::PhantomData;

use crate::bindings::weir::service::records::Column;
use crate::columns::Rows;
use crate::format::{self, Data};

/// The host's `state` interface: the imports of a component, or the engine's port natively. What
/// fails panics: a trap.
pub(crate) trait Access {
    fn get_many(&mut self, store: u32, row: u32, keys: &Column) -> Column;
    fn put(&mut self, store: u32, row: u32, key: &[u8], value: Option<&[u8]>);
    fn range(
        &mut self,
        store: u32,
        row: u32,
        start: Option<&[u8]>,
        end: Option<&[u8]>,
        limit: u32,
    ) -> (Column, Column);
}

/// A key-value store of a service: a handle to be declared, captured and copied freely.
pub struct Store<K, V> {
    pub(crate) id: u32,
    kinds: PhantomData<fn(K, V)>,
}

impl<K, V> Store<K, V> {
    pub(crate) fn new(id: u32) -> Store<K, V> {
        let kinds = PhantomData;
        Store { id, kinds }
    }
}

impl<K, V> Clone for Store<K, V> {
    fn clone(&self) -> Store<K, V> {
        *self
    }
}

impl<K, V> Copy for Store<K, V> {}

/// The stores that a processor or a route declares: one, a tuple of up to six, or `()`.
pub trait Stores: Copy + 'static {
    #[doc(hidden)]
    fn ids(&self) -> Vec<u32>;
}

impl Stores for () {
    fn ids(&self) -> Vec<u32> {
        Vec::new()
    }
}

impl<K: 'static, V: 'static> Stores for Store<K, V> {
    fn ids(&self) -> Vec<u32> {
        vec![self.id]
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => { $(
        impl<$($name: Stores),+> Stores for ($($name,)+) {
            #[expect(non_snake_case, reason = "one name for the type and for its value")]
            fn ids(&self) -> Vec<u32> {
                let ($($name,)+) = self;
                [$($name.ids()),+].concat()
            }
        }
    )* };
}

tuples! { A; A B; A B C; A B C D; A B C D E; A B C D E F; }

/// Typed access to the declared stores on behalf of one row.
pub(crate) struct Declared<'a> {
    pub(crate) access: &'a mut dyn Access,
    pub(crate) ids: &'a [u32],
    pub(crate) row: u32,
    /// Whether something was put on behalf of this row.
    pub(crate) wrote: bool,
}

impl Declared<'_> {
    fn position<K, V>(&self, store: Store<K, V>) -> u32 {
        let found = self.ids.iter().position(|id| *id == store.id);
        let position = found.expect("a store that is used is declared; name it in `stores`");
        u32::try_from(position).expect("few stores are declared")
    }

    pub(crate) fn get<K: Data, V: Data>(&mut self, store: Store<K, V>, key: &K) -> Option<V> {
        self.get_many(store, std::slice::from_ref(key)).pop()?
    }

    pub(crate) fn get_many<K: Data, V: Data>(
        &mut self,
        store: Store<K, V>,
        keys: &[K],
    ) -> Vec<Option<V>> {
        let position = self.position(store);
        let mut column = Column::with_room(keys.len(), 0);
        for key in keys {
            column.push(Some(&key_bytes(key)));
        }
        let values = self.access.get_many(position, self.row, &column);
        let rows = Rows::of(&values);
        (0..rows.len())
            .map(|row| rows.get(row).map(|bytes| stored(Some(bytes))))
            .collect()
    }

    pub(crate) fn put<K: Data, V: Data>(&mut self, store: Store<K, V>, key: &K, value: Option<&V>) {
        let position = self.position(store);
        self.wrote = true;
        let mut bytes = Vec::new();
        let there = value.is_some_and(|value| {
            format::encode_value(value, &mut bytes)
                .unwrap_or_else(|error| panic!("a value to store: {error}"))
        });
        let value = there.then_some(bytes.as_slice());
        self.access.put(position, self.row, &key_bytes(key), value);
    }

    pub(crate) fn range<K: Data, V: Data>(
        &mut self,
        store: Store<K, V>,
        start: Option<Vec<u8>>,
        end: Option<Vec<u8>>,
        limit: u32,
    ) -> Vec<(K, V)> {
        let position = self.position(store);
        let (keys, values) =
            self.access
                .range(position, self.row, start.as_deref(), end.as_deref(), limit);
        let (keys, values) = (Rows::of(&keys), Rows::of(&values));
        let key = |row| {
            format::decode_key(keys.get(row))
                .unwrap_or_else(|error| panic!("a stored entry: {error}"))
        };
        (0..keys.len())
            .map(|row| (key(row), stored(values.get(row))))
            .collect()
    }
}

/// The bytes of a key that is looked up.
pub(crate) fn key_bytes<K: Data>(key: &K) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = format::encode_key(key, &mut bytes);
    assert!(
        written.unwrap_or_else(|error| panic!("a key of a store: {error}")),
        "a key of a store is null"
    );
    bytes
}

fn stored<V: Data>(bytes: Option<&[u8]>) -> V {
    format::decode_value(bytes).unwrap_or_else(|error| panic!("a stored entry: {error}"))
}

/// The end of the keys that begin with `prefix`: `None` where there is none above.
pub(crate) fn after(mut prefix: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = prefix.pop() {
        if let Some(next) = last.checked_add(1) {
            prefix.push(next);
            return Some(prefix);
        }
    }
    None
}
