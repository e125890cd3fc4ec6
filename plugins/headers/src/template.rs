//! Values with variables: `client {client_address} of {consumer}`.

use sluice_sdk::prelude::*;

const VARIABLES: [(&str, Variable); 8] = [
    ("client_address", Variable::ClientAddress),
    ("consumer", Variable::Consumer),
    ("host", Variable::Host),
    ("method", Variable::Method),
    ("path", Variable::Path),
    ("request_id", Variable::RequestId),
    ("route", Variable::Route),
    ("scheme", Variable::Scheme),
];

/// A value, taken apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Variable(Variable),
    Header(HeaderName),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Variable {
    ClientAddress,
    Consumer,
    Host,
    Method,
    Path,
    RequestId,
    Route,
    Scheme,
}

impl Template {
    /// Reads a value: `{name}` is a variable, `{{` and `}}` are braces.
    pub(crate) fn parse(value: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = value;
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            ensure!(brace == "{", "a `}}` without its `{{`; write `}}}}` for a brace");
            let (name, after) =
                rest.split_once('}').context("a `{` without its `}`; write `{{` for a brace")?;
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::variable(name)?);
            rest = after;
        }
        text.push_str(rest);
        // Checked as a whole, so that a blank at either end is seen.
        let fixed: String = pieces.iter().map(Piece::as_text).chain([text.as_str()]).collect();
        fixed.parse::<HeaderValue>()?;
        ensure!(!fixed.is_empty(), "the value is empty: to take a header away, use `remove`");
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self(pieces))
    }

    /// Headers of the request that it refers to.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().filter_map(|piece| if let Piece::Header(name) = piece { Some(name) } else { None })
    }

    /// The value; empty if all that it refers to is missing and there is nothing else in it.
    pub(crate) fn render(&self, ctx: &Context, header: &dyn Fn(&HeaderName) -> Option<String>) -> String {
        let mut value = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => value.push_str(text),
                Piece::Variable(variable) => value.push_str(&variable.value(ctx)),
                Piece::Header(name) => value.push_str(&header(name).unwrap_or_default()),
            }
        }
        // A missing variable may leave a blank at an end, which a header's value cannot have.
        let trimmed = value.trim_matches([' ', '\t']);
        if trimmed.len() == value.len() { value } else { trimmed.to_owned() }
    }
}

impl Piece {
    fn variable(name: &str) -> Result<Self> {
        if let Some(header) = name.strip_prefix("header:") {
            return Ok(Self::Header(header.parse()?));
        }
        match VARIABLES.iter().find(|(known, _)| *known == name) {
            Some((_, variable)) => Ok(Self::Variable(*variable)),
            None => {
                let known: Vec<_> = VARIABLES.iter().map(|(known, _)| format!("{{{known}}}")).collect();
                bail!(
                    "there is no variable `{{{name}}}`; known are {} and {{header:<name>}}",
                    known.join(", ")
                )
            }
        }
    }

    /// The text it is, or stands in for when the template is checked.
    fn as_text(&self) -> &str {
        if let Self::Text(text) = self { text } else { "x" }
    }
}

impl Variable {
    fn value(self, ctx: &Context) -> String {
        match self {
            Self::ClientAddress => ctx.client_address(),
            Self::Consumer => ctx.consumer_name().unwrap_or_default(),
            Self::Host => ctx.host(),
            Self::Method => ctx.method().to_string(),
            Self::Path => ctx.path(),
            Self::RequestId => ctx.request_id(),
            Self::Route => ctx.route(),
            Self::Scheme => ctx.scheme(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_apart() {
        let template = Template::parse("a {{b}} {request_id}/{header:X-Foo}").unwrap();
        let pieces = [
            Piece::Text("a {b} ".to_owned()),
            Piece::Variable(Variable::RequestId),
            Piece::Text("/".to_owned()),
            Piece::Header(HeaderName::from_static("x-foo")),
        ];
        assert_eq!(template.0, pieces);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (value, reason) in [
            ("{requestid}", "there is no variable `{requestid}`; known are {client_address},"),
            ("{", "a `{` without its `}`"),
            ("a}", "a `}` without its `{`"),
            ("{header:}", "`` is not a header name"),
            ("a\r\nb: c", "is not a header value"),
            (" {path}", "is not a header value"),
            ("", "the value is empty"),
        ] {
            let error = Template::parse(value).unwrap_err().to_string();
            assert!(error.contains(reason), "{value:?}: {error}");
        }
    }
}
