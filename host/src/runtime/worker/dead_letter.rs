//! Dead letters: rows that failed, as rows of `<service>.dead-letters`.
//!
//! Key and value are the consumed row's own, so that a letter can be sent again; headers tell what
//! happened to it. A letter that the topic would not take is cut, never lost: the backtrace goes
//! first, then the value.

use weir_core::record::Batch;
use weir_core::task::DeadLetter;
use weir_core::topology::TopicFacts;

use crate::kafka;

/// The rows of one turn's letters, and the partition of each.
pub(super) fn rows(
    letters: &[DeadLetter],
    service: &str,
    version: &str,
    facts: &TopicFacts,
    now: i64,
) -> (Batch, Vec<u32>) {
    let mut rows = Batch::default();
    let mut partitions = Vec::with_capacity(letters.len());
    for letter in letters {
        let whole = Cut {
            backtrace: true,
            value: true,
            key: true,
        };
        let cuts = [
            whole,
            Cut {
                backtrace: false,
                ..whole
            },
            Cut {
                backtrace: false,
                value: false,
                ..whole
            },
            Cut::ALL,
        ];
        let fits = |cut: &Cut| {
            let mut one = Batch::default();
            write(&mut one, letter, service, version, *cut);
            let headers = one.headers.as_ref().map(|headers| (headers, 0));
            let (key, value) = (one.keys.get(0), one.values.get(0));
            kafka::refusal(facts, key, value, one.timestamps[0], headers, now).is_none()
        };
        let cut = cuts
            .iter()
            .find(|cut| fits(cut))
            .copied()
            .unwrap_or(Cut::ALL);
        write(&mut rows, letter, service, version, cut);
        let partition = letter
            .position
            .as_ref()
            .map_or(0, |position| position.partition);
        partitions.push(partition % facts.partitions.max(1));
    }
    (rows, partitions)
}

/// What is kept of a letter.
#[derive(Clone, Copy)]
struct Cut {
    backtrace: bool,
    value: bool,
    key: bool,
}

impl Cut {
    const ALL: Cut = Cut {
        backtrace: false,
        value: false,
        key: false,
    };
}

fn write(rows: &mut Batch, letter: &DeadLetter, service: &str, version: &str, cut: Cut) {
    let position = letter.position.as_ref();
    let partition = position.map(|position| position.partition.to_string());
    let offset = position.map(|position| position.offset.to_string());
    let mut headers: Vec<(&str, Option<&[u8]>)> = vec![
        ("service", Some(service.as_bytes())),
        ("version", Some(version.as_bytes())),
        ("node", Some(letter.node.as_bytes())),
        ("reason", Some(letter.reason.as_bytes())),
    ];
    if let (Some(position), Some(partition), Some(offset)) = (position, &partition, &offset) {
        headers.push(("topic", Some(position.topic.as_bytes())));
        headers.push(("partition", Some(partition.as_bytes())));
        headers.push(("offset", Some(offset.as_bytes())));
    }
    if cut.backtrace && !letter.backtrace.is_empty() {
        headers.push(("backtrace", Some(letter.backtrace.as_bytes())));
    }
    if !cut.value && letter.value.is_some() {
        headers.push(("cut", Some(b"value")));
    }
    let key = letter.key.as_deref().filter(|_| cut.key);
    let value = letter.value.as_deref().filter(|_| cut.value);
    // The topic is ours and takes any time from 1970 on.
    rows.push_with_headers(key, value, letter.timestamp.max(0), headers);
}

#[cfg(test)]
mod tests {
    use weir_core::task::Position;

    use super::*;

    fn letter(value: &[u8]) -> DeadLetter {
        DeadLetter {
            position: Some(Position {
                topic: "orders".to_owned(),
                partition: 5,
                offset: 17,
            }),
            key: Some(b"k".to_vec()),
            value: Some(value.to_vec()),
            timestamp: 7,
            node: "parse".to_owned(),
            reason: "no such product".to_owned(),
            backtrace: "0: parse".to_owned(),
        }
    }

    fn written(value: &[u8], limit: u32) -> (Batch, Vec<u32>) {
        let facts = TopicFacts {
            partitions: 4,
            max_message_bytes: limit,
            compacted: false,
            max_ahead_ms: None,
        };
        rows(&[letter(value)], "fraud", "abc", &facts, 100)
    }

    fn headers(rows: &Batch) -> String {
        let headers = rows.headers.as_ref().map(|headers| headers.row(0));
        let shown = headers.into_iter().flatten().map(|(name, value)| {
            format!(
                "{name}={}",
                String::from_utf8_lossy(value.unwrap_or_default())
            )
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_letter_tells_where_it_comes_from_and_why() {
        let (rows, partitions) = written(b"value", 1000);
        assert_eq!(partitions, [1]);
        assert_eq!(
            (rows.keys.get(0), rows.values.get(0)),
            (Some(&b"k"[..]), Some(&b"value"[..]))
        );
        assert_eq!(
            headers(&rows),
            "service=fraud version=abc node=parse reason=no such product topic=orders \
             partition=5 offset=17 backtrace=0: parse"
        );
    }

    #[test]
    fn a_letter_too_large_for_its_topic_loses_its_value_but_not_its_story() {
        let (rows, _) = written(&[b'x'; 2000], 1000);
        assert_eq!(rows.values.get(0), None);
        assert!(
            headers(&rows).contains("offset=17 cut=value"),
            "{}",
            headers(&rows)
        );
    }
}
