//! What a script sets beside the body, checked before anything is written.

use sluice_sdk::Code;
use sluice_sdk::path::{MAX_TARGET, has_dot_segments};
use sluice_sdk::prelude::*;

use crate::failure::Failure;
use crate::value::Val;

/// What a script sets beside the body.
#[derive(Default)]
pub(crate) struct Changes {
    status: Option<u16>,
    method: Option<Method>,
    path: Option<String>,
    query: Option<String>,
    headers: Vec<(HeaderName, Vec<HeaderValue>)>,
}

impl Changes {
    /// Takes what the filter of this name has put out.
    pub(crate) fn add(&mut self, name: &str, value: &Val) -> Result<(), Failure> {
        let wrong =
            |expected: &str| Failure::script(format_args!("sets.{name}: not {expected}: {}", value.shown()));
        match name {
            "status" => self.status = Some(status(value).ok_or_else(|| wrong("200 to 599"))?),
            "method" => {
                let method = text(value).and_then(|method| method.parse().ok());
                // These two mean something else to a gateway.
                let method = method.filter(|method| !matches!(method, Method::Connect | Method::Trace));
                self.method = Some(method.ok_or_else(|| wrong("a method that can be sent"))?);
            }
            "path" => {
                let path = text(value).filter(|path| path.starts_with('/') && path.bytes().all(is_path));
                let path = path.ok_or_else(|| wrong("a path"))?;
                if has_dot_segments(path) {
                    return Err(wrong("a path without segments `.` and `..`"));
                }
                self.path = Some(path.to_owned());
            }
            "query" => {
                let query = text(value).filter(|query| query.bytes().all(is_query));
                self.query = Some(query.ok_or_else(|| wrong("a query"))?.to_owned());
            }
            _ => {
                let Val::Obj(members) = value else { return Err(wrong("an object")) };
                for (name, value) in members.iter() {
                    self.headers.push(header(name, value)?);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn apply_to_request(self, request: &mut Request) -> Result<Result<(), Failure>> {
        let mut set = || {
            if let Some(method) = &self.method {
                request.set_method(method).map_err(|error| ("method", error))?;
            }
            if let Some(path) = &self.path {
                request.set_path(path).map_err(|error| ("path", error))?;
            }
            if let Some(query) = &self.query {
                request.set_query(query).map_err(|error| ("query", error))?;
            }
            write(&self.headers, &mut request.headers_mut())
        };
        refused(set())
    }

    pub(crate) fn apply_to_response(self, response: &mut Response) -> Result<Result<(), Failure>> {
        if let Some(status) = self.status {
            response.set_status(status)?;
        }
        refused(write(&self.headers, &mut response.headers_mut()))
    }
}

/// What the host does not take of values that were checked one by one is too long.
fn refused(set: Result<(), (&'static str, Error)>) -> Result<Result<(), Failure>> {
    match set {
        Ok(()) => Ok(Ok(())),
        Err((name, error)) if error.refuses_value() => {
            let bound = match (name, error.code()) {
                ("path" | "query", Some(Code::Invalid)) => {
                    format!("{MAX_TARGET} bytes of path and query together")
                }
                ("headers", _) => "this step's `limits.headers`, or 1,000 headers".to_owned(),
                _ => "this step's `limits.headers`".to_owned(),
            };
            Ok(Err(Failure::TooLong { name, bound }))
        }
        Err((_, error)) => Err(error),
    }
}

fn write(
    headers: &[(HeaderName, Vec<HeaderValue>)],
    message: &mut HeadersMut<'_>,
) -> Result<(), (&'static str, Error)> {
    let mut set = |name: &HeaderName, values: &[HeaderValue]| {
        message.remove(name)?;
        values.iter().try_for_each(|value| message.append(name, value))
    };
    headers.iter().try_for_each(|(name, values)| set(name, values)).map_err(|error| ("headers", error))
}

fn header(name: &str, value: &Val) -> Result<(HeaderName, Vec<HeaderValue>), Failure> {
    let bad = |what: &str| Failure::script(format_args!("sets.headers: `{name}` {what}"));
    let field: HeaderName = name.parse().map_err(|_| bad("is not a header name"))?;
    if field.is_reserved() || field == "content-encoding" || field == "host" {
        return Err(bad("belongs to the gateway"));
    }
    let values = match value {
        Val::Null => &[],
        Val::Arr(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    let values = values.iter().map(|value| match value {
        Val::Str(_) | Val::Num(_) | Val::Bool(_) => {
            let text = if let Val::Str(text) = value { text.to_string() } else { value.to_string() };
            text.parse().map_err(|_| bad("would have a value that no header has"))
        }
        _ => Err(bad("would have a value that is no text")),
    });
    Ok((field, values.collect::<Result<_, _>>()?))
}

fn text(value: &Val) -> Option<&str> {
    if let Val::Str(text) = value { Some(text) } else { None }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn status(value: &Val) -> Option<u16> {
    let Val::Num(number) = value else { return None };
    let status = number.float();
    ((200.0..600.0).contains(&status) && status.fract() == 0.0).then_some(status as u16)
}

/// What may stand in a path as it is, for the gateway.
fn is_path(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"#?<>`".contains(&byte)
}

/// What may stand in a query as it is, for the gateway.
fn is_query(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"#<>\"".contains(&byte)
}
