//! What the nodes of a foreign-key join tell each other through their topics.
//!
//! *Subscription*, under the foreign key: instruction (1 byte), the left task's partition (4 bytes,
//! big-endian), digest, the left key. *Answer*, under the left key: the left task's partition (4
//! bytes, by which it is sent), digest, then 1 and the right value or 0. A digest is 1 and the 16
//! bytes of the left value that was subscribed with, or 0 if there was none. In the store, under
//! the foreign key (escaped) and the left key, a subscription is its partition and digest.

/// What the right side does with a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Forget it, say nothing.
    End,
    /// Forget it, and answer that there is no right row.
    EndAndAnswer,
    /// Keep it, and answer with the right row or with none.
    Answer,
    /// Keep it, and answer if there is a right row.
    AnswerIfThere,
}

/// A digest of a left value; `None`: there was none. Answers to another value are late.
pub(super) type Digest = Option<[u8; 16]>;

/// FNV-1a of 128 bits: the same on every machine and in every version.
pub(super) fn digest(value: &[u8]) -> [u8; 16] {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let step = |hash: u128, &byte: &u8| (hash ^ u128::from(byte)).wrapping_mul(PRIME);
    value.iter().fold(BASIS, step).to_be_bytes()
}

/// Who asks: where answers go, and about which left value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) partition: u32,
    pub(super) digest: Digest,
}

impl Subscriber {
    /// As bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.partition.to_be_bytes().to_vec();
        bytes.push(u8::from(self.digest.is_some()));
        bytes.extend(
            self.digest
                .unwrap_or_default()
                .iter()
                .filter(|_| self.digest.is_some()),
        );
        bytes
    }

    /// The subscriber at the beginning of `bytes`, and what is after it.
    pub(super) fn take(bytes: &[u8]) -> Option<(Subscriber, &[u8])> {
        let (partition, rest) = bytes.split_first_chunk()?;
        let (has_digest, rest) = rest.split_first()?;
        let partition = u32::from_be_bytes(*partition);
        let (digest, rest) = match has_digest {
            0 => (None, rest),
            1 => {
                let (digest, rest) = rest.split_first_chunk()?;
                (Some(*digest), rest)
            }
            _ => return None,
        };
        Some((Subscriber { partition, digest }, rest))
    }

    /// An answer to it.
    pub(super) fn answer(&self, right: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = self.encode();
        bytes.push(u8::from(right.is_some()));
        bytes.extend(right.unwrap_or_default());
        bytes
    }

    /// The subscriber and the right value of an answer.
    pub(super) fn take_answer(bytes: &[u8]) -> Option<(Subscriber, Option<&[u8]>)> {
        let (subscriber, rest) = Subscriber::take(bytes)?;
        match rest.split_first()? {
            (0, []) => Some((subscriber, None)),
            (1, right) => Some((subscriber, Some(right))),
            _ => None,
        }
    }
}

impl Instruction {
    /// A subscription with this instruction.
    pub(super) fn subscription(self, subscriber: &Subscriber, left_key: &[u8]) -> Vec<u8> {
        let instruction = match self {
            Instruction::End => 0,
            Instruction::EndAndAnswer => 1,
            Instruction::Answer => 2,
            Instruction::AnswerIfThere => 3,
        };
        [&[instruction], &subscriber.encode()[..], left_key].concat()
    }

    /// Instruction, subscriber and left key of a subscription.
    pub(super) fn take(bytes: &[u8]) -> Option<(Instruction, Subscriber, &[u8])> {
        let (instruction, rest) = bytes.split_first()?;
        let instruction = match instruction {
            0 => Instruction::End,
            1 => Instruction::EndAndAnswer,
            2 => Instruction::Answer,
            3 => Instruction::AnswerIfThere,
            _ => return None,
        };
        let (subscriber, left_key) = Subscriber::take(rest)?;
        Some((instruction, subscriber, left_key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_were() {
        for digest in [None, Some(digest(b"value"))] {
            let subscriber = Subscriber {
                partition: 258,
                digest,
            };
            for right in [None, Some(&b""[..]), Some(&b"right"[..])] {
                let answer = subscriber.answer(right);
                assert_eq!(Subscriber::take_answer(&answer), Some((subscriber, right)));
                assert_eq!(answer[..4], 258_u32.to_be_bytes());
            }
            let instruction = Instruction::AnswerIfThere;
            let subscription = instruction.subscription(&subscriber, b"key");
            let back = Instruction::take(&subscription);
            assert_eq!(back, Some((instruction, subscriber, &b"key"[..])));
        }
        assert_eq!(Instruction::take(b"\x09\0\0\0\0\0"), None);
        assert_eq!(Subscriber::take_answer(b"\0\0\0\0\x01short"), None);
    }

    #[test]
    fn the_digest_is_fnv_1a() {
        assert_eq!(digest(b"")[..4], [0x6c, 0x62, 0x27, 0x2e]);
        let of_a = 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964_u128;
        assert_eq!(u128::from_be_bytes(digest(b"a")), of_a);
    }
}
