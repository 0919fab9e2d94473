//! `weir new`: a service crate in a new folder.
//!
//! The crate carries the SDK of this very binary in `.weir/sdk`, so that it builds anywhere, with
//! nothing published and nothing of the author's machine in its manifest.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use include_dir::{Dir, include_dir};

/// What a service crate is built from: the SDK, the engine behind its test driver, the contract.
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../guest-sdk");
static ENGINE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/core");
static CONTRACT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../wit");
const WORKSPACE: &str = include_str!("../../../Cargo.toml");

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The service's name, and the folder's: lower-case letters, digits and '-'.
    name: String,
    /// Use the SDK in this checkout of weir instead of the copy in `.weir/sdk`.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        check(&self.name)?;
        let folder = PathBuf::from(&self.name);
        if folder.exists() {
            bail!(
                "`{}` is there already; choose another name or remove it",
                folder.display()
            );
        }
        let sdk = match &self.sdk {
            Some(checkout) => {
                let sdk = checkout.join("guest-sdk");
                let sdk = sdk.canonicalize().with_context(|| {
                    format!(
                        "--sdk: no SDK at {}; give the root of a checkout",
                        sdk.display()
                    )
                })?;
                sdk.display().to_string()
            }
            None => {
                unpack(&folder.join(".weir/sdk"))?;
                ".weir/sdk/guest-sdk".to_owned()
            }
        };
        for (path, text) in files(&self.name, &sdk) {
            write(&folder.join(path), text.as_bytes())?;
        }
        tracing::info!(
            "made {}: try `cd {} && cargo test`, then `weir dev .`",
            self.name,
            self.name
        );
        Ok(())
    }
}

fn check(name: &str) -> anyhow::Result<()> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(fits) {
        return Ok(());
    }
    bail!(
        "`{name}` cannot be a crate's name: use lower-case letters, digits and '-', a letter first"
    )
}

/// The files of the new crate.
fn files(name: &str, sdk: &str) -> [(&'static str, String); 5] {
    let fill = |text: &str| {
        text.replace("{{name}}", name)
            .replace("{{ident}}", &name.replace('-', "_"))
            .replace("{{sdk}}", sdk)
    };
    [
        ("Cargo.toml", fill(include_str!("template/Cargo.toml.in"))),
        ("src/lib.rs", fill(include_str!("template/lib.rs.in"))),
        ("tests/story.rs", fill(include_str!("template/story.rs.in"))),
        (
            "rust-toolchain.toml",
            include_str!("../../../rust-toolchain.toml").to_owned(),
        ),
        (".gitignore", "target/\n".to_owned()),
    ]
}

/// Writes the SDK as a workspace of its own.
fn unpack(folder: &Path) -> anyhow::Result<()> {
    for (name, source) in [
        ("guest-sdk", &SDK),
        ("host/core", &ENGINE),
        ("wit", &CONTRACT),
    ] {
        unpack_folder(source, &folder.join(name))?;
    }
    write(&folder.join("Cargo.toml"), sdk_workspace()?.as_bytes())
}

fn unpack_folder(source: &Dir<'_>, folder: &Path) -> anyhow::Result<()> {
    for file in source.files() {
        write(
            &folder.join(file.path().file_name().context("a file has a name")?),
            file.contents(),
        )?;
    }
    for inner in source.dirs() {
        let name = inner.path().file_name().context("a folder has a name")?;
        if name != "tests" && name != "target" {
            unpack_folder(inner, &folder.join(name))?;
        }
    }
    Ok(())
}

/// This workspace's manifest, with the members that the SDK needs alone.
fn sdk_workspace() -> anyhow::Result<String> {
    let mut manifest: toml::Table = WORKSPACE.parse()?;
    let members = ["guest-sdk", "guest-sdk/macros", "host/core"];
    let workspace = manifest
        .get_mut("workspace")
        .and_then(toml::Value::as_table_mut);
    let workspace = workspace.context("the manifest has a workspace")?;
    workspace.insert(
        "members".to_owned(),
        members.map(toml::Value::from).to_vec().into(),
    );
    manifest.remove("profile");
    Ok(toml::to_string(&manifest)?)
}

fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("writing {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(failed)?;
    }
    std::fs::write(path, contents).with_context(failed)
}
