//! `weir build`: a service crate becomes a component.
//!
//! Cargo builds the crate for wasm32-unknown-unknown; the module is made a component here and
//! described once, so that what would be refused at a deployment is refused now.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::inspect;

const TARGET: &str = "wasm32-unknown-unknown";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The crate's folder.
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// Where the component goes. Default: `NAME.wasm` in the crate's `target/weir`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let built = build(&self.folder, self.out)?;
        super::print(&format!("{}\n", built.display()))
    }
}

/// Builds the crate in `folder`, returns the component's path.
pub(super) fn build(folder: &Path, out: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let module = compile(folder)?;
    let name = inspect::service_name(&module);
    let component = inspect::componentize(&module)
        .with_context(|| format!("{}: is the crate a service?", module.display()))?;
    let out = out.unwrap_or_else(|| folder.join("target/weir").join(format!("{name}.wasm")));
    if let Some(parent) = out.parent() {
        std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    }
    std::fs::write(&out, component).with_context(|| format!("writing {}", out.display()))?;
    Ok(out)
}

/// Runs cargo; returns the module that it made.
fn compile(folder: &Path) -> anyhow::Result<PathBuf> {
    if !folder.join("Cargo.toml").is_file() {
        bail!(
            "{} has no Cargo.toml; give the folder of a service crate",
            folder.display()
        );
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo; is Rust installed?")?;
    if !output.status.success() {
        bail!(
            "cargo failed; if it lacks the target, `rustup target add {TARGET}` brings it ({})",
            output.status
        );
    }
    let messages = String::from_utf8(output.stdout).context("reading cargo's messages")?;
    last_module(&messages).context(
        "the crate made no Wasm module; its Cargo.toml needs \
         `[lib] crate-type = [\"cdylib\", \"rlib\"]`",
    )
}

/// The module of the crate itself: the last one that cargo tells of.
fn last_module(messages: &str) -> Option<PathBuf> {
    let mut artifacts = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let files = message.get("filenames")?.as_array()?.clone();
        files
            .iter()
            .filter_map(|file| Some(PathBuf::from(file.as_str()?)))
            .find(|file| {
                file.extension()
                    .is_some_and(|extension| extension == "wasm")
            })
    });
    artifacts.next_back()
}
