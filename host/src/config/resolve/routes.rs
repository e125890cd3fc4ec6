//! Routes.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};

use super::at::At;
use super::steps::{Plan, Usable};
use super::{Entry, Input, Names, Resolver};
use crate::config::model::{Destination, Plugin, Route, Upstream};
use crate::config::pattern::{HostPattern, PathPattern, RouteMatch};
use crate::config::raw::{List, Named, RawMatch, RawRoute, RawRouteServe};
use crate::config::similar::closest;

const METHODS: [&str; 21] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "QUERY",
    "PURGE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "ACL",
    "LINK",
    "UNLINK",
];

/// What routes lead to and through.
pub(super) struct Routing<'a> {
    pub(super) plugins: &'a BTreeMap<Arc<str>, Arc<Plugin>>,
    pub(super) plugin_names: &'a Names,
    pub(super) chains: &'a BTreeMap<Arc<str>, Plan>,
    pub(super) upstreams: &'a BTreeMap<Arc<str>, Arc<Upstream>>,
    pub(super) upstream_names: &'a Names,
}

impl Resolver<'_> {
    pub(super) fn routes(&mut self, inputs: &[Input<'_>], routing: &Routing<'_>) -> Vec<Route> {
        let entries = self.named(inputs, "routes", |raw| &raw.routes);
        entries.iter().filter_map(|entry| self.route(entry, routing)).collect()
    }

    fn route(&mut self, entry: &Entry<'_, RawRoute>, routing: &Routing<'_>) -> Option<Route> {
        self.known.incomplete |= entry.raw.is_none();
        let (at, raw) = (&entry.at, entry.raw?);
        let conditions = at.key("match");
        let (matches, doubtful) =
            self.doubted(&conditions, |resolver| match resolver.given(&conditions, &raw.matches) {
                Some(raw) => resolver.matches(&conditions, raw),
                None => RouteMatch {
                    hosts: Vec::new(),
                    path: PathPattern::everything(),
                    methods: Vec::new(),
                    headers: Vec::new(),
                    query: Vec::new(),
                },
            });
        if !doubtful && let Some(place) = at.head() {
            self.known.matches.push((entry.name.clone(), place, matches.clone()));
        }
        let mut plan = self.chain(&at.key("chain"), raw, routing);
        let usable = Usable { plugins: routing.plugins, names: routing.plugin_names };
        self.add_steps(&at.key("steps"), &raw.steps, usable, &mut plan);
        self.known.steps.extend(plan.steps.iter().filter_map(|planned| planned.step.clone()));
        let destination = self.destination(at, raw, routing);
        let upgrades = self.upgrades(&at.key("upgrade"), &raw.upgrade);
        Some(Route {
            name: entry.name.clone(),
            place: at.head()?,
            matches,
            groups: plan.groups(),
            steps: plan.steps.into_iter().map(|planned| planned.step).collect::<Option<_>>()?,
            destination: destination?,
            upgrades,
        })
    }

    fn chain(&mut self, at: &At<'_>, raw: &RawRoute, routing: &Routing<'_>) -> Plan {
        let Some(name) = self.given(at, &raw.chain) else {
            return if at.is_written() { Plan::unknown() } else { Plan::default() };
        };
        match routing.chains.get(name.as_str()) {
            Some(plan) => plan.clone(),
            None => {
                let names = routing.chains.keys().map(|name| &**name);
                self.unknown(at, "chain", name, names, "declare it as `[chains.NAME]`");
                Plan::unknown()
            }
        }
    }

    /// An upstream, or the gateway itself.
    fn destination(&mut self, at: &At<'_>, raw: &RawRoute, routing: &Routing<'_>) -> Option<Destination> {
        let (to_at, serve_at) = (at.key("to"), at.key("serve"));
        let serve = self.given(&serve_at, &raw.serve);
        let upstream = self.to(&to_at, raw, routing);
        match (to_at.is_written(), serve_at.is_written()) {
            (true, true) => {
                let message = "a route leads to an upstream, or is served by the gateway: `to` or `serve`";
                let mut problem = serve_at.problem(message);
                if let Some(place) = to_at.place() {
                    problem = problem.related(place, format!("`{}`", to_at.path()));
                }
                self.problems.push(problem);
                None
            }
            (false, true) => serve.map(|RawRouteServe::Usage| Destination::Usage),
            (true, false) => upstream.map(Destination::Upstream),
            (false, false) => {
                if !self.damaged && !at.has_other_keys(&RawRoute::KEYS) {
                    let hint = "`to` is the name of an upstream; `serve = \"usage\"` stands in its place";
                    let message = format!("`to` is missing in `{}`", at.path());
                    self.problems.push(at.problem(message).hint(hint));
                }
                None
            }
        }
    }

    /// Protocols that a connection may go over to. HTTP itself is none: what would be said so passes no step and no rule.
    fn upgrades(&mut self, at: &At<'_>, raw: &List<String>) -> Option<Arc<[Box<str>]>> {
        if !at.is_written() {
            return None;
        }
        let mut upgrades = Vec::new();
        for (at, text) in self.list(at, raw) {
            let is_token = |part: &str| HeaderName::from_bytes(part.as_bytes()).is_ok();
            let (name, version) = text.split_once('/').map_or((text.as_str(), None), |(n, v)| (n, Some(v)));
            if !is_token(name) || !version.is_none_or(is_token) {
                let expected = "a protocol such as \"websocket\"";
                let message = format!("expected {expected}, found {}", at.written());
                self.invalid(&at, expected, &message, None);
            } else if ["h2c", "h2", "http", "tls"].contains(&name.to_ascii_lowercase().as_str()) {
                let message = format!("a connection cannot go over to {}", at.written());
                let hint = "requests that were sent so would pass by every route and step";
                self.problems.push(at.problem(message).hint(hint));
            } else {
                upgrades.push(text.as_str().into());
            }
        }
        Some(upgrades.into())
    }

    fn to(&mut self, at: &At<'_>, raw: &RawRoute, routing: &Routing<'_>) -> Option<Arc<Upstream>> {
        let name = self.given(at, &raw.to)?;
        if !routing.upstream_names.contains_key(name.as_str()) {
            let names = routing.upstream_names.keys().map(|name| &**name);
            self.unknown(at, "upstream", name, names, "declare it as `[upstreams.NAME]`");
        }
        routing.upstreams.get(name.as_str()).cloned()
    }

    fn matches(&mut self, at: &At<'_>, raw: &RawMatch) -> RouteMatch {
        let mut hosts = Vec::new();
        for (at, text) in self.list(&at.key("hosts"), &raw.hosts) {
            match HostPattern::parse(text) {
                Ok(host) if hosts.contains(&host) => {}
                Ok(host) => hosts.push(host),
                Err(error) => {
                    let expected = "a host such as \"api.shop.example\"";
                    self.invalid(&at, expected, &error.message, error.hint);
                }
            }
        }
        let mut path = PathPattern::everything();
        let path_at = at.key("path");
        if let Some(text) = self.given(&path_at, &raw.path) {
            match PathPattern::parse(text) {
                Ok(pattern) => path = pattern,
                Err(error) => {
                    let expected = "a path such as \"/orders/**\"";
                    self.invalid(&path_at, expected, &error.message, error.hint);
                }
            }
        }
        RouteMatch {
            hosts,
            path,
            methods: self.methods(&at.key("methods"), &raw.methods),
            headers: self.headers(&at.key("headers"), &raw.headers),
            query: self
                .pairs(&at.key("query"), &raw.query)
                .into_iter()
                .map(|(_, name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    fn methods(&mut self, at: &At<'_>, raw: &List<String>) -> Vec<Method> {
        let mut methods: Vec<Method> = Vec::new();
        for (at, text) in self.list(at, raw) {
            let known = METHODS.contains(&text.as_str());
            let Some(method) = Method::from_bytes(text.as_bytes()).ok().filter(|_| known) else {
                let shown = text.escape_debug();
                let (message, hint) = match text.as_str() {
                    "CONNECT" | "TRACE" => (format!("the gateway never forwards `{text}`"), None),
                    _ => (
                        format!("there is no method `{shown}`"),
                        closest(text, METHODS).map(|meant| format!("did you mean `{meant}`?")),
                    ),
                };
                self.invalid(&at, "a method such as \"GET\"", &message, hint);
                continue;
            };
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        methods
    }

    fn headers(&mut self, at: &At<'_>, raw: &Named<String>) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        for (at, name, value) in self.pairs(at, raw) {
            let shown = name.escape_debug();
            let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
                let mut problem = at.problem(format!("`{shown}` is not a header name"));
                problem.place = at.head();
                self.problems.push(problem);
                continue;
            };
            match HeaderValue::from_str(value) {
                Ok(value) => headers.push((name, value)),
                Err(_) => {
                    let message = "a header's value has no control characters";
                    self.invalid(&at, "a header's value", message, None);
                }
            }
        }
        headers
    }

    pub(super) fn pairs<'d, 'f>(
        &mut self,
        at: &At<'d>,
        raw: &'f Named<String>,
    ) -> Vec<(At<'d>, &'f str, &'f str)> {
        let mut pairs = Vec::new();
        for (name, field) in self.given(at, raw).into_iter().flatten() {
            let at = at.key(name);
            if let Some(value) = self.given(&at, field) {
                pairs.push((at, name.as_str(), value.as_str()));
            }
        }
        pairs
    }
}
