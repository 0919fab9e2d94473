//! The checks of a description that need nothing but itself: names, inputs, windows, topics.
//!
//! Every mistake is noted, none stops the rest. Each message names the node, store or topic, and
//! says how to mend it.

use std::collections::HashSet;

use super::description::{
    Description, Emit, JoinKind, Node, Operator, StreamStreamJoin, Until, Window,
};
use super::errors::Errors;

/// More nodes or stores than this is no service, but a mistake of a generator.
const MAX_NODES: usize = 500;
/// Longer than 30 years is a mistake of units, and keeps sums of durations far from overflow.
const MAX_DURATION_MS: i64 = 1_000_000_000_000;

/// Notes the mistakes of `description` in `errors`. Without one, every edge and every table of a
/// join is good.
pub(super) fn check(service: &str, description: &Description, errors: &mut Errors) {
    legal("service", service, errors);
    if description.nodes.len() > MAX_NODES || description.stores.len() > MAX_NODES {
        errors.push(format!(
            "a topology has at most {MAX_NODES} nodes and {MAX_NODES} stores; split the service"
        ));
        return;
    }
    names(description, errors);
    for (position, node) in description.nodes.iter().enumerate() {
        inputs(description, position, node, errors);
        operator(description, node, errors);
        topic(service, node, errors);
    }
}

/// The stores that a node makes, under the names that the service gave them.
pub(super) fn own_stores(operator: &Operator) -> Vec<&str> {
    match operator {
        Operator::GlobalTable { store, .. }
        | Operator::Aggregate { store, .. }
        | Operator::Suppress { store, .. }
        | Operator::TableAggregate { store, .. }
        | Operator::Update { store, .. } => vec![store],
        Operator::Table { store, .. }
        | Operator::ToTable { store }
        | Operator::TableFilter { store, .. }
        | Operator::TableMapValues { store, .. }
        | Operator::TableTableJoin { store, .. }
        | Operator::ForeignKeyJoin { store, .. } => store.iter().map(String::as_str).collect(),
        Operator::StreamStreamJoin(join) => vec![&join.left_store, &join.right_store],
        _ => Vec::new(),
    }
}

/// Notes whether a name cannot be (part of) a topic's name.
pub(super) fn legal(what: &str, name: &str, errors: &mut Errors) {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() {
        errors.push(format!("a {what} has an empty name; give it one"));
    } else if !name.chars().all(good) || name.len() > 200 || name == "." || name == ".." {
        let rule = "use at most 200 of the characters a-z, A-Z, 0-9, `.`, `_` and `-`";
        errors.push(format!(
            "{what} `{}`: not a name that Kafka takes; {rule}",
            name.escape_debug()
        ));
    }
}

fn names(description: &Description, errors: &mut Errors) {
    let mut seen = HashSet::new();
    for node in &description.nodes {
        if node.name.is_empty() {
            errors.push("a node has an empty name; give it one");
        } else if !seen.insert(node.name.as_str()) {
            errors.push(format!("two nodes are called `{}`; rename one", node.name));
        }
    }
    let mut seen = HashSet::new();
    let owned = description
        .nodes
        .iter()
        .flat_map(|node| own_stores(&node.operator));
    for store in owned.chain(description.stores.iter().map(|store| store.name.as_str())) {
        legal("store", store, errors);
        if !seen.insert(store) {
            errors.push(format!("two stores are called `{store}`; rename one"));
        }
    }
    for node in &description.nodes {
        let Operator::Process { stores, .. } = &node.operator else {
            continue;
        };
        for store in stores {
            if !seen.contains(store.as_str()) {
                errors.push(format!(
                    "node `{}` uses store `{store}`, which nobody declares; declare it",
                    node.name
                ));
            } else if held_back(description, store) {
                errors.push(format!(
                    "node `{}` uses store `{store}`, which holds what waits and is its operator's \
                    alone; use the store of the table above, or of the result",
                    node.name
                ));
            }
        }
    }
}

/// Whether a store holds what waits to be sent or joined: nothing that others could make sense of.
fn held_back(description: &Description, store: &str) -> bool {
    description.nodes.iter().any(|node| {
        let waits = matches!(
            node.operator,
            Operator::Suppress { .. } | Operator::StreamStreamJoin(_)
        );
        waits && own_stores(&node.operator).contains(&store)
    })
}

fn inputs(description: &Description, position: usize, node: &Node, errors: &mut Errors) {
    let name = &node.name;
    let (least, most) = match node.operator {
        Operator::Source { .. } | Operator::Table { .. } | Operator::GlobalTable { .. } => (0, 0),
        Operator::Merge | Operator::Aggregate { .. } => (1, 255),
        Operator::StreamTableJoin { .. }
        | Operator::GlobalTableJoin { .. }
        | Operator::TableTableJoin { .. }
        | Operator::ForeignKeyJoin { .. }
        | Operator::StreamStreamJoin(_) => (2, 2),
        _ => (1, 1),
    };
    let count = node.inputs.len();
    if !(least..=most).contains(&count) {
        errors.push(format!(
            "node `{name}` has {count} inputs, but its operator takes {least}; connect it anew"
        ));
    }
    for (input, edge) in node.inputs.iter().enumerate() {
        let Some(from) = description.nodes.get(edge.node as usize) else {
            errors.push(format!(
                "node `{name}` reads node number {}, which does not exist",
                edge.node
            ));
            continue;
        };
        if edge.node as usize == position {
            errors.push(format!(
                "node `{name}` reads itself; rows that come back to a node go through a topic"
            ));
            continue;
        }
        if edge.node as usize >= position {
            let mend = "declare inputs before their readers";
            errors.push(format!(
                "node `{name}` reads `{}`, which is declared after it; {mend}",
                from.name
            ));
            continue;
        }
        let ports = match from.operator {
            Operator::Sink { .. } => 0,
            Operator::Transform { ports, .. } => ports,
            _ => 1,
        };
        if ports == 0 {
            errors.push(format!(
                "node `{name}` reads `{}`, which has no output",
                from.name
            ));
        } else if edge.port >= ports {
            let has = format!("which has {ports} (numbered from 0)");
            errors.push(format!(
                "node `{name}` reads output {} of `{}`, {has}",
                edge.port, from.name
            ));
        }
        let table = matches!(
            (&node.operator, input),
            (Operator::GlobalTableJoin { .. }, 1)
        );
        if matches!(from.operator, Operator::GlobalTable { .. }) && !table {
            let mend = "only a global-table join can, as its second input";
            errors.push(format!(
                "node `{name}` reads global table `{}`; {mend}",
                from.name
            ));
        }
    }
}

fn operator(description: &Description, node: &Node, errors: &mut Errors) {
    let name = &node.name;
    let input = |number: usize| {
        let edge = node.inputs.get(number)?;
        Some(&description.nodes.get(edge.node as usize)?.operator)
    };
    let table = || input(1);
    tables(description, node, errors);
    match &node.operator {
        Operator::Transform { ports: 0, .. } => {
            errors.push(format!(
                "node `{name}` has no output; a transform has at least 1"
            ));
        }
        Operator::Repartition {
            name: topic,
            partitions,
        } => {
            legal("repartition", topic, errors);
            if *partitions == Some(0) {
                errors.push(format!(
                    "node `{name}` repartitions to 0 partitions; ask for at \
                least 1, or leave it open"
                ));
            }
        }
        Operator::Aggregate { window, emit, .. } => {
            if let Some(window) = window {
                check_window(name, *window, errors);
            }
            check_emit(node, window.is_some(), *emit, errors);
        }
        Operator::Suppress { until, .. } => check_suppress(description, node, *until, errors),
        Operator::Table {
            history: Some(history),
            ..
        } => duration(name, "the table's history", *history, 0, errors),
        Operator::StreamTableJoin { kind, grace, .. } => {
            no_outer(name, *kind, errors);
            if let Some(grace) = grace {
                duration(name, "the join's grace", *grace, 0, errors);
                if table().is_some_and(|table| !is_versioned(table)) {
                    errors.push(format!(
                        "node `{name}` waits for its table, which has no versions to wait for; \
                        give the table a history, or the join no grace"
                    ));
                }
            }
            let windowed = |table| {
                matches!(
                    table,
                    &Operator::Aggregate {
                        window: Some(_),
                        ..
                    }
                )
            };
            if table().is_some_and(|table| !is_table(table) || windowed(table)) {
                let mend =
                    "make a table of it (`table`, `to-table` or an aggregate without windows)";
                errors.push(format!(
                    "node `{name}` joins a stream with what is not a table; {mend}"
                ));
            }
        }
        Operator::GlobalTableJoin { kind, .. } => {
            no_outer(name, *kind, errors);
            if table().is_some_and(|table| !matches!(table, Operator::GlobalTable { .. })) {
                errors.push(format!(
                    "node `{name}`: its second input is not a global table; declare one"
                ));
            }
        }
        Operator::StreamStreamJoin(join) => check_join(name, join, errors),
        Operator::Process { schedules, .. } => {
            for schedule in schedules {
                duration(name, "a schedule's interval", schedule.interval, 1, errors);
            }
        }
        _ => {}
    }
}

/// Whether what the operator sends is a table.
fn is_table(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::Table { .. }
            | Operator::ToTable { .. }
            | Operator::TableFilter { .. }
            | Operator::TableMapValues { .. }
            | Operator::Aggregate { .. }
            | Operator::TableAggregate { .. }
            | Operator::TableTableJoin { .. }
            | Operator::ForeignKeyJoin { .. }
            | Operator::Suppress { .. }
    )
}

/// Whether what the operator sends is a table with versions.
fn is_versioned(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::Table {
            history: Some(_),
            ..
        }
    )
}

/// Notes inputs that must be tables and are not, and groups of a table that go elsewhere than into
/// an aggregate.
fn tables(description: &Description, node: &Node, errors: &mut Errors) {
    let name = &node.name;
    let of_table = matches!(
        node.operator,
        Operator::TableFilter { .. }
            | Operator::TableMapValues { .. }
            | Operator::TableGroupBy { .. }
            | Operator::TableTableJoin { .. }
            | Operator::ForeignKeyJoin { .. }
            | Operator::Suppress { .. }
    );
    let of_groups = matches!(node.operator, Operator::TableAggregate { .. });
    for edge in &node.inputs {
        let Some(from) = description.nodes.get(edge.node as usize) else {
            continue;
        };
        if of_table && is_versioned(&from.operator) {
            errors.push(format!(
                "node `{name}` reads `{}`, a table with versions, which only stream-table joins \
                and streams can; read the topic as a second table without a history",
                from.name
            ));
        }
        let groups = matches!(from.operator, Operator::TableGroupBy { .. });
        if of_table && !is_table(&from.operator) && !groups {
            errors.push(format!(
                "node `{name}` is an operator of tables, but `{}` is none; make a table of it \
                (`table`, `to-table` or an aggregate)",
                from.name
            ));
        } else if of_groups && !groups {
            errors.push(format!(
                "node `{name}` aggregates the groups of a table, but `{}` makes none; group the \
                table first",
                from.name
            ));
        } else if groups && !of_groups {
            errors.push(format!(
                "node `{name}` reads `{}`, the groups of a table; only a table aggregate can",
                from.name
            ));
        }
    }
    if let Operator::ForeignKeyJoin { kind, .. } = node.operator
        && kind == JoinKind::Outer
    {
        errors.push(format!(
            "node `{name}`: a foreign-key join is inner or left, never outer; choose one"
        ));
    }
}

fn no_outer(name: &str, kind: JoinKind, errors: &mut Errors) {
    if kind == JoinKind::Outer {
        errors.push(format!(
            "node `{name}`: a join with a table is inner or left, never outer; choose one"
        ));
    }
}

fn check_suppress(description: &Description, node: &Node, until: Until, errors: &mut Errors) {
    let name = &node.name;
    match until {
        Until::WindowCloses => {
            if description.windows_of(node).is_none() {
                let mend = "put it below a windowed aggregate, or give it a time limit";
                errors.push(format!(
                    "node `{name}` waits until windows close, but the table above has none; {mend}"
                ));
            }
        }
        Until::TimeLimit { limit, max_rows } => {
            duration(name, "the time limit", limit, 0, errors);
            if max_rows == Some(0) {
                errors.push(format!(
                    "node `{name}` may hold back 0 rows; allow at least 1, or leave it open"
                ));
            }
        }
    }
}

fn check_emit(node: &Node, windowed: bool, emit: Emit, errors: &mut Errors) {
    let name = &node.name;
    if emit == Emit::OnUpdate {
        return;
    }
    if !windowed {
        errors.push(format!(
            "node `{name}` sends when its windows close, but has none; \
             give it windows, or send updates"
        ));
    }
    if node.inputs.len() > 1 {
        let why = "each input of a cogroup has its own time, so no window closes for all";
        errors.push(format!(
            "node `{name}` sends when its windows close, but has several inputs; \
             {why}: send updates"
        ));
    }
}

fn check_window(name: &str, window: Window, errors: &mut Errors) {
    match window {
        Window::Hopping {
            size,
            advance,
            grace,
        } => {
            duration(name, "the window's size", size, 1, errors);
            duration(name, "the window's advance", advance, 1, errors);
            duration(name, "the window's grace", grace, 0, errors);
            if advance > size && size > 0 {
                let mend = "windows must not leave gaps: make it the size or less";
                errors.push(format!(
                    "node `{name}`: the window's advance {advance} ms exceeds \
                its size {size} ms; {mend}"
                ));
            }
        }
        Window::Sliding { size, grace } => {
            duration(name, "the window's size", size, 0, errors);
            duration(name, "the window's grace", grace, 0, errors);
        }
        Window::Session { gap, grace } => {
            duration(name, "the session's gap", gap, 1, errors);
            duration(name, "the session's grace", grace, 0, errors);
        }
    }
}

fn check_join(name: &str, join: &StreamStreamJoin, errors: &mut Errors) {
    duration(name, "the join's grace", join.grace, 0, errors);
    for (what, bound) in [("before", join.before), ("after", join.after)] {
        duration(
            name,
            &format!("the join's `{what}`"),
            bound,
            -MAX_DURATION_MS,
            errors,
        );
    }
    if join
        .before
        .checked_add(join.after)
        .is_some_and(|size| size < 0)
    {
        let (before, after) = (join.before, join.after);
        errors.push(format!(
            "node `{name}`: before {before} ms + after {after} ms is below 0; no \
        row could ever match"
        ));
    }
}

fn duration(name: &str, what: &str, value: i64, least: i64, errors: &mut Errors) {
    if value < least || value > MAX_DURATION_MS {
        errors.push(format!(
            "node `{name}`: {what} is {value} ms; it must be between {least} and {MAX_DURATION_MS}"
        ));
    }
}

fn topic(service: &str, node: &Node, errors: &mut Errors) {
    let name = &node.name;
    let (Operator::Source { topic }
    | Operator::Table { topic, .. }
    | Operator::GlobalTable { topic, .. }
    | Operator::Sink { topic }) = &node.operator
    else {
        return;
    };
    legal("topic", topic, errors);
    if is_internal(service, topic) {
        let mend = "connect the nodes themselves instead";
        errors.push(format!(
            "node `{name}` uses topic `{topic}`, which is internal to `{service}`; {mend}"
        ));
    }
}

/// Whether a topic's name is one of those that the engine makes for this service.
pub(super) fn is_internal(service: &str, topic: &str) -> bool {
    let ends = topic.ends_with("-repartition") || topic.ends_with("-changelog");
    ends && topic.starts_with(&format!("{service}-"))
}
