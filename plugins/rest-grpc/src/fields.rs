//! What the path and the query of a request say, as fields of its message.

use std::borrow::Cow;

use sluice_sdk::prelude::*;
use sluice_sdk_protobuf::{
    Error as MessageError, ErrorKind, FieldPath, Fields, Pool, ReadOptions, Step, Value as WireValue,
    put_bytes,
};

use crate::config::{Unescape, Unknown};
use crate::finding::{Finding, Place};
use crate::percent;
use crate::router::Segments;
use crate::rules::{Api, BodyRule, Route};

/// Query parameters of one request.
const MOST: usize = 1_000;

/// How paths and queries are read.
pub(crate) struct Reading {
    pub(crate) unescape: Unescape,
    pub(crate) unknown_query: Unknown,
    pub(crate) query_into_body: bool,
    pub(crate) ignored_query: Vec<String>,
    pub(crate) options: ReadOptions,
}

/// What in a query must not be there twice.
#[derive(Default)]
struct Set {
    fields: Vec<FieldPath>,
    oneofs: Vec<(Vec<Step>, u16)>,
}

impl Reading {
    /// The path's variables, to come after all else: they count.
    pub(crate) fn path(
        &self,
        api: &Api,
        route: &Route,
        segments: &Segments<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Finding> {
        for (variable, field) in route.template.variables.iter().zip(&route.variables) {
            let taken = &segments.list[route.template.taken(variable, segments.list.len())];
            let is_long = route.template.is_long(variable);
            let raw = match taken {
                [single] => Cow::Borrowed(*single),
                several => Cow::Owned(several.join("/")),
            };
            let text = percent::decode(&raw, |byte| match self.unescape {
                Unescape::AllButSlash => is_long && byte == b'/',
                Unescape::AllButReserved => is_long && percent::is_reserved(byte),
                Unescape::All => false,
            });
            let wrong = |reason: &str| Finding::new(Place::Path, &variable.field, reason);
            let text = text.ok_or_else(|| wrong("its percent-encoding is wrong"))?;
            let options = ReadOptions { ignore_unknown: false, ..self.options };
            let put = api.pool.text_to_wire(field, &text, &options, out);
            put.map_err(|error| wrong(error.reason()))?;
        }
        Ok(())
    }

    /// The query's fields, to come before all else. What it adds to the body's lists comes after.
    pub(crate) fn query(
        &self,
        api: &Api,
        route: &Route,
        query: &str,
        before: &mut Vec<u8>,
        after: &mut Vec<u8>,
    ) -> Result<(), Finding> {
        let mut set = Set::default();
        for (number, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if number == MOST {
                let reason = format!("there are more than {MOST} parameters");
                return Err(Finding::new(Place::Query, "", &reason));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let wrong = |reason: &str| Finding::new(Place::Query, name, reason);
            let decoded = percent::decode_form(name).zip(percent::decode_form(value));
            let (name, value) = decoded.ok_or_else(|| wrong("its percent-encoding is wrong"))?;
            if self.ignored_query.iter().any(|ignored| **ignored == *name) {
                continue;
            }
            let path = match api.pool.path(route.input, &name) {
                Ok(path) => Some(path).filter(|path| {
                    !route.is_in_path(path) && (self.query_into_body || !route.is_in_body(path))
                }),
                Err(error) if error.kind() == ErrorKind::UnknownField => None,
                Err(error) => return Err(Finding::new(Place::Query, &name, error.reason())),
            };
            match path {
                Some(path) => {
                    let adds = path.field(&api.pool).is_repeated() && route.is_in_body(&path);
                    self.set(api, &mut set, path, &value, if adds { after } else { before })
                        .map_err(|reason| Finding::new(Place::Query, &name, &reason))?;
                }
                None if self.unknown_query == Unknown::Ignore => {}
                None => return Err(Finding::new(Place::Query, &name, "the method has no such parameter")),
            }
        }
        Ok(())
    }

    fn set(
        &self,
        api: &Api,
        set: &mut Set,
        path: FieldPath,
        value: &str,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), String> {
        let put = api.pool.text_to_wire(&path, value, &self.options, out);
        put.map_err(|error| error.reason().to_owned())?;
        if path.field(&api.pool).is_repeated() {
            return Ok(());
        }
        if set.fields.contains(&path) {
            return Err("it is there twice".to_owned());
        }
        // Every message on the way may be a member of a `oneof` too.
        for (depth, step) in path.steps().iter().enumerate() {
            let Some(oneof) = step.field(&api.pool).oneof else { continue };
            let key = (path.steps()[..depth].to_vec(), oneof);
            let others = set.fields.iter().filter(|other| other.steps().starts_with(&key.0));
            let mut others = others.filter_map(|other| other.steps().get(depth));
            let is_other = |other: &Step| other.field(&api.pool).oneof == Some(oneof) && other != step;
            if set.oneofs.contains(&key) && others.any(is_other) {
                return Err("another field of its `oneof` is there".to_owned());
            }
            set.oneofs.push(key);
        }
        set.fields.push(path);
        Ok(())
    }
}

impl Route {
    /// Whether a variable of the path sets a field.
    fn is_in_path(&self, path: &FieldPath) -> bool {
        self.variables.iter().any(|variable| path.is_within(variable))
    }

    /// Whether the body is what a field is in.
    fn is_in_body(&self, path: &FieldPath) -> bool {
        match &self.body {
            BodyRule::Message | BodyRule::Raw(None) => true,
            BodyRule::Field(body) | BodyRule::Raw(Some(body)) => path.is_within(body),
            BodyRule::None => false,
        }
    }
}

impl Route {
    /// Takes from a body, which is what has been written from a place on, the messages that the path says: with those of the path they
    /// would be merged.
    pub(crate) fn yield_to_path(&self, pool: &Pool, out: &mut Vec<u8>, from: usize) -> Result<(), Finding> {
        for variable in self.variables.iter().filter(|variable| variable.field(pool).kind.message().is_some())
        {
            let way: Vec<_> = variable.steps().iter().map(|step| step.field(pool).number).collect();
            let kept = without(&out[from..], &way).map_err(|error| Finding::of_body(&error))?;
            out.truncate(from);
            out.extend_from_slice(&kept);
        }
        Ok(())
    }
}

/// A message without a field, which lies at the end of this way.
fn without(message: &[u8], way: &[u32]) -> Result<Vec<u8>, MessageError> {
    let mut kept = Vec::with_capacity(message.len());
    let mut fields = Fields::new(message);
    loop {
        let before = fields.rest();
        let Some(field) = fields.next() else { return Ok(kept) };
        match (way, field?) {
            ([last], (number, _)) if number == *last => {}
            ([first, way @ ..], (number, WireValue::Bytes(inner))) if number == *first => {
                put_bytes(&mut kept, number, &without(inner, way)?);
            }
            _ => kept.extend_from_slice(&before[..before.len() - fields.rest().len()]),
        }
    }
}
