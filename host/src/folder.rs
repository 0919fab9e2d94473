//! A folder of components: each `NAME.wasm` in it is the service NAME.
//!
//! The folder is looked at again and again (a few `stat` calls), not watched: that works on every
//! file system, and a file is taken only when two looks find it the same, so never half written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often to look.
pub const INTERVAL: Duration = Duration::from_millis(250);

/// A folder, and what was in it when it was looked at.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    taken: BTreeMap<String, Stamp>,
    seen: BTreeMap<String, Stamp>,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: SystemTime,
}

/// A difference between two looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A component is new, or another one than before.
    Put {
        /// The service.
        name: String,
        /// The component.
        path: PathBuf,
    },
    /// A component is gone.
    Removed {
        /// The service.
        name: String,
    },
}

impl Folder {
    /// The folder, not looked at yet.
    pub fn new(path: &Path) -> Folder {
        Folder {
            path: path.to_owned(),
            taken: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    /// What is there now, without waiting for a second look: for the start.
    pub fn first_look(&mut self) -> io::Result<Vec<Change>> {
        self.seen = self.scan()?;
        self.look()
    }

    /// What has changed since the last look.
    pub fn look(&mut self) -> io::Result<Vec<Change>> {
        let now = self.scan()?;
        let mut changes = Vec::new();
        for (name, stamp) in &now {
            if self.seen.get(name) == Some(stamp) && self.taken.get(name) != Some(stamp) {
                self.taken.insert(name.clone(), *stamp);
                let path = self.path.join(format!("{name}.wasm"));
                changes.push(Change::Put {
                    name: name.clone(),
                    path,
                });
            }
        }
        // Gone from two looks: a rename over the file may hide it for a moment.
        let gone = |name: &&String| !now.contains_key(*name) && !self.seen.contains_key(*name);
        let removed: Vec<_> = self.taken.keys().filter(gone).cloned().collect();
        for name in removed {
            self.taken.remove(&name);
            changes.push(Change::Removed { name });
        }
        self.seen = now;
        Ok(changes)
    }

    fn scan(&self) -> io::Result<BTreeMap<String, Stamp>> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let is_component = path
                .extension()
                .is_some_and(|extension| extension == "wasm");
            let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else {
                continue;
            };
            // A file may be gone by now.
            if let (true, Ok(facts)) = (is_component, std::fs::metadata(&path)) {
                let stamp = Stamp {
                    length: facts.len(),
                    modified: facts.modified()?,
                };
                found.insert(name.to_owned(), stamp);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn put(path: &Path, name: &str) -> Change {
        Change::Put {
            name: name.to_owned(),
            path: path.join(format!("{name}.wasm")),
        }
    }

    #[test]
    fn a_component_is_taken_when_it_has_stopped_changing() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path();
        std::fs::write(path.join("a.wasm"), "1").unwrap();
        std::fs::write(path.join("notes.txt"), "1").unwrap();
        let mut folder = Folder::new(path);
        assert_eq!(folder.first_look().unwrap(), [put(path, "a")]);
        assert_eq!(folder.look().unwrap(), []);

        std::fs::write(path.join("a.wasm"), "12").unwrap();
        assert_eq!(folder.look().unwrap(), [], "it may still be written");
        std::fs::write(path.join("a.wasm"), "123").unwrap();
        assert_eq!(folder.look().unwrap(), [], "and it was");
        assert_eq!(folder.look().unwrap(), [put(path, "a")]);
        assert_eq!(folder.look().unwrap(), []);
    }

    #[test]
    fn a_component_that_is_gone_is_told_once() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path();
        std::fs::write(path.join("a.wasm"), "1").unwrap();
        let mut folder = Folder::new(path);
        folder.first_look().unwrap();
        std::fs::remove_file(path.join("a.wasm")).unwrap();
        assert_eq!(folder.look().unwrap(), []);
        assert_eq!(
            folder.look().unwrap(),
            [Change::Removed {
                name: "a".to_owned()
            }]
        );
        assert_eq!(folder.look().unwrap(), []);
    }
}
