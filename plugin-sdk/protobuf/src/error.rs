//! What is wrong with a message, and where.

use std::fmt;

/// Where in a message something is wrong: `items[2].price`. Built on the way out, so it costs nothing on the way in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(Box<str>),
    Index(usize),
}

/// A message that cannot be translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    reason: String,
    kind: ErrorKind,
    place: Place,
}

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is no JSON, or the bytes are no message.
    Syntax,
    /// A field that the message does not have.
    UnknownField,
    /// A value that is not of the field's type.
    Value,
    /// Deeper or larger than is allowed.
    Bound,
}

/// Names of a client's are repeated up to this length.
const LONGEST: usize = 100;
/// Of a place, so many steps are told.
const DEEPEST: usize = 20;

impl Error {
    pub(crate) fn new(kind: ErrorKind, reason: impl Into<String>) -> Self {
        Self(Box::new(Inner { reason: reason.into(), kind, place: Place::default() }))
    }

    pub(crate) fn syntax(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Syntax, reason)
    }

    pub(crate) fn value(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Value, reason)
    }

    pub(crate) fn bound(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bound, reason)
    }

    pub(crate) fn unknown_field(name: &str) -> Self {
        Self::new(ErrorKind::UnknownField, format!("there is no field `{}`", shown(name)))
    }

    pub(crate) fn within(mut self, field: &str) -> Self {
        self.0.place.0.push(Step::Field(shown(field).into()));
        self
    }

    pub(crate) fn at(mut self, index: usize) -> Self {
        self.0.place.0.push(Step::Index(index));
        self
    }

    /// What kind of mistake it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Where it is: `items[2].price`; empty for the message itself.
    #[must_use]
    pub fn place(&self) -> String {
        self.0.place.to_string()
    }
}

/// What a client wrote, up to a bound and in one line.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(LONGEST).collect();
    let mark = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{mark}", cut.escape_debug())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().rev().enumerate() {
            match step {
                _ if number == DEEPEST => return f.write_str("…"),
                Step::Field(name) if number == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.place.0.is_empty() {
            write!(f, "`{}`: ", self.0.place)?;
        }
        f.write_str(&self.0.reason)
    }
}

impl std::error::Error for Error {}
