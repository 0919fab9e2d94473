//! The engine: one for a host, with the compiler, the instance pool, the clock of calls and the
//! cache of compiled components.
//!
//! Calls are timed by epochs: a thread counts ticks for as long as an engine lives, and code that
//! runs past its deadline traps. A service that is metered by fuel needs other machine code, so
//! there is a second wasmtime engine for those, made when it is first asked for. The same rows give
//! the same bytes on every machine: NaNs are canonical, relaxed SIMD is deterministic.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use super::cache::Cache;
use super::{Component, EngineOptions, Limits, LoadError};

/// Compiles components. Cheap to clone; clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    options: EngineOptions,
    plain: wasmtime::Engine,
    metered: OnceLock<wasmtime::Engine>,
    cache: Option<Cache>,
}

/// An engine that this machine cannot run.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the Wasm engine: {0}")]
pub struct EngineError(String);

impl Engine {
    /// An engine under these limits. Errors: a machine that wasmtime does not know, no thread to be
    /// had.
    pub fn new(options: &EngineOptions) -> Result<Engine, EngineError> {
        let inner = Arc::new(Inner {
            options: options.clone(),
            plain: configured(options, false)?,
            metered: OnceLock::new(),
            cache: options.cache.clone().map(Cache::new),
        });
        let (watched, tick) = (Arc::downgrade(&inner), options.tick);
        std::thread::Builder::new()
            .name("wasm-epochs".to_owned())
            .spawn(move || count(&watched, tick))
            .map_err(|error| EngineError(error.to_string()))?;
        Ok(Engine(inner))
    }

    /// Checks and compiles a component or a core module, and makes an instance of it for a try.
    /// Milliseconds from the cache, else some 100 ms for each 50 KB.
    pub fn load(&self, bytes: &[u8], limits: &Limits) -> Result<Component, LoadError> {
        Component::load(self, bytes, limits)
    }

    /// The limits of the process.
    pub fn options(&self) -> &EngineOptions {
        &self.0.options
    }

    pub(super) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }

    /// The wasmtime engine for services with fuel, or without.
    pub(super) fn wasmtime(&self, metered: bool) -> Result<&wasmtime::Engine, LoadError> {
        if !metered {
            return Ok(&self.0.plain);
        }
        if let Some(engine) = self.0.metered.get() {
            return Ok(engine);
        }
        let made = configured(&self.0.options, true)
            .map_err(|error| LoadError::NotCompilable(error.to_string()))?;
        Ok(self.0.metered.get_or_init(|| made))
    }

    /// Ticks until a deadline this far away; at least that long.
    pub(super) fn ticks(&self, time: Duration) -> u64 {
        let ticks = time.as_nanos() / self.0.options.tick.as_nanos().max(1);
        u64::try_from(ticks)
            .unwrap_or(u64::MAX / 2)
            .saturating_add(2)
    }
}

fn count(watched: &Weak<Inner>, tick: Duration) {
    loop {
        std::thread::sleep(tick);
        let Some(engine) = watched.upgrade() else {
            return;
        };
        engine.plain.increment_epoch();
        if let Some(metered) = engine.metered.get() {
            metered.increment_epoch();
        }
    }
}

/// With a pool of instances; where there is no address space for one, instances are allocated one
/// by one.
fn configured(options: &EngineOptions, metered: bool) -> Result<wasmtime::Engine, EngineError> {
    let mut config = wasmtime::Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(metered)
        .max_wasm_stack(options.stack_bytes)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    let instances = options.max_instances;
    let mut pool = wasmtime::PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_memories(instances)
        .total_core_instances(instances.saturating_mul(8))
        .total_tables(instances.saturating_mul(4))
        .max_memory_size(4 << 30)
        .table_elements(100_000)
        .max_unused_warm_slots(16);
    let mut pooled = config.clone();
    pooled.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pool));
    wasmtime::Engine::new(&pooled)
        .or_else(|error| {
            tracing::warn!(
                error = format!("{error:#}"),
                "no instance pool; instances are allocated one by one"
            );
            wasmtime::Engine::new(&config)
        })
        .map_err(|error| EngineError(format!("{error:#}")))
}
