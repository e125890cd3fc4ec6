//! What a text may refer to, and where its value comes from.

use sluice_sdk::prelude::*;
use sluice_sdk::serde_json::Value as Json;
use sluice_sdk_claims::ClaimPath;

const PLAIN: [(&str, Variable); 12] = [
    ("client_address", Variable::ClientAddress),
    ("consumer", Variable::Consumer),
    ("consumer_id", Variable::ConsumerId),
    ("credential", Variable::Credential),
    ("groups", Variable::Groups),
    ("host", Variable::Host),
    ("method", Variable::Method),
    ("path", Variable::Path),
    ("request_id", Variable::RequestId),
    ("route", Variable::Route),
    ("scheme", Variable::Scheme),
    ("status", Variable::Status),
];

const NAMED: &str = "{claim:<name>}, {cookie:<name>}, {header:<name>}, {param:<name>}, {path_after:<number>} and {query:<name>}";

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Variable {
    Claim(ClaimPath),
    ClientAddress,
    Consumer,
    ConsumerId,
    /// With the name of the header, so that it can be asked for like any other.
    Cookie(HeaderName, String),
    Credential,
    Groups,
    Header(HeaderName),
    Host,
    Method,
    Param(String),
    Path,
    /// The path after so many segments.
    PathAfter(usize),
    Query(String),
    RequestId,
    Route,
    Scheme,
    Status,
}

/// What a value is, for whoever writes it into a place that has rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A segment of the request's path, with its percent-encoding.
    Segment,
    /// Segments of the request's path, with their percent-encoding and the slashes between.
    Path,
}

/// Where values come from that the context does not know.
pub trait Source {
    /// A header of the request.
    fn header(&self, name: &HeaderName) -> Option<String>;

    /// The response's status.
    fn status(&self) -> Option<u16> {
        None
    }
}

/// A source of headers and nothing else.
pub(crate) struct Headers<'a>(pub(crate) &'a dyn Fn(&HeaderName) -> Option<String>);

impl Source for Headers<'_> {
    fn header(&self, name: &HeaderName) -> Option<String> {
        self.0(name)
    }
}

impl Variable {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if let Some((_, variable)) = PLAIN.iter().find(|(known, _)| *known == text) {
            return Ok(variable.clone());
        }
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        if matches!(kind, "claim" | "cookie" | "param" | "query") {
            ensure!(!name.is_empty(), "`{{{text}}}` does not say which");
        }
        let name = || name.to_owned();
        Ok(match kind {
            "claim" => Self::Claim(
                name().try_into().map_err(|why: String| Error::new(format!("`{{{text}}}`: {why}")))?,
            ),
            "cookie" => Self::Cookie(HeaderName::from_static("cookie"), name()),
            "header" => Self::Header(name().parse()?),
            "param" => Self::Param(name()),
            "path_after" => {
                let number = name().parse::<u8>().ok();
                Self::PathAfter(usize::from(
                    number.context(format_args!("`{{{text}}}`: a number of segments has to follow"))?,
                ))
            }
            "query" => Self::Query(name()),
            _ => {
                let known: Vec<_> = PLAIN.iter().map(|(known, _)| format!("{{{known}}}")).collect();
                bail!("there is no variable `{{{text}}}`; known are {}, {NAMED}", known.join(", "))
            }
        })
    }

    /// The header of the request that it wants.
    pub(crate) fn header(&self) -> Option<&HeaderName> {
        if let Self::Header(name) | Self::Cookie(name, _) = self { Some(name) } else { None }
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Path | Self::PathAfter(_) => Kind::Path,
            Self::Param(_) => Kind::Segment,
            _ => Kind::Text,
        }
    }

    pub(crate) fn value(&self, ctx: &Context, source: &dyn Source) -> Option<String> {
        Some(match self {
            Self::Claim(path) => return written(path.of(&ctx.get(&auth::CLAIMS).ok()??)?),
            Self::ClientAddress => ctx.client_address(),
            Self::Consumer => return ctx.consumer_name(),
            Self::ConsumerId => ctx.consumer()?.id,
            Self::Cookie(header, name) => return cookie(&source.header(header)?, name),
            Self::Credential => return ctx.consumer()?.credential,
            Self::Groups => ctx.consumer()?.groups.join(","),
            Self::Header(name) => return source.header(name),
            Self::Host => ctx.host(),
            Self::Method => ctx.method().to_string(),
            Self::Param(name) => return ctx.path_param(name),
            Self::Path => ctx.path(),
            Self::PathAfter(count) => return after(&ctx.path(), *count),
            Self::Query(name) => return parameter(&ctx.query()?, name),
            Self::RequestId => ctx.request_id(),
            Self::Route => ctx.route(),
            Self::Scheme => ctx.scheme(),
            Self::Status => source.status()?.to_string(),
        })
    }
}

/// A claim as a text: of a list its members, with commas between.
fn written(claim: &Json) -> Option<String> {
    match claim {
        Json::Array(members) => Some(members.iter().map(scalar).collect::<Option<Vec<_>>>()?.join(",")),
        one => scalar(one),
    }
}

fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// What follows the first segments, without the slash between; none if there are not that many.
fn after(path: &str, count: usize) -> Option<String> {
    let mut rest = path.strip_prefix('/')?;
    for _ in 0..count {
        rest = rest.split_once('/')?.1;
    }
    Some(rest.to_owned())
}

/// The first parameter of a name, decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode_form(key) == name).then(|| decode_form(value))
    })
}

/// The first cookie of a name, as sent (RFC 6265 section 4.2.1).
fn cookie(header: &str, name: &str) -> Option<String> {
    header.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        let unquoted = || value.strip_prefix('"')?.strip_suffix('"');
        (key == name).then(|| unquoted().unwrap_or(value).to_owned())
    })
}

fn decode_form(text: &str) -> String {
    decode(&text.replace('+', " "))
}

/// A value for people and programs: a segment of the path is decoded, everything else stays as it is.
#[must_use]
pub fn plain(kind: Kind, value: String) -> String {
    if kind == Kind::Segment { decode(&value) } else { value }
}

/// Percent-decoding. What is not UTF-8 is replaced.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let digit = |at: usize| char::from(*tail.get(at)?).to_digit(16);
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high << 4 | low).unwrap_or(byte));
                rest = &tail[2..];
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use sluice_sdk::serde_json::json;

    use super::*;

    #[test]
    fn claims_that_have_a_text_are_written() {
        for (claim, text) in [
            (json!("u"), Some("u")),
            (json!(7), Some("7")),
            (json!(true), Some("true")),
            (json!(["x", 1]), Some("x,1")),
            (json!([]), Some("")),
            (json!([{}]), None),
            (json!({ "b": 1 }), None),
            (json!(null), None),
        ] {
            assert_eq!(written(&claim).as_deref(), text, "{claim}");
        }
        let path = |name: &str| Variable::parse(&format!("claim:{name}"));
        assert_eq!(path("/a/b~1c").unwrap(), Variable::Claim("/a/b~1c".to_owned().try_into().unwrap()));
        assert!(path("/a~2").unwrap_err().to_string().starts_with("`{claim:/a~2}`: "));
    }

    #[test]
    fn a_path_is_cut_after_segments() {
        let cut = |path, count| after(path, count);
        assert_eq!(cut("/a/b/c", 0).as_deref(), Some("a/b/c"));
        assert_eq!(cut("/a/b/c", 2).as_deref(), Some("c"));
        assert_eq!(cut("/a/", 1).as_deref(), Some(""));
        assert_eq!(cut("/a", 1), None);
        assert_eq!(cut("*", 0), None);
    }

    #[test]
    fn parameters_and_cookies_are_found_by_their_whole_names() {
        assert_eq!(parameter("xa=1&a=1+2%26&a=3", "a").as_deref(), Some("1 2&"));
        assert_eq!(parameter("a", "a").as_deref(), Some(""));
        assert_eq!(parameter("xa=1", "a"), None);
        assert_eq!(cookie("xa=1; a=\"b=c\"; a=2", "a").as_deref(), Some("b=c"));
        assert_eq!(cookie("xa=1", "a"), None);
    }

    #[test]
    fn what_is_not_encoded_stays() {
        assert_eq!(decode("%41%4a%zz%é%2"), "AJ%zz%é%2");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }
}
