//! Why a broker does not start, or stops.

use std::net::SocketAddr;
use std::path::PathBuf;

/// An error of the broker; each says what to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on. Caller: choose another one.
    #[error("cannot listen on {address}: {reason}; is another broker running there?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// Another process has the folder open. Caller: end it, or use another folder.
    #[error("{folder} is used by another broker; stop it, or give this one a folder of its own")]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder cannot be read or written. Caller: see to the disk.
    #[error("the data in {folder} cannot be read or written: {reason}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the storage says.
        reason: String,
    },
    /// The folder holds something that this version does not understand. Caller: use another
    /// folder, or the version that wrote it.
    #[error(
        "the data of this broker are not readable: {what}; another version may have written \
             them: use an empty folder"
    )]
    Unreadable {
        /// Which entry.
        what: String,
    },
}
