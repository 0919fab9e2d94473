//! Blueprints: a version of a service that has been described and checked, ready to be run.

use std::sync::Arc;

use weir_core::limits::Limits;
use weir_core::topology::{Difference, Errors, Topology, compile};

use crate::config::Settings;

use super::program::Program;

/// A checked version of a service and how it is to be run.
pub(super) struct Blueprint {
    pub(super) program: Arc<dyn Program>,
    pub(super) topology: Arc<Topology>,
    pub(super) settings: Settings,
}

/// Why a version of a service is not taken. What ran before goes on.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file is no component that may run here.
    #[error("`{service}` is refused: {reason}")]
    Component {
        /// The service.
        service: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// It does not like its configuration.
    #[error("`{service}` does not describe itself: {reason}")]
    Configuration {
        /// The service.
        service: String,
        /// In its own words.
        reason: String,
    },
    /// Its topology makes no sense.
    #[error("the topology of `{service}` is refused: {errors}")]
    Topology {
        /// The service.
        service: String,
        /// All of them.
        errors: Errors,
    },
    /// The version that runs has another shape, and its state would not fit.
    #[error(
        "the new version of `{service}` has another shape, so the old one goes on:\n{}",
        list(.differences)
    )]
    Shape {
        /// The service.
        service: String,
        /// All of them.
        differences: Vec<Difference>,
    },
    /// The host is on its way down.
    #[error("the host stops")]
    Stopping,
}

fn list(differences: &[Difference]) -> String {
    let lines: Vec<String> = differences
        .iter()
        .map(|difference| format!("- {difference}"))
        .collect();
    lines.join("\n")
}

impl Blueprint {
    /// Describes and checks a program. Nothing of it is running after this.
    pub(super) fn of(
        service: &str,
        program: Arc<dyn Program>,
        settings: &Settings,
    ) -> Result<Blueprint, Refusal> {
        let service = || service.to_owned();
        let description = program
            .describe()
            .map_err(|reason| Refusal::Configuration {
                service: service(),
                reason,
            })?;
        let topology = compile(&service(), &description).map_err(|errors| Refusal::Topology {
            service: service(),
            errors,
        })?;
        Ok(Blueprint {
            program,
            topology: Arc::new(topology),
            settings: settings.clone(),
        })
    }

    /// What keeps `new` from taking this one's place between two transactions.
    pub(super) fn check_swap(&self, new: &Blueprint) -> Result<(), Refusal> {
        let differences = self.topology.differences(&new.topology);
        if differences.is_empty() {
            return Ok(());
        }
        let service = self.topology.service().to_owned();
        Err(Refusal::Shape {
            service,
            differences,
        })
    }

    /// The limits of its tasks.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            max_batch_rows: self.settings.max_batch_rows,
            max_idle_ms: i64::try_from(self.settings.max_idle.as_millis()).unwrap_or(i64::MAX),
            ..Limits::default()
        }
    }
}
