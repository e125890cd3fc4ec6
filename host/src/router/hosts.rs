//! From a host to the trees of paths that may serve it, best first.

use std::borrow::Cow;

use super::hash::TextMap;
use super::tree::Tree;
use crate::config::HostPattern;

/// The root of the tree of each host pattern.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    exact: TextMap<u32>,
    /// By suffix, with its leading dot.
    wildcard: TextMap<u32>,
    any: Option<u32>,
    /// Dots in the longest suffix. A host with a thousand labels costs no more lookups than this.
    most_dots: usize,
}

/// A host as patterns are kept: lower case, and without the dot of a fully qualified name.
pub(super) fn canonical(host: &str) -> Cow<'_, str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

impl Hosts {
    /// The roots of these patterns, each once; trees that do not exist yet are planted.
    pub(super) fn roots_of(&mut self, patterns: &[HostPattern], tree: &mut Tree) -> Vec<u32> {
        let patterns = if patterns.is_empty() { &[HostPattern::Any] } else { patterns };
        let mut roots = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            let root = match pattern {
                HostPattern::Any => *self.any.get_or_insert_with(|| tree.plant()),
                HostPattern::Exact(host) => {
                    *self.exact.entry(canonical(host).into()).or_insert_with(|| tree.plant())
                }
                HostPattern::Wildcard(suffix) => {
                    self.most_dots = self.most_dots.max(suffix.matches('.').count());
                    *self.wildcard.entry(canonical(suffix).into()).or_insert_with(|| tree.plant())
                }
            };
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        roots
    }

    /// The roots for a canonical host: exact, then longer before shorter wildcards, then any.
    pub(super) fn matching<'a>(&'a self, host: &'a str) -> impl Iterator<Item = u32> + 'a {
        let wildcards = self.suffixes(host).filter_map(|suffix| self.wildcard.get(suffix));
        self.exact.get(host).into_iter().chain(wildcards).chain(&self.any).copied()
    }

    /// Suffixes from a dot on, longest first, that have at most `most_dots` dots and something before them.
    fn suffixes<'a>(&self, host: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        let longest = host.rmatch_indices('.').take(self.most_dots).last().map_or(host.len(), |(at, _)| at);
        host[longest..]
            .match_indices('.')
            .map(move |(at, _)| longest + at)
            .filter(|&at| at > 0)
            .map(|at| &host[at..])
    }
}

#[cfg(test)]
mod tests {
    use super::{Hosts, canonical};

    #[test]
    fn suffixes_are_bounded_by_the_longest_pattern() {
        let hosts = Hosts { most_dots: 2, ..Hosts::default() };
        let suffixes = |host| hosts.suffixes(host).collect::<Vec<_>>();
        assert_eq!(suffixes("a.b.c.d"), [".c.d", ".d"]);
        assert_eq!(suffixes("a.b"), [".b"]);
        assert_eq!(suffixes(".b"), [""; 0], "a wildcard stands for one label or more");
        assert_eq!(suffixes("a"), [""; 0]);
        assert_eq!(suffixes(""), [""; 0]);
    }

    #[test]
    fn hosts_lose_case_and_final_dot() {
        assert_eq!(canonical("API.Shop.Example."), "api.shop.example");
        assert_eq!(canonical("[::1]"), "[::1]");
        assert_eq!(canonical(""), "");
    }
}
