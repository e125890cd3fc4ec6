//! Which route a request takes. Pure: it knows requests and patterns, nothing of what a route does.
//!
//! Precedence is the Kubernetes Gateway API's: an exact host before a longer wildcard before a shorter one
//! before any host; a path without `/**` before the prefix with most segments, and text before `*` and
//! `{name}` from the left; then a route that names methods; then more headers; then more query parameters;
//! then the order of the routes. A candidate whose conditions fail gives way to the next, also across paths
//! and hosts.

mod conditions;
mod hash;
mod hosts;
mod params;
mod ties;
mod tree;

#[cfg(feature = "measure")]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use http::{HeaderMap, Method};

use crate::config::{RouteMatch, Segment};
use conditions::Conditions;
use hosts::Hosts;
pub(crate) use params::Params;
pub(crate) use ties::Tie;
use tree::{Tree, Walk};

/// All routes, arranged so that a lookup costs the same however many there are.
///
/// Only routes that share host *and* path are tried one after the other.
#[derive(Debug)]
pub(crate) struct Router {
    hosts: Hosts,
    tree: Tree,
    routes: Box<[Conditions]>,
}

/// What of a request decides its route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestView<'a> {
    /// As received, in any case, without its port; an IPv6 address in brackets.
    pub(crate) host: &'a str,
    /// As received, without the query. `*` is matched by `/**` alone.
    pub(crate) path: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    /// As received, without its `?`.
    pub(crate) query: Option<&'a str>,
}

/// The answer to [`Router::find`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    Found {
        /// Its place in the slice that [`Router::new`] was given.
        route: usize,
        params: Params,
    },
    /// Only the method stood in the way.
    MethodNotAllowed {
        /// For the `Allow` header: every method once.
        allow: Vec<Method>,
    },
    NotFound,
}

impl Router {
    /// Arranges the routes, or names every pair of which neither goes before the other.
    pub(crate) fn new(routes: &[RouteMatch]) -> Result<Self, Vec<Tie>> {
        let mut hosts = Hosts::default();
        let mut tree = Tree::default();
        let mut ties = ties::Ties::default();
        for (index, route) in routes.iter().enumerate() {
            for root in hosts.roots_of(&route.hosts, &mut tree) {
                let leaf = tree.insert(root, &route.path, index);
                ties.note(leaf, route, index);
            }
        }
        let ties = ties.into_found();
        if !ties.is_empty() {
            return Err(ties);
        }
        let routes: Box<[Conditions]> = routes.iter().map(Conditions::new).collect();
        tree.sort_leaves(|&route| (routes[route as usize].rank(), route));
        Ok(Self { hosts, tree, routes })
    }

    /// The route of a request. It allocates nothing for routes with up to four `*` and `{name}`.
    pub(crate) fn find(&self, request: &RequestView<'_>) -> Lookup {
        let host = hosts::canonical(request.host);
        let mut walk = Walk::new(request, &self.routes);
        for root in self.hosts.matching(&host) {
            if let Some((route, params)) = self.tree.find(root, &mut walk) {
                return Lookup::Found { route, params };
            }
        }
        if !walk.met_other_method() {
            return Lookup::NotFound;
        }
        let mut allow = Vec::new();
        for root in self.hosts.matching(&host) {
            self.tree.collect_methods(root, request, &self.routes, &mut allow);
        }
        if allow.is_empty() { Lookup::NotFound } else { Lookup::MethodNotAllowed { allow } }
    }

    /// The named segments of a found route, in order. `path` is the one that was looked up.
    pub(crate) fn params<'a>(
        &'a self,
        route: usize,
        params: &'a Params,
        path: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        let names = self.routes.get(route).map_or(&[][..], |route| &route.names);
        names.iter().zip(params.values(path)).filter_map(|(name, value)| Some((name.as_deref()?, value)))
    }
}

/// For each segment that captures, in order: its name, if it has one.
fn capture_names(segments: &[Segment]) -> Box<[Option<Box<str>>]> {
    segments
        .iter()
        .filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Any => Some(None),
            Segment::Named(name) => Some(Some(name.as_str().into())),
        })
        .collect()
}
