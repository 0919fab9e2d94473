//! From a description to a topology: check, insert repartitions, resolve names, cut, order.

use super::check::{check, own_stores};
use super::cut::cut;
use super::description::{Description, Operator};
use super::errors::Errors;
use super::repartition::expand;
use super::route::compile_routes;
use super::{Changelog, Operation, StoreKind, StoreSpec, Topology};

/// Checks a description and makes a topology of it. Errors: every mistake, each with what to
/// change.
pub fn compile(service: &str, description: &Description) -> Result<Topology, Errors> {
    let mut errors = Errors(Vec::new());
    check(service, description, &mut errors);
    let stores = stores(service, description);
    let routes = compile_routes(service, description, &stores, &mut errors);
    errors.clone().into_result()?;
    let nodes = expand(service, description, &stores);
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
fn stores(service: &str, description: &Description) -> Vec<StoreSpec> {
    let mut stores = Vec::new();
    for node in &description.nodes {
        for name in own_stores(&node.operator) {
            let own = || Changelog::Own(format!("{service}-{name}-changelog"));
            let changelog = match &node.operator {
                Operator::Table { topic, .. } | Operator::GlobalTable { topic, .. } => {
                    Changelog::Source(topic.clone())
                }
                _ => own(),
            };
            stores.push(StoreSpec {
                name: name.to_owned(),
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
        _ => StoreKind::KeyValue,
    }
}
