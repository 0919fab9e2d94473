//! The envelope of a schema registry: a zero, the schema's id (four bytes, the highest first), then
//! the row itself.

use super::Malformed;

const MAGIC: u8 = 0;
const BYTES: usize = 5;

/// Writes an envelope; what it envelops comes behind.
pub(super) fn write(id: u32, out: &mut Vec<u8>) {
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
}

/// The schema's id, and what was enveloped.
pub(super) fn open(bytes: &[u8]) -> Result<(u32, &[u8]), Malformed> {
    match bytes {
        [MAGIC, a, b, c, d, row @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), row)),
        [MAGIC, ..] | [] => Err(Malformed(format!(
            "{} bytes: shorter than the {BYTES} of a zero and a schema's id, with which rows of a \
             schema registry begin",
            bytes.len()
        ))),
        [first, ..] => Err(Malformed(format!(
            "begins with byte {first}, and rows of a schema registry with 0; if these have no \
             registry, take away `.id(…)`"
        ))),
    }
}

/// What to say of an id that is none of `known`. `add` is how to say what it means.
pub(super) fn unknown(id: u32, known: impl IntoIterator<Item = u32>, add: &str) -> Malformed {
    let known: Vec<String> = known.into_iter().map(|id| id.to_string()).collect();
    Malformed(format!(
        "schema id {id} is none that this service knows ({}); add `{add}`",
        known.join(", ")
    ))
}
