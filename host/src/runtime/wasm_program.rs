//! A Wasm component as a program.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_core::topology::description::Description;

use crate::config::Settings;
use crate::wasm::{Component, Engine, Instance, Limits, LoadError};

use super::program::{Guest, Moment, Program};

/// A component and its configuration.
pub(super) struct WasmProgram {
    component: Component,
    service: String,
    config: BTreeMap<String, String>,
}

impl WasmProgram {
    /// Checks and compiles a component or a core module.
    pub(super) fn load(
        engine: &Engine,
        service: &str,
        bytes: &[u8],
        settings: &Settings,
    ) -> Result<Arc<WasmProgram>, LoadError> {
        let limits = Limits {
            memory_bytes: usize::try_from(settings.memory_bytes).unwrap_or(usize::MAX),
            call_time: settings.call_time,
            fuel: settings.fuel,
            ..Limits::default()
        };
        let component = engine.load(bytes, &limits)?;
        let (service, config) = (service.to_owned(), settings.config.clone());
        Ok(Arc::new(WasmProgram {
            component,
            service,
            config,
        }))
    }
}

impl Program for WasmProgram {
    fn digest(&self) -> String {
        self.component.digest().to_string()
    }

    fn describe(&self) -> Result<Description, String> {
        self.component
            .describe(&self.config)
            .map_err(|error| error.to_string())
    }

    fn instance(&self) -> Result<Box<dyn Guest>, String> {
        Ok(Box::new(
            self.component.instance(&self.service, &self.config),
        ))
    }
}

impl Guest for Instance {
    fn reset(&mut self) {
        Instance::reset(self);
    }

    fn enter(&mut self, moment: Moment) {
        self.set_time(moment.time);
        self.seed(moment.seed);
    }
}
