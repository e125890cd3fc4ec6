//! Which method a path means. As Envoy has it: from left to right literal segments before `*` before `**`, and what does not fit
//! the HTTP method is passed over.

use std::cmp::Reverse;

use sluice_sdk::prelude::*;

use crate::template::{Segment, Template};

/// Templates as a tree.
pub(crate) struct Router {
    nodes: Vec<Node>,
    verbs: Vec<Box<str>>,
}

/// Where some segments lead.
#[derive(Default)]
struct Node {
    /// Sorted.
    literals: Vec<(Box<str>, usize)>,
    one: Option<usize>,
    /// What has `**` here, with the segments behind it. Those with more of them first, then literals before `*`.
    any: Vec<(Vec<Segment>, End)>,
    /// Those of one method before those of all.
    ends: Vec<End>,
}

/// The end of a template.
struct End {
    verb: Option<Box<str>>,
    /// `*` for all.
    method: Box<str>,
    target: usize,
}

/// A path, taken apart.
pub(crate) struct Segments<'p> {
    pub(crate) list: Vec<&'p str>,
    verb: Option<&'p str>,
}

/// What a request means.
pub(crate) enum Found<'p> {
    Target(usize, Segments<'p>),
    /// The path has these methods only.
    Methods(Vec<String>),
    Nothing,
}

/// What is looked for, and what was found beside it.
struct Search<'r, 's> {
    router: &'r Router,
    segments: &'s Segments<'s>,
    method: &'s str,
    others: Vec<&'r str>,
}

impl Router {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()], verbs: Vec::new() }
    }

    /// Adds a template. The target of one that is the same is an error.
    pub(crate) fn add(&mut self, method: &str, template: &Template, target: usize) -> Result<(), usize> {
        let mut node = 0;
        let deep = template.segments.iter().position(|segment| *segment == Segment::Any);
        for segment in &template.segments[..deep.unwrap_or(template.segments.len())] {
            node = self.child(node, segment);
        }
        let end = End { verb: template.verb.clone(), method: method.into(), target };
        if let Some(verb) = &template.verb
            && !self.verbs.contains(verb)
        {
            self.verbs.push(verb.clone());
        }
        let Some(deep) = deep else {
            let ends = &mut self.nodes[node].ends;
            if let Some(same) = ends.iter().find(|other| other.is_same(&end)) {
                return Err(same.target);
            }
            let at = ends.partition_point(|known| known.is_of_all() <= end.is_of_all());
            ends.insert(at, end);
            return Ok(());
        };
        let tail = template.segments[deep + 1..].to_vec();
        let any = &mut self.nodes[node].any;
        if let Some((_, same)) = any.iter().find(|(known, other)| *known == tail && other.is_same(&end)) {
            return Err(same.target);
        }
        let at = any.partition_point(|(known, other)| rank(known, other) <= rank(&tail, &end));
        any.insert(at, (tail, end));
        Ok(())
    }

    fn child(&mut self, node: usize, segment: &Segment) -> usize {
        let new = self.nodes.len();
        let child = match segment {
            Segment::Literal(literal) => {
                let literals = &mut self.nodes[node].literals;
                match literals.binary_search_by(|(known, _)| known.cmp(literal)) {
                    Ok(at) => literals[at].1,
                    Err(at) => {
                        literals.insert(at, (literal.clone(), new));
                        new
                    }
                }
            }
            Segment::One | Segment::Any => *self.nodes[node].one.get_or_insert(new),
        };
        if child == new {
            self.nodes.push(Node::default());
        }
        child
    }

    /// What a request means.
    pub(crate) fn find<'p>(&self, method: &str, path: &'p str) -> Found<'p> {
        let Some(path) = path.strip_prefix('/') else { return Found::Nothing };
        let mut list: Vec<_> = path.split('/').collect();
        let mut others = Vec::new();
        // A verb may have colons itself: the longest that there is.
        let last = list.last().copied().unwrap_or_default();
        for (colon, _) in last.match_indices(':') {
            let verb = &last[colon + 1..];
            if !self.verbs.iter().any(|known| **known == *verb) {
                continue;
            }
            let mut list = list.clone();
            list.pop();
            list.push(&last[..colon]);
            let segments = Segments { list, verb: Some(verb) };
            if let Some(target) = self.search(method, &segments, &mut others) {
                return Found::Target(target, segments);
            }
        }
        // As Envoy, which takes no notice of slashes at the end.
        while list.last().is_some_and(|last| last.is_empty()) {
            list.pop();
        }
        let segments = Segments { list, verb: None };
        match self.search(method, &segments, &mut others) {
            Some(target) => Found::Target(target, segments),
            None if others.is_empty() => Found::Nothing,
            None => Found::Methods(others),
        }
    }

    fn search(&self, method: &str, segments: &Segments<'_>, others: &mut Vec<String>) -> Option<usize> {
        let mut search = Search { router: self, segments, method, others: Vec::new() };
        let found = search.at(0, 0);
        for other in search.others {
            if !others.iter().any(|known| known == other) {
                others.push(other.to_owned());
            }
        }
        found
    }
}

impl<'r> Search<'r, '_> {
    /// Each node is looked at once at most, since it stands at one place of the path.
    fn at(&mut self, node: usize, place: usize) -> Option<usize> {
        let node = &self.router.nodes[node];
        let list = &self.segments.list;
        match list.get(place) {
            None => {
                if let Some(target) = node.ends.iter().find_map(|end| self.fits(end)) {
                    return Some(target);
                }
            }
            Some(segment) => {
                if let Ok(at) = node.literals.binary_search_by(|(known, _)| (**known).cmp(segment))
                    && let Some(target) = self.at(node.literals[at].1, place + 1)
                {
                    return Some(target);
                }
                if let Some(one) = node.one
                    && !segment.is_empty()
                    && let Some(target) = self.at(one, place + 1)
                {
                    return Some(target);
                }
            }
        }
        let rest = &list[place.min(list.len())..];
        node.any.iter().find_map(|(tail, end)| {
            let from = rest.len().checked_sub(tail.len())?;
            let takes = tail.iter().zip(&rest[from..]).all(|(segment, text)| segment.takes(text));
            if takes { self.fits(end) } else { None }
        })
    }

    fn fits(&mut self, end: &'r End) -> Option<usize> {
        if end.verb.as_deref() != self.segments.verb {
            return None;
        }
        if *end.method == *self.method || end.is_of_all() {
            return Some(end.target);
        }
        self.others.push(&end.method);
        None
    }
}

/// What comes first of the templates with `**` at one place.
fn rank(tail: &[Segment], end: &End) -> impl Ord + use<> {
    let is_wild: Vec<_> = tail.iter().map(|segment| !matches!(segment, Segment::Literal(_))).collect();
    (Reverse(tail.len()), is_wild, end.is_of_all())
}

impl End {
    fn is_of_all(&self) -> bool {
        &*self.method == "*"
    }

    fn is_same(&self, other: &Self) -> bool {
        self.verb == other.verb && self.method == other.method
    }
}
