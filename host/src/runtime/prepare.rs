//! What must be there before a service's workers begin: its topics, the plan, the state.

use std::sync::Arc;
use std::time::Duration;

use crate::kafka::{self, Topic};
use crate::state::{self, Database};

use super::shared::{Shared, Site};

/// Why it cannot begin.
pub(super) enum Trouble {
    /// It may pass, or be mended: try again after this time.
    Wait(String, Duration),
    /// It will not.
    Fail(String),
}

impl From<kafka::Error> for Trouble {
    fn from(error: kafka::Error) -> Trouble {
        Trouble::Wait(error.to_string(), Duration::from_millis(500))
    }
}

/// Tries once.
pub(super) fn prepare(shared: &Shared) -> Result<Site, Trouble> {
    let topology = Arc::clone(&shared.blueprint().topology);
    let cluster = &shared.host.cluster;
    let named = [
        topology.source_topics(),
        topology.sink_topics(),
        topology.global_topics(),
    ]
    .concat();
    let facts = cluster.describe(named)?;
    let plan = topology.plan(&facts);
    // Someone may make the topics that are missing, or mend them.
    let plan = plan.map_err(|errors| Trouble::Wait(errors.to_string(), Duration::from_secs(1)))?;
    let widest = plan
        .tasks
        .iter()
        .map(|task| task.partition + 1)
        .max()
        .unwrap_or(1);
    let letters = Topic::dead_letters(&shared.name, widest);
    let tasks = u32::try_from(plan.tasks.len()).expect("tasks are counted in u32");
    let mut internal = vec![Topic::tasks(&shared.name, tasks), letters.clone()];
    internal.extend(plan.internal_topics.iter().map(Topic::from));
    cluster.ensure(&internal)?;
    let made = cluster.describe(internal.iter().map(|topic| topic.name.as_str()))?;
    let Some(&dead_letters) = made.get(&letters.name) else {
        let reason = format!("topic `{}` is not there yet", letters.name);
        return Err(Trouble::Wait(reason, Duration::from_millis(100)));
    };
    let written = topology
        .sink_topics()
        .into_iter()
        .filter_map(|topic| facts.get(topic));
    let batch_bytes = written
        .chain(made.values())
        .map(|facts| facts.max_message_bytes)
        .min();
    let internal_bytes = made
        .iter()
        .map(|(name, facts)| (name.clone(), facts.max_message_bytes))
        .collect();
    Ok(Site {
        plan: Arc::new(plan),
        database: open(shared)?,
        dead_letters,
        internal_bytes,
        batch_bytes: batch_bytes.unwrap_or(dead_letters.max_message_bytes),
    })
}

fn open(shared: &Shared) -> Result<Database, Trouble> {
    let folder = shared.host.state.join("services").join(&shared.name);
    let opened = match Database::open(&folder, &shared.host.memory) {
        Err(error @ state::Error::Damaged { .. }) => {
            tracing::error!(service = shared.name, %error, "state is restored");
            Database::destroy(&folder).and_then(|()| Database::open(&folder, &shared.host.memory))
        }
        opened => opened,
    };
    opened.map_err(|error| match error {
        // Of this very service, which is just going down.
        state::Error::InUse { .. } => Trouble::Wait(error.to_string(), Duration::from_millis(500)),
        state::Error::Damaged { .. } | state::Error::Unusable { .. } => {
            Trouble::Fail(error.to_string())
        }
    })
}
