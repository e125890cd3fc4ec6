//! JSONPath (RFC 9535), over [`Json`]: its numbers stay exact, and the work that a document can cause is bounded.
//!
//! The libraries there are work on `serde_json::Value`, whose numbers lose their text, and compile a regular
//! expression anew for every node.

#[cfg(test)]
mod conformance;
mod filter;
mod parse;
mod regexp;
mod search;

use std::fmt;

use sluice_sdk::prelude::*;

use crate::json::Json;
use regexp::Pattern;
pub(crate) use search::{MAX_VISITS, TooMuch};

/// A parsed JSONPath query.
#[derive(Debug)]
pub(crate) struct Path {
    text: String,
    query: Query,
}

/// Where a query starts, and its way from there.
#[derive(Debug)]
struct Query {
    /// At the root (`$`), not at the node at hand (`@`).
    absolute: bool,
    segments: Vec<Segment>,
}

#[derive(Debug)]
struct Segment {
    /// `..`: of the node and all that is in it.
    descendant: bool,
    selectors: Vec<Selector>,
}

#[derive(Debug)]
enum Selector {
    Name(String),
    Wildcard,
    Index(i64),
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    Filter(Logical),
}

#[derive(Debug)]
enum Logical {
    Or(Vec<Logical>),
    And(Vec<Logical>),
    Not(Box<Logical>),
    Exists(Query),
    Compare(Operand, Comparison, Operand),
    Matches { text: Operand, pattern: Pattern, whole: bool },
}

/// What has a value, or none.
#[derive(Debug)]
enum Operand {
    Literal(Json<'static>),
    /// A singular query.
    Query(Query),
    Length(Box<Operand>),
    Count(Query),
    Value(Query),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Path {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Ok(Self { text: text.to_owned(), query: parse::path(text)? })
    }

    /// Whether it is `$` alone.
    pub(crate) fn is_root(&self) -> bool {
        self.query.segments.is_empty()
    }

    /// The nodes it selects, in their order; one that it selects twice is there twice.
    pub(crate) fn select<'d, 'a>(&self, root: &'d Json<'a>) -> Result<Vec<&'d Json<'a>>, TooMuch> {
        search::select(&self.query, root)
    }
}

impl Query {
    /// Whether it selects one node at most, by its form (RFC 9535 section 2.3.5.1).
    fn is_singular(&self) -> bool {
        self.segments.iter().all(|segment| {
            !segment.descendant && matches!(segment.selectors[..], [Selector::Name(_) | Selector::Index(_)])
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
