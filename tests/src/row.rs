//! A row as a plain client sees it, and the row that a test is about to write.

use serde_json::Value;

/// A row that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The topic's partition.
    pub partition: i32,
    /// The place in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// `None`: without a key.
    pub key: Option<Vec<u8>>,
    /// `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    /// In order, duplicates included.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Row {
    /// The key as text. Panics if there is none, or it is not UTF-8.
    #[track_caller]
    pub fn key_text(&self) -> &str {
        text(self.key.as_deref(), "key", self)
    }

    /// The value as text. Panics if it is a tombstone, or not UTF-8.
    #[track_caller]
    pub fn value_text(&self) -> &str {
        text(self.value.as_deref(), "value", self)
    }

    /// The value as JSON. Panics if it is something else.
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = self.value_text();
        serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {text} of {self:?}"))
    }

    /// The text of the first header of this name; `None` if there is none. Panics if it is not
    /// UTF-8.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(it, _)| it == name)?;
        Some(text(value.as_deref(), name, self))
    }
}

#[track_caller]
fn text<'a>(bytes: Option<&'a [u8]>, what: &str, row: &Row) -> &'a str {
    let bytes = bytes.unwrap_or_else(|| panic!("no {what}: {row:?}"));
    std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("the {what} is not UTF-8: {row:?}"))
}

/// A row to write.
#[derive(Clone, Debug, Default)]
pub struct NewRow {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl NewRow {
    /// A row with a value, without a key.
    pub fn value(value: impl Into<Vec<u8>>) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// A row with a key and a value.
    pub fn new(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::value(value)
        }
    }

    /// A row with a key and a JSON value.
    pub fn json(key: impl Into<Vec<u8>>, value: &Value) -> Self {
        Self::new(key, value.to_string())
    }

    /// A key without a value: it deletes.
    pub fn tombstone(key: impl Into<Vec<u8>>) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::default()
        }
    }

    /// Into this partition, not the one that the key says.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// At this time, in milliseconds since the epoch; else now.
    pub fn at(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}
