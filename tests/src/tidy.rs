//! The rules of the house, as functions over a file's path and text: each names what is out of
//! order and where.
//!
//! They read text, not syntax: a rule that needs more than a glance at a line is not worth having.
//! The repository is held against them in `tests/tidy.rs`.

/// A file with more lines is two concepts.
pub const MOST_LINES: usize = 600;
/// A longer line does not fit beside another file.
pub const MOST_COLUMNS: usize = 100;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = [
    "utils", "util", "common", "helpers", "helper", "manager", "misc",
];

/// Adapters of the host: each stands between the world and the engine, none knows another.
const ADAPTERS: [&str; 4] = ["wasm", "kafka", "state", "http"];

/// What may stand at the top level, besides files whose names begin with a dot.
const TOP_LEVEL: [&str; 13] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "guest-sdk",
    "host",
    "plugins",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
    "wit",
];

/// Words that mark what is not finished, or a test that does not run. In pieces: this file is held
/// to the rule, too.
const UNFINISHED: [&str; 6] = [
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("dbg", "!"),
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("#[ign", "ore"),
];

/// A large dependency and the paths that may name it.
struct Door {
    crates: &'static [&'static str],
    paths: &'static [&'static str],
}

const DOORS: [Door; 5] = [
    Door {
        crates: &["wasmtime", "wasmtime_wasi"],
        paths: &["host/src/wasm/"],
    },
    Door {
        crates: &["rdkafka", "rdkafka_sys"],
        paths: &[
            "host/src/kafka/",
            "host/tests/",
            "host/broker/tests/",
            "tests/",
        ],
    },
    Door {
        crates: &["rocksdb"],
        paths: &["host/src/state/", "host/broker/src/storage"],
    },
    Door {
        crates: &["axum"],
        paths: &["host/src/http/"],
    },
    Door {
        crates: &["clap"],
        paths: &["host/src/cli/", "tests/bench/", "tests/xtask/"],
    },
];

/// What the engine must not depend on, by the names of packages.
const NOT_IN_CORE: [&str; 9] = [
    "axum",
    "clap",
    "hyper",
    "notify",
    "rdkafka",
    "rocksdb",
    "tokio",
    "wasmtime",
    "wasmtime-wasi",
];

/// Every rule that looks at one Rust file.
pub fn rust_file(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(format!(
            "{path}: does not open with a `//!` paragraph that says what it is"
        ));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        found.push(format!(
            "{path}: {lines} lines, over {MOST_LINES}: two concepts, two files"
        ));
    }
    let name = path
        .rsplit('/')
        .next()
        .and_then(|name| name.strip_suffix(".rs"))
        .unwrap_or(path);
    if EMPTY_NAMES.contains(&name) {
        found.push(format!(
            "{path}: the name says nothing about what is inside"
        ));
    }
    found.extend(wide_lines(path, text));
    for (number, line) in numbered(text) {
        found.extend(
            UNFINISHED
                .iter()
                .filter(|word| holds_word(line, word))
                .map(|word| format!("{path}:{number}: `{word}`")),
        );
        found.extend(wrong_door(path, line).map(|it| format!("{path}:{number}: {it}")));
    }
    found.extend(foreign_adapters(path, text));
    found
}

/// Lines that are too wide. A line with a web address may be.
pub fn wide_lines(path: &str, text: &str) -> Vec<String> {
    numbered(text)
        .filter(|(_, line)| line.chars().count() > MOST_COLUMNS && !line.contains("https://"))
        .map(|(number, line)| {
            format!(
                "{path}:{number}: {} columns, over {MOST_COLUMNS}",
                line.chars().count()
            )
        })
        .collect()
}

/// Files and folders of the top level that do not belong there.
pub fn top_level<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    names
        .into_iter()
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(name))
        .map(|name| format!("{name}: not at the top level"))
        .collect()
}

/// Dependencies of the engine's manifest, of any kind, that would make it impure.
pub fn core_manifest(text: &str) -> Vec<String> {
    numbered(text)
        .filter_map(|(number, line)| {
            let line = line.trim_start().trim_start_matches('[');
            // Also `[dependencies.tokio]` and `tokio.workspace = true`.
            let line = line
                .rsplit_once("dependencies.")
                .map_or(line, |(_, name)| name);
            let end = line.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'))?;
            let name = &line[..end];
            NOT_IN_CORE
                .contains(&name)
                .then(|| format!("host/core/Cargo.toml:{number}: the engine must not know {name}"))
        })
        .collect()
}

/// A large dependency named away from its door.
fn wrong_door(path: &str, line: &str) -> Option<String> {
    let code = code(line);
    DOORS.iter().find_map(|door| {
        let named = door.crates.iter().find(|name| names_crate(code, name))?;
        let here = door.paths.iter().any(|allowed| path.starts_with(allowed));
        (!here).then(|| format!("`{named}` is for {} only", door.paths.join(", ")))
    })
}

/// Whether a line of code names a crate in a path (`name::…`) or imports it (`use name;`,
/// `use name as …`).
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].trim_end();
        let after = &code[at + name.len()..];
        let starts = !code[..at].ends_with(is_part_of_name) && !before.ends_with("::");
        let imported = before.ends_with("use") && after.trim_start().starts_with([';', 'a']);
        starts && (after.starts_with("::") || imported)
    })
}

/// Where a file of one adapter names another adapter.
fn foreign_adapters(path: &str, text: &str) -> Vec<String> {
    let own = path.strip_prefix("host/src/").and_then(|rest| {
        ADAPTERS.into_iter().find(|it| {
            rest.strip_prefix(it)
                .is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
        })
    });
    let Some(own) = own else { return Vec::new() };
    let code: String = text
        .lines()
        .map(|line| format!("{}\n", code(line)))
        .collect();
    ADAPTERS
        .into_iter()
        .filter(|other| *other != own && crate_modules(&code).any(|module| module == *other))
        .map(|other| format!("{path}: the adapter {own} must not know the adapter {other}"))
        .collect()
}

/// The first segments after each `crate::`, those of groups (`crate::{a::B, c}`) included.
fn crate_modules(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices("crate::").flat_map(|(at, start)| {
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(group) => group_heads(group),
            None => vec![head(rest)],
        }
    })
}

/// The first segments of the members of a group, whose opening brace has been taken off.
fn group_heads(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut heads) = (1, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            heads.push(head(group[from..at].trim_start()));
            from = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

fn head(path: &str) -> &str {
    &path[..path.find(|c| !is_part_of_name(c)).unwrap_or(path.len())]
}

/// Whether a line holds a word that is not part of a longer one.
fn holds_word(line: &str, word: &str) -> bool {
    let ends_in_name = word.ends_with(is_part_of_name);
    line.match_indices(word).any(|(at, _)| {
        let longer_before = line[..at].ends_with(is_part_of_name);
        let longer_after = ends_in_name && line[at + word.len()..].starts_with(is_part_of_name);
        !longer_before && !longer_after
    })
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, code: &str) -> Vec<String> {
        rust_file(path, &format!("//! What it is.\n{code}\n"))
    }

    #[test]
    fn a_large_dependency_is_named_behind_its_door_alone() {
        let import = concat!("use wasm", "time::Engine;");
        assert_eq!(complaints("host/src/wasm/engine.rs", import), [""; 0]);
        assert_eq!(
            complaints("host/src/runtime/worker.rs", import),
            ["host/src/runtime/worker.rs:2: `wasmtime` is for host/src/wasm/ only"]
        );
        for named in [
            "let it: rdkafka::Message;",
            "use rdkafka;",
            "use rdkafka as kafka;",
        ] {
            assert_eq!(
                complaints("host/src/http/mod.rs", named).len(),
                1,
                "{named}"
            );
        }
        for free in [
            "// rdkafka::Message",
            "my_rdkafka::x()",
            "kafka::rdkafka::x()",
            "let rdkafka = 1;",
        ] {
            assert_eq!(complaints("host/src/http/mod.rs", free), [""; 0], "{free}");
        }
    }

    #[test]
    fn an_adapter_names_no_other_adapter() {
        let foreign = |code| foreign_adapters("host/src/http/server.rs", code);
        assert_eq!(
            foreign("use crate::kafka::Producer;"),
            ["host/src/http/server.rs: the adapter http must not know the adapter kafka"]
        );
        assert_eq!(
            foreign("use crate::{\n  config::{Config, file},\n  state::View,\n};").len(),
            1
        );
        assert_eq!(
            foreign("pub(crate) fn x() -> crate::wasm::Component {").len(),
            1
        );
        assert_eq!(foreign("use crate::{config::kafka, http::state};"), [""; 0]);
        assert_eq!(
            foreign("use crate::kafka_names::x; // crate::kafka"),
            [""; 0]
        );
        assert_eq!(
            foreign_adapters("host/src/runtime/mod.rs", "use crate::kafka;"),
            [""; 0]
        );
        assert_eq!(
            foreign_adapters("host/src/state.rs", "use crate::wasm;").len(),
            1
        );
    }

    #[test]
    fn what_is_not_finished_is_found_as_a_word() {
        for word in UNFINISHED {
            assert_eq!(
                complaints("a.rs", &format!("    {word}(it)")).len(),
                1,
                "{word}"
            );
        }
        assert_eq!(
            complaints("a.rs", concat!("let aXX", "XX = my_dbg", "!(1);")),
            [""; 0]
        );
    }

    #[test]
    fn the_engines_manifest_is_read_in_all_its_spellings() {
        let named = |line: &str| core_manifest(line).len();
        assert_eq!(named("tokio.workspace = true"), 1);
        assert_eq!(named("rocksdb = { version = \"1\" }"), 1);
        assert_eq!(named("[dev-dependencies.wasmtime]"), 1);
        assert_eq!(named("[target.'cfg(unix)'.dependencies.rdkafka]"), 1);
        assert_eq!(named("description = \"no tokio, no rdkafka\""), 0);
        assert_eq!(named("tokio-free = \"1\""), 0);
    }

    #[test]
    fn a_line_of_a_hundred_columns_is_not_too_wide() {
        assert_eq!(wide_lines("a.rs", &"ä".repeat(100)), [""; 0]);
        assert_eq!(
            wide_lines("a.rs", &"a".repeat(101)),
            ["a.rs:1: 101 columns, over 100"]
        );
        assert_eq!(
            wide_lines("a.rs", &format!("// https://{}", "a".repeat(100))),
            [""; 0]
        );
    }

    #[test]
    fn a_file_says_what_it_is_and_its_name_does_too() {
        assert_eq!(rust_file("a.rs", "use std::fs;").len(), 1);
        assert_eq!(complaints("host/src/kafka/utils.rs", "").len(), 1);
        assert_eq!(
            complaints("host/src/kafka/mod.rs", &"\n".repeat(MOST_LINES)).len(),
            1
        );
    }

    #[test]
    fn the_top_level_is_a_short_list() {
        assert_eq!(
            top_level(["host", ".ci", "Cargo.toml", "notes.txt"]),
            ["notes.txt: not at the top level"]
        );
    }
}
