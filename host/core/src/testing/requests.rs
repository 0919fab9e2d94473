//! Requests to the service under test, routed as the HTTP side routes them.

use std::sync::Arc;

use crate::functions::{Failure, Request, Response};
use crate::partitioner::partition;
use crate::query;
use crate::topology::Segment;
use crate::topology::TaskId;
use crate::topology::description::{RouteKey, RouteKind};

use super::Driver;

impl Driver {
    /// Asks the service as an HTTP client would. A command is committed before its answer is given;
    /// a query that has no answer yet is
    /// `None`.
    pub fn request(&mut self, method: &str, path: &str, body: &[u8]) -> Option<Response> {
        self.requests += 1;
        let request = Request {
            method: method.to_owned(),
            body: body.to_vec(),
            time: self.now.0,
            unique: format!("{:032x}", self.requests),
            ..Request::default()
        };
        self.ask(request, path)
    }

    /// As [`Driver::request`], with headers and all else as the test wants; `path` may have a
    /// query.
    pub fn ask(&mut self, mut request: Request, path: &str) -> Option<Response> {
        let topology = Arc::clone(&self.topology);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        path.clone_into(&mut request.path);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            request.query.push((name.to_owned(), value.to_owned()));
        }
        let found = topology
            .routes()
            .iter()
            .enumerate()
            .filter(|(_, route)| route.method == request.method);
        let found =
            found.filter_map(|(number, route)| Some((number, route, route.match_path(path)?)));
        let Some((number, route, parameters)) =
            found.min_by_key(|(_, route, _)| route.precedence())
        else {
            return Some(Response {
                status: 404,
                ..Response::default()
            });
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        request.parameters = parameters.iter().map(owned).collect();
        let key = match &route.key {
            RouteKey::Parameter(name) => {
                debug_assert!(
                    route.segments.contains(&Segment::Parameter(name.clone())),
                    "checked by compile"
                );
                let found = request
                    .parameters
                    .iter()
                    .find(|(parameter, _)| parameter == name);
                found
                    .expect("the route's path names it")
                    .1
                    .clone()
                    .into_bytes()
            }
            RouteKey::Function(function) => match self.functions.locate(*function, &request) {
                Ok(Ok(key)) => key,
                Ok(Err(response)) => return Some(response),
                Err(failure) => return Some(trapped(&failure)),
            },
        };
        let subtopology = route.subtopology.unwrap_or_default();
        let partition = partition(&key, self.plan.tasks_of(subtopology).max(1));
        let id = TaskId {
            subtopology,
            partition,
        };
        let task = self
            .plan
            .tasks
            .iter()
            .position(|&task| task == id)
            .expect("a route's tasks are there");
        match route.kind {
            RouteKind::Command => {
                let (now, functions, effects) = (self.now, &mut *self.functions, &mut self.effects);
                let outcomes = self.tasks[task].handle(number, &[request], now, functions, effects);
                let mut outcomes = outcomes.expect("memory and closures do not fail");
                if !self.holding {
                    self.commit();
                    self.run();
                }
                outcomes.pop().map(|outcome| outcome.response)
            }
            RouteKind::Query => {
                let backend = self.backend(task);
                let answer = query::answer(
                    &topology,
                    route,
                    &request,
                    &backend,
                    &mut *self.functions,
                    &self.limits,
                );
                answer.map_or_else(|failure| Some(trapped(&failure)), |answer| answer.response)
            }
        }
    }
}

fn trapped(failure: &Failure) -> Response {
    Response {
        status: 500,
        body: failure.to_string().into_bytes(),
        ..Response::default()
    }
}
