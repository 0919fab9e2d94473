//! Byte encodings: keys that sort as what they stand for, and the windowed keys of topics.
//!
//! Inside a store, bytes must sort like the tuple that they encode: numbers are big-endian with the
//! sign bit turned, and a key that something follows is escaped and terminated, so that no key is
//! the beginning of another. Topics carry windowed keys as Kafka Streams' WindowedSerdes write
//! them, which neither sort nor tell where the key ends but from the back.

use std::borrow::Cow;

/// Eight bytes that sort as the number does.
pub fn ordered(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The number behind [`ordered`] and the bytes after it; `None`: fewer than eight bytes.
pub fn take_ordered(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((
        (u64::from_be_bytes(*number) ^ (1 << 63)).cast_signed(),
        rest,
    ))
}

/// Appends a key that something will follow: a zero is written 0 255, the end 0 0. Sorts as the key
/// does.
pub fn push_escaped(out: &mut Vec<u8>, key: &[u8]) {
    out.reserve(key.len() + 2);
    if key.contains(&0) {
        for &byte in key {
            out.push(byte);
            if byte == 0 {
                out.push(u8::MAX);
            }
        }
    } else {
        out.extend_from_slice(key);
    }
    out.extend([0, 0]);
}

/// The key behind [`push_escaped`] and the bytes after it; `None`: no such key.
pub fn take_escaped(bytes: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut zeros = 0;
    let mut at = 0;
    let end = loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0)?;
        match bytes.get(at + 1)? {
            0 => break at,
            &u8::MAX => zeros += 1,
            _ => return None,
        }
        at += 2;
    };
    let rest = &bytes[end + 2..];
    if zeros == 0 {
        return Some((Cow::Borrowed(&bytes[..end]), rest));
    }
    let mut key = Vec::with_capacity(end - zeros);
    let mut escaped = bytes[..end].iter();
    while let Some(&byte) = escaped.next() {
        key.push(byte);
        if byte == 0 {
            escaped.next();
        }
    }
    Some((Cow::Owned(key), rest))
}

/// A windowed key as a topic carries it: key bytes, then the window's start.
pub fn windowed_key(key: &[u8], start: i64) -> Vec<u8> {
    [key, &start.to_be_bytes()].concat()
}

/// Makes `out` the [`windowed_key`] of a key and a start.
pub fn set_windowed_key(out: &mut Vec<u8>, key: &[u8], start: i64) {
    out.clear();
    out.extend_from_slice(key);
    out.extend(start.to_be_bytes());
}

/// Key and start of [`windowed_key`]; `None`: fewer than eight bytes.
pub fn split_windowed_key(bytes: &[u8]) -> Option<(&[u8], i64)> {
    let (key, start) = bytes.split_last_chunk()?;
    Some((key, i64::from_be_bytes(*start)))
}

/// A session's key as a topic carries it: key bytes, then the session's end, then its start.
pub fn session_key(key: &[u8], start: i64, end: i64) -> Vec<u8> {
    [key, &end.to_be_bytes(), &start.to_be_bytes()].concat()
}

/// Key, start and end of [`session_key`]; `None`: fewer than sixteen bytes.
pub fn split_session_key(bytes: &[u8]) -> Option<(&[u8], i64, i64)> {
    let (rest, start) = split_windowed_key(bytes)?;
    let (key, end) = split_windowed_key(rest)?;
    Some((key, start, end))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn numbers_sort_as_bytes() {
        let numbers = [i64::MIN, -256, -1, 0, 1, 255, 256, i64::MAX];
        let bytes: Vec<_> = numbers.iter().map(|&number| ordered(number)).collect();
        assert!(bytes.is_sorted());
        let back: Vec<i64> = bytes
            .iter()
            .map(|bytes| take_ordered(bytes).unwrap().0)
            .collect();
        assert_eq!(back, numbers);
        assert_eq!(take_ordered(b"seven b"), None);
    }

    #[test]
    fn escaped_keys_sort_as_keys_and_come_back_whatever_follows() {
        let mut keys: Vec<&[u8]> = vec![
            b"", b"\0", b"\0\0", b"\0\xff", b"\0a", b"\x01", b"a", b"a\0", b"a\0b", b"ab", b"\xff",
        ];
        keys.sort_unstable();
        let escaped: Vec<Vec<u8>> = keys
            .iter()
            .map(|key| {
                let mut bytes = Vec::new();
                push_escaped(&mut bytes, key);
                bytes.extend(b"\xffrest");
                bytes
            })
            .collect();
        assert!(escaped.is_sorted());
        for (key, bytes) in keys.iter().zip(&escaped) {
            let (back, rest) = take_escaped(bytes).unwrap();
            assert_eq!((&*back, rest), (*key, &b"\xffrest"[..]));
        }
        assert_eq!(take_escaped(b"no end"), None);
        assert_eq!(take_escaped(b"no end\0"), None);
        assert_eq!(take_escaped(b"bad escape\0\x07"), None);
    }

    #[test]
    fn windowed_keys_are_those_of_kafka_streams() {
        let key = windowed_key(b"ada", 60_000);
        assert_eq!(key, b"ada\0\0\0\0\0\0\xea\x60");
        assert_eq!(split_windowed_key(&key), Some((&b"ada"[..], 60_000)));
        let key = session_key(b"ada", 1, 258);
        assert_eq!(key, b"ada\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x01");
        assert_eq!(split_session_key(&key), Some((&b"ada"[..], 1, 258)));
        assert_eq!(split_session_key(b"short"), None);
    }
}
