//! The plan: a topology on the topics as they are, which gives the tasks and the internal topics.
//!
//! Topics that meet in a store must have the same number of partitions; a repartition topic takes
//! the number of those that it meets, else that of the widest topic above it.

use std::collections::BTreeMap;

use crate::topology::TaskId;

use super::errors::Errors;
use super::{Changelog, Operation, Topology};

/// What the engine must know of a topic that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// Number of partitions, at least 1.
    pub partitions: u32,
    /// `max.message.bytes`.
    pub max_message_bytes: u32,
    /// Whether it is compacted and nothing else, so that a row needs a key.
    pub compacted: bool,
    /// `message.timestamp.after.max.ms`: how far ahead of the wall clock a row may be stamped.
    pub max_ahead_ms: Option<i64>,
}

/// A topology on the topics as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The number of partitions of every topic that the service reads or writes, internal ones
    /// included.
    pub partitions: BTreeMap<String, u32>,
    /// The topics to make before the first task runs.
    pub internal_topics: Vec<InternalTopic>,
    /// All tasks, ascending. The position of one is its partition of `<service>-tasks`.
    pub tasks: Vec<TaskId>,
    /// What is known of the topics of others.
    pub facts: BTreeMap<String, TopicFacts>,
}

/// A topic of the service's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopic {
    /// Its name, in full.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
    /// What it is for.
    pub kind: InternalKind,
}

/// What an internal topic is for, and so how it is cleaned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InternalKind {
    /// Deleted as it is read; kept for ever otherwise.
    Repartition,
    /// Compacted; where its keys are windows, also deleted after this time (plus a margin).
    Changelog {
        /// `None`: plain keys.
        window_retention_ms: Option<i64>,
    },
}

impl Topology {
    /// Checks the topics and counts tasks. Errors: every topic that is missing, every pair of
    /// topics that meet whose counts differ.
    pub fn plan(&self, topics: &BTreeMap<String, TopicFacts>) -> Result<Plan, Errors> {
        let mut errors = Errors(Vec::new());
        let mut plan = Plan::default();
        for (topic, user) in self.topics_of_others() {
            match topics.get(topic).filter(|facts| facts.partitions > 0) {
                Some(facts) => {
                    plan.partitions.insert(topic.to_owned(), facts.partitions);
                    plan.facts.insert(topic.to_owned(), *facts);
                }
                None => errors.push(format!(
                    "topic `{topic}` ({user}) does not exist; create it"
                )),
            }
        }
        errors.clone().into_result()?;
        self.count_repartitions(&mut plan);
        self.check_copartitioning(&plan, &mut errors);
        self.check_routes(&plan, &mut errors);
        errors.into_result()?;
        self.count_tasks(&mut plan);
        self.add_changelogs(&mut plan);
        Ok(plan)
    }

    fn topics_of_others(&self) -> BTreeMap<&str, String> {
        let mut topics = BTreeMap::new();
        let internal = self.repartition_topics();
        for node in &self.nodes {
            let verb = match &node.operation {
                Operation::Source { topic }
                | Operation::Table { topic, .. }
                | Operation::GlobalTable { topic, .. } => Some((topic, "read")),
                Operation::Sink { topic } => Some((topic, "written")),
                _ => None,
            };
            if let Some((topic, verb)) =
                verb.filter(|(topic, _)| !internal.contains(&topic.as_str()))
            {
                topics
                    .entry(topic.as_str())
                    .or_insert_with(|| format!("{verb} by node `{}`", node.name));
            }
        }
        for route in &self.routes {
            for topic in &route.topics {
                let name = || format!("written by route `{} {}`", route.method, route.path);
                topics.entry(topic.as_str()).or_insert_with(name);
            }
        }
        topics
    }

    /// Counts grow from the topics of others downwards; each round knows more, until all are known.
    fn count_repartitions(&self, plan: &mut Plan) {
        let sinks: Vec<(&str, Option<u32>, usize)> = (self.nodes.iter().enumerate())
            .filter_map(|(position, node)| match &node.operation {
                Operation::Repartition {
                    topic, partitions, ..
                } => Some((topic.as_str(), *partitions, position)),
                _ => None,
            })
            .collect();
        for (topic, partitions, _) in &sinks {
            if let Some(partitions) = partitions {
                plan.partitions.insert((*topic).to_owned(), *partitions);
            }
        }
        let sets: Vec<&Vec<String>> = self
            .subtopologies
            .iter()
            .flat_map(|s| &s.copartitioned)
            .map(|(_, topics)| topics)
            .collect();
        for _round in 0..=sinks.len() {
            for (topic, _, _) in &sinks {
                let partners = sets
                    .iter()
                    .filter(|set| set.iter().any(|t| t == topic))
                    .flat_map(|set| set.iter());
                let known = partners
                    .filter_map(|partner| plan.partitions.get(partner))
                    .max()
                    .copied();
                if let (Some(count), false) = (known, plan.partitions.contains_key(*topic)) {
                    plan.partitions.insert((*topic).to_owned(), count);
                }
            }
            for (topic, _, position) in &sinks {
                let mut above = Vec::new();
                let node = &self.nodes[*position];
                node.inputs
                    .iter()
                    .for_each(|input| self.topics_above(input.node, &mut above));
                let counts: Option<Vec<u32>> = above
                    .iter()
                    .map(|t| plan.partitions.get(t).copied())
                    .collect();
                let widest = counts.and_then(|counts| counts.into_iter().max());
                if let (Some(count), false) = (widest, plan.partitions.contains_key(*topic)) {
                    plan.partitions.insert((*topic).to_owned(), count);
                    break;
                }
            }
        }
        for topic in self.repartition_topics() {
            let partitions = plan.partitions[topic];
            let kind = InternalKind::Repartition;
            plan.internal_topics.push(InternalTopic {
                name: topic.to_owned(),
                partitions,
                kind,
            });
        }
    }

    fn check_copartitioning(&self, plan: &Plan, errors: &mut Errors) {
        for (store, set) in self.subtopologies.iter().flat_map(|s| &s.copartitioned) {
            let store = &self.store(*store).name;
            let first = &set[0];
            for other in &set[1..] {
                let (one, two) = (plan.partitions[first], plan.partitions[other]);
                if one != two {
                    let mend = "give them the same number, or repartition one";
                    errors.push(format!(
                        "topics `{first}` ({one} partitions) and `{other}` ({two} partitions) \
                        meet in store `{store}`, so they need the same number of partitions; {mend}"
                    ));
                }
            }
        }
    }

    /// A request finds its task by its key; that needs one number of partitions in the route's
    /// sub-topology.
    fn check_routes(&self, plan: &Plan, errors: &mut Errors) {
        for route in &self.routes {
            let Some(number) = route.subtopology else {
                continue;
            };
            let inputs = &self.subtopologies[number as usize].inputs;
            let Some((first, others)) = inputs.split_first() else {
                continue;
            };
            for other in others {
                let (one, two) = (plan.partitions[&first.topic], plan.partitions[&other.topic]);
                if one != two {
                    errors.push(format!(
                        "route `{} {}` cannot tell the partition of a key: topics `{}` ({one} \
                        partitions) and `{}` ({two} partitions) are read together; give them the \
                        same number",
                        route.method, route.path, first.topic, other.topic
                    ));
                }
            }
        }
    }

    fn count_tasks(&self, plan: &mut Plan) {
        for subtopology in &self.subtopologies {
            let count = subtopology
                .inputs
                .iter()
                .map(|source| plan.partitions[&source.topic])
                .max()
                .unwrap_or(0);
            let subtopology = subtopology.number;
            plan.tasks.extend((0..count).map(|partition| TaskId {
                subtopology,
                partition,
            }));
        }
    }

    fn add_changelogs(&self, plan: &mut Plan) {
        for store in &self.stores {
            let (Changelog::Own(name), Some(subtopology)) = (&store.changelog, store.subtopology)
            else {
                continue;
            };
            let partitions = plan
                .tasks
                .iter()
                .filter(|task| task.subtopology == subtopology)
                .count();
            let partitions = u32::try_from(partitions).expect("tasks are counted in u32");
            plan.partitions.insert(name.clone(), partitions);
            let kind = InternalKind::Changelog {
                window_retention_ms: store.kind.retention_ms(),
            };
            plan.internal_topics.push(InternalTopic {
                name: name.clone(),
                partitions,
                kind,
            });
        }
    }
}

impl Plan {
    /// The number of tasks, and so of partitions of keys, of a sub-topology.
    pub fn tasks_of(&self, subtopology: u32) -> u32 {
        let count = self
            .tasks
            .iter()
            .filter(|task| task.subtopology == subtopology)
            .count();
        u32::try_from(count).expect("tasks are counted in u32")
    }
}
