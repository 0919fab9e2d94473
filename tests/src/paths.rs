//! Where a test finds what was built before it: the folder of the build, the daemon, the
//! components.
//!
//! `cargo xtask test` says it in `WEIR_BIN` and `WEIR_COMPONENTS`; without them, as under a bare
//! `cargo test`, it is looked for beside the test's own executable.

use std::env;
use std::path::PathBuf;

/// The folder that cargo builds to.
pub fn target() -> PathBuf {
    let executable = env::current_exe().expect("a process knows its own executable");
    // target/debug/bench, or a test's target/debug/deps/e2e-0123456789abcdef
    let mut folders = executable.ancestors().skip(1);
    let profile = folders.find(|folder| !folder.ends_with("deps"));
    profile
        .and_then(|profile| profile.parent())
        .expect("executables are two folders deep, those of tests three")
        .to_owned()
}

/// The package of tests in the checkout that is tested.
pub fn package() -> PathBuf {
    // As cargo says when it runs: what it has compiled may come from another checkout.
    let package = env::var_os("CARGO_MANIFEST_DIR");
    package.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// The daemon's executable. Panics if it was not built.
#[track_caller]
pub fn weir() -> PathBuf {
    let path = env::var_os("WEIR_BIN").map_or_else(|| target().join("debug/weir"), PathBuf::from);
    assert!(
        path.is_file(),
        "no daemon at {}: type `cargo build -p weir`",
        path.display()
    );
    path
}

/// The folder of the components under plugins/; the tests' own guests are in its folder `tests`.
/// It may be missing: `cargo xtask guests` makes it.
pub fn components() -> PathBuf {
    env::var_os("WEIR_COMPONENTS").map_or_else(|| target().join("components"), PathBuf::from)
}

/// The component of a package under plugins/ or tests/guests/. Panics if it was not built.
#[track_caller]
pub fn component(package: &str) -> PathBuf {
    let folder = components();
    let file = format!("{package}.wasm");
    let candidates = [folder.join(&file), folder.join("tests").join(&file)];
    let found = candidates.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "no component {file} in {}: type `cargo xtask guests`",
            folder.display()
        )
    })
}
