//! Texts with variables: `client {client_address} of {consumer}`.
//!
//! `{name}` is a variable, `{{` and `}}` are braces. `{header:<name>}` is a header of the request.

use std::borrow::Cow;

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

/// A text, taken apart.
#[derive(Debug, PartialEq)]
pub struct Template(Vec<Piece>);

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
    /// Reads a text. An unknown variable and a single brace are refused.
    pub fn parse(text: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut text = String::new();
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
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self(pieces))
    }

    /// Headers of the request that it refers to.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().filter_map(|piece| if let Piece::Header(name) = piece { Some(name) } else { None })
    }

    /// The text with `x` in place of every variable, to check what surrounds them.
    #[must_use]
    pub fn sample(&self) -> String {
        self.0.iter().map(|piece| if let Piece::Text(text) = piece { text } else { "x" }).collect()
    }

    /// The text. What a variable does not find is empty; none if there is nothing but variables, and none of them
    /// finds anything.
    pub fn render(&self, ctx: &Context, header: &dyn Fn(&HeaderName) -> Option<String>) -> Option<String> {
        let mut text = String::new();
        let mut found = self.0.is_empty();
        for piece in &self.0 {
            let value = match piece {
                Piece::Text(text) => Some(Cow::Borrowed(&**text)),
                Piece::Variable(variable) => variable.value(ctx).map(Cow::Owned),
                Piece::Header(name) => header(name).map(Cow::Owned),
            };
            found |= value.is_some();
            text.push_str(&value.unwrap_or_default());
        }
        found.then_some(text)
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
}

impl Variable {
    fn value(self, ctx: &Context) -> Option<String> {
        Some(match self {
            Self::ClientAddress => ctx.client_address(),
            Self::Consumer => return ctx.consumer_name(),
            Self::Host => ctx.host(),
            Self::Method => ctx.method().to_string(),
            Self::Path => ctx.path(),
            Self::RequestId => ctx.request_id(),
            Self::Route => ctx.route(),
            Self::Scheme => ctx.scheme(),
        })
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
    fn a_sample_shows_what_surrounds_the_variables() {
        assert_eq!(Template::parse(" {{{path}}} ").unwrap().sample(), " {x} ");
        assert_eq!(Template::parse("").unwrap().sample(), "");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (value, reason) in [
            ("{requestid}", "there is no variable `{requestid}`; known are {client_address},"),
            ("{", "a `{` without its `}`"),
            ("a}", "a `}` without its `{`"),
            ("{header:}", "`` is not a header name"),
        ] {
            let error = Template::parse(value).unwrap_err().to_string();
            assert!(error.contains(reason), "{value:?}: {error}");
        }
    }
}
