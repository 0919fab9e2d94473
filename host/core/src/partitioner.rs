//! Which partition a row belongs to: what every Kafka client answers, so that rows of one key meet
//! wherever they come from.

/// The partition of a key among `partitions` (at least 1): murmur2, as Kafka's default partitioner
/// has it.
pub fn partition(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

/// The partition of a row without a key. `sequence` is something that differs from row to row and
/// is the same in a replay (an offset, a position in a batch): the spread is even, and as
/// deterministic as it is.
pub fn partition_without_key(sequence: u64, partitions: u32) -> u32 {
    partition(&sequence.to_be_bytes(), partitions)
}

/// Kafka's 32-bit murmur2, with its seed.
pub fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MIX: u32 = 0x5bd1_e995;
    let length = u32::try_from(bytes.len()).expect("a key stays below 4 GiB");
    let mut hash = SEED ^ length;
    let (words, tail) = bytes.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MIX);
        word ^= word >> 24;
        hash = hash.wrapping_mul(MIX) ^ word.wrapping_mul(MIX);
    }
    if !tail.is_empty() {
        for (position, &byte) in tail.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * position);
        }
        hash = hash.wrapping_mul(MIX);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own UtilsTest.
    #[test]
    fn murmur2_answers_as_in_kafka() {
        let vectors: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn rows_without_a_key_spread_evenly() {
        let mut counts = [0; 4];
        (0..1000).for_each(|offset| counts[partition_without_key(offset, 4) as usize] += 1);
        assert!(
            counts.iter().all(|count| (200..300).contains(count)),
            "{counts:?}"
        );
    }
}
