//! Looking at a component without running a service: what `weir describe` and `weir build` say.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use weir_core::topology::{Topology, compile};

use crate::wasm::{self, Component, Engine, EngineOptions, Limits};

/// The name that a service has by its file: `inventory.wasm` is `inventory`.
pub fn service_name(file: &Path) -> String {
    let stem = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().replace('_', "-"));
    stem.unwrap_or_else(|| "service".to_owned())
}

/// The component that a file is, or can be made into.
pub fn componentize(file: &Path) -> anyhow::Result<Vec<u8>> {
    Ok(wasm::componentize(&std::fs::read(file)?)?)
}

/// Loads a file as a host does, and compiles the topology that it describes under this
/// configuration.
pub fn load(
    file: &Path,
    service: &str,
    config: &BTreeMap<String, String>,
) -> anyhow::Result<(Component, Topology)> {
    let bytes = std::fs::read(file)?;
    let component = Engine::new(&EngineOptions::default())?.load(&bytes, &Limits::default())?;
    let topology = compile(service, &component.describe(config)?)
        .map_err(|errors| anyhow::anyhow!("the topology is refused: {errors}"))?;
    Ok((component, topology))
}

/// What a component declares, for a person to read.
pub fn report(
    file: &Path,
    service: &str,
    config: &BTreeMap<String, String>,
) -> anyhow::Result<String> {
    let (component, topology) = load(file, service, config)?;
    let mut text = String::new();
    writeln!(text, "service  {service}")?;
    writeln!(text, "digest   sha256:{}", component.digest())?;
    writeln!(text, "\n{}", topology.describe().trim_end())?;
    let mut section = |title: &str, lines: Vec<String>| {
        if lines.is_empty() {
            return;
        }
        text.push('\n');
        text.push_str(title);
        text.push('\n');
        for line in lines {
            text.push_str("  ");
            text.push_str(&line);
            text.push('\n');
        }
    };
    let stores = topology
        .stores()
        .iter()
        .map(|store| match store.changelog.topic() {
            Some(topic) => format!("{} (changelog {topic})", store.name),
            None => format!("{} (no changelog)", store.name),
        });
    section("Stores", stores.collect());
    let topics = [
        ("reads", topology.source_topics()),
        ("reads whole", topology.global_topics()),
        ("writes", topology.sink_topics()),
        ("makes", topology.repartition_topics()),
    ];
    let topics = topics.iter().flat_map(|(verb, topics)| {
        topics
            .iter()
            .map(move |topic| format!("{verb:<12} {topic}"))
    });
    section("Topics", topics.collect());
    let routes = topology
        .routes()
        .iter()
        .map(|route| format!("{:<6} {}", route.method, route.path));
    section("Routes", routes.collect());
    section("Imports", component.imports().to_vec());
    Ok(text)
}

/// `KEY=VALUE`, as a command line gives it.
pub fn key_value(text: &str) -> anyhow::Result<(String, String)> {
    let (key, value) = text.split_once('=').context("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
