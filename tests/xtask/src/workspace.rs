//! The workspace as cargo sees it: where it builds to, and which of its members are components.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::process::{cargo, output, run};

/// Folders whose members with a `cdylib` are components, and the subfolder of `components/` that
/// they go to.
const GUEST_FOLDERS: [(&str, &str); 2] = [("plugins", ""), ("tests/guests", "tests")];

/// A crate that is built as a component.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    /// The name of the package.
    pub(crate) package: String,
    /// The file that cargo makes, without its folder.
    pub(crate) artifact: String,
    /// The path of the finished file below the folder of components.
    pub(crate) file: PathBuf,
}

/// What cargo says about the workspace.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    guests: Vec<Guest>,
    test_binaries: Vec<String>,
}

impl Workspace {
    /// Asks cargo; costs about 50 ms and no network.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let printed = output(cargo().args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ]))?;
        let metadata = serde_json::from_str(&printed).context("the answer of `cargo metadata`")?;
        Self::read(&metadata)
    }

    fn read(metadata: &Value) -> anyhow::Result<Self> {
        let path = |field: &str| {
            metadata[field]
                .as_str()
                .map(PathBuf::from)
                .with_context(|| format!("`cargo metadata` says no {field}"))
        };
        let root = path("workspace_root")?;
        let packages = metadata["packages"]
            .as_array()
            .context("no packages in the workspace")?;
        Ok(Self {
            target: path("target_directory")?,
            guests: packages
                .iter()
                .filter_map(|package| guest(&root, package))
                .collect(),
            test_binaries: packages
                .iter()
                .filter(|package| package["name"] == "weir-tests")
                .flat_map(|package| targets(package, "test"))
                .collect(),
            root,
        })
    }

    /// The checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that cargo builds to.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The folder of finished components: those of plugins/ in it, those of the tests in its folder
    /// `tests`.
    pub(crate) fn components(&self) -> PathBuf {
        self.target.join("components")
    }

    /// Builds the daemon; returns its executable.
    pub(crate) fn build_daemon(&self) -> anyhow::Result<PathBuf> {
        self.announce_first_build();
        run(cargo().args(["build", "--package", "weir", "--bin", "weir"]))?;
        Ok(self.executable("weir"))
    }

    /// The executable of this name, once it is built.
    pub(crate) fn executable(&self, name: &str) -> PathBuf {
        self.target
            .join("debug")
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// The members that are components.
    pub(crate) fn guests(&self) -> &[Guest] {
        &self.guests
    }

    /// The names of the test binaries of the package of tests.
    pub(crate) fn test_binaries(&self) -> &[String] {
        &self.test_binaries
    }

    /// Says how long it is going to take, when RocksDB has not been compiled here yet.
    pub(crate) fn announce_first_build(&self) {
        let builds = std::fs::read_dir(self.target.join("debug/build"));
        let compiled = builds.into_iter().flatten().flatten().any(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("librocksdb-sys-")
                && entry.path().join("output").exists()
        });
        if !compiled {
            eprintln!(
                "xtask: the first build compiles RocksDB, Wasmtime and librdkafka: 13-25 minutes \
                 on two cores, most of them in the step `librocksdb-sys`; later builds take seconds"
            );
        }
    }
}

fn guest(root: &Path, package: &Value) -> Option<Guest> {
    let manifest = Path::new(package["manifest_path"].as_str()?)
        .strip_prefix(root)
        .ok()?;
    let (_, subfolder) = GUEST_FOLDERS
        .iter()
        .find(|(folder, _)| manifest.starts_with(folder))?;
    let library = targets(package, "cdylib").next()?;
    let name = package["name"].as_str()?;
    Some(Guest {
        package: name.to_owned(),
        artifact: format!("{}.wasm", library.replace('-', "_")),
        file: Path::new(subfolder).join(format!("{name}.wasm")),
    })
}

/// The names of a package's targets that are built as `kind`.
fn targets(package: &Value, kind: &str) -> impl Iterator<Item = String> {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets
        .filter(move |target| {
            target["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.iter().any(|it| it == kind))
        })
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn workspace() -> Workspace {
        let package = |name: &str, folder: &str, targets: &[(&str, &[&str])]| {
            let targets: Vec<_> = targets
                .iter()
                .map(|(name, kind)| json!({"name": name, "kind": kind}))
                .collect();
            let manifest = format!("/w/{folder}/Cargo.toml");
            json!({"name": name, "manifest_path": manifest, "targets": targets})
        };
        let tests: [(&str, &[&str]); 3] = [
            ("weir_tests", &["lib"]),
            ("e2e", &["test"]),
            ("tidy", &["test"]),
        ];
        Workspace::read(&json!({
            "workspace_root": "/w",
            "target_directory": "/t",
            "packages": [
                package("weir", "host", &[("weir_host", &["lib"]), ("weir", &["bin"])]),
                package("fraud-check", "plugins/fraud", &[("fraud_check", &["cdylib", "rlib"])]),
                package("orders-model", "plugins/orders-model", &[("orders_model", &["lib"])]),
                package("loops", "tests/guests/loops", &[("loops", &["cdylib"])]),
                package("weir-tests", "tests", &tests),
            ],
        }))
        .unwrap()
    }

    #[test]
    fn a_dynamic_library_under_plugins_or_the_tests_guests_is_a_component() {
        let files: Vec<_> = workspace()
            .guests()
            .iter()
            .map(|guest| guest.file.clone())
            .collect();
        let expected = ["fraud-check.wasm", "tests/loops.wasm"].map(PathBuf::from);
        assert_eq!(files, expected);
        assert_eq!(workspace().guests()[0].artifact, "fraud_check.wasm");
    }

    #[test]
    fn the_test_binaries_are_those_of_the_package_of_tests() {
        assert_eq!(workspace().test_binaries(), ["e2e", "tidy"]);
    }
}
