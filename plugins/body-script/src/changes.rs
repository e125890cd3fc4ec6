//! What a script sets beside the body, checked before anything is written.

use sluice_sdk::prelude::*;

use crate::failure::Failure;
use crate::value::Val;

/// Fields that frame the message or belong to one connection: they are the gateway's.
const RESERVED: [&str; 9] = [
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

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
                let method = text(value).filter(|method| method.parse::<HeaderName>().is_ok());
                self.method = Some(Method::from(method.ok_or_else(|| wrong("a method"))?));
            }
            "path" => {
                let path = text(value).filter(|path| path.starts_with('/') && path.bytes().all(is_plain));
                self.path = Some(path.ok_or_else(|| wrong("a path"))?.to_owned());
            }
            "query" => {
                let query =
                    text(value).filter(|query| query.bytes().all(|byte| is_plain(byte) || byte == b'?'));
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

    pub(crate) fn apply_to_request(self, request: &mut Request) -> Result<()> {
        if let Some(method) = &self.method {
            request.set_method(method)?;
        }
        if let Some(path) = &self.path {
            request.set_path(path)?;
        }
        if let Some(query) = &self.query {
            request.set_query(query)?;
        }
        write(self.headers, &mut request.headers_mut())
    }

    pub(crate) fn apply_to_response(self, response: &mut Response) -> Result<()> {
        if let Some(status) = self.status {
            response.set_status(status)?;
        }
        write(self.headers, &mut response.headers_mut())
    }
}

fn write(headers: Vec<(HeaderName, Vec<HeaderValue>)>, message: &mut HeadersMut<'_>) -> Result<()> {
    for (name, values) in headers {
        message.remove(&name)?;
        for value in values {
            message.append(&name, value)?;
        }
    }
    Ok(())
}

fn header(name: &str, value: &Val) -> Result<(HeaderName, Vec<HeaderValue>), Failure> {
    let bad = |what: &str| Failure::script(format_args!("sets.headers: `{name}` {what}"));
    let field: HeaderName = name.parse().map_err(|_| bad("is not a header name"))?;
    if RESERVED.contains(&field.as_str()) || field == "host" {
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

/// What may stand in a path or query as it is: printable, and no end of either.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#' && byte != b'?'
}
