//! Which requests a route takes: hosts, path, methods, headers, query.

use std::fmt;

use http::{HeaderName, HeaderValue, Method};

/// All conditions of a route. Empty lists ask for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteMatch {
    /// One of these.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) path: PathPattern,
    /// One of these.
    pub(crate) methods: Vec<Method>,
    /// All of these.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// All of these.
    pub(crate) query: Vec<(String, String)>,
}

/// Why a pattern is refused, and perhaps how to write it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct PatternError {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

fn refuse(message: impl Into<String>) -> PatternError {
    PatternError { message: message.into(), hint: None }
}

impl PatternError {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A host, lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HostPattern {
    /// `*`
    Any,
    /// `api.shop.example`, an IPv4 address, or an IPv6 address in brackets
    Exact(String),
    /// `*.shop.example`, kept as `.shop.example`: one or more labels before it
    Wildcard(String),
}

impl HostPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let host = text.to_ascii_lowercase();
        if let Some(name) = host.strip_prefix("*.") {
            check_host_name(name)?;
            return Ok(Self::Wildcard(format!(".{name}")));
        }
        if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return match address.parse::<std::net::Ipv6Addr>() {
                Ok(address) => Ok(Self::Exact(format!("[{address}]"))),
                Err(_) => Err(refuse(format!("`{}` is not an IPv6 address", shown(address)))),
            };
        }
        check_host_name(&host)?;
        Ok(Self::Exact(host))
    }
}

pub(super) fn check_host_name(name: &str) -> Result<(), PatternError> {
    if name.is_empty() {
        return Err(refuse("a host is empty").hint("`*` stands for every host"));
    }
    if name.contains("://") || name.contains('/') {
        return Err(refuse(format!("`{}` is not a host", shown(name)))
            .hint("write the host alone; the path goes into `path`"));
    }
    if let Some((host, port)) = name.split_once(':')
        && port.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(refuse(format!("a host is matched without its port `{port}`"))
            .hint(format!("write `{}`; the listener decides the port", shown(host))));
    }
    if !name.is_ascii() {
        return Err(refuse(format!("the host `{}` is not ASCII", shown(name)))
            .hint("write it as browsers send it, beginning with `xn--`"));
    }
    if name.contains('*') {
        return Err(
            refuse("`*` stands only before the first dot of a host, alone").hint("as in `*.shop.example`")
        );
    }
    if name.len() > 253 {
        return Err(refuse("a host is longer than 253 characters"));
    }
    if let Some(host) = name.strip_suffix('.') {
        return Err(refuse("a host ends without a dot").hint(format!("write `{}`", shown(host))));
    }
    for label in name.split('.') {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if label.is_empty() || label.len() > 63 || !label.bytes().all(allowed) {
            return Err(refuse(format!("`{}` is not a host name", shown(name))));
        }
    }
    Ok(())
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Wildcard(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// A path, compared segment by segment with the path as received.
///
/// `/` has no segments and matches only `/`. A trailing slash is a last, empty literal, so `/orders/` and `/orders` are
/// two paths. `/orders/**` has one segment and `rest`, and matches `/orders`, `/orders/` and everything below.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PathPattern {
    pub(crate) segments: Vec<Segment>,
    /// Ends in `/**`: whatever follows matches too.
    pub(crate) rest: bool,
}

/// What one segment of a path must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    /// This text; empty only as the last one.
    Literal(String),
    /// `*`: any one segment that is not empty.
    Any,
    /// `{id}`: the same, and remembered under this name.
    Named(String),
}

impl PathPattern {
    /// `/**`
    pub(crate) const fn everything() -> Self {
        Self { segments: Vec::new(), rest: true }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        let Some(path) = text.strip_prefix('/') else {
            let hint = if text.contains("://") {
                "write the path alone; the host goes into `hosts`".to_owned()
            } else {
                format!("write `/{}`", shown(text))
            };
            return Err(refuse("a path begins with `/`").hint(hint));
        };
        let (path, rest) = match path.strip_suffix("**") {
            Some("") => ("", true),
            Some(before) if before.ends_with('/') => (&before[..before.len() - 1], true),
            _ => (path, false),
        };
        if path.is_empty() && (!rest || text == "/**") {
            return Ok(Self { segments: Vec::new(), rest });
        }
        let mut segments: Vec<Segment> = Vec::new();
        let mut pieces = path.split('/').peekable();
        while let Some(piece) = pieces.next() {
            let last = pieces.peek().is_none();
            if piece.is_empty() && (!last || rest) {
                return Err(refuse("a path has an empty segment: `//`"));
            }
            let segment = parse_segment(piece)?;
            if matches!(segment, Segment::Named(_)) && segments.contains(&segment) {
                return Err(refuse(format!("a path names `{piece}` twice")));
            }
            segments.push(segment);
        }
        Ok(Self { segments, rest })
    }
}

fn parse_segment(piece: &str) -> Result<Segment, PatternError> {
    if piece == "*" {
        return Ok(Segment::Any);
    }
    if piece == "**" {
        return Err(
            refuse("`**` stands only at the end of a path").hint("`*` stands for one segment anywhere")
        );
    }
    if let Some(name) = piece.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(refuse(format!("`{}` is not a name for a segment", shown(name)))
                .hint("letters, digits, `_` and `-`, as in `{id}`"));
        }
        return Ok(Segment::Named(name.to_owned()));
    }
    if piece.contains(['{', '}', '*']) {
        return Err(refuse(format!("`{}` mixes text and a wildcard", shown(piece)))
            .hint("`*`, `**` and `{name}` stand for whole segments"));
    }
    if piece == "." || piece == ".." {
        return Err(refuse(format!("a path has no segment `{piece}`")));
    }
    if let Some(wrong) = piece.chars().find(|&c| matches!(c, '?' | '#')) {
        let hint = if wrong == '?' {
            "conditions on the query go into `query`"
        } else {
            "fragments never reach a server"
        };
        return Err(refuse(format!("a path ends before `{wrong}`")).hint(hint));
    }
    check_encoding(piece)?;
    Ok(Segment::Literal(piece.to_owned()))
}

/// A literal is compared with what clients send, so it must be something that they can send.
fn check_encoding(piece: &str) -> Result<(), PatternError> {
    let mut bytes = piece.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => {
                let digits = [bytes.next(), bytes.next()];
                let value = digits
                    .iter()
                    .try_fold(0, |value, digit| Some(value * 16 + char::from((*digit)?).to_digit(16)?));
                if let Some(value) = value.and_then(|value| u8::try_from(value).ok()) {
                    check_spelling(value, digits)?;
                }
                value.is_some()
            }
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'+' | b',' | b';'
            | b'=' | b':' | b'@' => true,
            other => other.is_ascii_alphanumeric(),
        };
        if !fine && byte == b'%' {
            return Err(refuse("`%` is followed by two hexadecimal digits").hint("`%25` is a percent sign"));
        }
        if !fine {
            let encoded: String = piece.bytes().map(encode).collect();
            return Err(refuse(format!("`{}` cannot stand in a path as it is", shown(piece)))
                .hint(format!("write `{encoded}`")));
        }
    }
    Ok(())
}

/// Paths are brought into one spelling before they are compared: another one would never match.
fn check_spelling(value: u8, digits: [Option<u8>; 2]) -> Result<(), PatternError> {
    let written: String = digits.into_iter().flatten().map(char::from).collect();
    let plain = value.is_ascii_alphanumeric() || matches!(value, b'-' | b'.' | b'_' | b'~');
    let spelled = if plain { char::from(value).to_string() } else { format!("%{value:02X}") };
    if spelled == format!("%{written}") {
        return Ok(());
    }
    Err(refuse(format!("no path has `%{written}` once it is decided")).hint(format!("write `{spelled}`")))
}

fn encode(byte: u8) -> String {
    if byte.is_ascii_graphic()
        && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'|' | b'[' | b']')
    {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            write!(f, "/{segment}")?;
        }
        match (self.rest, self.segments.is_empty()) {
            (true, _) => f.write_str("/**"),
            (false, true) => f.write_str("/"),
            (false, false) => Ok(()),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(text),
            Self::Any => f.write_str("*"),
            Self::Named(name) => write!(f, "{{{name}}}"),
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().flat_map(char::escape_debug).collect()
}
