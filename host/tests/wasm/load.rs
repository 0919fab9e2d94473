//! Loading: what is no service is refused with a message that says what to do.

use std::collections::BTreeMap;

use weir_host::wasm::{Digest, Engine, EngineOptions, Limits, LoadError, componentize};

use crate::guest::{bytes, component, engine};

fn refusal(file: impl AsRef<[u8]>) -> String {
    refusal_under(file, &Limits::default())
}

fn refusal_under(file: impl AsRef<[u8]>, limits: &Limits) -> String {
    match engine().load(file.as_ref(), limits) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error.to_string(),
    }
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn a_file_that_is_not_wasm() {
    assert_eq!(
        refusal(b"#!/bin/sh\n"),
        "not a Wasm file (it begins with \"#!/bin/s\", not with \"\\0asm\"); `weir build` makes a \
         component of a crate"
    );
    assert!(refusal(b"").starts_with("not a Wasm file (it begins with nothing"));
}

#[test]
fn a_module_without_a_component_type() {
    assert_eq!(
        refusal(wat("(module)")),
        "a core module without a component type: it was not built against the contract in wit/ \
         (with weir-sdk, or with wit-bindgen and the world `service`)"
    );
}

#[test]
fn a_module_with_a_broken_component_type() {
    let refusal = refusal(wat(r#"(module (@custom "component-type" "nonsense"))"#));
    assert!(
        refusal.starts_with("cannot make a component of this core module: "),
        "{refusal}"
    );
    assert!(
        refusal.ends_with("build it for wasm32-unknown-unknown or wasm32-wasip2"),
        "{refusal}"
    );
}

#[test]
fn a_damaged_file() {
    let mut damaged = bytes();
    damaged.truncate(damaged.len() / 2);
    assert!(refusal(damaged).starts_with("cannot compile: "));
    let mut damaged = wat("(component)");
    damaged.extend_from_slice(&[1, 100, 0]);
    assert!(refusal(damaged).starts_with("cannot compile: "));
}

#[test]
fn a_component_that_imports_a_socket() {
    let text = r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#;
    assert_eq!(
        refusal(wat(text)),
        "it imports `wasi:sockets/tcp@0.2.0`, which a service is not granted: a service has no \
         network; read a topic, or write rows to an outbox topic whose consumer makes the calls \
         (Python: build with --stub-wasi)"
    );
}

#[test]
fn a_component_that_imports_what_nobody_knows() {
    let refusal = refusal(wat(
        r#"(component (import "acme:secrets/store" (instance)))"#,
    ));
    assert!(
        refusal.starts_with("it imports `acme:secrets/store`, which"),
        "{refusal}"
    );
    assert!(refusal.contains("leave out what needs it"), "{refusal}");
}

#[test]
fn a_component_of_another_version_of_the_contract() {
    let refusal = refusal(wat(
        r#"(component (import "weir:service/host@9.0.0" (instance (export "log" (func)))))"#,
    ));
    assert!(
        refusal.starts_with("its imports do not fit this host: "),
        "{refusal}"
    );
    assert!(refusal.contains("weir:service/host@9.0.0"), "{refusal}");
}

#[test]
fn a_component_without_the_exports_of_a_service() {
    assert_eq!(
        refusal(wat("(component)")),
        "it is no service: no export `answer` found; build it with the weir-sdk of this version"
    );
}

#[test]
fn a_component_whose_export_has_another_type() {
    let text = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (export "answer" (func $f)))"#;
    let refusal = refusal(wat(text));
    assert!(
        refusal.starts_with("it is no service: type-checking export func `answer`"),
        "{refusal}"
    );
}

#[test]
fn a_service_that_does_not_fit_its_memory() {
    let limits = Limits {
        memory_bytes: 64 << 10,
        ..Limits::default()
    };
    let refusal = refusal_under(bytes(), &limits);
    assert_eq!(
        refusal,
        "it cannot be instantiated: out of memory (limit 64.0 KiB)"
    );
}

#[test]
fn a_file_that_is_too_large() {
    let options = EngineOptions {
        max_component_bytes: 1000,
        ..EngineOptions::default()
    };
    let small = Engine::new(&options).unwrap();
    let loaded = small.load(&bytes(), &Limits::default());
    assert!(matches!(
        loaded,
        Err(LoadError::TooLarge { limit: 1000, .. })
    ));
}

#[test]
fn a_module_and_the_component_made_of_it_are_the_same_service() {
    let made = componentize(&bytes()).unwrap();
    assert_eq!(componentize(&made).unwrap(), made);
    let config = BTreeMap::new();
    let of_component = engine()
        .load(&made, &Limits::default())
        .unwrap()
        .describe(&config);
    let of_module = component(&Limits::default()).describe(&config);
    assert_eq!(of_component.unwrap(), of_module.unwrap());
}

#[test]
fn a_component_is_named_by_its_bytes() {
    let component = component(&Limits::default());
    assert_eq!(component.digest(), Digest::of(&bytes()));
    assert_eq!(component.digest().to_string().len(), 64);
    assert!(
        component
            .imports()
            .iter()
            .any(|name| name == "weir:service/state@0.1.0")
    );
}

#[test]
fn a_compiled_component_is_kept_and_a_damaged_one_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let options = EngineOptions {
        cache: Some(folder.path().join("compiled")),
        ..EngineOptions::default()
    };
    let load = || {
        let engine = Engine::new(&options).unwrap();
        engine.load(&bytes(), &Limits::default()).unwrap();
    };
    let kept = || {
        let files: Vec<_> = std::fs::read_dir(folder.path().join("compiled"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    };

    load();
    let (file, first) = (kept(), std::fs::read(kept()).unwrap());
    load();
    assert_eq!(std::fs::read(kept()).unwrap(), first);

    std::fs::write(&file, &first[..first.len() / 2]).unwrap();
    load();
    assert_eq!(
        std::fs::read(kept()).unwrap().len(),
        first.len(),
        "made anew"
    );
}
