//! Lending: the stores of a call, reachable from the host functions that the guest calls meanwhile.
//!
//! A wasmtime store owns its data for good (`'static`), while the stores of a task are only
//! borrowed for one call. So the borrow is put into the data for the time of the call, its lifetime
//! erased, and taken out again before the call returns, whether it returns, traps or panics. This
//! is the only place that knows the pointer.

use std::ptr::NonNull;

use wasmtime::Store;
use weir_core::functions::State;

/// The stores of the running call, if it has any.
#[derive(Default)]
pub(super) struct Lent(Option<NonNull<dyn State>>);

#[expect(
    unsafe_code,
    reason = "the pointer is there only while `lend` borrows the store that holds it"
)]
// SAFETY: while there is a pointer, `lend` holds the store exclusively on this thread, so the store
// cannot be sent to another; when there is none, there is nothing to send.
unsafe impl Send for Lent {}

impl Lent {
    /// The stores of the running call; `None` outside of calls that have stores.
    #[expect(unsafe_code, reason = "see `lend`")]
    pub(super) fn state(&mut self) -> Option<&mut (dyn State + '_)> {
        // SAFETY: `lend` put the pointer there from an exclusive borrow that outlives it, and uses
        // that borrow for nothing else meanwhile; `&mut self` makes this the only reference that is
        // made of it.
        self.0
            .map(|mut state| unsafe { state.as_mut() } as &mut (dyn State + '_))
    }
}

/// Runs `call` with `state` lent to the store's data.
#[expect(
    unsafe_code,
    reason = "erases the lifetime of `state`, which is taken back before it ends"
)]
pub(super) fn lend<T: AsMut<Lent> + 'static, R>(
    store: &mut Store<T>,
    state: &mut dyn State,
    call: impl FnOnce(&mut Store<T>) -> R,
) -> R {
    struct TakenBack<'a, T: AsMut<Lent> + 'static>(&'a mut Store<T>);
    impl<T: AsMut<Lent> + 'static> Drop for TakenBack<'_, T> {
        fn drop(&mut self) {
            self.0.data_mut().as_mut().0 = None;
        }
    }

    let state: NonNull<dyn State + '_> = NonNull::from(state);
    // SAFETY: only the lifetime changes. `TakenBack` removes the pointer before this function
    // returns or unwinds, and so before the borrow of `state` ends.
    let state: NonNull<dyn State> = unsafe { std::mem::transmute(state) };
    let guard = TakenBack(store);
    guard.0.data_mut().as_mut().0 = Some(state);
    call(guard.0)
}
