//! GraphQL documents for policies: read within bounds, without recursion, and refused where they are not what the specification
//! says. What a gateway lets through has to mean the same to whoever is behind it, so nothing is guessed at.
//!
//! ```
//! let text = "query Q($n: Int = 3) { user { ...F } } fragment F on User { orders(first: $n) { id } }";
//! let document = sluice_sdk_graphql::parse(text, 1_000).unwrap();
//! let operation = document.operation(None).unwrap();
//! assert_eq!(operation.name, Some("Q"));
//! assert_eq!(document.fragment_order().unwrap(), [0]);
//! ```

mod cursor;
mod document;
mod fragments;
mod lexer;
mod parser;

pub use cursor::Cursor;
pub use document::{
    Argument, Definition, Directive, Document, Fragment, Operation, OperationKind, Selected, Selection, Type,
    Value, ValueKind, Variable,
};
pub use fragments::InvalidSpread;
pub use lexer::{Lexer, Token, TokenKind};
pub use parser::parse;

use std::fmt;

/// Why a text is not a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// It is not what the grammar says, or what it says can be read in two ways.
    Syntax {
        /// Where, in bytes.
        at: usize,
        /// What is wrong, for people. Of the text it repeats names only, and those cut off.
        message: String,
    },
    /// It has more tokens than this.
    TooManyTokens(usize),
}

impl ParseError {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self::Syntax { at, message: message.into() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { message, .. } => f.write_str(message),
            Self::TooManyTokens(bound) => write!(f, "there are more than {bound} tokens"),
        }
    }
}

impl std::error::Error for ParseError {}

/// Line and column of a place in a text, both from 1, as GraphQL counts them.
#[must_use]
pub fn position(source: &str, at: usize) -> (usize, usize) {
    let before = source.get(..at).unwrap_or(source);
    let breaks = before.replace("\r\n", "\n").matches(['\n', '\r']).count();
    let line = before.rfind(['\n', '\r']).map_or(before, |end| &before[end + 1..]);
    (breaks + 1, line.chars().count() + 1)
}

/// A name out of a text, for people: names are of any length.
#[must_use]
pub fn short(name: &str) -> String {
    const MOST: usize = 64;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// What occurs twice.
pub(crate) fn twice<'s>(names: impl Iterator<Item = &'s str>) -> Option<&'s str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}
