//! What a document holds: flat lists in the document's order, so that nothing about it is recursive.
//!
//! A selection or value that holds others stands before them and knows where they end.

use std::collections::BTreeMap;
use std::ops::Range;

/// An executable document.
#[derive(Debug, Default)]
pub struct Document<'s> {
    /// In their order. Names are not repeated, and one without a name is alone.
    pub operations: Vec<Operation<'s>>,
    /// In their order. Names are not repeated.
    pub fragments: Vec<Fragment<'s>>,
    pub(crate) by_name: BTreeMap<&'s str, usize>,
    pub(crate) selections: Vec<Selection<'s>>,
    pub(crate) directives: Vec<Directive<'s>>,
    pub(crate) values: Vec<Value<'s>>,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// It reads.
    Query,
    /// It changes.
    Mutation,
    /// It follows.
    Subscription,
}

impl OperationKind {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

/// What operations and fragments have in common.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Where it begins, in bytes.
    pub at: usize,
    /// Its directives, those of its variables included.
    pub directives: Range<usize>,
    /// Everything in it, selections within selections included.
    pub selections: Range<usize>,
}

/// An operation.
#[derive(Clone, Debug)]
pub struct Operation<'s> {
    /// What it does.
    pub kind: OperationKind,
    /// Its name.
    pub name: Option<&'s str>,
    /// Names are not repeated.
    pub variables: Vec<Variable<'s>>,
    /// Where it is and what it holds.
    pub definition: Definition,
}

/// A fragment.
#[derive(Clone, Debug)]
pub struct Fragment<'s> {
    /// Its name.
    pub name: &'s str,
    /// The type that it is on.
    pub on: &'s str,
    /// Where it is and what it holds.
    pub definition: Definition,
}

/// A variable of an operation.
#[derive(Clone, Debug)]
pub struct Variable<'s> {
    /// Without the `$`.
    pub name: &'s str,
    /// Its type.
    pub of: Type<'s>,
    /// Its default, among the document's values.
    pub default: Option<usize>,
}

/// A type, as variables and arguments name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type<'s> {
    /// The type within the lists.
    pub name: &'s str,
    /// Whether what is within the lists is not null.
    pub non_null: bool,
    /// Whether each list is not null, the outermost first.
    pub lists: Vec<bool>,
}

impl Type<'_> {
    /// Whether it takes no null.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.lists.first().copied().unwrap_or(self.non_null)
    }
}

/// A selection.
#[derive(Clone, Debug)]
pub struct Selection<'s> {
    /// What is selected.
    pub selected: Selected<'s>,
    /// Its directives.
    pub directives: Range<usize>,
    /// Where it begins, in bytes.
    pub at: usize,
    /// What it holds ends before this selection.
    pub end: usize,
}

/// What is selected.
#[derive(Clone, Debug)]
pub enum Selected<'s> {
    /// A field.
    Field {
        /// Its name.
        name: &'s str,
        /// The name that it has in the answer, if it is another.
        alias: Option<&'s str>,
        /// Its arguments. Names are not repeated.
        arguments: Range<usize>,
    },
    /// A fragment of the document.
    Spread {
        /// Its name.
        name: &'s str,
    },
    /// Selections under a condition, or only with directives.
    Inline {
        /// The type that they are on.
        on: Option<&'s str>,
    },
}

/// A directive.
#[derive(Clone, Debug)]
pub struct Directive<'s> {
    /// Without the `@`.
    pub name: &'s str,
    /// Its arguments.
    pub arguments: Range<usize>,
}

/// A value: of an argument, of an object's field, of a list or a default.
#[derive(Clone, Debug)]
pub struct Value<'s> {
    /// The argument's or field's name; empty in lists and defaults.
    pub name: &'s str,
    /// What it is.
    pub kind: ValueKind<'s>,
    /// What it holds ends before this value.
    pub end: usize,
    /// Items of a list, or fields of an object, that it holds itself.
    pub items: usize,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind<'s> {
    /// `$name`
    Variable(&'s str),
    /// A whole number, as it is written.
    Int(&'s str),
    /// Another number, as it is written.
    Float(&'s str),
    /// A string, as it is written.
    String(&'s str),
    /// `true` or `false`
    Boolean(bool),
    /// `null`
    Null,
    /// A name.
    Enum(&'s str),
    /// What follows up to `end`.
    List,
    /// What follows up to `end`; names are not repeated.
    Object,
}

/// An argument: its place among the document's values.
pub type Argument = usize;

impl<'s> Document<'s> {
    /// The operation of this name; without one, the only one there is.
    #[must_use]
    pub fn operation(&self, name: Option<&str>) -> Option<&Operation<'s>> {
        match (name, self.operations.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(_), all) => all.iter().find(|operation| operation.name == name),
        }
    }

    /// The place of the fragment of this name.
    #[must_use]
    pub fn fragment(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// A selection.
    #[must_use]
    pub fn selection(&self, at: usize) -> &Selection<'s> {
        &self.selections[at]
    }

    /// Of a range of selections those that are not within others.
    pub fn level(&self, range: Range<usize>) -> impl Iterator<Item = usize> {
        steps(range, |at| self.selections[at].end)
    }

    /// What a selection holds, selections within selections included.
    #[must_use]
    pub fn within(&self, at: usize) -> Range<usize> {
        at + 1..self.selections[at].end
    }

    /// A directive.
    #[must_use]
    pub fn directive(&self, at: usize) -> &Directive<'s> {
        &self.directives[at]
    }

    /// A value.
    #[must_use]
    pub fn value(&self, at: usize) -> &Value<'s> {
        &self.values[at]
    }

    /// Of a range of values those that are not within others: the arguments of a field.
    pub fn arguments(&self, range: Range<usize>) -> impl Iterator<Item = Argument> {
        steps(range, |at| self.values[at].end)
    }

    /// The items of a list, or the fields of an object.
    pub fn items(&self, at: usize) -> impl Iterator<Item = usize> {
        self.arguments(at + 1..self.values[at].end)
    }
}

fn steps(range: Range<usize>, end: impl Fn(usize) -> usize) -> impl Iterator<Item = usize> {
    let first = (!range.is_empty()).then_some(range.start);
    std::iter::successors(first, move |&at| Some(end(at)).filter(|&next| next < range.end))
}
