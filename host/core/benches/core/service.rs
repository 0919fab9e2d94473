//! One task of a small service, run transaction by transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_core::limits::Limits;
use weir_core::record::Batch;
use weir_core::store::{MemoryBackend, StoreId};
use weir_core::task::{Effects, Progress, Task};
use weir_core::time::Timestamp;
use weir_core::topology::description::{Description, Edge, Node, Operator};
use weir_core::topology::{TopicFacts, compile};

use crate::functions::Trivial;

/// A task and what it has written.
pub(crate) struct Service {
    task: Task,
    effects: Effects,
    /// The next offset of every topic, changelogs included.
    offset: i64,
}

/// The batches of a transaction, by topic.
pub(crate) type Input = Vec<(&'static str, Batch)>;

impl Service {
    /// The only task of a topology of `nodes`, each read by the next, behind those without an
    /// input, and a sink.
    pub(crate) fn new(sources: Vec<Operator>, operator: Operator) -> Service {
        let mut description = Description::default();
        let node = |name: String, inputs: Vec<u32>, operator| Node {
            name,
            inputs: inputs
                .into_iter()
                .map(|node| Edge { node, port: 0 })
                .collect(),
            operator,
        };
        for source in sources {
            let name = format!("source-{}", description.nodes.len());
            description.nodes.push(node(name, Vec::new(), source));
        }
        let last = u32::try_from(description.nodes.len()).expect("few nodes");
        let all = (0..last).collect();
        description
            .nodes
            .push(node("operator".to_owned(), all, operator));
        let topic = "out".to_owned();
        description.nodes.push(node(
            "sink".to_owned(),
            vec![last],
            Operator::Sink { topic },
        ));
        let topology = Arc::new(compile("bench", &description).expect("a good topology"));
        let facts = TopicFacts {
            partitions: 1,
            max_message_bytes: 1 << 20,
            compacted: false,
            max_ahead_ms: None,
        };
        let topics = ["in", "table", "out"].map(|topic| (topic.to_owned(), facts));
        let plan = topology
            .plan(&BTreeMap::from(topics))
            .expect("all topics are there");
        let (plan, id) = (Arc::new(plan.clone()), plan.tasks[0]);
        let backend = Box::new(MemoryBackend::new());
        Service {
            task: Task::new(topology, plan, id, backend, Limits::default()),
            effects: Effects::default(),
            offset: 0,
        }
    }

    /// Gives the service its state: as [`Service::transaction`], but a name of its own, so that a
    /// profile tells the two apart.
    pub(crate) fn load(&mut self, input: Input) {
        self.commit(input);
    }

    /// Reads the batches one after the other and commits. Answers with the number of rows out.
    #[inline(never)]
    pub(crate) fn transaction(&mut self, input: Input) -> usize {
        self.commit(input)
    }

    fn commit(&mut self, input: Input) -> usize {
        for (topic, rows) in input {
            let offsets: Vec<i64> = (self.offset..).take(rows.len()).collect();
            self.offset += i64::try_from(rows.len()).expect("few rows");
            self.task.enqueue(topic, rows, offsets);
            for input in self.task.inputs().to_vec() {
                self.task.reach_end(&input);
            }
            let (now, effects) = (Timestamp(0), &mut self.effects);
            while let Progress::Rows(_) = self
                .task
                .step(now, &mut Trivial, effects)
                .expect("nothing fails")
            {}
        }
        let commit = self.task.prepare_commit();
        let logged = commit.changelog.iter().map(|(store, _)| *store);
        let ends: Vec<(StoreId, i64)> = logged.map(|store| (store, self.offset)).collect();
        self.task.finish_commit(&ends).expect("in memory");
        let rows = self
            .effects
            .produce
            .iter()
            .map(|produce| produce.rows.len());
        let rows = rows.sum();
        assert!(self.effects.dead_letters.is_empty(), "no row fails");
        self.effects = Effects::default();
        rows
    }
}
