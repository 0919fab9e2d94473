//! What the Wasm host never exceeds: for the process in [`EngineOptions`], for one service in
//! [`Limits`].

use std::path::PathBuf;
use std::time::Duration;

/// Of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Where compiled components are kept; `None`: nowhere, each load compiles. The folder is made
    /// with mode 0700.
    pub cache: Option<PathBuf>,
    /// Live instances of all services. Each costs address space only, some 6 GiB of it.
    pub max_instances: u32,
    /// Bytes of a component's file.
    pub max_component_bytes: usize,
    /// Bytes of a guest's call stack. The calling thread's own stack must be twice that.
    pub stack_bytes: usize,
    /// How often the time of calls is looked at, and so how exact [`Limits::call_time`] is.
    pub tick: Duration,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            cache: None,
            max_instances: 512,
            max_component_bytes: 64 << 20,
            stack_bytes: 1 << 20,
            tick: Duration::from_millis(10),
        }
    }
}

/// Of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory of an instance, all its memories together.
    pub memory_bytes: usize,
    /// How long one call may take, and how long it may take to make an instance.
    pub call_time: Duration,
    /// Fuel of one call, about one a Wasm instruction; `None`: not metered, a few percent faster.
    pub fuel: Option<u64>,
    /// Bytes that one call may make the host allocate: its answer, or what it hands to a call of
    /// the host.
    pub transfer_bytes: usize,
    /// Elements of a table.
    pub table_elements: usize,
    /// Core instances that a component consists of.
    pub core_instances: usize,
    /// Memories of a component.
    pub memories: usize,
    /// Tables of a component.
    pub tables: usize,
    /// Bytes of a line of the log; the rest is cut.
    pub log_line_bytes: usize,
    /// Lines of the log; the rest is counted and dropped.
    pub log_lines_per_second: u32,
    /// Bytes of a reason, and of a backtrace; the rest is cut.
    pub reason_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes: 64 << 20,
            call_time: Duration::from_secs(2),
            fuel: None,
            transfer_bytes: 128 << 20,
            table_elements: 100_000,
            core_instances: 64,
            memories: 8,
            tables: 32,
            log_line_bytes: 8 << 10,
            log_lines_per_second: 1000,
            reason_bytes: 8 << 10,
        }
    }
}
