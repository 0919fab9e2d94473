//! The tools of a fresh machine: found, else installed, else named with the command to type.
//!
//! Installed are the WebAssembly target (by rustup) and, as root on Debian and its kin, packages
//! (by apt-get); each is said before. With everything in place this costs one call of rustc and
//! prints nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process::{cargo, output, run};
use crate::tools;

/// The target that components are compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Debian's Rust, where rustup cannot fetch the target: it comes with the sources of the standard
/// library.
const SYSTEM_RUST: &str = "rustc-web cargo-web rust-web-src";
const SYSTEM_BIN: &str = "/usr/bin";
const SYSTEM_SOURCES: &str = "/usr/lib/rustlib/src/rust/library/std/src/lib.rs";
/// The oldest minor release of Rust 1 that builds the workspace.
const OLDEST_RUST: u32 = 95;

/// The Rust that builds components.
pub(crate) enum Toolchain {
    /// The one that builds everything else; it has the target.
    Own,
    /// The system's; it builds the target's standard library too, and links with the other one's
    /// linker.
    System { linker: PathBuf },
}

impl Toolchain {
    /// A cargo of this toolchain.
    pub(crate) fn cargo(&self) -> Command {
        let Self::System { linker } = self else {
            return cargo();
        };
        let mut cargo = Command::new(Path::new(SYSTEM_BIN).join("cargo"));
        cargo
            .env_remove("RUSTUP_TOOLCHAIN")
            .env("RUSTC", Path::new(SYSTEM_BIN).join("rustc"))
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
            .arg("-Zbuild-std=std,panic_abort");
        cargo
    }

    /// Where it builds to; two compilers in one folder would undo each other's work.
    pub(crate) fn target_folder(&self, target: &Path) -> PathBuf {
        match self {
            Self::Own => target.to_owned(),
            Self::System { .. } => target.join("system-rust"),
        }
    }
}

/// A tool, and the packages that bring it.
struct Need {
    what: &'static str,
    present: fn() -> bool,
    debian: &'static str,
    fedora: &'static str,
    homebrew: &'static str,
}

const BUILD_NEEDS: [Need; 4] = [
    Need {
        what: "a C compiler",
        present: tools::c_compiler,
        debian: "gcc",
        fedora: "gcc",
        homebrew: "llvm",
    },
    Need {
        what: "a C++ compiler (for RocksDB)",
        present: tools::cpp_compiler,
        debian: "g++",
        fedora: "gcc-c++",
        homebrew: "llvm",
    },
    Need {
        what: "make (for librdkafka)",
        present: tools::make,
        debian: "make",
        fedora: "make",
        homebrew: "make",
    },
    Need {
        what: "libclang (for the bindings of RocksDB)",
        present: tools::libclang,
        debian: "libclang-dev",
        fedora: "clang-devel",
        homebrew: "llvm",
    },
];

const KAFKA_NEEDS: [Need; 1] = [Need {
    what: "Java 17 and Maven (for Apache Kafka)",
    present: || tools::java_and_maven().is_ok(),
    debian: "default-jre-headless maven",
    fedora: "java-latest-openjdk-headless maven",
    homebrew: "openjdk maven",
}];

const STREAMS_NEEDS: [Need; 1] = [Need {
    what: "a Java compiler (for Kafka Streams)",
    present: tools::java_compiler,
    debian: "default-jdk-headless",
    fedora: "java-latest-openjdk-devel",
    homebrew: "openjdk",
}];

/// What the tools are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To build and run weir.
    Build,
    /// To run Apache Kafka, too.
    Kafka,
    /// To build applications of Kafka Streams, too.
    Streams,
}

impl Purpose {
    /// With Apache Kafka, or without.
    pub(crate) fn with_kafka(kafka: bool) -> Purpose {
        if kafka {
            Purpose::Kafka
        } else {
            Purpose::Build
        }
    }
}

/// Sees to everything that the purpose needs.
/// Errors: something is missing that cannot be installed from here; the message says what to type.
pub(crate) fn prepare(purpose: Purpose) -> anyhow::Result<Toolchain> {
    let mut needs: Vec<&Need> = BUILD_NEEDS.iter().collect();
    if purpose != Purpose::Build {
        needs.extend(&KAFKA_NEEDS);
    }
    if purpose == Purpose::Streams {
        needs.extend(&STREAMS_NEEDS);
    }
    needs.retain(|need| !(need.present)());
    if !needs.is_empty() {
        install(&needs)?;
    }
    toolchain()
}

fn install(needs: &[&Need]) -> anyhow::Result<()> {
    let wanted = needs
        .iter()
        .map(|need| need.what)
        .collect::<Vec<_>>()
        .join(", ");
    let packages = |of: fn(&Need) -> &'static str| {
        let mut names: Vec<_> = needs.iter().flat_map(|need| of(need).split(' ')).collect();
        names.sort_unstable();
        names.dedup();
        names.join(" ")
    };
    let debian = packages(|need| need.debian);
    if root_on_debian() {
        eprintln!("xtask: missing: {wanted}; installing {debian}");
        apt_install(&debian)?;
        let missing: Vec<_> = needs.iter().filter(|need| !(need.present)()).collect();
        if let Some(need) = missing.first() {
            bail!(
                "still missing after the installation of {debian}: {}",
                need.what
            );
        }
        return Ok(());
    }
    let command = if tools::program(&["apt-get"]).is_some() {
        format!("sudo apt-get install --yes {debian}")
    } else if tools::program(&["dnf"]).is_some() {
        format!(
            "sudo dnf install --assumeyes {}",
            packages(|need| need.fedora)
        )
    } else if tools::program(&["brew"]).is_some() {
        format!("brew install {}", packages(|need| need.homebrew))
    } else {
        bail!("missing: {wanted}; install it with your system's package manager and come back");
    };
    bail!("missing: {wanted}; type:\n\n    {command}\n")
}

/// The Rust for components: this one if it has the target or rustup can add it, else the system's.
fn toolchain() -> anyhow::Result<Toolchain> {
    if has_wasm_target()? {
        return Ok(Toolchain::Own);
    }
    if let Ok(system) = system_toolchain() {
        return Ok(system);
    }
    if tools::program(&["rustup"]).is_some() {
        eprintln!("xtask: missing: the Rust target {WASM_TARGET}");
        match run(Command::new("rustup").args(["target", "add", WASM_TARGET])) {
            Ok(()) if has_wasm_target()? => return Ok(Toolchain::Own),
            Ok(()) => eprintln!("xtask: rustup added the target to another toolchain"),
            Err(error) => eprintln!("xtask: {error:#}"),
        }
    }
    if root_on_debian() {
        eprintln!("xtask: installing the system's Rust for {WASM_TARGET}: {SYSTEM_RUST}");
        apt_install(SYSTEM_RUST)?;
        return system_toolchain();
    }
    let debian = tools::program(&["apt-get"]).is_some();
    let other = format!(
        "\n    sudo apt-get install --yes {SYSTEM_RUST}     (where rustup has no network)\n"
    );
    bail!(
        "missing: the Rust target {WASM_TARGET}; type:\n\n    rustup target add {WASM_TARGET}\n{}",
        if debian { other } else { String::new() }
    )
}

fn has_wasm_target() -> anyhow::Result<bool> {
    let arguments = ["--print", "target-libdir", "--target", WASM_TARGET];
    Ok(Path::new(output(Command::new("rustc").args(arguments))?.trim()).is_dir())
}

/// The system's Rust, if it can build components. Errors: it is missing, too old or without
/// sources.
pub(crate) fn system_toolchain() -> anyhow::Result<Toolchain> {
    let rustc = Path::new(SYSTEM_BIN).join("rustc");
    let version = output(Command::new(&rustc).arg("--version"))?;
    let minor: Option<u32> = version
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok());
    if minor.is_none_or(|minor| minor < OLDEST_RUST) {
        bail!(
            "{} is {}, and 1.{OLDEST_RUST} is needed",
            rustc.display(),
            version.trim()
        );
    }
    if !Path::new(SYSTEM_SOURCES).exists() {
        bail!(
            "the sources of the system's Rust are missing ({SYSTEM_SOURCES}): install rust-web-src"
        );
    }
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let host = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let tools = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(host.trim())
        .join("bin");
    let linker = tools.join("rust-lld");
    if !linker.exists() {
        bail!(
            "no rust-lld in {}: install Rust with rustup",
            tools.display()
        );
    }
    Ok(Toolchain::System { linker })
}

fn root_on_debian() -> bool {
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    root && tools::program(&["apt-get"]).is_some()
}

fn apt_install(packages: &str) -> anyhow::Result<()> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .arg("--quiet");
        command
    };
    run(apt().arg("update")).context("the list of Debian packages")?;
    run(apt()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages.split(' ')))
    .with_context(|| format!("installing {packages}"))
}
