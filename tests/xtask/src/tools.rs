//! Looking for tools: which programs and libraries this machine has. Reads files and asks programs
//! for their version; changes nothing.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest Java that Apache Kafka 4 runs on.
const OLDEST_JAVA: u32 = 17;

/// The folders that libclang is looked for in, besides those of `LIBCLANG_PATH` and of LLVM's own
/// installations.
const LIBRARY_FOLDERS: [&str; 8] = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt/homebrew/opt/llvm/lib",
    "/usr/local/opt/llvm/lib",
    "/Library/Developer/CommandLineTools/usr/lib",
];

/// The path of the first program of these names.
pub(crate) fn program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).collect();
    names.iter().find_map(|name| {
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        folders
            .iter()
            .map(|folder| folder.join(&file))
            .find(|candidate| candidate.is_file())
    })
}

/// Whether a C compiler is here.
pub(crate) fn c_compiler() -> bool {
    env::var_os("CC").is_some() || program(&["cc", "gcc", "clang"]).is_some()
}

/// Whether a C++ compiler is here.
pub(crate) fn cpp_compiler() -> bool {
    env::var_os("CXX").is_some() || program(&["c++", "g++", "clang++"]).is_some()
}

/// Whether make is here.
pub(crate) fn make() -> bool {
    program(&["make", "gmake"]).is_some()
}

/// Whether bindgen will find libclang, in the places where it looks.
pub(crate) fn libclang() -> bool {
    let mut folders: Vec<PathBuf> = LIBRARY_FOLDERS.iter().map(PathBuf::from).collect();
    if let Some(path) = env::var_os("LIBCLANG_PATH") {
        let path = PathBuf::from(path);
        if path.is_file() {
            return true;
        }
        folders.push(path);
    }
    // Debian and others keep each LLVM in a folder of its own.
    for entry in fs::read_dir("/usr/lib").into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("llvm") {
            folders.push(entry.path().join("lib"));
            folders.push(entry.path().join("lib64"));
        }
    }
    folders.iter().any(|folder| holds_libclang(folder))
}

fn holds_libclang(folder: &Path) -> bool {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let named = name.starts_with("libclang.") || name.starts_with("libclang-");
            // libclang-cpp is the C++ interface, which bindgen has no use for.
            named
                && !name.starts_with("libclang-cpp")
                && (name.contains(".so") || name.ends_with(".dylib") || name.ends_with(".dll"))
        })
}

/// Whether Apache Kafka can be fetched and run; else what is missing, in words.
pub(crate) fn java_and_maven() -> Result<(), String> {
    match java_version() {
        None => return Err(format!("no Java; {OLDEST_JAVA} or later is needed")),
        Some(old) if old < OLDEST_JAVA => {
            return Err(format!(
                "Java {old} is too old; {OLDEST_JAVA} or later is needed"
            ));
        }
        Some(_) => {}
    }
    if program(&["mvn"]).is_none() {
        Err("no Maven (mvn)".to_owned())
    } else {
        Ok(())
    }
}

/// Whether Java comes with its compiler.
pub(crate) fn java_compiler() -> bool {
    match env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/javac").is_file(),
        None => program(&["javac"]).is_some(),
    }
}

fn java_version() -> Option<u32> {
    let java = match env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/java"),
        None => program(&["java"])?,
    };
    let output = Command::new(java).arg("-version").output().ok()?;
    feature_release(&String::from_utf8_lossy(&output.stderr))
}

/// The 17 of `openjdk version "17.0.15" 2025-04-15`, and the 8 of `java version "1.8.0_392"`.
fn feature_release(printed: &str) -> Option<u32> {
    let (_, rest) = printed.split_once("version \"")?;
    let mut numbers = rest
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok());
    match numbers.next()? {
        1 => numbers.next(),
        release => Some(release),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_tells_its_release_in_two_ways() {
        assert_eq!(
            feature_release("openjdk version \"17.0.15\" 2025-04-15\n"),
            Some(17)
        );
        assert_eq!(feature_release("java version \"1.8.0_392\"\n"), Some(8));
        assert_eq!(
            feature_release("openjdk version \"26\" 2026-03-17\n"),
            Some(26)
        );
        assert_eq!(feature_release("command not found"), None);
    }
}
