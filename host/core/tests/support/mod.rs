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
