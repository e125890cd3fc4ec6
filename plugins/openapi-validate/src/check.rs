//! Holding a message to what its operation says: parameters, headers and bodies.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sluice_sdk::prelude::*;

use crate::api::Api;
use crate::dialect::{Direction, part};
use crate::finding::{Finding, Findings, Place, Subject};
use crate::json::{self, Unreadable};
use crate::media::Syntax;
use crate::operation::{Answer, Content, Form, Operation, Parameter};
use crate::router::PathValues;
use crate::shape::Shape;
use crate::style::{self, Pairs, Style};

/// The parts of a request's head that carry parameters.
pub(crate) struct Head<'a> {
    pub(crate) path: &'a PathValues,
    pub(crate) query: &'a str,
    pub(crate) cookies: &'a str,
    /// All values of a header, joined.
    pub(crate) header: &'a dyn Fn(&str) -> Option<String>,
}

/// A check of one message.
pub(crate) struct Check<'a> {
    pub(crate) api: &'a Api,
    pub(crate) direction: Direction,
    /// Bytes that the values of a body may take.
    pub(crate) memory: usize,
    pub(crate) findings: Findings,
}

impl Check<'_> {
    pub(crate) fn parameters(
        &mut self,
        operation: &Operation,
        head: &Head<'_>,
        unknown_query: bool,
    ) -> Result<()> {
        let query = style::pairs(head.query);
        let cookies = style::cookies(head.cookies);
        let value = |parameter: &Parameter| match parameter.place {
            Place::Query => parameter.in_pairs(&query),
            Place::Cookie => parameter.in_pairs(&cookies),
            Place::Header => parameter.in_text((head.header)(&parameter.name).as_deref()),
            Place::Path | Place::Body => {
                let value = head.path.iter().find(|(name, _)| *name == parameter.name);
                parameter.in_text(value.map(|(_, value)| value.as_str()))
            }
        };
        self.declared(&operation.pointer, &operation.parameters, &value)?;
        if !unknown_query {
            self.unknown_query(operation, &query);
        }
        Ok(())
    }

    fn unknown_query(&mut self, operation: &Operation, query: &Pairs<'_>) {
        let known = |name: &str| {
            let mut declared =
                operation.parameters.iter().filter(|parameter| parameter.place == Place::Query);
            declared.any(|parameter| parameter.claims(name))
        };
        let is_key = |name: &String| operation.query_keys.contains(name);
        for (name, _) in query.iter().filter(|(name, _)| !known(name) && !is_key(name)) {
            let subject = Subject { place: Place::Query, name: Some(name) };
            self.findings.push(subject.finding("there is no such parameter"));
        }
    }

    pub(crate) fn headers(&mut self, answer: &Answer, header: &dyn Fn(&str) -> Option<String>) -> Result<()> {
        let value = |declared: &Parameter| declared.in_text(header(&declared.name).as_deref());
        self.declared(&answer.pointer, &answer.headers, &value)
    }

    /// What is declared at `name`, with its values.
    fn declared(
        &mut self,
        name: &str,
        declared: &[Parameter],
        value: &dyn Fn(&Parameter) -> Result<Option<Value>, String>,
    ) -> Result<()> {
        let mut parts = Map::new();
        let with_schema = || declared.iter().filter(|parameter| parameter.schema.is_some());
        for parameter in declared {
            match value(parameter) {
                Ok(Some(value)) if parameter.may_be_empty && value.as_str() == Some("") => {}
                Ok(Some(value)) => {
                    let at = with_schema().position(|known| std::ptr::eq(known, parameter));
                    parts.extend(at.map(|at| (part(at), value)));
                }
                Ok(None) if parameter.required => {
                    self.findings.push(parameter.subject().finding("is required"))
                }
                Ok(None) => {}
                Err(reason) => self.findings.push(parameter.subject().finding(reason)),
            }
        }
        if parts.is_empty() {
            return Ok(());
        }
        let schema = self.api.group(&format!("{name}/*"), declared, self.direction)?;
        for (at, parameter) in with_schema().enumerate() {
            if let Some(value) = parts.get_mut(&part(at)) {
                *value = as_text(value.take(), &parameter.shape, &|value| schema.accepts(at, value));
            }
        }
        let of = |at: usize| with_schema().nth(at).map_or(Subject::BODY, Parameter::subject);
        schema.check(&Value::Object(parts), 1, &of, &mut self.findings);
        Ok(())
    }

    /// A body of the declared kind.
    pub(crate) fn body(&mut self, content: &Content, syntax: Syntax, bytes: &[u8]) -> Result<(), CheckError> {
        let Some(pointer) = &content.schema else { return Ok(()) };
        let (value, values) = match (syntax, &content.form) {
            (Syntax::Json, _) => match json::read(bytes, self.memory) {
                Ok(read) => read,
                Err(Unreadable::TooComplex) => return Err(CheckError::TooComplex),
                Err(Unreadable::Malformed(reason)) => {
                    self.findings.push(Subject::BODY.finding(not_json(&reason)));
                    return Ok(());
                }
            },
            (Syntax::Text, _) => match std::str::from_utf8(bytes) {
                Ok(text) => (content.text.read(text.to_owned()), 1),
                Err(_) => {
                    self.findings.push(Subject::BODY.finding("is not UTF-8"));
                    return Ok(());
                }
            },
            (Syntax::Form, Some(form)) => {
                let Ok(text) = std::str::from_utf8(bytes) else {
                    self.findings.push(Subject::BODY.finding("is not a form"));
                    return Ok(());
                };
                // A pair takes its strings, a place in two collections, and a node of the tree if it is alone.
                if text.split('&').count().saturating_mul(PAIR) + text.len() * 2 > self.memory {
                    return Err(CheckError::TooComplex);
                }
                match self.form(form, &style::pairs(text)) {
                    Some(value) => value,
                    None => return Ok(()),
                }
            }
            _ => return Ok(()),
        };
        let schema = self.api.schema(pointer, self.direction)?;
        let value = match &content.text {
            shape if syntax == Syntax::Text => as_text(value, shape, &|value| schema.accepts(0, value)),
            _ => value,
        };
        schema.check_one(value, values, Subject::BODY, &mut self.findings);
        Ok(())
    }

    /// The object that a form stands for; `None` if a field could not be read.
    fn form(&mut self, form: &Form, pairs: &Pairs<'_>) -> Option<(Value, usize)> {
        let mut fields: BTreeMap<&str, Vec<(String, &str)>> = BTreeMap::new();
        for (name, value) in pairs {
            // `a[b]` is of the field `a` if that is how it is written.
            let deep = name.split('[').next().filter(|field| {
                form.fields.get(*field).is_some_and(|(writing, _)| writing.style == Style::DeepObject)
            });
            fields.entry(deep.unwrap_or(name)).or_default().push((name.clone(), value));
        }
        let mut object = Map::new();
        let mut is_whole = true;
        for (name, pairs) in &fields {
            match form.field(name, pairs) {
                Ok(Some(value)) => drop(object.insert((*name).to_owned(), value)),
                Ok(None) => {}
                Err(reason) => {
                    is_whole = false;
                    let pointer = format!("/{}", crate::document::escape(name));
                    self.findings.push(Finding { pointer, ..Subject::BODY.finding(reason) });
                }
            }
        }
        is_whole.then_some((Value::Object(object), pairs.len()))
    }
}

/// `7` may be meant as a text where both may stand.
fn as_text(value: Value, shape: &Shape, accepts: &dyn Fn(&Value) -> bool) -> Value {
    let is_scalar = matches!(value, Value::Number(_) | Value::Bool(_));
    if is_scalar && shape.may_be_text() && !accepts(&value) {
        Value::String(value.to_string())
    } else {
        value
    }
}

/// What a pair of a form costs.
const PAIR: usize = 512;

/// Why a body could not be checked.
#[derive(Debug)]
pub(crate) enum CheckError {
    TooComplex,
    Failed(Error),
}

impl From<Error> for CheckError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Parameter {
    fn subject(&self) -> Subject<'_> {
        Subject { place: self.place, name: Some(&self.name) }
    }

    /// Whether a name of the query is this parameter's.
    fn claims(&self, name: &str) -> bool {
        match self.writing.style {
            Style::DeepObject => style::deep_name(name, &self.name).is_some(),
            Style::Form if self.writing.explode && self.shape.is_object() && self.content.is_none() => {
                self.shape.is_open() || self.shape.knows(name)
            }
            _ => name == self.name,
        }
    }

    fn in_text(&self, text: Option<&str>) -> Result<Option<Value>, String> {
        let Some(text) = text else { return Ok(None) };
        match self.content {
            Some(syntax) => self.in_content(text, syntax).map(Some),
            None => Ok(Some(self.writing.read_text(&self.name, text, &self.shape)?)),
        }
    }

    fn in_pairs(&self, pairs: &Pairs<'_>) -> Result<Option<Value>, String> {
        let Some(syntax) = self.content else {
            return Ok(self.writing.read_pairs(&self.name, pairs, &self.shape)?);
        };
        let mut values = pairs.iter().filter(|(name, _)| *name == self.name).map(|(_, value)| *value);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => self.in_content(value, syntax).map(Some),
            _ => Err("is given more than once".to_owned()),
        }
    }

    /// A value that is a document of its own.
    fn in_content(&self, text: &str, syntax: Syntax) -> Result<Value, String> {
        let text = self.writing.unescape(text)?;
        if syntax == Syntax::Json { read_inner(&text) } else { Ok(Value::String(text)) }
    }
}

/// JSON within a parameter or a field.
fn read_inner(text: &str) -> Result<Value, String> {
    json::read(text.as_bytes(), MAX_INNER).map(|(value, _)| value).map_err(|unreadable| match unreadable {
        Unreadable::TooComplex => "is too complex".to_owned(),
        Unreadable::Malformed(reason) => not_json(&reason),
    })
}

fn not_json(reason: &str) -> String {
    format!("is not JSON that has one meaning: {reason}")
}

/// Bytes that the values of such JSON may take.
const MAX_INNER: usize = 512 << 10;

impl Form {
    fn field(&self, name: &str, pairs: &Pairs<'_>) -> Result<Option<Value>, String> {
        let shape = self.shape.property(name);
        let default = style::Writing { style: Style::Form, explode: true, escapes: style::Escapes::Form };
        let (writing, syntax) = self.fields.get(name).copied().unwrap_or((default, None));
        // What is an object and not written in a style is JSON.
        let is_styled = self.fields.contains_key(name) && syntax.is_none();
        let syntax = syntax.or((shape.is_object() && !is_styled).then_some(Syntax::Json));
        match (syntax, pairs) {
            (Some(Syntax::Json), [(_, value)]) => read_inner(&writing.unescape(value)?).map(Some),
            (Some(Syntax::Json), _) => Err("is given more than once".to_owned()),
            _ => Ok(writing.read_pairs(name, pairs, shape)?),
        }
    }
}
