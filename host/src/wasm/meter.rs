//! What an instance may have of memory, tables and instances.

use wasmtime::ResourceLimiter;

use super::Limits;

/// Counts what an instance has of each limited thing.
pub(super) struct Meter {
    memory_bytes: usize,
    memory_limit: usize,
    table_limit: usize,
    core_instances: usize,
    memories: usize,
    tables: usize,
    /// The guest asked for more memory than it may have.
    pub(super) memory_refused: bool,
    /// The guest asked for a larger table than it may have.
    pub(super) table_refused: bool,
}

impl Meter {
    pub(super) fn new(limits: &Limits) -> Meter {
        Meter {
            memory_bytes: 0,
            memory_limit: limits.memory_bytes,
            table_limit: limits.table_elements,
            core_instances: limits.core_instances,
            memories: limits.memories,
            tables: limits.tables,
            memory_refused: false,
            table_refused: false,
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown = self
            .memory_bytes
            .saturating_add(desired.saturating_sub(current));
        let granted = grown <= self.memory_limit;
        if granted && maximum.is_none_or(|maximum| desired <= maximum) {
            self.memory_bytes = grown;
        }
        self.memory_refused |= !granted;
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.table_limit;
        self.table_refused |= !granted;
        Ok(granted)
    }

    fn instances(&self) -> usize {
        self.core_instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}
