//! Which route a request is for.

use percent_encoding::percent_decode_str;

use super::gateway::Route;

/// What was found for a method and a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// The route, and the named parts of the path, decoded.
    Route(&'a Route, Vec<(String, String)>),
    /// The path is known, but takes these methods.
    WrongMethod(Vec<&'a str>),
    /// No service has such a path.
    Nothing,
}

/// Finds the route. Literal parts win over named ones: `/orders/new` over `/orders/{id}`.
pub(super) fn find<'a>(routes: &'a [Route], method: &str, path: &str) -> Found<'a> {
    let mut fitting: Vec<_> = routes
        .iter()
        .filter_map(|route| Some((route, parameters(&route.path, path)?)))
        .collect();
    fitting.sort_by_key(|(_, parameters)| parameters.len());
    if fitting.is_empty() {
        return Found::Nothing;
    }
    match fitting.iter().position(|(route, _)| route.method == method) {
        Some(at) => {
            let (route, parameters) = fitting.swap_remove(at);
            Found::Route(route, parameters)
        }
        None => {
            let mut methods: Vec<_> = fitting
                .iter()
                .map(|(route, _)| route.method.as_str())
                .collect();
            methods.sort_unstable();
            methods.dedup();
            Found::WrongMethod(methods)
        }
    }
}

/// The named parts of `path`, if it fits the template. A part that is empty or no utf-8 fits
/// nothing.
fn parameters(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut parts = path.split('/');
    let mut named = Vec::new();
    for expected in template.split('/') {
        let part = parts.next()?;
        match expected
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) => {
                let value = percent_decode_str(part).decode_utf8().ok()?;
                if value.is_empty() {
                    return None;
                }
                named.push((name.to_owned(), value.into_owned()));
            }
            None if expected == part => {}
            None => return None,
        }
    }
    parts.next().is_none().then_some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Vec<Route> {
        let route = |method: &str, path: &str| Route {
            service: "orders".to_owned(),
            route: 0,
            method: method.to_owned(),
            path: path.to_owned(),
        };
        vec![
            route("POST", "/v1/orders"),
            route("GET", "/v1/orders/{id}"),
            route("GET", "/v1/orders/latest"),
            route("GET", "/v1/orders/{id}/validated"),
        ]
    }

    fn found(method: &str, path: &str) -> String {
        match find(&routes(), method, path) {
            Found::Route(route, parameters) => format!("{} {parameters:?}", route.path),
            Found::WrongMethod(methods) => format!("only {methods:?}"),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn named_parts_are_decoded() {
        let expected = r#"/v1/orders/{id}/validated [("id", "a/b c")]"#;
        assert_eq!(found("GET", "/v1/orders/a%2Fb%20c/validated"), expected);
    }

    #[test]
    fn literal_parts_win() {
        assert_eq!(found("GET", "/v1/orders/latest"), "/v1/orders/latest []");
    }

    #[test]
    fn another_method_is_told_which_ones_there_are() {
        assert_eq!(found("DELETE", "/v1/orders/7"), r#"only ["GET"]"#);
        assert_eq!(found("GET", "/v1/orders"), r#"only ["POST"]"#);
    }

    #[test]
    fn an_unknown_path_or_an_empty_part_is_nothing() {
        assert_eq!(found("GET", "/v2/orders"), "nothing");
        assert_eq!(found("GET", "/v1/orders/"), "nothing");
        assert_eq!(found("GET", "/v1/orders/%ff"), "nothing");
    }
}
