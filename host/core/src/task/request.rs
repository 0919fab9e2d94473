//! Commands: requests that a task takes between two batches, like rows.
//!
//! They are decided in order by one call. A request that traps, or whose rows the broker would
//! refuse, fails alone: its writes are taken back, it is answered with 500, and a dead letter tells
//! why.

use std::ops::Range;
use std::sync::Arc;

use super::Task;
use crate::functions::{Failure, Functions, Outcome, Request, Response};
use crate::operator::Stores;
use crate::partitioner::{partition, partition_without_key};
use crate::pass::effect::{DeadLetter, Effects, Produce};
use crate::pass::error::Error;
use crate::pass::flow::Places;
use crate::pass::outbox::refusal;
use crate::pass::trouble::{Trouble, malformed};
use crate::record::Batch;
use crate::time::Timestamp;
use crate::topology::{Route, Topology};

impl Task {
    /// Decides requests of a command route (its number in [`Topology::routes`]), in order: an
    /// outcome for each. Their rows are in the effects, their writes among the task's own; the
    /// responses may leave when these have committed. Panics for a route of another sub-topology.
    pub fn handle(
        &mut self,
        route: usize,
        requests: &[Request],
        now: Timestamp,
        functions: &mut dyn Functions,
        effects: &mut Effects,
    ) -> Result<Vec<Outcome>, Error> {
        let topology = Arc::clone(&self.topology);
        let route = &topology.routes()[route];
        assert_eq!(
            route.subtopology,
            Some(self.id.subtopology),
            "a command goes to the task that has its stores"
        );
        let places = Places::of_sequences((0..).take(requests.len()).collect());
        let call = Call {
            topology: &topology,
            route,
            requests,
            places: &places,
            now,
        };
        let mut outcomes = Vec::with_capacity(requests.len());
        let decided = self.decide(&call, 0..requests.len(), functions, effects, &mut outcomes);
        self.overlay.end_batch();
        decided?;
        self.append(&call, &outcomes, effects);
        Ok(outcomes)
    }

    fn decide(
        &mut self,
        call: &Call<'_>,
        range: Range<usize>,
        functions: &mut dyn Functions,
        effects: &mut Effects,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Error> {
        if range.is_empty() {
            return Ok(());
        }
        match self.attempt(call, &range, functions) {
            Ok(decided) => outcomes.extend(decided),
            Err(Trouble::Stop(error)) => return Err(error),
            Err(Trouble::Rows { reason, backtrace }) if range.len() == 1 => {
                effects
                    .dead_letters
                    .push(self.letter(call, range.start, &reason, &backtrace));
                outcomes.push(failed());
            }
            Err(Trouble::Rows { .. }) => {
                let middle = range.start + range.len() / 2;
                self.decide(call, range.start..middle, functions, effects, outcomes)?;
                self.decide(call, middle..range.end, functions, effects, outcomes)?;
            }
        }
        Ok(())
    }

    fn attempt(
        &mut self,
        call: &Call<'_>,
        range: &Range<usize>,
        functions: &mut dyn Functions,
    ) -> Result<Vec<Outcome>, Trouble> {
        let requests = &call.requests[range.clone()];
        let savepoint = self.overlay.savepoint();
        let timestamps: Vec<i64> = requests.iter().map(|request| request.time).collect();
        let mut stores = Stores {
            topology: call.topology,
            limits: &self.limits,
            overlay: &mut self.overlay,
            stores: &call.route.stores,
            places: call.places,
            first: range.start,
            rows: range.len(),
            timestamps: &timestamps,
            broken: None,
        };
        let handled = functions.handle(call.route.function, requests, &mut stores);
        let handled = match (stores.broken, handled) {
            (Some(error), _) => Err(Trouble::from(error)),
            (None, Err(Failure::Trapped { reason, backtrace })) => {
                Err(Trouble::Rows { reason, backtrace })
            }
            (None, Err(Failure::Host(reason))) => Err(Trouble::Stop(Error::Host {
                node: call.name(),
                reason,
            })),
            (None, Ok(outcomes)) => self
                .check_outcomes(call, range.len(), &outcomes)
                .map(|()| outcomes),
        };
        if handled.is_err() {
            self.overlay.rollback_to(&savepoint);
        }
        self.overlay.release(savepoint);
        handled
    }

    fn check_outcomes(
        &self,
        call: &Call<'_>,
        requests: usize,
        outcomes: &[Outcome],
    ) -> Result<(), Trouble> {
        if outcomes.len() != requests {
            return Err(malformed(format!(
                "{} outcomes for {requests} requests",
                outcomes.len()
            )));
        }
        let rows: usize = outcomes.iter().map(|outcome| outcome.rows.len()).sum();
        if rows > self.limits.max_output_rows {
            return Err(malformed(format!(
                "{rows} rows, but one call may append at most {}",
                self.limits.max_output_rows
            )));
        }
        for outcome in outcomes {
            if !(100..1000).contains(&outcome.response.status) {
                return Err(malformed(format!(
                    "status {} is no HTTP status",
                    outcome.response.status
                )));
            }
            for row in &outcome.rows {
                let Some(topic) = call.route.topics.get(usize::from(row.topic)) else {
                    return Err(malformed(format!(
                        "topic number {} of {} declared",
                        row.topic,
                        call.route.topics.len()
                    )));
                };
                let mut batch = Batch::default();
                batch.push(row.key.as_deref(), row.value.as_deref(), call.now.0);
                let facts = &self.plan.facts[topic];
                if let Some(reason) = refusal(topic, facts, &batch, 0, call.now) {
                    return Err(Trouble::Rows {
                        reason,
                        backtrace: String::new(),
                    });
                }
            }
        }
        Ok(())
    }

    fn letter(&self, call: &Call<'_>, request: usize, reason: &str, backtrace: &str) -> DeadLetter {
        let cut = |text: &str| {
            text.chars()
                .take(self.limits.max_reason_chars)
                .collect::<String>()
        };
        let request = &call.requests[request];
        DeadLetter {
            position: None,
            key: None,
            value: Some(request.body.clone()),
            timestamp: request.time,
            node: call.name(),
            reason: cut(reason),
            backtrace: cut(backtrace),
        }
    }

    /// Rows of all outcomes, topic by topic, in the order of requests.
    fn append(&self, call: &Call<'_>, outcomes: &[Outcome], effects: &mut Effects) {
        for (number, topic) in call.route.topics.iter().enumerate() {
            let count = self.plan.partitions[topic];
            let mut produce = Produce {
                topic: topic.clone(),
                ..Produce::default()
            };
            for (request, outcome) in call.requests.iter().zip(outcomes) {
                for row in outcome
                    .rows
                    .iter()
                    .filter(|row| usize::from(row.topic) == number)
                {
                    let keyless = || partition_without_key(request.time.unsigned_abs(), count);
                    produce.partitions.push(
                        row.key
                            .as_ref()
                            .map_or_else(keyless, |key| partition(key, count)),
                    );
                    produce
                        .rows
                        .push(row.key.as_deref(), row.value.as_deref(), request.time);
                }
            }
            if !produce.rows.is_empty() {
                effects.produce.push(produce);
            }
        }
    }
}

/// Requests of one route.
struct Call<'a> {
    topology: &'a Topology,
    route: &'a Route,
    requests: &'a [Request],
    places: &'a Places,
    now: Timestamp,
}

impl Call<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.route.method, self.route.path)
    }
}

fn failed() -> Outcome {
    let body = b"the service failed on this request; its dead letter tells why\n".to_vec();
    let headers = vec![(
        "content-type".to_owned(),
        "text/plain; charset=utf-8".to_owned(),
    )];
    Outcome {
        response: Response {
            status: 500,
            headers,
            body,
        },
        rows: Vec::new(),
    }
}
