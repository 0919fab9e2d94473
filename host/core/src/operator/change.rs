//! Changes on their way through a repartition topic: a new value, an old one, or both, in one.
//!
//! Layout: a byte that says which are there (1 new, 2 old, 3 both); the new value's length, 4 bytes
//! big-endian, only where both are; the new value; the old value. Only this version of this service
//! reads it.

const NEW: u8 = 1;
const OLD: u8 = 2;
const BOTH: u8 = NEW | OLD;

/// A new and an old value; of each row of a repartition topic of groups one is there at least.
pub(super) type Change<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// As one value.
pub(super) fn encode((new, old): Change<'_>) -> Vec<u8> {
    let present = u8::from(new.is_some()) * NEW + u8::from(old.is_some()) * OLD;
    let bytes = new.map_or(0, <[u8]>::len) + old.map_or(0, <[u8]>::len);
    let mut encoded = Vec::with_capacity(5 + bytes);
    encoded.push(present);
    if let (Some(new), Some(_)) = (new, old) {
        let length = u32::try_from(new.len()).expect("a value stays below 2 GiB");
        encoded.extend(length.to_be_bytes());
    }
    encoded.extend(new.unwrap_or_default());
    encoded.extend(old.unwrap_or_default());
    encoded
}

/// What [`encode`] made; `None`: it is no change.
pub(super) fn decode(bytes: &[u8]) -> Option<Change<'_>> {
    let (&present, rest) = bytes.split_first()?;
    match present {
        NEW => Some((Some(rest), None)),
        OLD => Some((None, Some(rest))),
        BOTH => {
            let (length, rest) = rest.split_first_chunk()?;
            let (new, old) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            Some((Some(new), Some(old)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_comes_back_as_it_was() {
        let values: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"value")];
        for new in values {
            for old in values {
                let encoded = encode((new, old));
                let back = decode(&encoded);
                assert_eq!(back, (new.is_some() || old.is_some()).then_some((new, old)));
            }
        }
    }

    #[test]
    fn what_is_no_change_is_refused() {
        for bytes in [&b""[..], b"\x04ab", b"\x03\0\0\0\x09short", b"\x03\0"] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
