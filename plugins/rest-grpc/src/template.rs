//! Path templates of `google.api.http`:
//!
//! ```text
//! Template = "/" Segments [ Verb ] ;
//! Segments = Segment { "/" Segment } ;
//! Segment  = "*" | "**" | LITERAL | Variable ;
//! Variable = "{" FieldPath [ "=" Segments ] "}" ;
//! FieldPath = IDENT { "." IDENT } ;
//! Verb     = ":" LITERAL ;
//! ```

use std::ops::Range;

use sluice_sdk::prelude::*;

use crate::percent;

/// A template, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pub(crate) segments: Vec<Segment>,
    pub(crate) verb: Option<Box<str>>,
    pub(crate) variables: Vec<Variable>,
}

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(Box<str>),
    /// `*`: one, which is not empty.
    One,
    /// `**`: any number.
    Any,
}

/// A field that takes what stands in some segments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variable {
    pub(crate) field: String,
    /// The segments of the template.
    pub(crate) segments: Range<usize>,
}

/// Segments of one template.
const LONGEST: usize = 64;

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::new(format!("path template `{text}` {what}"));
        let rest = text.strip_prefix('/').ok_or_else(|| wrong("does not begin with `/`"))?;
        let mut template = Self { segments: Vec::new(), verb: None, variables: Vec::new() };
        let rest = template.take_verb(rest).map_err(|what| wrong(&what))?;
        if rest.is_empty() && template.verb.is_none() {
            return Ok(template);
        }
        template.take_segments(rest).map_err(|what| wrong(&what))?;
        let deep = template.segments.iter().filter(|segment| **segment == Segment::Any).count();
        ensure!(deep <= 1, "path template `{text}` has `**` twice");
        ensure!(
            template.segments.len() <= LONGEST,
            "path template `{text}` is longer than {LONGEST} segments"
        );
        for (at, variable) in template.variables.iter().enumerate() {
            let name = &variable.field;
            let is_twice = template.variables[..at].iter().any(|other| other.field == *name);
            ensure!(!is_twice, "path template `{text}` has the variable `{name}` twice");
        }
        Ok(template)
    }

    /// Takes `:verb` off the end. Behind a variable all is the verb, colons too; of a literal the last colon counts.
    fn take_verb<'t>(&mut self, text: &'t str) -> std::result::Result<&'t str, String> {
        let last = text.rfind(['/', '}']).map_or(0, |at| at + 1);
        let tail = &text[last..];
        let colon = if text[..last].ends_with('}') { tail.find(':') } else { tail.rfind(':') };
        let Some(colon) = colon else { return Ok(text) };
        let verb = &text[last + colon + 1..];
        if !is_literal(verb) {
            return Err(format!("has the verb `{verb}`, which is none"));
        }
        self.verb = Some(verb.into());
        Ok(&text[..last + colon])
    }

    fn take_segments(&mut self, mut rest: &str) -> std::result::Result<(), String> {
        loop {
            let end = if rest.starts_with('{') {
                let end = rest.find('}').ok_or("has a variable without an end")?;
                self.take_variable(&rest[1..end])?;
                end + 1
            } else {
                let end = rest.find('/').unwrap_or(rest.len());
                self.segments.push(Segment::parse(&rest[..end])?);
                end
            };
            rest = &rest[end..];
            if rest.is_empty() {
                return Ok(());
            }
            rest = rest.strip_prefix('/').ok_or("has something behind a variable")?;
        }
    }

    fn take_variable(&mut self, text: &str) -> std::result::Result<(), String> {
        let (field, pattern) = text.split_once('=').unwrap_or((text, "*"));
        if !field.split('.').all(is_identifier) {
            return Err(format!("has the variable `{field}`, which is no field"));
        }
        let start = self.segments.len();
        for segment in pattern.split('/') {
            self.segments.push(Segment::parse(segment)?);
        }
        self.variables.push(Variable { field: field.to_owned(), segments: start..self.segments.len() });
        Ok(())
    }

    /// The segments of a path that a variable takes, of so many.
    pub(crate) fn taken(&self, variable: &Variable, count: usize) -> Range<usize> {
        let deep = self.segments.iter().position(|segment| *segment == Segment::Any).unwrap_or(usize::MAX);
        let place =
            |at: usize| if at <= deep { at } else { (at + count).saturating_sub(self.segments.len()) };
        let (start, end) = (place(variable.segments.start), place(variable.segments.end));
        start.min(count)..end.min(count).max(start.min(count))
    }

    /// Whether what a variable takes can have a slash in it.
    pub(crate) fn is_long(&self, variable: &Variable) -> bool {
        let segments = &self.segments[variable.segments.clone()];
        segments.len() != 1 || segments.contains(&Segment::Any)
    }
}

impl Segment {
    fn parse(text: &str) -> std::result::Result<Self, String> {
        match text {
            "*" => Ok(Self::One),
            "**" => Ok(Self::Any),
            text if is_literal(text) => Ok(Self::Literal(text.into())),
            "" => Err("has an empty segment".to_owned()),
            text => Err(format!("has the segment `{text}`, which is none")),
        }
    }

    pub(crate) fn takes(&self, segment: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *segment,
            Self::One => !segment.is_empty(),
            Self::Any => true,
        }
    }
}

/// Characters of a path's segment as of RFC 3986. A star at an end of it is meant as a wildcard, which there is not.
fn is_literal(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('*')
        && !text.ends_with('*')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}/?#\"<>\\^`|".contains(&byte))
        && percent::decode(text, |_| true).is_some()
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
