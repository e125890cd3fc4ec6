//! Pairs of routes of which neither goes before the other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use http::Method;

use super::tree::Leaf;
use crate::config::RouteMatch;

/// Two routes that take the same requests: same host pattern, path, headers and query, and a method in
/// common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tie {
    /// The earlier one's place in the slice.
    pub(crate) first: usize,
    pub(crate) second: usize,
}

/// Everything that decides, in an order that does not depend on how it was written.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Claim<'a> {
    leaf: Leaf,
    method: Option<&'a Method>,
    headers: Vec<(&'a str, &'a [u8])>,
    query: Vec<(&'a str, &'a str)>,
}

/// Who claimed what first, and who came later.
#[derive(Debug, Default)]
pub(super) struct Ties<'a> {
    claims: HashMap<Claim<'a>, usize>,
    found: Vec<Tie>,
}

impl<'a> Ties<'a> {
    pub(super) fn note(&mut self, leaf: Leaf, route: &'a RouteMatch, index: usize) {
        let mut headers: Vec<_> =
            route.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        headers.sort_unstable();
        let mut query: Vec<_> =
            route.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        query.sort_unstable();
        let any = route.methods.is_empty().then_some(None);
        for method in route.methods.iter().map(Some).chain(any) {
            let claim = Claim { leaf, method, headers: headers.clone(), query: query.clone() };
            match self.claims.entry(claim) {
                Entry::Vacant(place) => {
                    place.insert(index);
                }
                // A route may name a host or a method twice.
                Entry::Occupied(first) if *first.get() == index => {}
                Entry::Occupied(first) => self.found.push(Tie { first: *first.get(), second: index }),
            }
        }
    }

    /// Each tie once, in the order of the routes.
    pub(super) fn into_found(mut self) -> Vec<Tie> {
        self.found.sort_unstable();
        self.found.dedup();
        self.found
    }
}
