//! The trees of paths, one for each host pattern: a node for each segment.

use http::Method;

use super::conditions::Conditions;
use super::hash::TextMap;
use super::{Params, RequestView};
use crate::config::{PathPattern, Segment};

/// All trees, their nodes side by side.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: TextMap<u32>,
    /// Below `*` and `{name}`.
    wildcard: Option<u32>,
    /// Routes whose path ends here, best first.
    exact: Vec<u32>,
    /// Routes whose path goes on with `/**`, best first.
    prefix: Vec<u32>,
}

/// The place of a path: routes at the same one have the same path but for names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leaf {
    node: u32,
    prefix: bool,
}

impl Tree {
    /// A new, empty tree; its root.
    pub(super) fn plant(&mut self) -> u32 {
        let root = u32::try_from(self.nodes.len()).expect("fewer than 2^32 segments are configured");
        self.nodes.push(Node::default());
        root
    }

    pub(super) fn insert(&mut self, root: u32, path: &PathPattern, route: usize) -> Leaf {
        let mut node = root;
        for segment in &path.segments {
            node = self.child(node, segment);
        }
        let here = &mut self.nodes[node as usize];
        let leaf = if path.rest { &mut here.prefix } else { &mut here.exact };
        leaf.push(u32::try_from(route).expect("fewer than 2^32 routes are configured"));
        Leaf { node, prefix: path.rest }
    }

    fn child(&mut self, parent: u32, segment: &Segment) -> u32 {
        let here = &self.nodes[parent as usize];
        let known = match segment {
            Segment::Literal(text) => here.literals.get(text.as_str()).copied(),
            Segment::Any | Segment::Named(_) => here.wildcard,
        };
        if let Some(child) = known {
            return child;
        }
        let child = self.plant();
        let here = &mut self.nodes[parent as usize];
        match segment {
            Segment::Literal(text) => {
                here.literals.insert(text.as_str().into(), child);
            }
            Segment::Any | Segment::Named(_) => here.wildcard = Some(child),
        }
        child
    }

    /// Puts the routes of each leaf in order.
    pub(super) fn sort_leaves<K: Ord>(&mut self, key: impl Fn(&u32) -> K) {
        for node in &mut self.nodes {
            node.exact.sort_by_key(&key);
            node.prefix.sort_by_key(&key);
        }
    }

    /// The best route below `root` whose conditions hold.
    pub(super) fn find(&self, root: u32, walk: &mut Walk<'_>) -> Option<(usize, Params)> {
        walk.params = Params::default();
        walk.best_prefix = None;
        let mut pick = |walk: &mut Walk<'_>, leaf: &[u32]| walk.pick(leaf);
        match self.start(root, walk, &mut pick) {
            Some(route) => Some((route, std::mem::take(&mut walk.params))),
            None => walk.best_prefix.take().map(|best| (best.route, best.params)),
        }
    }

    /// Adds the methods of every route below `root` that would take the request but for its method.
    pub(super) fn collect_methods(
        &self,
        root: u32,
        request: &RequestView<'_>,
        routes: &[Conditions],
        methods: &mut Vec<Method>,
    ) {
        let mut collect = |walk: &mut Walk<'_>, leaf: &[u32]| {
            for route in leaf.iter().map(|&route| &walk.routes[route as usize]) {
                if route.holds_beside_method(walk.request) {
                    let new = route.methods.iter().filter(|method| !methods.contains(method));
                    let new: Vec<Method> = new.cloned().collect();
                    methods.extend(new);
                }
            }
            None
        };
        self.start(root, &mut Walk::new(request, routes), &mut collect);
    }

    fn start<F>(&self, root: u32, walk: &mut Walk<'_>, pick: &mut F) -> Option<usize>
    where
        F: FnMut(&mut Walk<'_>, &[u32]) -> Option<usize>,
    {
        match walk.request.path {
            "/" => self.descend(root, None, 0, walk, pick),
            path if path.starts_with('/') => self.descend(root, Some(1), 0, walk, pick),
            _ => {
                let route = pick(walk, &self.nodes[root as usize].prefix);
                walk.best_prefix = route.map(|route| Prefix { depth: 0, route, params: Params::default() });
                None
            }
        }
    }

    /// Tries everything below `node`, best first; `at` is where the next segment begins, if there is one.
    ///
    /// What it returns is a route whose path ended where the request's did: no other can go before it. A
    /// prefix may yet give way to a longer one, so it is only remembered.
    fn descend<F>(
        &self,
        node: u32,
        at: Option<usize>,
        depth: usize,
        walk: &mut Walk<'_>,
        pick: &mut F,
    ) -> Option<usize>
    where
        F: FnMut(&mut Walk<'_>, &[u32]) -> Option<usize>,
    {
        let node = &self.nodes[node as usize];
        if let Some(start) = at {
            let path = walk.request.path;
            let end = path[start..].find('/').map_or(path.len(), |length| start + length);
            let next = (end < path.len()).then_some(end + 1);
            if let Some(&child) = node.literals.get(&path[start..end])
                && let Some(route) = self.descend(child, next, depth + 1, walk, pick)
            {
                return Some(route);
            }
            if let Some(child) = node.wildcard.filter(|_| end > start) {
                walk.params.push(start, end);
                if let Some(route) = self.descend(child, next, depth + 1, walk, pick) {
                    return Some(route);
                }
                walk.params.pop();
            }
        } else if let Some(route) = pick(walk, &node.exact) {
            return Some(route);
        }
        // Literals were tried before wildcards, so of two prefixes of one length the first stays.
        let longest = walk.best_prefix.as_ref().is_none_or(|best| best.depth < depth);
        if longest && let Some(route) = pick(walk, &node.prefix) {
            walk.best_prefix = Some(Prefix { depth, route, params: walk.params.clone() });
        }
        None
    }
}

/// The state of one lookup.
pub(super) struct Walk<'a> {
    request: &'a RequestView<'a>,
    routes: &'a [Conditions],
    /// Captured on the way to the node at hand.
    params: Params,
    best_prefix: Option<Prefix>,
    other_method: bool,
}

struct Prefix {
    depth: usize,
    route: usize,
    params: Params,
}

impl<'a> Walk<'a> {
    pub(super) fn new(request: &'a RequestView<'a>, routes: &'a [Conditions]) -> Self {
        Self { request, routes, params: Params::default(), best_prefix: None, other_method: false }
    }

    /// Whether a route was passed over for its method.
    pub(super) const fn met_other_method(&self) -> bool {
        self.other_method
    }

    fn pick(&mut self, leaf: &[u32]) -> Option<usize> {
        for &index in leaf {
            let route = &self.routes[index as usize];
            if !route.allows_method(self.request.method) {
                self.other_method = true;
            } else if route.holds_beside_method(self.request) {
                return Some(index as usize);
            }
        }
        None
    }
}
