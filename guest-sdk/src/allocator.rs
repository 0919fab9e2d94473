//! The allocator of a component: talc, and in front of it shelves of small blocks that were freed.
//!
//! A guest has one thread, and spends much of its time with the keys, values and strings of rows:
//! they are taken from a shelf and put back in a handful of instructions, many times a row.
#![expect(unsafe_code, reason = "an allocator hands out pointers")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr;

/// Blocks on the first shelf have this many bytes, on the next ones twice as many, three times…
const STEP: usize = 16;
const SHELVES: usize = 16;
/// What stands at an address that is a multiple of this may lie on a shelf.
const ALIGN: usize = 8;
/// More blocks of a size than these are given back: what was freed at one size shall serve others.
const DEPTH: u32 = 64;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: Shelves<talc::wasm::WasmDynamicTalc> =
    Shelves::before(talc::wasm::new_wasm_dynamic_allocator());

// SAFETY: the target has one thread; talc is not made for one that has more.
#[cfg(target_arch = "wasm32")]
unsafe impl<A> Sync for Shelves<A> {}

/// Shelves before another allocator.
struct Shelves<A> {
    behind: A,
    shelves: [Shelf; SHELVES],
}

/// Freed blocks of one size; each begins with the address of the next one.
struct Shelf {
    first: Cell<*mut u8>,
    count: Cell<u32>,
}

impl<A> Shelves<A> {
    const fn before(behind: A) -> Shelves<A> {
        Shelves {
            behind,
            shelves: [const {
                Shelf {
                    first: Cell::new(ptr::null_mut()),
                    count: Cell::new(0),
                }
            }; SHELVES],
        }
    }
}

/// The number of a block's shelf; `None`: it is not for one.
#[inline(always)]
fn number(layout: Layout) -> Option<usize> {
    // A size is never zero here.
    let number = (layout.size() - 1) / STEP;
    (number < SHELVES && layout.align() <= ALIGN).then_some(number)
}

/// What the allocator behind is asked for, whatever the block on the shelf is used for.
#[inline(always)]
fn block(number: usize) -> Layout {
    // SAFETY: the alignment is a power of two, and the size small.
    unsafe { Layout::from_size_align_unchecked((number + 1) * STEP, ALIGN) }
}

// SAFETY: a block comes from the allocator behind, or came from there, was freed and lay on the
// shelf of its size; and it goes back under the layout that it was asked for with.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Shelves<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(number) = number(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { self.behind.alloc(layout) };
        };
        let Shelf { first, count } = &self.shelves[number];
        let at = first.get();
        if at.is_null() {
            // SAFETY: the size is not zero.
            return unsafe { self.behind.alloc(block(number)) };
        }
        // SAFETY: so a block on a shelf begins.
        first.set(unsafe { at.cast::<*mut u8>().read() });
        count.set(count.get() - 1);
        at
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let Some(number) = number(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { self.behind.dealloc(at, layout) };
        };
        let Shelf { first, count } = &self.shelves[number];
        if count.get() == DEPTH {
            // SAFETY: it was asked for with this layout.
            return unsafe { self.behind.dealloc(at, block(number)) };
        }
        // SAFETY: the block is nobody's, aligned, and longer than an address.
        unsafe { at.cast::<*mut u8>().write(first.get()) };
        first.set(at);
        count.set(count.get() + 1);
    }

    #[inline]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (number(layout), number(wanted)) {
            // SAFETY: the caller's promise.
            (None, None) => unsafe { self.behind.realloc(at, layout, size) },
            (old, new) if old == new => at,
            // SAFETY: the caller's promise; both blocks have the smaller size.
            _ => unsafe {
                let moved = self.alloc(wanted);
                if !moved.is_null() {
                    ptr::copy_nonoverlapping(at, moved, layout.size().min(size));
                    self.dealloc(at, layout);
                }
                moved
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;

    use super::*;

    /// A block that is filled with its own mark.
    struct Block {
        at: *mut u8,
        layout: Layout,
        mark: u8,
    }

    impl Block {
        fn take(allocator: &Shelves<System>, size: usize, align: usize, mark: u8) -> Block {
            let layout = Layout::from_size_align(size, align).expect("both are small");
            // SAFETY: the size is not zero, and the block is as long as it was asked for.
            let at = unsafe {
                let at = allocator.alloc(layout);
                at.write_bytes(mark, size);
                at
            };
            assert_eq!(at.addr() % align, 0, "{layout:?}");
            Block { at, layout, mark }
        }

        fn resize(&mut self, allocator: &Shelves<System>, size: usize) {
            let kept = self.layout.size().min(size);
            // SAFETY: the block is the allocator's, and as long as was asked for.
            unsafe {
                self.at = allocator.realloc(self.at, self.layout, size);
                self.layout =
                    Layout::from_size_align(size, self.layout.align()).expect("it is small");
                self.holds(kept);
                self.at.write_bytes(self.mark, size);
            }
        }

        /// Nobody else has written into its first bytes.
        fn holds(&self, bytes: usize) {
            // SAFETY: they were written.
            let bytes = unsafe { std::slice::from_raw_parts(self.at, bytes) };
            assert!(bytes.iter().all(|byte| *byte == self.mark));
        }

        fn give_back(self, allocator: &Shelves<System>) {
            self.holds(self.layout.size());
            // SAFETY: it is the allocator's.
            unsafe { allocator.dealloc(self.at, self.layout) }
        }
    }

    #[test]
    fn blocks_keep_what_is_written_into_them_however_they_come_and_go() {
        let allocator = Shelves::before(System);
        let mut blocks: Vec<Block> = Vec::new();
        let mut random = 1_u64;
        let mut below = |limit: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) as usize % limit
        };
        for turn in 0..100_000_usize {
            match below(3) {
                0 if blocks.len() < 2_000 => {
                    let (size, align) = (1 + below(400), 1 << below(6));
                    blocks.push(Block::take(&allocator, size, align, turn as u8));
                }
                1 if !blocks.is_empty() => {
                    let block = below(blocks.len());
                    blocks[block].resize(&allocator, 1 + below(400));
                }
                _ if !blocks.is_empty() => {
                    let block = below(blocks.len());
                    blocks.swap_remove(block).give_back(&allocator);
                }
                _ => {}
            }
        }
        for block in blocks {
            block.give_back(&allocator);
        }
        for shelf in &allocator.shelves {
            assert!(shelf.count.get() <= DEPTH);
        }
    }

    #[test]
    fn a_freed_block_serves_the_next_one_of_its_size() {
        let allocator = Shelves::before(System);
        let first = Block::take(&allocator, 20, 1, 1);
        let at = first.at;
        first.give_back(&allocator);
        let other = Block::take(&allocator, 40, 1, 2);
        assert_ne!(other.at, at, "it is too long for that block");
        let next = Block::take(&allocator, 32, 8, 3);
        assert_eq!(next.at, at);
        other.give_back(&allocator);
        next.give_back(&allocator);
    }
}
