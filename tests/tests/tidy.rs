//! The repository is tidy: every file that git knows is held against the rules of
//! `weir_tests::tidy`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use weir_tests::{paths, tidy};

fn root() -> PathBuf {
    paths::package()
        .parent()
        .expect("the package of tests is a folder of the repository")
        .to_owned()
}

/// The files that are committed or about to be, with their text; what is not text is left out.
fn files() -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output();
    let listed = listed.expect("git is installed");
    assert!(
        listed.status.success(),
        "not a git checkout: {}",
        root().display()
    );
    let listed = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    paths
        .filter_map(|path| Some((path.to_owned(), fs::read_to_string(root().join(path)).ok()?)))
        .collect()
}

#[track_caller]
fn nothing(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<_> = complaints.into_iter().collect();
    assert!(
        complaints.is_empty(),
        "{} found:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

#[test]
fn every_rust_file_keeps_the_rules_of_the_house() {
    let rust = files()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".rs"));
    nothing(rust.flat_map(|(path, text)| tidy::rust_file(&path, &text)));
}

#[test]
fn the_contract_and_the_scripts_fit_a_hundred_columns() {
    let narrow = files().into_iter().filter(|(path, text)| {
        path.ends_with(".wit") || path.ends_with(".sh") || text.starts_with("#!")
    });
    nothing(narrow.flat_map(|(path, text)| tidy::wide_lines(&path, &text)));
}

#[test]
fn the_top_level_holds_what_belongs_there() {
    let files = files();
    let names: BTreeSet<_> = files
        .iter()
        .filter_map(|(path, _)| path.split('/').next())
        .collect();
    nothing(tidy::top_level(names));
}

#[test]
fn the_engine_depends_on_nothing_impure() {
    let manifest = fs::read_to_string(root().join("host/core/Cargo.toml"));
    nothing(tidy::core_manifest(
        &manifest.expect("the engine has a manifest"),
    ));
}

#[test]
fn every_plugin_has_a_story() {
    let files = files();
    let plugins = files.iter().filter_map(|(path, text)| {
        let folder = path.strip_prefix("plugins/")?.strip_suffix("/Cargo.toml")?;
        text.contains("cdylib").then_some(folder)
    });
    nothing(plugins.filter_map(|plugin| {
        let folder = format!("plugins/{plugin}/");
        let told = files.iter().any(|(path, text)| {
            path.starts_with(&folder) && path.ends_with(".rs") && text.contains("#[test]")
        });
        (!told).then(|| format!("{folder}: no test tells what the service does"))
    }));
}
