//! What is plain, what is JSON, and that keys sort.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Debug;

use serde::Deserialize;

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Product {
    Jumpers,
    Underpants,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OrderId(String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: OrderId,
    product: Product,
    quantity: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Opened,
    Moved { by: i32 },
}

fn order(id: &str) -> Order {
    Order {
        id: OrderId(id.to_owned()),
        product: Product::Jumpers,
        quantity: 3,
    }
}

#[track_caller]
fn writes<T: Data + Debug + PartialEq>(half: Half, value: &T, expected: &[u8]) {
    let mut out = b"before".to_vec();
    assert!(encode(value, half, &mut out).unwrap());
    assert_eq!(
        out.strip_prefix(b"before")
            .unwrap()
            .escape_ascii()
            .to_string(),
        expected.escape_ascii().to_string()
    );
    assert_eq!(decode::<T>(Some(expected), half).unwrap(), *value);
}

#[test]
fn scalars_are_plain() {
    writes(Half::Value, &"ada".to_owned(), b"ada");
    writes(Half::Value, &OrderId("17".to_owned()), b"17");
    writes(Half::Value, &Product::Underpants, b"UNDERPANTS");
    writes(Half::Value, &-2_i32, b"\xff\xff\xff\xfe");
    writes(Half::Value, &258_u64, b"\0\0\0\0\0\0\x01\x02");
    writes(Half::Value, &1.5_f64, b"\x3f\xf8\0\0\0\0\0\0");
    writes(Half::Value, &true, b"\x01");
    writes(Half::Value, &vec![0_u8, 255], b"\0\xff");
    writes(Half::Value, &Some(vec![0_u8, 255]), b"\0\xff");
    writes(Half::Value, &Some(7_i32), b"\0\0\0\x07");
}

#[test]
fn everything_else_is_json() {
    let json = br#"{"id":"1","product":"JUMPERS","quantity":3}"#;
    writes(Half::Value, &order("1"), json);
    writes(Half::Key, &order("1"), json);
    writes(Half::Value, &Some(order("1")), json);
    writes(Half::Value, &vec![1, 2], b"[1,2]");
    writes(Half::Value, &("a".to_owned(), 5), br#"["a",5]"#);
    writes(
        Half::Value,
        &Event::Moved { by: 2 },
        br#"{"Moved":{"by":2}}"#,
    );
    writes(Half::Value, &Event::Opened, b"Opened");
    writes(Half::Value, &Json("ada".to_owned()), br#""ada""#);
    writes(Half::Value, &Json(5), b"5");
}

#[test]
fn none_is_null() {
    let mut out = Vec::new();
    assert!(!encode(&None::<Order>, Half::Value, &mut out).unwrap());
    assert_eq!(decode::<Option<Order>>(None, Half::Value).unwrap(), None);
    let error = decode::<Order>(None, Half::Value).unwrap_err();
    assert_eq!(
        error.to_string(),
        "null, and the type has no null; take `Option<…>`"
    );
}

#[test]
fn tuples_are_keys_that_sort_by_their_parts() {
    let key = (Product::Jumpers, OrderId("1".to_owned()));
    writes(Half::Key, &key, b"JUMPERS\0\x001\0\0");
    writes(
        Half::Key,
        &("a\0b".to_owned(), 5_i32),
        b"a\0\xffb\0\0\x80\0\0\x05",
    );
    writes(
        Half::Key,
        &(Json("a".to_owned()), order("1"), (true, 1_u8)),
        b"\"a\"\0\0{\"id\":\"1\",\"product\":\"JUMPERS\",\"quantity\":3}\0\0\x01\x01",
    );
    let keys = [("a", -1), ("a", 3), ("a\0", 0), ("ab", 0), ("b", i32::MIN)];
    let written = keys.map(|(text, number)| {
        let mut out = Vec::new();
        encode_key(&(text.to_owned(), number), &mut out).unwrap();
        out
    });
    assert!(written.is_sorted());
}

#[test]
fn windowed_keys_are_those_of_kafka_streams() {
    let key = "ada".to_owned();
    let (start, end) = (1, 258);
    writes(
        Half::Key,
        &Windowed {
            key: key.clone(),
            start: end,
        },
        b"ada\0\0\0\0\0\0\x01\x02",
    );
    writes(
        Half::Key,
        &Session { key, start, end },
        b"ada\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x01",
    );
    let error = decode_key::<Windowed<String>>(Some(b"short")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "key: shorter than the 8 bytes of its window"
    );
}

#[track_caller]
fn refuses<T: Data + Debug>(bytes: &[u8], reason: &str) {
    let error = decode_value::<T>(Some(bytes)).unwrap_err();
    assert_eq!(error.to_string(), reason);
}

#[test]
fn what_cannot_be_read_is_named() {
    refuses::<Order>(
        br#"{"id":"1","product":"JUMPERS","quantity":"three"}"#,
        "value: field `quantity`: invalid type: string \"three\", expected i32 at line 1 column 48",
    );
    refuses::<Order>(
        br#"{"id":"1","product":"HATS","quantity":3}"#,
        "value: field `product`: unknown variant `HATS`, expected `JUMPERS` or `UNDERPANTS` \
         at line 1 column 26",
    );
    refuses::<Order>(
        br#"{"id":"1"}"#,
        "value: missing field `product` at line 1 column 10",
    );
    refuses::<Order>(
        b"3",
        "value: invalid type: integer `3`, expected struct Order at line 1 column 1",
    );
    refuses::<Order>(
        b"{nonsense",
        "value: key must be a string at line 1 column 2",
    );
    refuses::<i32>(b"12", "value: 2 bytes; i32 has 4 bytes");
    refuses::<Product>(
        b"HATS",
        "value: unknown variant `HATS`, expected `JUMPERS` or `UNDERPANTS`",
    );
    refuses::<String>(
        b"\xff",
        "value: not utf-8: invalid utf-8 sequence of 1 bytes from index 0",
    );
}
