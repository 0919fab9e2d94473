//! A component: one version of a service, checked and compiled.
//!
//! What is loaded here has all exports of the world `service` with their types, imports nothing
//! that a service is not granted, and was instantiated once for a try. Core modules that carry
//! their component type are made components on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::Digest as _;
use weir_core::functions::Failure;
use weir_core::topology::description::Description;
use wit_component::ComponentEncoder;

use super::bindings::ServicePre;
use super::data::Data;
use super::{Engine, Instance, Limits, LoadError, linker};

/// The SHA-256 of a component's file, which names the version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// One version of a service. Cheap to clone; clones are the same component.
#[derive(Clone)]
pub struct Component(Arc<Inner>);

struct Inner {
    digest: Digest,
    engine: Engine,
    limits: Limits,
    imports: Vec<String>,
    pre: ServicePre<Data>,
}

/// Why a service does not say what it is.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// The service's own words about its configuration.
    #[error("the service refuses its configuration: {0}")]
    Refused(String),
    /// It trapped, or exceeded a limit.
    #[error("describing itself, the service failed: {0}")]
    Failed(Failure),
}

impl Component {
    /// As [`Engine::load`].
    pub(super) fn load(
        engine: &Engine,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Component, LoadError> {
        let limit = engine.options().max_component_bytes;
        if bytes.len() > limit {
            return Err(LoadError::TooLarge {
                bytes: bytes.len(),
                limit,
            });
        }
        let form = form(bytes)?;
        let wasmtime = engine.wasmtime(limits.fuel.is_some())?;
        let digest = Digest::of(bytes);
        let kept = engine
            .cache()
            .and_then(|cache| cache.load(wasmtime, &digest));
        let compiled = match kept {
            Some(compiled) => compiled,
            None => {
                let compiled = compile(wasmtime, bytes, form)?;
                if let Some(cache) = engine.cache() {
                    cache.keep(wasmtime, &digest, &compiled);
                }
                compiled
            }
        };
        let imports = check_imports(wasmtime, &compiled)?;
        let pre = linker::linker(wasmtime)
            .and_then(|linker| linker.instantiate_pre(&compiled))
            .map_err(|error| LoadError::Import(format!("{error:#}")))?;
        let pre = ServicePre::new(pre).map_err(|error| LoadError::Export(format!("{error:#}")))?;
        let component = Component(Arc::new(Inner {
            digest,
            engine: engine.clone(),
            limits: limits.clone(),
            imports,
            pre,
        }));
        match component.instance("", &BTreeMap::new()).try_out() {
            Ok(()) => Ok(component),
            Err(Failure::Trapped { reason, backtrace }) => {
                Err(LoadError::NotInstantiable { reason, backtrace })
            }
            Err(Failure::Host(reason)) => Err(LoadError::NotInstantiable {
                reason,
                backtrace: String::new(),
            }),
        }
    }

    /// What the service declares under this configuration, unchecked. Made in an instance of its
    /// own.
    pub fn describe(
        &self,
        config: &BTreeMap<String, String>,
    ) -> Result<Description, DescribeError> {
        self.instance("", config).describe()
    }

    /// The functions of the service `name`, for one thread. Costs nothing until the first call,
    /// which makes the instance in some 50 µs and calls `describe` with `config`.
    pub fn instance(&self, name: &str, config: &BTreeMap<String, String>) -> Instance {
        Instance::new(self.clone(), name, config)
    }

    /// Names the version.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// What it imports, by the names in the component.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// The limits of each of its instances.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(super) fn pre(&self) -> &ServicePre<Data> {
        &self.0.pre
    }
}

impl Digest {
    /// Of a component's file.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(sha2::Sha256::digest(bytes).into())
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// The component that a core module becomes when it is loaded; a component is what it was. Errors:
/// no Wasm file, no component type, a type that the module does not keep.
pub fn componentize(bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    match form(bytes)? {
        Form::Component => Ok(bytes.to_vec()),
        Form::Module => encode(&wasmtime::Engine::default(), bytes),
    }
}

#[derive(Clone, Copy)]
enum Form {
    Module,
    Component,
}

/// Which of the two a file is: they differ in the two bytes after the version.
fn form(bytes: &[u8]) -> Result<Form, LoadError> {
    match bytes {
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => Ok(Form::Module),
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(Form::Component),
        _ => Err(LoadError::NotWasm {
            begins: match &bytes[..bytes.len().min(8)] {
                [] => "nothing".to_owned(),
                begins => format!("\"{}\"", begins.escape_ascii()),
            },
        }),
    }
}

fn compile(
    wasmtime: &wasmtime::Engine,
    bytes: &[u8],
    form: Form,
) -> Result<wasmtime::component::Component, LoadError> {
    let encoded;
    let bytes = match form {
        Form::Component => bytes,
        Form::Module => {
            encoded = encode(wasmtime, bytes)?;
            &encoded
        }
    };
    wasmtime::component::Component::from_binary(wasmtime, bytes)
        .map_err(|error| LoadError::NotCompilable(format!("{error:#}")))
}

/// A component of a core module that carries its component type.
fn encode(wasmtime: &wasmtime::Engine, module: &[u8]) -> Result<Vec<u8>, LoadError> {
    // First, since the encoder takes a whole module for granted.
    wasmtime::Module::validate(wasmtime, module)
        .map_err(|error| LoadError::NotCompilable(format!("{error:#}")))?;
    let refused = |error: anyhow::Error| LoadError::NotEncodable(format!("{error:#}"));
    let (typed, _) = wit_component::metadata::decode(module).map_err(refused)?;
    if typed.is_none() {
        return Err(LoadError::NoComponentType);
    }
    ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(refused)
}

/// The names of all imports. Errors: one that is not granted.
fn check_imports(
    wasmtime: &wasmtime::Engine,
    component: &wasmtime::component::Component,
) -> Result<Vec<String>, LoadError> {
    let imports: Vec<String> = component
        .component_type()
        .imports(wasmtime)
        .map(|(name, _)| name.to_owned())
        .collect();
    match imports.iter().find_map(|name| Some((name, denied(name)?))) {
        None => Ok(imports),
        Some((import, remedy)) => Err(LoadError::Denied {
            import: import.clone(),
            remedy,
        }),
    }
}

/// What to do about an import that is not granted; `None` for one that is.
fn denied(import: &str) -> Option<&'static str> {
    const GRANTED: [&str; 6] = [
        "weir:service/",
        "wasi:cli/",
        "wasi:clocks/",
        "wasi:io/",
        "wasi:random/",
        "wasi:filesystem/",
    ];
    const NETWORK: &str = "a service has no network; read a topic, or write rows to an outbox \
                           topic whose consumer makes the calls (Python: build with --stub-wasi)";
    const OTHER: &str = "leave out what needs it; granted are the world `service` of wit/, and \
                         WASI without files and network";
    if GRANTED.iter().any(|granted| import.starts_with(granted)) {
        None
    } else if import.starts_with("wasi:sockets/") || import.starts_with("wasi:http/") {
        Some(NETWORK)
    } else {
        Some(OTHER)
    }
}
