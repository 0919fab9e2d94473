//! Avro and Protobuf to the byte: the examples of their specifications, the envelope of a schema
//! registry, and bytes that are none of them.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use support::Random;
use weir::Data;
use weir::serdes::{Avro, Json, Protobuf, Serde};

#[track_caller]
fn is<T: Debug + PartialEq>(serde: impl Serde<T>, value: &T, bytes: &[u8]) {
    assert_eq!(shown(&written(&serde, value)), shown(bytes));
    assert_eq!(serde.read(bytes).unwrap(), *value);
}

fn written<T>(serde: &impl Serde<T>, value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    serde.check().unwrap();
    serde.write(value, &mut out).unwrap();
    out
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[track_caller]
fn refuses<T: Debug>(serde: &impl Serde<T>, bytes: &[u8], reason: &str) {
    assert_eq!(serde.read(bytes).unwrap_err().to_string(), reason);
}

/// The records of Avro's specification, "Binary Encoding".
mod avro {
    use super::*;

    const TEST: &str = r#"{"type": "record", "name": "test", "fields": [
        {"name": "a", "type": "long"}, {"name": "b", "type": "string"}]}"#;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Test {
        a: i64,
        b: String,
    }

    fn test() -> Test {
        let b = "foo".to_owned();
        Test { a: 27, b }
    }

    #[test]
    fn values_have_the_bytes_of_the_specification() {
        let longs = [
            (0, "00"),
            (-1, "01"),
            (1, "02"),
            (-2, "03"),
            (2, "04"),
            (-64, "7f"),
        ];
        for (value, hex) in longs {
            let byte = u8::from_str_radix(hex, 16).unwrap();
            is(Avro::new(r#""long""#), &i64::from(value), &[byte]);
        }
        is(Avro::new(r#""long""#), &64_i64, b"\x80\x01");
        is(Avro::new(r#""string""#), &"foo".to_owned(), b"\x06foo");
        is(Avro::new(TEST), &test(), b"\x36\x06foo");
        let longs = r#"{"type": "array", "items": "long"}"#;
        is(Avro::new(longs), &vec![3_i64, 27], b"\x04\x06\x36\0");
        let union = r#"["null", "string"]"#;
        is(Avro::new(union), &Some("a".to_owned()), b"\x02\x02a");
        is(Avro::new(union), &None::<String>, b"\0");
        let map = r#"{"type": "map", "values": "boolean"}"#;
        is(
            Avro::new(map),
            &BTreeMap::from([("a".to_owned(), true)]),
            b"\x02\x02a\x01\0",
        );
        is(Avro::new(r#""double""#), &1.5_f64, b"\0\0\0\0\0\0\xf8\x3f");
    }

    #[test]
    fn an_enum_is_the_place_of_its_symbol_in_the_schema() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        enum Suit {
            Hearts,
            Spades,
        }
        let suits = r#"{"type": "enum", "name": "Suit", "symbols": ["Spades", "Hearts"]}"#;
        is(Avro::new(suits), &Suit::Hearts, b"\x02");
        is(Avro::new(suits), &Suit::Spades, b"\0");
    }

    #[test]
    fn an_array_in_blocks_with_sizes_is_read() {
        let longs = Avro::new(r#"{"type": "array", "items": "long"}"#);
        let read: Vec<i64> = longs.read(b"\x01\x02\x06\x02\x36\0").unwrap();
        assert_eq!(read, [3, 27]);
    }

    #[test]
    fn the_envelope_is_that_of_a_schema_registry() {
        is(
            Avro::new(TEST).id(258),
            &test(),
            b"\0\0\0\x01\x02\x36\x06foo",
        );
    }

    #[test]
    fn an_older_row_is_resolved_with_promotion_and_default() {
        let old = r#"{"type": "record", "name": "test", "fields": [
            {"name": "gone", "type": "double"}, {"name": "a", "type": "int"}]}"#;
        let new = r#"{"type": "record", "name": "test", "fields": [
            {"name": "a", "type": "long"}, {"name": "b", "type": "string", "default": "foo"}]}"#;
        let serde = Avro::new(new).id(2).reads(1, old);
        let read: Test = serde.read(b"\0\0\0\0\x01\0\0\0\0\0\0\0\0\x36").unwrap();
        assert_eq!(read, test());
    }

    #[test]
    fn names_and_recursion_are_followed() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct List {
            value: i64,
            next: Option<Box<List>>,
        }
        let schema = r#"{"type": "record", "name": "List", "namespace": "n", "fields": [
            {"name": "value", "type": "long"}, {"name": "next", "type": ["null", "List"]}]}"#;
        let list = |value, next: Option<List>| List {
            value,
            next: next.map(Box::new),
        };
        is(
            Avro::new(schema),
            &list(1, Some(list(2, None))),
            b"\x02\x02\x04\0",
        );
        let endless = [2_u8].repeat(100_000);
        refuses::<List>(
            &Avro::new(schema),
            &endless,
            "values nested more than 64 deep",
        );
    }

    #[test]
    fn bytes_that_are_no_row_are_refused_by_kind() {
        let plain = Avro::new(TEST);
        refuses::<Test>(&plain, b"", "ends early: 0 bytes where 1 should be");
        refuses::<Test>(&plain, b"\x36", "ends early: 0 bytes where 1 should be");
        refuses::<Test>(
            &plain,
            b"\x36\x06fo",
            "ends early: 2 bytes where 3 should be",
        );
        refuses::<Test>(&plain, b"\x36\x06foo!", "1 bytes too many");
        refuses::<Test>(&plain, b"\x36\x05foo", "a length of -3");
        refuses::<Test>(
            &plain,
            b"\x36\x04\xff\xff",
            "a string is not utf-8: invalid utf-8 sequence of 1 bytes from index 0",
        );
        refuses::<Test>(&plain, &[0xff; 12], "a number has more than 64 bits");
        refuses::<i32>(
            &Avro::new(r#""int""#),
            b"\x80\x80\x80\x80\x10",
            "a number is no int",
        );
        refuses::<bool>(&Avro::new(r#""boolean""#), b"\x02", "byte 2 is no boolean");
        refuses::<Option<i64>>(
            &Avro::new(r#"["null", "long"]"#),
            b"\x04",
            "2, where there are 2 variants of a union",
        );
        let known = Avro::new(TEST).id(7).reads(6, TEST);
        refuses::<Test>(
            &known,
            b"\x01\0\0\0\x07",
            "begins with byte 1, and rows of a schema registry with 0; if these have no registry, \
             take away `.id(…)`",
        );
        refuses::<Test>(
            &known,
            b"\0\0\0\x07",
            "4 bytes: shorter than the 5 of a zero and a schema's id, with which rows of a schema \
             registry begin",
        );
        refuses::<Test>(
            &known,
            b"\0\0\0\0\x08\x36\x06foo",
            "schema id 8 is none that this service knows (7, 6); add `.reads(8, …)`",
        );
        refuses::<Test>(
            &known,
            b"\0\0\0\0\x07\x36\x06fo",
            "ends early: 2 bytes where 3 should be",
        );
    }

    #[test]
    fn lengths_and_counts_make_no_room_for_what_is_not_there() {
        let huge = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        refuses::<String>(
            &Avro::new(r#""string""#),
            huge,
            "ends early: 0 bytes where 9223372036854775807 should be",
        );
        for items in ["long", "null"] {
            let array = format!(r#"{{"type": "array", "items": "{items}"}}"#);
            refuses::<Vec<Option<i64>>>(
                &Avro::new(&array),
                huge,
                "9223372036854775807 items of an array or a map: more than bytes",
            );
        }
        let map = r#"{"type": "map", "values": "null"}"#;
        refuses::<BTreeMap<String, ()>>(
            &Avro::new(map),
            b"\x08\0\0",
            "4 items of an array or a map: more than bytes",
        );
    }

    #[test]
    fn a_type_that_is_not_the_schemas_is_told() {
        let mut out = Vec::new();
        let serde = Avro::new(r#""string""#);
        assert!(Serde::<i64>::write(&serde, &5, &mut out).is_err());
        assert!(Serde::<i64>::read(&serde, b"\x06foo").is_err());
        let error = Serde::<String>::check(&Avro::new(r#"{"type": "record"}"#)).unwrap_err();
        assert!(error.to_string().starts_with("no Avro schema: "), "{error}");
    }
}

/// The messages of Protobuf's documentation, "Encoding".
mod protobuf {
    use super::*;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Test1 {
        #[prost(int32, tag = "1")]
        a: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Test2 {
        #[prost(string, tag = "2")]
        b: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Test3 {
        #[prost(message, optional, tag = "3")]
        c: Option<Test1>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Test5 {
        #[prost(int32, repeated, tag = "6")]
        f: Vec<i32>,
    }

    #[test]
    fn messages_have_the_bytes_of_the_documentation() {
        is(Protobuf::new(), &Test1 { a: 150 }, b"\x08\x96\x01");
        let b = "testing".to_owned();
        is(Protobuf::new(), &Test2 { b }, b"\x12\x07testing");
        is(
            Protobuf::new(),
            &Test3 {
                c: Some(Test1 { a: 150 }),
            },
            b"\x1a\x03\x08\x96\x01",
        );
        let f = vec![3, 270, 86942];
        is(
            Protobuf::new(),
            &Test5 { f },
            b"\x32\x06\x03\x8e\x02\x9e\xa7\x05",
        );
    }

    #[test]
    fn the_envelope_has_the_path_of_the_message() {
        let message = Test1 { a: 150 };
        is(
            Protobuf::new().id(258),
            &message,
            b"\0\0\0\x01\x02\0\x08\x96\x01",
        );
        is(
            Protobuf::new().id(1).message([1]),
            &message,
            b"\0\0\0\0\x01\x02\x02\x08\x96\x01",
        );
        is(
            Protobuf::new().id(1).message([1, 0]),
            &message,
            b"\0\0\0\0\x01\x04\x02\0\x08\x96\x01",
        );
        let written_out = Protobuf::new()
            .id(1)
            .read(b"\0\0\0\0\x01\x02\0\x08\x96\x01");
        assert_eq!(written_out, Ok(message.clone()));
        let older = Protobuf::new()
            .reads(1)
            .id(2)
            .read(b"\0\0\0\0\x01\0\x08\x96\x01");
        assert_eq!(older, Ok(message));
    }

    #[test]
    fn bytes_that_are_no_row_are_refused_by_kind() {
        let plain = Protobuf::new().reads(6);
        assert!(Serde::<Test1>::check(&plain).is_err());
        let known = Protobuf::new().id(7).reads(6);
        refuses::<Test1>(
            &known,
            b"\x08\x96\x01",
            "begins with byte 8, and rows of a schema registry with 0; if these have no registry, \
             take away `.id(…)`",
        );
        refuses::<Test1>(
            &known,
            b"\0\0\0\0\x08\0",
            "schema id 8 is none that this service knows (7, 6); add `.reads(8)`",
        );
        refuses::<Test1>(
            &known,
            b"\0\0\0\0\x07",
            "ends within the indexes of its message",
        );
        refuses::<Test1>(
            &known,
            b"\0\0\0\0\x07\x01",
            "an index of its message is none",
        );
        refuses::<Test1>(
            &known,
            b"\0\0\0\0\x07\xfe\xff\xff\xff\x0f",
            "2147483647 indexes lead to its message; at most 32",
        );
        refuses::<Test1>(
            &known,
            b"\0\0\0\0\x07\x02\x02\x08\x96\x01",
            "message [1] of its schema, and this service reads [0]; say which by `.message([1])`",
        );
    }

    /// What prost says; only that it says something is ours.
    #[test]
    fn messages_that_are_cut_wrong_or_longer_than_their_bytes_are_refused() {
        let refused = |bytes: &[u8]| Serde::<Test2>::read(&Protobuf::new(), bytes).is_err();
        assert!(refused(b"\x12\x07test"), "cut");
        assert!(refused(b"\x10\x07"), "of another type");
        assert!(refused(b"\x12\x07testing\x12"), "with a byte too many");
        assert!(
            refused(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
            "with a huge length"
        );
        assert!(refused(b"\x12\x01\xff"), "not utf-8");
    }
}

impl Random {
    fn text(&mut self) -> String {
        let length = self.below(12);
        let letters = (0..length).map(|_| char::from_u32(self.below(0xd7ff) as u32));
        letters.flatten().collect()
    }

    /// Numbers of all magnitudes.
    fn number(&mut self) -> i64 {
        let shift = self.below(64);
        (self.next() >> shift) as i64
    }
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Line {
    #[prost(string, tag = "1")]
    product: String,
    #[prost(int64, tag = "2")]
    pieces: i64,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
struct Order {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(int64, tag = "2")]
    customer: i64,
    #[prost(message, repeated, tag = "3")]
    lines: Vec<Line>,
    #[prost(string, optional, tag = "4")]
    note: Option<String>,
    #[prost(bool, tag = "5")]
    gift: bool,
}

const ORDER: &str = r#"{"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "string"}, {"name": "customer", "type": "long"},
    {"name": "lines", "type": {"type": "array", "items": {
        "type": "record", "name": "Line", "fields": [
            {"name": "product", "type": "string"}, {"name": "pieces", "type": "long"}]}}},
    {"name": "note", "type": ["null", "string"]}, {"name": "gift", "type": "boolean"}]}"#;

fn order(random: &mut Random) -> Order {
    let lines = random.below(4);
    let line = |random: &mut Random| Line {
        product: random.text(),
        pieces: random.number(),
    };
    Order {
        id: random.text(),
        customer: random.number(),
        lines: (0..lines).map(|_| line(random)).collect(),
        note: (random.below(2) == 0).then(|| random.text()),
        gift: random.below(2) == 0,
    }
}

fn seed() -> u64 {
    let seed = std::env::var("SEED").map_or(1124, |seed| seed.parse().unwrap());
    eprintln!("SEED={seed}");
    seed
}

/// A row that was written is read as what it was, alone. A row that was cut or has a byte more is
/// refused, but for Protobuf, whose messages may be cut between fields; a row that was changed
/// anywhere is read as something or refused: it does not panic.
fn round_trips<T: Data + PartialEq + Debug>(
    serde: &impl Serde<T>,
    make: impl Fn(&mut Random) -> T,
    whole: bool,
) {
    let mut random = Random(seed());
    for _ in 0..500 {
        let value = make(&mut random);
        let bytes = written(serde, &value);
        assert_eq!(serde.read(&bytes).unwrap(), value);
        let cut = random.below(bytes.len() as u64) as usize;
        let longer = [&*bytes, &[0x80]].concat();
        if whole {
            assert!(
                serde.read(&bytes[..cut]).is_err(),
                "{cut} of {}",
                shown(&bytes)
            );
        }
        assert!(serde.read(&longer).is_err(), "{}", shown(&longer));
        for _ in 0..20 {
            let mut changed = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(changed.len() as u64) as usize;
                changed[at] = random.next() as u8;
            }
            drop(serde.read(&changed));
        }
    }
}

#[test]
fn what_was_written_is_read() {
    round_trips(&Json, order, true);
    round_trips(&Avro::new(ORDER), order, true);
    round_trips(&Avro::new(ORDER).id(7), order, true);
    round_trips(&Protobuf::new().id(7).message([3, 1]), order, false);
}
