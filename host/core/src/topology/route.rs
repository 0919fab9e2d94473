//! Routes: which requests a service takes, and where they run.

use crate::functions::FunctionId;
use crate::store::StoreId;

use super::check::{is_internal, legal};
use super::description::{self, Description, RouteKey, RouteKind};
use super::errors::Errors;
use super::{StoreKind, StoreSpec};

/// A checked route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Upper case.
    pub method: String,
    /// As declared.
    pub path: String,
    /// The path's parts.
    pub segments: Vec<Segment>,
    /// Command or query.
    pub kind: RouteKind,
    /// `handle` or `answer`.
    pub function: FunctionId,
    /// Which key the request is about.
    pub key: RouteKey,
    /// By position: the numbers that `state` calls use.
    pub stores: Vec<StoreId>,
    /// By position: the topics that a command appends to.
    pub topics: Vec<String>,
    /// Where it runs; `None`: it reads global tables only, so anywhere.
    pub subtopology: Option<u32>,
}

/// A part of a route's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Matches itself.
    Literal(String),
    /// Matches any part that is not empty, and names it.
    Parameter(String),
}

impl Route {
    /// The parameters of a path (still encoded) that this route takes; `None`: it does not.
    pub fn match_path<'a>(&'a self, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let parts = if path == "/" { Vec::new() } else { parts };
        if parts.len() != self.segments.len() {
            return None;
        }
        let mut parameters = Vec::new();
        for (segment, part) in self.segments.iter().zip(parts) {
            match segment {
                Segment::Literal(literal) if literal == part => {}
                Segment::Parameter(name) if !part.is_empty() => {
                    parameters.push((name.as_str(), part))
                }
                _ => return None,
            }
        }
        Some(parameters)
    }

    /// How many parts are literal from the left on: of two routes that match, the one with the
    /// literal first wins.
    pub fn precedence(&self) -> Vec<bool> {
        self.segments
            .iter()
            .map(|segment| matches!(segment, Segment::Parameter(_)))
            .collect()
    }
}

/// Checks the routes and resolves their stores. Routes with a mistake are left out.
pub(super) fn compile_routes(
    service: &str,
    description: &Description,
    stores: &[StoreSpec],
    errors: &mut Errors,
) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for declared in &description.routes {
        let before = errors.0.len();
        let segments = segments(declared, errors);
        let resolved = resolve(declared, stores, errors);
        topics(service, declared, errors);
        for other in &routes {
            if other.method == declared.method && same_shape(&other.segments, &segments) {
                let name = format!("`{} {}`", declared.method, declared.path);
                errors.push(format!(
                    "routes {name} and `{}` take the same requests; change a path",
                    other.path
                ));
            }
        }
        if errors.0.len() == before {
            routes.push(Route {
                method: declared.method.clone(),
                path: declared.path.clone(),
                segments,
                kind: declared.kind,
                function: declared.function,
                key: declared.key.clone(),
                stores: resolved,
                topics: declared.topics.clone(),
                subtopology: None,
            });
        }
    }
    routes
}

fn segments(route: &description::Route, errors: &mut Errors) -> Vec<Segment> {
    let name = format!("route `{} {}`", route.method, route.path);
    if route.method.is_empty() || !route.method.bytes().all(|b| b.is_ascii_uppercase()) {
        errors.push(format!(
            "{name}: the method must be in upper case, such as GET or POST"
        ));
    }
    let Some(path) = route.path.strip_prefix('/') else {
        errors.push(format!("{name}: the path must begin with `/`"));
        return Vec::new();
    };
    let mut segments = Vec::new();
    for part in path.split('/').filter(|_| !path.is_empty()) {
        let parameter = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        let bad = |text: &str| text.is_empty() || text.contains(['{', '}', '?', '#', '%', ' ']);
        match parameter {
            Some(parameter) if !bad(parameter) => {
                segments.push(Segment::Parameter(parameter.to_owned()))
            }
            None if !bad(part) => segments.push(Segment::Literal(part.to_owned())),
            _ => {
                let mend = "a part is literal text or one `{name}`, and never empty";
                errors.push(format!(
                    "{name}: the part `{part}` of the path is no good; {mend}"
                ));
            }
        }
    }
    for (position, segment) in segments.iter().enumerate() {
        if matches!(segment, Segment::Parameter(_)) && segments[..position].contains(segment) {
            errors.push(format!(
                "{name}: two parts of the path have the same name; rename one"
            ));
        }
    }
    if let RouteKey::Parameter(parameter) = &route.key
        && !segments.contains(&Segment::Parameter(parameter.clone()))
    {
        errors.push(format!(
            "{name}: its key is the parameter `{parameter}`, which the path does \
        not name; add `{{{parameter}}}`"
        ));
    }
    segments
}

fn resolve(route: &description::Route, stores: &[StoreSpec], errors: &mut Errors) -> Vec<StoreId> {
    let name = format!("route `{} {}`", route.method, route.path);
    let mut resolved = Vec::new();
    for store in &route.stores {
        let position = stores.iter().position(|spec| spec.name == *store);
        let kind = position.map(|position| stores[position].kind);
        if matches!(kind, Some(StoreKind::Join { .. } | StoreKind::Buffer)) {
            errors.push(format!(
                "{name} uses store `{store}`, which holds what waits and is its operator's alone; \
                use the store of the table above, or of the result"
            ));
        }
        match position {
            Some(position) => resolved.push(StoreId(
                u32::try_from(position).expect("the number of stores is checked"),
            )),
            None => errors.push(format!(
                "{name} uses store `{store}`, which nobody declares; declare it"
            )),
        }
    }
    let local = |id: &StoreId| !stores[id.0 as usize].global;
    if route.stores.is_empty() {
        errors.push(format!(
            "{name} uses no store, so nobody knows where it runs; name at least one"
        ));
    } else if route.kind == RouteKind::Command
        && resolved.len() == route.stores.len()
        && !resolved.iter().any(local)
    {
        errors.push(format!(
            "{name} is a command over global tables only, which belong to no \
        task; name a store of its own"
        ));
    }
    resolved
}

fn topics(service: &str, route: &description::Route, errors: &mut Errors) {
    let name = format!("route `{} {}`", route.method, route.path);
    if route.kind == RouteKind::Query && !route.topics.is_empty() {
        errors.push(format!(
            "{name} is a query, which appends nothing; remove its topics or make it a command"
        ));
    }
    if route.topics.len() > 256 {
        errors.push(format!("{name} appends to more than 256 topics; use fewer"));
    }
    for topic in &route.topics {
        legal("topic", topic, errors);
        if is_internal(service, topic) {
            errors.push(format!(
                "{name} appends to `{topic}`, which is internal to `{service}`; \
            use a topic of your own"
            ));
        }
    }
}

fn same_shape(one: &[Segment], other: &[Segment]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|pair| match pair {
            (Segment::Literal(one), Segment::Literal(other)) => one == other,
            (Segment::Parameter(_), Segment::Parameter(_)) => true,
            _ => false,
        })
}
