//! Compiled components, kept in a folder from one start of the host to the next.
//!
//! A file is named by the digest of the component and by a hash of all that its machine code
//! depends on (wasmtime's version, the engine's settings, the CPU's features), and begins with a
//! checksum of its content. A file that is missing, damaged or of another engine only costs a
//! compilation. The folder is the host's own state: who can write there can run code in the host,
//! so it is made for its owner alone.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::Digest as _;
use wasmtime::component::Component;

use super::Digest;

const CHECKSUM: usize = 32;

pub(super) struct Cache {
    folder: PathBuf,
    parts: AtomicU64,
}

impl Cache {
    pub(super) fn new(folder: PathBuf) -> Cache {
        Cache {
            folder,
            parts: AtomicU64::new(0),
        }
    }

    /// The compiled form, if a former run kept it.
    pub(super) fn load(&self, engine: &wasmtime::Engine, digest: &Digest) -> Option<Component> {
        let path = self.path(engine, digest);
        let file = std::fs::read(&path).ok()?;
        let (checksum, code) = file.split_at_checked(CHECKSUM)?;
        if sha2::Sha256::digest(code).as_slice() != checksum {
            tracing::warn!(path = %path.display(), "a damaged compiled component is made anew");
            return None;
        }
        match deserialize(engine, code) {
            Ok(component) => Some(component),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(path = %path.display(), error, "a foreign one is made anew");
                None
            }
        }
    }

    /// Keeps the compiled form. Where that fails, the next start compiles again.
    pub(super) fn keep(&self, engine: &wasmtime::Engine, digest: &Digest, component: &Component) {
        let path = self.path(engine, digest);
        if let Err(error) = self.write(&path, component) {
            tracing::warn!(path = %path.display(), error, "cannot keep a compiled component");
        }
    }

    fn write(&self, path: &Path, component: &Component) -> Result<(), String> {
        make_private(&self.folder).map_err(|error| error.to_string())?;
        let code = component
            .serialize()
            .map_err(|error| format!("{error:#}"))?;
        let mut file = sha2::Sha256::digest(&code).to_vec();
        file.extend_from_slice(&code);
        // Another process may keep the same component at this moment: each writes a file of its
        // own, one rename wins.
        let part = self.parts.fetch_add(1, Ordering::Relaxed);
        let part = path.with_extension(format!("part-{}-{part}", std::process::id()));
        std::fs::write(&part, file)
            .and_then(|()| std::fs::rename(&part, path))
            .map_err(|error| error.to_string())
    }

    fn path(&self, engine: &wasmtime::Engine, digest: &Digest) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        std::env::consts::ARCH.hash(&mut hasher);
        self.folder
            .join(format!("{digest}-{:016x}.cwasm", hasher.finish()))
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The one place where bytes of a file become machine code.
#[expect(
    unsafe_code,
    reason = "wasmtime cannot check machine code; the folder is this host's own state"
)]
fn deserialize(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was made by `Component::serialize` of a host: it comes from a folder that only
    // the host's user can write, and its checksum shows that it is whole. wasmtime refuses what
    // another version or another configuration made.
    unsafe { Component::deserialize(engine, code) }
}
