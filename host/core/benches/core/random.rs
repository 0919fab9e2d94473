//! Rows that look like those of services: a key of 16 bytes, a value of 100.

use weir_core::record::Batch;

/// The sizes of batches to try.
pub(crate) const SIZES: [usize; 4] = [1, 16, 256, 1024];

/// A small generator of numbers (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// The key of a number.
pub(crate) fn key(number: u64) -> [u8; 16] {
    let mut key = *b"customer-0000000";
    let mut rest = number;
    for digit in key[9..].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    key
}

/// Rows with random ones of `keys` keys; `time_of` is the timestamp of each.
pub(crate) fn rows(
    random: &mut Random,
    rows: usize,
    keys: u64,
    time_of: impl Fn(usize) -> i64,
) -> Batch {
    let mut batch = Batch::default();
    for row in 0..rows {
        let key = key(random.below(keys));
        batch.push(Some(&key), Some(&[b'v'; 100]), time_of(row));
    }
    batch
}
