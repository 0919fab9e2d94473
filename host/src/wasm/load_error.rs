//! Why a component cannot be loaded, and what its author can do about it.

/// A file that is no service. Nothing of it was run but its instantiation.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The first bytes are not those of a Wasm file.
    #[error(
        "not a Wasm file (it begins with {begins}, not with \"\\0asm\"); `weir build` makes a \
         component of a crate"
    )]
    NotWasm {
        /// Its first bytes, escaped.
        begins: String,
    },
    /// Larger than [`super::EngineOptions::max_component_bytes`].
    #[error(
        "the file has {bytes} bytes, more than the limit of {limit}; build with optimisation, and \
         strip debug information"
    )]
    TooLarge {
        /// Of the file.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A core module without the custom section that says what it imports and exports.
    #[error(
        "a core module without a component type: it was not built against the contract in wit/ \
         (with weir-sdk, or with wit-bindgen and the world `service`)"
    )]
    NoComponentType,
    /// A core module of which no component can be made.
    #[error(
        "cannot make a component of this core module: {0}; build it for wasm32-unknown-unknown or \
         wasm32-wasip2"
    )]
    NotEncodable(String),
    /// Not valid, or beyond what the compiler takes.
    #[error("cannot compile: {0}")]
    NotCompilable(String),
    /// An import that no service is granted.
    #[error("it imports `{import}`, which a service is not granted: {remedy}")]
    Denied {
        /// As the component names it.
        import: String,
        /// What to do instead.
        remedy: &'static str,
    },
    /// An import that the host has, but not of this version or type.
    #[error("its imports do not fit this host: {0}; build it with the weir-sdk of this version")]
    Import(String),
    /// An export of the world `service` that is missing or has another type.
    #[error("it is no service: {0}; build it with the weir-sdk of this version")]
    Export(String),
    /// It traps, or exceeds a limit, before any function is called.
    #[error("it cannot be instantiated: {reason}")]
    NotInstantiable {
        /// Which limit, or which trap.
        reason: String,
        /// Where, in Wasm functions; may be empty.
        backtrace: String,
    },
}
