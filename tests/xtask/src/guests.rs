//! The components: built for WebAssembly, and gathered in one folder under the names of their
//! packages.
//!
//! Everything in that folder was put there by the last build: what no member of the workspace makes
//! any more is removed, and a file is touched only when its bytes changed, so that whoever watches
//! the folder sees real changes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::process::run;
use crate::setup::{Toolchain, WASM_TARGET};
use crate::workspace::{Guest, Workspace};

/// The Cargo profile of components: small and fast, and never used for the host.
const PROFILE: &str = "guest";

/// Builds every component; returns the folder that they are in.
pub(crate) fn build(workspace: &Workspace, toolchain: &Toolchain) -> anyhow::Result<PathBuf> {
    let components = workspace.components();
    if !workspace.guests().is_empty() {
        let target = toolchain.target_folder(workspace.target());
        let mut cargo = toolchain.cargo();
        cargo.args(["build", "--profile", PROFILE, "--target", WASM_TARGET]);
        cargo.arg("--target-dir").arg(&target);
        for guest in workspace.guests() {
            cargo.args(["--package", &guest.package]);
        }
        run(&mut cargo)?;
        gather(
            workspace.guests(),
            &target.join(WASM_TARGET).join(PROFILE),
            &components,
        )?;
    }
    Ok(components)
}

/// Copies the guests' files from the build folder, and removes components that are no guest's.
fn gather(guests: &[Guest], built: &Path, components: &Path) -> anyhow::Result<()> {
    for guest in guests {
        let from = built.join(&guest.artifact);
        let bytes = fs::read(&from).with_context(|| format!("reading {}", from.display()))?;
        let to = components.join(&guest.file);
        if fs::read(&to).is_ok_and(|present| present == bytes) {
            continue;
        }
        let folder = to.parent().unwrap_or(components);
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        // In place by a rename: a watcher never reads half a component.
        let part = to.with_extension("part");
        fs::write(&part, &bytes)
            .and_then(|()| fs::rename(&part, &to))
            .with_context(|| format!("writing {}", to.display()))?;
    }
    remove_strangers(guests, components, Path::new(""))
}

fn remove_strangers(guests: &[Guest], components: &Path, below: &Path) -> anyhow::Result<()> {
    let folder = components.join(below);
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let file = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            remove_strangers(guests, components, &file)?;
        } else if !guests.iter().any(|guest| guest.file == file) {
            let stranger = entry.path();
            fs::remove_file(&stranger)
                .with_context(|| format!("removing {}", stranger.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn guest(name: &str, file: &str) -> Guest {
        let artifact = format!("{}.wasm", name.replace('-', "_"));
        Guest {
            package: name.to_owned(),
            artifact,
            file: PathBuf::from(file),
        }
    }

    #[test]
    fn the_folder_holds_the_last_build_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (built, components) = (dir.path().join("built"), dir.path().join("components"));
        fs::create_dir(&built).unwrap();
        fs::write(built.join("order_details.wasm"), "new").unwrap();
        fs::write(built.join("loops.wasm"), "loops").unwrap();
        fs::create_dir_all(components.join("tests")).unwrap();
        fs::write(components.join("order-details.wasm"), "old").unwrap();
        fs::write(components.join("gone.wasm"), "a service that was renamed").unwrap();
        fs::write(
            components.join("tests/gone.wasm"),
            "a guest that was renamed",
        )
        .unwrap();

        let guests = [
            guest("order-details", "order-details.wasm"),
            guest("loops", "tests/loops.wasm"),
        ];
        gather(&guests, &built, &components).unwrap();

        assert_eq!(
            fs::read_to_string(components.join("order-details.wasm")).unwrap(),
            "new"
        );
        assert_eq!(
            fs::read_to_string(components.join("tests/loops.wasm")).unwrap(),
            "loops"
        );
        assert!(!components.join("gone.wasm").exists());
        assert!(!components.join("tests/gone.wasm").exists());
    }

    #[test]
    fn an_unchanged_component_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let (built, components) = (dir.path().join("built"), dir.path().join("components"));
        fs::create_dir(&built).unwrap();
        fs::write(built.join("fraud.wasm"), "same").unwrap();
        let guests = [guest("fraud", "fraud.wasm")];
        gather(&guests, &built, &components).unwrap();
        let file = components.join("fraud.wasm");
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();

        gather(&guests, &built, &components).unwrap();

        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), long_ago);
    }
}
