//! Runs queries. Every node that is looked at counts, and long texts and numbers count as several, so a document cannot make a path
//! run away.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::Ordering;

use regex::Regex;

use super::regexp::{self, Pattern};
use super::{Comparison, Logical, Operand, Query, Segment, Selector};
use crate::json::{Json, Number, reading};

/// Nodes that one query may look at, those of its filters included.
pub(crate) const MAX_VISITS: usize = 1_000_000;

/// The query would look at more than [`MAX_VISITS`] nodes.
#[derive(Debug, PartialEq)]
pub(crate) struct TooMuch;

type Nodes<'d, 'a> = Vec<&'d Json<'a>>;

pub(super) fn select<'d, 'a>(query: &Query, root: &'d Json<'a>) -> Result<Nodes<'d, 'a>, TooMuch> {
    let search = Search { root, left: Cell::new(MAX_VISITS), compiled: RefCell::default() };
    search.query(query, root)
}

struct Search<'d, 'a> {
    root: &'d Json<'a>,
    left: Cell<usize>,
    /// The last expression that came out of the document: the same one usually serves every node.
    compiled: RefCell<Option<(String, Option<Regex>)>>,
}

impl<'d, 'a> Search<'d, 'a> {
    fn visit(&self, nodes: usize) -> Result<(), TooMuch> {
        self.left.set(self.left.get().checked_sub(nodes).ok_or(TooMuch)?);
        Ok(())
    }

    fn query(&self, query: &Query, current: &'d Json<'a>) -> Result<Nodes<'d, 'a>, TooMuch> {
        let mut nodes = vec![if query.absolute { self.root } else { current }];
        for segment in &query.segments {
            let mut selected = Vec::new();
            for node in nodes {
                self.segment(segment, node, &mut selected)?;
            }
            nodes = selected;
        }
        Ok(nodes)
    }

    /// As [`query`](Self::query) of a singular query, which filters have for nearly every node.
    fn single(&self, query: &Query, current: &'d Json<'a>) -> Result<Option<&'d Json<'a>>, TooMuch> {
        let mut node = if query.absolute { self.root } else { current };
        for segment in &query.segments {
            let found = match (&segment.selectors[..], node) {
                ([Selector::Name(name)], Json::Object(members)) => {
                    self.visit(looking_through(members))?;
                    node.member(name)
                }
                ([Selector::Index(index)], Json::Array(items)) => {
                    self.visit(1)?;
                    at(items, *index)
                }
                _ => None,
            };
            match found {
                Some(child) => node = child,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    fn segment(
        &self,
        segment: &Segment,
        node: &'d Json<'a>,
        into: &mut Nodes<'d, 'a>,
    ) -> Result<(), TooMuch> {
        self.visit(1)?;
        for selector in &segment.selectors {
            self.selector(selector, node, into)?;
        }
        if segment.descendant {
            for child in node.children() {
                self.segment(segment, child, into)?;
            }
        }
        Ok(())
    }

    fn selector(
        &self,
        selector: &Selector,
        node: &'d Json<'a>,
        into: &mut Nodes<'d, 'a>,
    ) -> Result<(), TooMuch> {
        match (selector, node) {
            (Selector::Name(name), Json::Object(members)) => {
                self.visit(looking_through(members))?;
                into.extend(node.member(name));
            }
            (Selector::Wildcard, _) => {
                for child in node.children() {
                    self.visit(1)?;
                    into.push(child);
                }
            }
            (Selector::Index(index), Json::Array(items)) => {
                into.extend(at(items, *index));
            }
            (Selector::Slice { start, end, step }, Json::Array(items)) => {
                for at in slice(*start, *end, *step, length(items)) {
                    self.visit(1)?;
                    into.extend(usize::try_from(at).ok().and_then(|at| items.get(at)));
                }
            }
            (Selector::Filter(filter), _) => {
                for child in node.children() {
                    self.visit(1)?;
                    if self.holds(filter, child)? {
                        into.push(child);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn holds(&self, filter: &Logical, current: &'d Json<'a>) -> Result<bool, TooMuch> {
        Ok(match filter {
            Logical::Or(terms) => self.any(terms, current, true)?,
            Logical::And(terms) => !self.any(terms, current, false)?,
            Logical::Not(term) => !self.holds(term, current)?,
            Logical::Exists(query) if query.is_singular() => self.single(query, current)?.is_some(),
            Logical::Exists(query) => !self.query(query, current)?.is_empty(),
            Logical::Compare(left, comparison, right) => {
                let (left, right) = (self.value(left, current)?, self.value(right, current)?);
                self.compare(left.as_deref(), *comparison, right.as_deref())?
            }
            Logical::Matches { text, pattern, whole } => {
                let text = self.value(text, current)?;
                let Some(Json::Text(text)) = text.as_deref() else { return Ok(false) };
                self.visit(1 + reading(text))?;
                match pattern {
                    Pattern::Fixed(regex) => regex.is_match(text),
                    Pattern::Found(operand) => match self.value(operand, current)?.as_deref() {
                        Some(Json::Text(pattern)) => self.found_matches(pattern, *whole, text),
                        _ => false,
                    },
                }
            }
        })
    }

    /// Whether any of the terms comes out as `wanted`.
    fn any(&self, terms: &[Logical], current: &'d Json<'a>, wanted: bool) -> Result<bool, TooMuch> {
        for term in terms {
            if self.holds(term, current)? == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn found_matches(&self, pattern: &str, whole: bool, text: &str) -> bool {
        let mut compiled = self.compiled.borrow_mut();
        // The mark keeps `match` and `search` apart.
        let key = format!("{}{pattern}", if whole { '^' } else { '~' });
        if compiled.as_ref().is_none_or(|(known, _)| *known != key) {
            *compiled = Some((key, regexp::compile(pattern, whole)));
        }
        let regex = compiled.as_ref().and_then(|(_, regex)| regex.as_ref());
        regex.is_some_and(|regex| regex.is_match(text))
    }

    /// RFC 9535 section 2.3.5.2.2.
    fn compare(
        &self,
        left: Option<&Json<'_>>,
        comparison: Comparison,
        right: Option<&Json<'_>>,
    ) -> Result<bool, TooMuch> {
        let equal = || match (left, right) {
            (Some(left), Some(right)) => left.equals(right, &|work| self.visit(work)),
            (left, right) => Ok(left.is_none() && right.is_none()),
        };
        let is = |wanted: Ordering| {
            Ok(match (left, right) {
                (Some(Json::Number(left)), Some(Json::Number(right))) => {
                    self.visit(reading(left.as_str()) + reading(right.as_str()))?;
                    left.cmp(right) == wanted
                }
                (Some(Json::Text(left)), Some(Json::Text(right))) => {
                    self.visit(reading(left).min(reading(right)))?;
                    left.cmp(right) == wanted
                }
                _ => false,
            })
        };
        Ok(match comparison {
            Comparison::Equal => equal()?,
            Comparison::NotEqual => !equal()?,
            Comparison::Less => is(Ordering::Less)?,
            Comparison::LessOrEqual => is(Ordering::Less)? || equal()?,
            Comparison::Greater => is(Ordering::Greater)?,
            Comparison::GreaterOrEqual => is(Ordering::Greater)? || equal()?,
        })
    }

    fn value<'s>(
        &self,
        operand: &'s Operand,
        current: &'d Json<'a>,
    ) -> Result<Option<Cow<'s, Json<'s>>>, TooMuch>
    where
        'd: 's,
    {
        let count = |count: usize| Some(Cow::Owned(Json::Number(Number::from_count(count))));
        Ok(match operand {
            Operand::Literal(value) => Some(Cow::Borrowed(value)),
            Operand::Query(query) => self.single(query, current)?.map(Cow::Borrowed),
            Operand::Value(query) => match self.query(query, current)?[..] {
                [only] => Some(Cow::Borrowed(only)),
                _ => None,
            },
            Operand::Count(query) => count(self.query(query, current)?.len()),
            Operand::Length(operand) => match self.value(operand, current)?.as_deref() {
                Some(Json::Text(text)) => {
                    self.visit(reading(text))?;
                    count(text.chars().count())
                }
                Some(Json::Array(items)) => count(items.len()),
                Some(Json::Object(members)) => count(members.len()),
                _ => None,
            },
        })
    }
}

/// Names are looked for one by one, which adds up over large objects.
fn looking_through<T>(members: &[T]) -> usize {
    1 + members.len() / 16
}

/// An item by its index, from the end if that is negative.
fn at<T>(items: &[T], index: i64) -> Option<&T> {
    let at = if index < 0 { index + length(items) } else { index };
    items.get(usize::try_from(at).ok()?)
}

fn length<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

/// The indices of a slice: RFC 9535 section 2.3.4.2.
fn slice(start: Option<i64>, end: Option<i64>, step: i64, length: i64) -> impl Iterator<Item = i64> {
    let normal = |index: i64| if index >= 0 { index } else { length + index };
    let (from, to) = if step >= 0 {
        (normal(start.unwrap_or(0)).clamp(0, length), normal(end.unwrap_or(length)).clamp(0, length))
    } else {
        let from = start.map_or(length - 1, normal).clamp(-1, length - 1);
        (from, end.map_or(-1, normal).clamp(-1, length - 1))
    };
    let goes_on = move |at: &i64| if step > 0 { *at < to } else { *at > to };
    std::iter::successors(Some(from).filter(|_| step != 0), move |at| at.checked_add(step))
        .take_while(goes_on)
}
