//! What the stories share: topologies sketched node by node, and rows as text.

use weir_core::testing::Row;
use weir_core::topology::description::{Description, Edge, Node, Operator, Store};

/// A description that grows.
#[derive(Default)]
pub(crate) struct Sketch {
    pub(crate) description: Description,
}

impl Sketch {
    /// Adds a node that reads these outputs.
    pub(crate) fn node(&mut self, name: &str, inputs: &[Edge], operator: Operator) -> Edge {
        let node = u32::try_from(self.description.nodes.len()).expect("a sketch is small");
        self.description.nodes.push(Node {
            name: name.to_owned(),
            inputs: inputs.to_vec(),
            operator,
        });
        Edge { node, port: 0 }
    }

    /// Adds a shared store.
    #[allow(dead_code, reason = "not every test file has one")]
    pub(crate) fn store(&mut self, name: &str) {
        self.description.stores.push(Store {
            name: name.to_owned(),
            logged: true,
        });
    }
}

/// Bytes as text; `-` for none.
pub(crate) fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(
        || "-".to_owned(),
        |bytes| String::from_utf8_lossy(bytes).into_owned(),
    )
}

/// Rows as `key=value@timestamp`.
#[allow(dead_code, reason = "not every test file shows rows")]
pub(crate) fn shown(rows: &[Row]) -> String {
    let row = |row: &Row| {
        format!(
            "{}={}@{}",
            text(row.key.as_deref()),
            text(row.value.as_deref()),
            row.timestamp
        )
    };
    rows.iter().map(row).collect::<Vec<_>>().join(" ")
}

/// A small generator of numbers (splitmix64).
#[allow(dead_code, reason = "not every test file is random")]
pub(crate) struct Random(pub(crate) u64);

#[allow(dead_code, reason = "not every test file is random")]
impl Random {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).expect("below a usize")
    }
}

/// Text folded at 80 columns; what goes on is indented.
#[allow(dead_code, reason = "not every test file shows messages")]
pub(crate) fn folded(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        lines.push(String::new());
        for word in line.split(' ') {
            let last = lines.last_mut().expect("just pushed");
            if last.len() + word.len() > 80 {
                lines.push(format!("    {word}"));
            } else {
                last.push_str(if last.is_empty() { "" } else { " " });
                last.push_str(word);
            }
        }
    }
    lines.join("\n")
}
