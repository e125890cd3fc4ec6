//! Texts with variables: `client {client_address} of {consumer}`.
//!
//! `{name}` is a variable, `{{` and `}}` are braces. Some variables name what they want: `{header:<name>}`, a header of the
//! request.

mod variable;

use sluice_sdk::prelude::*;

use variable::{Headers, Variable};
pub use variable::{Kind, Source, plain};

/// A text, taken apart.
#[derive(Debug, PartialEq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Variable(Variable),
}

impl Template {
    /// Reads a text. An unknown variable and a single brace are refused, and `{status}`, which no request has.
    pub fn parse(text: &str) -> Result<Self> {
        let template = Self::parse_response(text)?;
        let knows_response = template.variables().any(|variable| matches!(variable, Variable::Status));
        ensure!(!knows_response, "`{{status}}` is known only where a response is at hand");
        Ok(template)
    }

    /// As [`parse`](Self::parse), for a text that is rendered when the response is there.
    pub fn parse_response(text: &str) -> Result<Self> {
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
            pieces.push(Piece::Variable(Variable::parse(name)?));
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
        self.variables().filter_map(Variable::header)
    }

    /// The text with `x` in place of every variable, to check what surrounds them.
    #[must_use]
    pub fn sample(&self) -> String {
        self.0.iter().map(|piece| if let Piece::Text(text) = piece { text } else { "x" }).collect()
    }

    /// The text. What a variable does not find is empty; none if there is nothing but variables, and none of them
    /// finds anything.
    pub fn render(&self, ctx: &Context, header: &dyn Fn(&HeaderName) -> Option<String>) -> Option<String> {
        self.render_with(ctx, &Headers(header), &plain)
    }

    /// As [`render`](Self::render), from any source, with each value written as its place demands it.
    pub fn render_with(
        &self,
        ctx: &Context,
        source: &dyn Source,
        write: &dyn Fn(Kind, String) -> String,
    ) -> Option<String> {
        let mut text = String::new();
        let mut found = self.0.is_empty();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => {
                    found = true;
                    text.push_str(literal);
                }
                Piece::Variable(variable) => {
                    let Some(value) = variable.value(ctx, source) else { continue };
                    found = true;
                    text.push_str(&write(variable.kind(), value));
                }
            }
        }
        found.then_some(text)
    }

    /// As [`render_with`](Self::render_with), but nothing at all if a variable finds nothing, or only an empty text.
    pub fn render_whole(
        &self,
        ctx: &Context,
        source: &dyn Source,
        write: &dyn Fn(Kind, String) -> String,
    ) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Variable(variable) => {
                    let value = variable.value(ctx, source).filter(|value| !value.is_empty())?;
                    text.push_str(&write(variable.kind(), value));
                }
            }
        }
        Some(text)
    }

    fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.0
            .iter()
            .filter_map(|piece| if let Piece::Variable(variable) = piece { Some(variable) } else { None })
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
            Piece::Variable(Variable::Header(HeaderName::from_static("x-foo"))),
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
            ("{query:}", "`{query:}` does not say which"),
            ("{status}", "`{status}` is known only where a response is at hand"),
            ("{path_after:x}", "`{path_after:x}`: a number of segments"),
        ] {
            let error = Template::parse(value).unwrap_err().to_string();
            assert!(error.contains(reason), "{value:?}: {error}");
        }
    }
}
