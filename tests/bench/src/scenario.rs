//! The scenarios: what is measured, and between whom.

use crate::contender::Contender::{self, Loop, Streams, StreamsTuned, Weir};
use crate::drain::{self, Workload};
use crate::ground::{Ground, Input};
use crate::orders::{self, Load};
use crate::outcome::Outcome;
use crate::{idle, latency, restart, swap};

/// One line of work, done by several contenders.
pub(crate) struct Scenario {
    /// As it is typed, and called in the results.
    pub(crate) name: &'static str,
    /// For `--help`.
    pub(crate) what: &'static str,
    /// Weir first.
    pub(crate) contenders: &'static [Contender],
    work: Work,
}

enum Work {
    Drain(Workload, Input),
    Orders(Load),
    /// Of so many rows.
    Latency(u64),
    Idle,
    /// With so many MB of state.
    Restart(u64),
    Swap,
}

const WITH_LOOP: &[Contender] = &[Weir, Loop, Streams, StreamsTuned];
const OPERATOR: &[Contender] = &[Weir, Streams, StreamsTuned];
const SYSTEM: &[Contender] = &[Weir, Streams];

/// All of them, in the order in which they are run.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "passthrough-100",
        what: "4 M rows of 100 B through the identity",
        contenders: WITH_LOOP,
        work: Work::Drain(Workload::Passthrough, Input::Small),
    },
    Scenario {
        name: "passthrough-1k",
        what: "1 M rows of 1 KB through the identity",
        contenders: WITH_LOOP,
        work: Work::Drain(Workload::Passthrough, Input::Large),
    },
    Scenario {
        name: "map",
        what: "2 M JSON documents, parsed, priced and written",
        contenders: OPERATOR,
        work: Work::Drain(Workload::Map, Input::Lines),
    },
    Scenario {
        name: "count",
        what: "running counts of 2 M rows under 1 M keys",
        contenders: OPERATOR,
        work: Work::Drain(Workload::Count, Input::Keys),
    },
    Scenario {
        name: "join",
        what: "2 M rows joined with a table of 100 k keys",
        contenders: OPERATOR,
        work: Work::Drain(Workload::Join, Input::Minutes),
    },
    Scenario {
        name: "window",
        what: "2 M rows under 100 k keys, counted by the minute",
        contenders: OPERATOR,
        work: Work::Drain(Workload::Window, Input::Minutes),
    },
    Scenario {
        name: "orders",
        what: "50 k orders through the order system, all at once",
        contenders: SYSTEM,
        work: Work::Orders(Load {
            orders: 50_000,
            warmup: 20_000,
            rate: None,
            commit_ms: 100,
        }),
    },
    Scenario {
        name: "orders-low",
        what: "50 orders a second, commit interval 100 ms",
        contenders: SYSTEM,
        work: Work::Orders(Load {
            orders: 1000,
            warmup: 1000,
            rate: Some(50),
            commit_ms: 100,
        }),
    },
    Scenario {
        name: "orders-low-10",
        what: "50 orders a second, commit interval 10 ms",
        contenders: SYSTEM,
        work: Work::Orders(Load {
            orders: 1000,
            warmup: 1000,
            rate: Some(50),
            commit_ms: 10,
        }),
    },
    Scenario {
        name: "latency",
        what: "a row through the identity, at 50 a second",
        contenders: &[Weir, Loop, Streams],
        work: Work::Latency(1000),
    },
    Scenario {
        name: "idle",
        what: "100 services in a host, and 10 applications, with nothing to do",
        contenders: SYSTEM,
        work: Work::Idle,
    },
    Scenario {
        name: "restart",
        what: "kill -9 with 1 GB of state, and the first new row after it",
        contenders: &[Weir, StreamsTuned],
        work: Work::Restart(1000),
    },
    Scenario {
        name: "swap",
        what: "a new version at 10 k rows a second",
        contenders: OPERATOR,
        work: Work::Swap,
    },
];

impl Scenario {
    /// One run.
    pub(crate) fn run(&self, ground: &mut Ground, contender: Contender) -> anyhow::Result<Outcome> {
        match self.work {
            Work::Drain(workload, input) => drain::run(ground, contender, workload, input),
            Work::Orders(load) => orders::run(ground, contender, load),
            Work::Latency(rows) => latency::run(ground, contender, rows),
            Work::Idle => idle::run(ground, contender),
            Work::Restart(megabytes) => restart::run(ground, contender, megabytes),
            Work::Swap => swap::run(ground, contender),
        }
    }
}

/// A line for each scenario.
pub(crate) fn help() -> String {
    let line = |it: &Scenario| format!("  {:<16} {}\n", it.name, it.what);
    let lines: String = SCENARIOS.iter().map(line).collect();
    format!("Scenarios:\n{lines}")
}
