//! Who this host is: a name kept in the state folder, so that a host that comes back is the same
//! one.
//!
//! Transactional ids and static members are made of it. Two hosts must never share a state folder,
//! nor a copy of one.

use std::fs;
use std::io;
use std::path::Path;

const FILE: &str = "host-id";

/// The host's id: read from `folder`, or made and kept there.
pub(super) fn host_id(folder: &Path) -> io::Result<String> {
    fs::create_dir_all(folder)?;
    let path = folder.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) if is_id(text.trim()) => Ok(text.trim().to_owned()),
        Ok(_) => make(&path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path),
        Err(error) => Err(error),
    }
}

fn make(path: &Path) -> io::Result<String> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    // Written beside it and renamed: a crash leaves no half of an id.
    let beside = path.with_extension("new");
    fs::write(&beside, &id)?;
    fs::rename(&beside, path)?;
    Ok(id)
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_host_that_comes_back_is_the_same_one() {
        let folder = tempfile::tempdir().unwrap();
        let first = host_id(&folder.path().join("state")).unwrap();
        assert_eq!(host_id(&folder.path().join("state")).unwrap(), first);
        assert_ne!(host_id(&folder.path().join("other")).unwrap(), first);
    }
}
