//! The door to RocksDB: the engine's contract for backends, and what is only true of a database on
//! a disk.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use weir_core::record::{Batch, Column};
use weir_core::store::contract::store_contract;
use weir_core::store::{Backend, KeyRange, StoreId, Writes};
use weir_core::topology::{Changelog, StoreKind, StoreSpec};
use weir_host::state::{Database, Error, GLOBAL, Memory, TaskState};

/// Set where this executable runs again as the process that is killed.
const CHILD: &str = "WEIR_TEST_STATE_CHILD";

fn store(name: &str, global: bool) -> StoreSpec {
    StoreSpec {
        name: name.to_owned(),
        subtopology: (!global).then_some(0),
        changelog: Changelog::None,
        kind: StoreKind::KeyValue,
        global,
        shared: false,
        read_by_others: false,
    }
}

fn stores() -> Vec<StoreSpec> {
    vec![
        store("counts", false),
        store("sums", false),
        store("products", true),
    ]
}

fn open(folder: &Path) -> Database {
    Database::open(folder, &Memory::default()).unwrap()
}

fn put(
    task: &mut TaskState,
    store: u32,
    key: &str,
    value: Option<&str>,
    changelog_end: Option<i64>,
) {
    let mut rows = Batch::default();
    rows.push(Some(key.as_bytes()), value.map(str::as_bytes), 7);
    let writes = Writes {
        rows,
        changelog_end,
        ..Writes::default()
    };
    task.commit(&[(StoreId(store), writes)]).unwrap();
}

fn get(task: &TaskState, store: u32, key: &str) -> Option<String> {
    let keys: Column = [Some(key.as_bytes())].into_iter().collect();
    let found = task.get_many(StoreId(store), &keys).unwrap();
    found
        .values
        .get(0)
        .map(|value| String::from_utf8(value.to_vec()).unwrap())
}

#[test]
fn rocksdb_keeps_the_contract_of_backends() {
    let folders = RefCell::new(Vec::<(TempDir, PathBuf)>::new());
    let make = || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let task = open(&path).task(3, &stores()).unwrap();
        folders.borrow_mut().push((folder, path));
        Box::new(task) as Box<dyn Backend>
    };
    let reopen = |backend: Box<dyn Backend>| {
        drop(backend);
        let path = folders.borrow().last().unwrap().1.clone();
        Box::new(open(&path).task(3, &stores()).unwrap()) as Box<dyn Backend>
    };
    store_contract(make, reopen);
}

#[test]
fn partitions_do_not_see_each_other_and_all_see_global_tables() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    let mut one = database.task(1, &stores()).unwrap();
    let mut two = database.task(2, &stores()).unwrap();
    let mut everyone = database.task(GLOBAL, &stores()).unwrap();
    put(&mut one, 0, "ada", Some("1"), Some(10));
    put(&mut two, 0, "ada", Some("2"), Some(20));
    put(&mut everyone, 2, "tea", Some("hot"), Some(30));
    assert_eq!(get(&one, 0, "ada").as_deref(), Some("1"));
    assert_eq!(get(&two, 0, "ada").as_deref(), Some("2"));
    assert_eq!(get(&one, 2, "tea").as_deref(), Some("hot"));
    let ends = [&one, &two].map(|task| task.changelog_end(StoreId(0)).unwrap());
    assert_eq!(ends, [Some(10), Some(20)]);
    one.wipe(StoreId(0)).unwrap();
    assert_eq!(
        (get(&one, 0, "ada"), one.changelog_end(StoreId(0)).unwrap()),
        (None, None)
    );
    assert_eq!(get(&two, 0, "ada").as_deref(), Some("2"));
}

#[test]
fn a_view_stays_as_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    let mut task = database.task(0, &stores()).unwrap();
    put(&mut task, 0, "ada", Some("before"), None);
    let view = database.view(0, &stores()).unwrap();
    put(&mut task, 0, "ada", Some("after"), None);
    put(&mut task, 0, "bob", Some("new"), None);
    let keys: Column = [Some(&b"ada"[..]), Some(b"bob")].into_iter().collect();
    let found = view.get_many(StoreId(0), &keys).unwrap();
    assert_eq!(
        found.values.iter().collect::<Vec<_>>(),
        [Some(&b"before"[..]), None]
    );
    let mut seen = Vec::new();
    let range = KeyRange {
        start: Bound::Unbounded,
        end: Bound::Unbounded,
        reverse: true,
    };
    view.range(StoreId(0), range, &mut |key, value, timestamp| {
        seen.push((key.to_vec(), value.to_vec(), timestamp));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen, [(b"ada".to_vec(), b"before".to_vec(), 7)]);
    assert_eq!(get(&task, 0, "bob").as_deref(), Some("new"));
}

#[test]
fn a_store_that_a_version_drops_is_kept_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    put(
        &mut open(folder.path()).task(0, &stores()).unwrap(),
        1,
        "ada",
        Some("kept"),
        Some(4),
    );
    let without = [store("counts", false)];
    {
        let database = open(folder.path());
        database.task(0, &without).unwrap();
        assert_eq!(database.unknown(&without), ["products", "sums"]);
        let task = database.task(0, &stores()).unwrap();
        assert_eq!(get(&task, 1, "ada").as_deref(), Some("kept"));
        drop(task);
        database.forget("sums").unwrap();
        assert_eq!(database.unknown(&without), ["products"]);
    }
    let task = open(folder.path()).task(0, &stores()).unwrap();
    assert_eq!(
        (
            get(&task, 1, "ada"),
            task.changelog_end(StoreId(1)).unwrap()
        ),
        (None, None)
    );
}

#[test]
fn a_checkpoint_is_a_database_to_go_back_to() {
    let folder = tempfile::tempdir().unwrap();
    let (live, kept) = (folder.path().join("live"), folder.path().join("kept"));
    let database = open(&live);
    let mut task = database.task(0, &stores()).unwrap();
    put(&mut task, 0, "ada", Some("before"), Some(5));
    database.checkpoint(&kept).unwrap();
    put(&mut task, 0, "ada", Some("after"), Some(6));
    let old = open(&kept).task(0, &stores()).unwrap();
    assert_eq!(get(&old, 0, "ada").as_deref(), Some("before"));
    assert_eq!(old.changelog_end(StoreId(0)).unwrap(), Some(5));
}

#[test]
fn a_folder_in_use_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    let error = Database::open(folder.path(), &Memory::default())
        .err()
        .unwrap();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    let mut child = child(folder.path(), "open");
    assert_eq!(
        child.wait().unwrap().code(),
        Some(3),
        "another process is refused, too"
    );
}

#[test]
fn a_damaged_database_is_told_apart_and_can_be_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    put(
        &mut open(folder.path()).task(0, &stores()).unwrap(),
        0,
        "ada",
        Some("1"),
        None,
    );
    std::fs::write(folder.path().join("CURRENT"), "nonsense").unwrap();
    let error = Database::open(folder.path(), &Memory::default())
        .err()
        .unwrap();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    Database::destroy(folder.path()).unwrap();
    let task = open(folder.path()).task(0, &stores()).unwrap();
    assert_eq!(get(&task, 0, "ada"), None);
}

#[test]
fn what_was_committed_survives_a_sigkill_together_with_its_offset() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = child(folder.path(), "write");
    let progress = folder.path().join("progress");
    let begun = Instant::now();
    let acknowledged = || {
        std::fs::read_to_string(&progress)
            .ok()
            .and_then(|text| text.parse::<i64>().ok())
    };
    while acknowledged().is_none_or(|count| count < 500) {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the child writes nothing"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let acknowledged = acknowledged().unwrap();
    let task = open(&folder.path().join("state"))
        .task(0, &stores())
        .unwrap();
    let end = task.changelog_end(StoreId(0)).unwrap().unwrap();
    assert!(end >= acknowledged, "{end} < {acknowledged}");
    let values = [get(&task, 0, "last"), get(&task, 1, "last")];
    assert_eq!(
        values,
        [Some(end.to_string()), Some(end.to_string())],
        "both stores and the offset are one"
    );
}

/// This executable again, doing one thing with a folder.
fn child(folder: &Path, what: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_process", "--nocapture"])
        .env(CHILD, format!("{what} {}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn the_child_process() {
    let Ok(job) = std::env::var(CHILD) else {
        return;
    };
    let (what, folder) = job.split_once(' ').unwrap();
    let folder = Path::new(folder);
    if what == "open" {
        let refused = matches!(
            Database::open(folder, &Memory::default()),
            Err(Error::InUse { .. })
        );
        std::process::exit(if refused { 3 } else { 4 });
    }
    let mut task = open(&folder.join("state")).task(0, &stores()).unwrap();
    let part = folder.join("progress.part");
    for count in 1.. {
        let mut rows = Batch::default();
        rows.push(Some(b"last"), Some(count.to_string().as_bytes()), 0);
        let with_offset = Writes {
            rows: rows.clone(),
            changelog_end: Some(count),
            ..Writes::default()
        };
        let without = Writes {
            rows,
            ..Writes::default()
        };
        task.commit(&[(StoreId(0), with_offset), (StoreId(1), without)])
            .unwrap();
        std::fs::write(&part, count.to_string()).unwrap();
        std::fs::rename(&part, folder.join("progress")).unwrap();
    }
}
