//! From a description to a topology: check, insert repartitions, resolve names, cut, order.

use super::check::{check, own_stores};
use super::cut::cut;
use super::description::{self, Description, JoinKind, Operator};
use super::errors::Errors;
use super::repartition::expand;
use super::route::compile_routes;
use super::store_names::{buffer_store, subscription_store, unnamed_store};
use super::tables::Tables;
use super::{Changelog, Operation, StoreKind, StoreSpec, Topology};

/// Checks a description and makes a topology of it. Errors: every mistake, each with what to
/// change.
pub fn compile(service: &str, description: &Description) -> Result<Topology, Errors> {
    let mut errors = Errors(Vec::new());
    check(service, description, &mut errors);
    // Routes are looked at though nodes are wrong, so that all mistakes are told at once.
    let tables = match errors.0.is_empty() {
        true => Tables::of(description),
        false => Tables::unknown(description),
    };
    let stores = stores(service, description, &tables);
    let routes = compile_routes(service, description, &stores, &mut errors);
    errors.clone().into_result()?;
    let nodes = expand(service, description, &stores, &tables);
    let mut topology = Topology {
        service: service.to_owned(),
        nodes,
        subtopologies: Vec::new(),
        stores,
        routes,
    };
    cut(&mut topology, &mut errors);
    topology.duplicates(&mut errors);
    errors.into_result()?;
    Ok(topology)
}

impl Topology {
    /// Names that were made here may meet names that the service chose.
    fn duplicates(&self, errors: &mut Errors) {
        let mut names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
            errors.push(format!(
                "two nodes would be called `{}`; rename a node or a repartition",
                pair[0]
            ));
        }
        let mut stores: Vec<&str> = self.stores.iter().map(|s| s.name.as_str()).collect();
        stores.sort_unstable();
        for pair in stores.windows(2).filter(|pair| pair[0] == pair[1]) {
            errors.push(format!(
                "two stores would be called `{}`; rename a store or a node",
                pair[0]
            ));
        }
        let mut topics: Vec<&str> = self
            .nodes
            .iter()
            .filter_map(Operation::repartition_topic)
            .collect();
        topics.sort_unstable();
        for pair in topics.windows(2).filter(|pair| pair[0] == pair[1]) {
            errors.push(format!(
                "two repartitions would write topic `{}`; rename one",
                pair[0]
            ));
        }
    }
}

impl Operation {
    fn repartition_topic(node: &super::Node) -> Option<&str> {
        match &node.operation {
            Operation::Repartition { topic, .. } => Some(topic),
            _ => None,
        }
    }
}

/// All stores: those of nodes in the order of nodes, then the shared ones. Where they live is found
/// out later.
fn stores(service: &str, description: &Description, tables: &Tables) -> Vec<StoreSpec> {
    let mut stores = Vec::new();
    for (position, node) in description.nodes.iter().enumerate() {
        let named = own_stores(&node.operator).into_iter().map(str::to_owned);
        let unnamed = unnamed_stores(node, tables.needs_store(position));
        for name in named.chain(unnamed) {
            let changelog = match &node.operator {
                Operator::Table {
                    topic,
                    history: None,
                    ..
                }
                | Operator::GlobalTable { topic, .. } => Changelog::Source(topic.clone()),
                _ => Changelog::Own(format!("{service}-{name}-changelog")),
            };
            stores.push(StoreSpec {
                name,
                subtopology: None,
                changelog,
                kind: kind(&node.operator),
                global: matches!(node.operator, Operator::GlobalTable { .. }),
                shared: false,
                read_by_others: false,
            });
        }
    }
    for store in &description.stores {
        let topic = || Changelog::Own(format!("{service}-{}-changelog", store.name));
        stores.push(StoreSpec {
            name: store.name.clone(),
            subtopology: None,
            changelog: if store.logged {
                topic()
            } else {
                Changelog::None
            },
            kind: StoreKind::KeyValue,
            global: false,
            shared: true,
            read_by_others: false,
        });
    }
    stores
}

/// The stores that a node makes without being told a name.
fn unnamed_stores(node: &description::Node, needs_store: bool) -> Vec<String> {
    let mut names = Vec::new();
    let needs_store = match node.operator {
        Operator::Table { store: None, .. } | Operator::ToTable { store: None } => needs_store,
        // An inner join looks whether it has a result, when the left row changes.
        Operator::ForeignKeyJoin {
            store: None, kind, ..
        } => needs_store || kind == JoinKind::Inner,
        _ => false,
    };
    if needs_store {
        names.push(unnamed_store(&node.name));
    }
    match node.operator {
        Operator::ForeignKeyJoin { .. } => names.push(subscription_store(&node.name)),
        Operator::StreamTableJoin { grace: Some(_), .. } => names.push(buffer_store(&node.name)),
        _ => {}
    }
    names
}

fn kind(operator: &Operator) -> StoreKind {
    match operator {
        Operator::Aggregate {
            window: Some(window),
            emit,
            ..
        } => window.kept(*emit),
        Operator::StreamStreamJoin(join) => StoreKind::Join {
            retention_ms: join
                .before
                .saturating_add(join.after)
                .saturating_add(join.grace),
        },
        Operator::Suppress { .. } => StoreKind::Buffer,
        Operator::Table {
            history: Some(history_ms),
            ..
        } => StoreKind::Versioned {
            history_ms: *history_ms,
        },
        _ => StoreKind::KeyValue,
    }
}
