//! `weir describe`: what a component declares.

use std::path::PathBuf;

use anyhow::Context;

use crate::inspect;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The Wasm file: a component, or a core module that carries its component type.
    file: PathBuf,
    /// The service's name, which its internal topics begin with. Default: the file's name.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// A configuration value, which may change the topology.
    #[arg(long, value_name = "KEY=VALUE", value_parser = inspect::key_value)]
    set: Vec<(String, String)>,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let name = self
            .service
            .unwrap_or_else(|| inspect::service_name(&self.file));
        let report = inspect::report(&self.file, &name, &self.set.into_iter().collect())
            .with_context(|| self.file.display().to_string())?;
        super::print(&report)
    }
}
