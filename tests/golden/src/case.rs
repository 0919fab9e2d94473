//! Case files: found below folders, read, and their rows as bytes.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use weir_core::testing::Row;

use crate::value::Value;

/// One file.
#[derive(Clone, Debug)]
pub struct Case {
    pub(crate) json: Json,
}

impl Case {
    /// A case from the text of its file. Errors: it is no JSON, or not a case.
    pub fn parse(text: &str) -> Result<Case, String> {
        let json: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for field in ["name", "topics", "topology", "steps", "stores"] {
            if json[field].is_null() {
                return Err(format!("a case has `{field}`"));
            }
        }
        Ok(Case { json })
    }

    /// `family/name`.
    pub fn name(&self) -> &str {
        self.json["name"].as_str().unwrap_or_default()
    }

    /// Its family of operators: the first part of the name.
    pub fn family(&self) -> &str {
        self.name().split('/').next().unwrap_or_default()
    }

    /// The sentence that says what it shows.
    pub fn shows(&self) -> &str {
        self.json["shows"].as_str().unwrap_or_default()
    }

    /// What builds the topology, as text: for the configuration of a component.
    pub fn declaration(&self) -> String {
        serde_json::json!({"topics": self.json["topics"], "topology": self.json["topology"]})
            .to_string()
    }

    pub(crate) fn steps(&self) -> &[Json] {
        self.json["steps"].as_array().unwrap()
    }

    /// The topics that are compared.
    pub(crate) fn outputs(&self) -> Vec<&str> {
        let topics = self.json["topics"].as_object().unwrap().iter();
        topics
            .filter(|(_, topic)| topic["role"] == "output")
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The rows that a step must send to a topic.
    pub(crate) fn expected(&self, step: &Json, topic: &str) -> Vec<Row> {
        let rows = step["out"].as_array().unwrap().iter();
        rows.filter(|row| row[0] == topic)
            .map(|row| self.row(row))
            .collect()
    }

    fn row(&self, row: &Json) -> Row {
        let kind = &self.json["topics"][row[0].as_str().unwrap()]["key"];
        let key = match kind.as_str().unwrap() {
            kind if kind.starts_with("windowed") => Key::Window,
            _ => Key::Other,
        };
        let header = |header: &Json| {
            (
                header[0].as_str().unwrap().to_owned(),
                header[1].as_str().map(|text| text.as_bytes().to_vec()),
            )
        };
        Row {
            key: bytes(&row[1], key),
            value: bytes(&row[2], Key::Other),
            timestamp: row[3].as_i64().unwrap(),
            headers: row[4]
                .as_array()
                .into_iter()
                .flatten()
                .map(header)
                .collect(),
            partition: 0,
        }
    }
}

/// How a windowed key is written.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Key {
    /// Key bytes and start.
    Window,
    /// Key bytes, end and start (sessions); any other key as it is.
    Other,
}

/// A key or value of a case, as bytes.
pub(crate) fn bytes(json: &Json, kind: Key) -> Option<Vec<u8>> {
    match Value::of(json) {
        Value::Window(key, start, end) => {
            let mut bytes = key.bytes()?;
            if kind == Key::Other {
                bytes.extend(end.to_be_bytes());
            }
            bytes.extend(start.to_be_bytes());
            Some(bytes)
        }
        other => other.bytes(),
    }
}

/// The case files at or below `roots`, in the order of their names.
pub fn find(roots: &[PathBuf]) -> std::io::Result<Vec<PathBuf>> {
    fn walk(path: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
        if !path.is_dir() {
            into.push(path.to_owned());
            return Ok(());
        }
        for entry in std::fs::read_dir(path)? {
            let path = entry?.path();
            if path.is_dir()
                || path
                    .extension()
                    .is_some_and(|extension| extension == "json")
            {
                walk(&path, into)?;
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    for root in roots {
        walk(root, &mut found)?;
    }
    found.sort();
    Ok(found)
}

/// The public cases, for this package and those beside it.
pub fn public() -> PathBuf {
    // As cargo says when it runs: what it has compiled may come from another checkout.
    let package = std::env::var_os("CARGO_MANIFEST_DIR");
    let package = package.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).join("../golden/cases")
}
