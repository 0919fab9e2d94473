//! The families: a topology for each, what it is fed with, and what must be the same.

use std::fmt::Debug;
use std::time::Duration;

use weir::{
    Data, JoinWindows, SessionWindows, SlidingWindows, Stream, Suppressed, Table, TimeWindows,
    Topology,
};

/// A value: the name of a group, or of a row of the other side, and a number.
pub(crate) type Item = (String, i64);

/// What must be the same of the rows of a key.
#[derive(Clone, Copy)]
pub(crate) enum Same {
    /// All of them, in their order.
    EachRow,
    /// All of them. Two rows that a key has waited for may come in the order of either.
    AnyOrder,
    /// The last one; a tombstone is as good as none. Rows that reach a key from several partitions
    /// meet in an order that nobody promises, so what the key was in between is not promised
    /// either.
    Last,
    /// The last one, whatever its time: a foreign-key join's result has the time of the row that
    /// caused it, and which of the two did depends on which came first.
    LastValue,
}

/// What a family is fed with.
#[derive(Clone, Copy, Default)]
pub(crate) struct Feed {
    /// Rows of `r`, too. Those of both topics are in the order of time unless they may be late:
    /// only then is there one order in which a task takes what it finds.
    pub(crate) right: bool,
    /// All of `r` before all of `l`: what looks `r` up sees it as it stands when its turn comes,
    /// and rows that are repartitioned have their turn later.
    pub(crate) first: bool,
    /// Rows that lie behind those before them.
    pub(crate) late: bool,
    /// Tombstones.
    pub(crate) deletes: bool,
}

const NONE: Feed = Feed {
    right: false,
    first: false,
    late: false,
    deletes: false,
};
const LEFT_LATE: Feed = Feed { late: true, ..NONE };
const LEFT_TABLE: Feed = Feed {
    late: true,
    deletes: true,
    ..NONE
};
const BOTH: Feed = Feed {
    right: true,
    ..NONE
};
const BOTH_LATE: Feed = Feed { late: true, ..BOTH };
const BOTH_TABLES: Feed = Feed {
    deletes: true,
    ..BOTH
};
const RIGHT_FIRST: Feed = Feed {
    first: true,
    ..BOTH
};

/// A keyed topology from `l` and `r` to `out`.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) feed: Feed,
    pub(crate) same: Same,
    pub(crate) service: fn(&mut Topology),
}

pub(crate) fn families() -> Vec<Family> {
    let family = |name, feed, same, service| Family {
        name,
        feed,
        same,
        service,
    };
    let all = [groups(), windows(), joins(), tables()];
    all.into_iter()
        .flatten()
        .map(|(name, feed, same, service)| family(name, feed, same, service))
        .collect()
}

type Row = (&'static str, Feed, Same, fn(&mut Topology));

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// More than a transaction's time, which repartitioning mixes up, and a late row's.
const GRACE: u64 = 200;

fn left(t: &mut Topology) -> Stream<String, Item> {
    t.stream("l")
}

fn right(t: &mut Topology) -> Stream<String, Item> {
    t.stream("r")
}

/// The rows of `l` by their groups, which lie in other partitions than their keys.
fn by_group(t: &mut Topology) -> Stream<String, Item> {
    left(t).rekey("l-by-group", |(group, _)| group.clone())
}

fn right_by_group(t: &mut Topology) -> Stream<String, Item> {
    right(t).rekey("r-by-group", |(group, _)| group.clone())
}

/// Rows as text, so that all families are read alike.
fn out<K: Data + Debug, V: Data + Debug>(rows: &Stream<K, V>) {
    rows.map(|row| (format!("{:?}", row.key), format!("{:?}", row.value)))
        .to("out");
}

fn changes<K: Data + Debug, V: Data + Debug>(table: &Table<K, V>) {
    out(&table.changes());
}

/// A state that remembers which rows came, and in which order.
fn note(notes: &mut String, (group, number): &Item) {
    notes.push_str(&format!(" {group}{number}"));
}

/// A state that does not remember the order.
fn add(sum: &mut i64, (_, number): &Item) {
    *sum += number;
}

fn pair<L: Debug + ?Sized, R: Debug + ?Sized>(left: &L, right: &R) -> String {
    format!("{left:?} {right:?}")
}

fn hopping() -> TimeWindows {
    TimeWindows::hopping(ms(100), ms(40)).grace(ms(GRACE))
}

fn tumbling() -> TimeWindows {
    TimeWindows::tumbling(ms(100)).grace(ms(GRACE))
}

fn sliding() -> SlidingWindows {
    SlidingWindows::of(ms(60)).grace(ms(GRACE))
}

fn gaps() -> SessionWindows {
    SessionWindows::gap(ms(50)).grace(ms(GRACE))
}

fn both_notes(first: String, second: String) -> String {
    first + &second
}

fn groups() -> Vec<Row> {
    vec![
        ("count", LEFT_LATE, Same::EachRow, |t| {
            changes(&left(t).group().count("out"));
        }),
        ("reduce", LEFT_LATE, Same::EachRow, |t| {
            let longer = |(names, n): Item, (name, m): &Item| (names + name, n - m);
            changes(&left(t).group().reduce("out", longer));
        }),
        ("aggregate", LEFT_LATE, Same::EachRow, |t| {
            changes(&left(t).group().aggregate("out", String::new, note));
        }),
        ("update", LEFT_LATE, Same::EachRow, |t| {
            let updated = left(t).update("out", |notes: &mut Option<String>, row, forward| {
                note(notes.get_or_insert_default(), row.value);
                if row.value.1 % 7 == 0 {
                    *notes = None;
                }
                forward.forward(row.key, notes);
            });
            out(&updated);
        }),
        ("process", LEFT_LATE, Same::EachRow, |t| {
            let store = t.store::<String, String>("notes");
            let processed = left(t).process("out", store, |ctx, row, store| {
                let mut notes = ctx.get(store, row.key).unwrap_or_default();
                note(&mut notes, row.value);
                ctx.put(store, row.key, &notes);
                ctx.forward(row.key, &notes);
            });
            out(&processed);
        }),
        ("cogroup", BOTH, Same::EachRow, |t| {
            let cogroup = left(t).group().cogroup(note).and(&right(t).group(), note);
            changes(&cogroup.aggregate("out", String::new));
        }),
        ("count of other keys", LEFT_LATE, Same::Last, |t| {
            changes(&by_group(t).group().count("out"));
        }),
        ("aggregate of other keys", LEFT_LATE, Same::Last, |t| {
            changes(&by_group(t).group().aggregate("out", || 0, add));
        }),
        ("cogroup of other keys", BOTH_LATE, Same::Last, |t| {
            let right = right_by_group(t).group();
            let cogroup = by_group(t).group().cogroup(add).and(&right, add);
            changes(&cogroup.aggregate("out", || 0));
        }),
    ]
}

fn windows() -> Vec<Row> {
    vec![
        ("hopping", LEFT_LATE, Same::EachRow, |t| {
            let windows = left(t).group().windowed(hopping());
            changes(&windows.aggregate("out", String::new, note));
        }),
        ("tumbling", LEFT_LATE, Same::EachRow, |t| {
            changes(&left(t).group().windowed(tumbling()).count("out"));
        }),
        ("sliding", LEFT_LATE, Same::EachRow, |t| {
            let windows = left(t).group().windowed(sliding());
            changes(&windows.aggregate("out", String::new, note));
        }),
        ("sessions", LEFT_LATE, Same::EachRow, |t| {
            let sessions = left(t).group().sessions(gaps());
            changes(&sessions.aggregate("out", String::new, note, both_notes));
        }),
        ("hopping on close", LEFT_LATE, Same::EachRow, |t| {
            let windows = left(t).group().windowed(hopping());
            let windows = windows.emit_on_window_close();
            changes(&windows.aggregate("out", String::new, note));
        }),
        ("sliding on close", LEFT_LATE, Same::EachRow, |t| {
            let windows = left(t).group().windowed(sliding());
            changes(&windows.emit_on_window_close().count("out"));
        }),
        ("sessions on close", LEFT_LATE, Same::EachRow, |t| {
            let sessions = left(t).group().sessions(gaps()).emit_on_window_close();
            changes(&sessions.aggregate("out", String::new, note, both_notes));
        }),
        ("suppressed windows", LEFT_LATE, Same::EachRow, |t| {
            let windows = left(t).group().windowed(hopping());
            let windows = windows.aggregate("windows", String::new, note);
            changes(&windows.suppress("out", Suppressed::until_window_closes()));
        }),
        ("tumbling cogroup", BOTH, Same::EachRow, |t| {
            let cogroup = left(t).group().cogroup(note).and(&right(t).group(), note);
            changes(&cogroup.windowed(tumbling()).aggregate("out", String::new));
        }),
        ("cogroup in sessions", BOTH, Same::EachRow, |t| {
            let cogroup = left(t).group().cogroup(note).and(&right(t).group(), note);
            let sessions = cogroup.sessions(gaps());
            changes(&sessions.aggregate("out", String::new, both_notes));
        }),
        ("hopping by other keys", LEFT_LATE, Same::Last, |t| {
            let windows = by_group(t).group().windowed(hopping());
            changes(&windows.aggregate("out", || 0, add));
        }),
        ("sliding by other keys", LEFT_LATE, Same::Last, |t| {
            changes(&by_group(t).group().windowed(sliding()).count("out"));
        }),
        ("sessions of other keys", LEFT_LATE, Same::Last, |t| {
            let sessions = by_group(t).group().sessions(gaps());
            changes(&sessions.aggregate("out", || 0, add, |one, other| one + other));
        }),
        (
            "tumbling by other keys on close",
            LEFT_LATE,
            Same::EachRow,
            |t| {
                let windows = by_group(t).group().windowed(tumbling());
                let windows = windows.emit_on_window_close();
                changes(&windows.aggregate("out", || 0, add));
            },
        ),
    ]
}

fn joins() -> Vec<Row> {
    vec![
        ("stream-table", BOTH, Same::EachRow, |t| {
            let table = t.table::<String, Item>("r");
            out(&left(t).left_join(&table, |l, r| pair(l, &r)));
        }),
        (
            "stream-table of other keys",
            RIGHT_FIRST,
            Same::AnyOrder,
            |t| {
                let table = t.table::<String, Item>("r");
                out(&by_group(t).join(&table, pair));
            },
        ),
        // By time, whatever came first: so in one order. The history is longer than the test, since
        // versions expire by the time of all keys.
        ("stream-table as it was", BOTH, Same::EachRow, |t| {
            let table = t.table_with_history::<String, Item>("r", ms(1_000_000));
            let joined = by_group(t);
            out(&joined.left_join_with_grace(&table, ms(GRACE), |l, r| pair(l, &r)));
        }),
        ("stream-global table", RIGHT_FIRST, Same::EachRow, |t| {
            let table = t.global_table::<String, Item>("r");
            out(&left(t).left_join_global(&table, |row| row.value.0.clone(), |l, r| pair(l, &r)));
        }),
        ("inner stream-stream", BOTH_LATE, Same::AnyOrder, |t| {
            let (left, right) = (left(t), right(t));
            let within = JoinWindows::within(ms(60)).grace(ms(GRACE));
            out(&left.join_stream("out", &right, within, pair));
        }),
        // A row that comes when stream time has passed its window is sent alone at once, grace or
        // not, as in Kafka Streams; so the windows reach further than rows are late.
        ("left stream-stream", BOTH_LATE, Same::AnyOrder, |t| {
            let (left, right) = (left(t), right(t));
            let within = JoinWindows::within(ms(50)).before(ms(60)).grace(ms(GRACE));
            out(&left.left_join_stream("out", &right, within, |l, r| pair(l, &r)));
        }),
        ("outer stream-stream", BOTH_LATE, Same::AnyOrder, |t| {
            let (left, right) = (left(t), right(t));
            let within = JoinWindows::within(ms(50)).grace(ms(GRACE));
            out(&left.outer_join_stream("out", &right, within, |l, r| pair(&l, &r)));
        }),
        (
            "stream-stream of other keys",
            BOTH_LATE,
            Same::AnyOrder,
            |t| {
                let (left, right) = (by_group(t), right_by_group(t));
                let within = JoinWindows::within(ms(50)).grace(ms(GRACE));
                out(&left.join_stream("out", &right, within, pair));
            },
        ),
    ]
}

fn tables() -> Vec<Row> {
    vec![
        ("table", LEFT_TABLE, Same::EachRow, |t| {
            let table = t.table::<String, Item>("l");
            let even = table.filter(|(_, number)| number % 2 == 0);
            changes(&even.map_values(|(group, _)| group.clone()).stored_as("out"));
        }),
        ("inner table-table", BOTH_TABLES, Same::EachRow, |t| {
            let (left, right) = (t.table::<String, Item>("l"), t.table::<String, Item>("r"));
            changes(&left.join(&right, pair));
        }),
        ("left table-table", BOTH_TABLES, Same::EachRow, |t| {
            let (left, right) = (t.table::<String, Item>("l"), t.table::<String, Item>("r"));
            changes(&left.left_join(&right, |l, r| pair(l, &r)));
        }),
        ("outer table-table", BOTH_TABLES, Same::EachRow, |t| {
            let (left, right) = (t.table::<String, Item>("l"), t.table::<String, Item>("r"));
            changes(&left.outer_join(&right, |l, r| pair(&l, &r)));
        }),
        ("table-table of streams", BOTH, Same::EachRow, |t| {
            let left = left(t).to_table("left");
            let right = right(t).group().aggregate("right", String::new, note);
            changes(&left.join(&right, pair));
        }),
        ("foreign-key", BOTH_TABLES, Same::LastValue, |t| {
            let (left, right) = (t.table::<String, Item>("l"), t.table::<String, Item>("r"));
            changes(&left.foreign_key_join("out", &right, |(other, _)| other.clone(), pair));
        }),
        ("left foreign-key", BOTH_TABLES, Same::LastValue, |t| {
            let (left, right) = (t.table::<String, Item>("l"), t.table::<String, Item>("r"));
            let key = |(other, number): &Item| (number % 5 > 0).then(|| other.clone());
            changes(&left.left_foreign_key_join("out", &right, key, |l, r| pair(l, &r)));
        }),
        ("suppressed table", LEFT_TABLE, Same::Last, |t| {
            let table = t.table::<String, Item>("l");
            let limit = Suppressed::until_time_limit(ms(70)).max_rows(3);
            changes(&table.suppress("out", limit));
        }),
        ("count of a table", LEFT_TABLE, Same::Last, |t| {
            let table = t.table::<String, Item>("l");
            let groups = table.group_by(|row| (row.value.0.clone(), row.value.1));
            changes(&groups.count("out"));
        }),
        ("reduce of a table", LEFT_TABLE, Same::Last, |t| {
            let table = t.table::<String, Item>("l");
            let groups = table.group_by(|row| (row.value.0.clone(), row.value.1));
            changes(&groups.reduce("out", |sum, n| sum + n, |sum, n| sum - n));
        }),
        ("aggregate of a table", LEFT_TABLE, Same::Last, |t| {
            let table = t.table::<String, Item>("l");
            let groups = table.group_by(|row| (row.value.0.clone(), row.value.clone()));
            changes(&groups.aggregate("out", || 0, add, |sum, (_, n)| *sum -= n));
        }),
        (
            "groups of closed windows of groups",
            LEFT_LATE,
            Same::Last,
            |t| {
                let windows = by_group(t).group().windowed(tumbling());
                let sums = windows.aggregate("windows", || 0, add);
                let closed = sums.suppress("closed", Suppressed::until_window_closes());
                let starts = closed.group_by(|row| (row.key.start, *row.value));
                changes(&starts.reduce("out", |sum, n| sum + n, |sum, n| sum - n));
            },
        ),
    ]
}
