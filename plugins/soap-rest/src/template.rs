//! The mapping by template. It sees one variable, `body`.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, escape_formatter};
use sluice_sdk::prelude::*;

use crate::failure::Failure;
use crate::json::{self, Json};
use crate::names::{Tag, Terms};
use crate::stop::Stop;
use crate::xml::{self, Writer};

/// What a rendering may use: about 64 bytes of memory each, so 6 MiB.
const FUEL: u64 = 100_000;
/// How deep a template may nest its blocks, macros and expressions.
const RECURSION: usize = 64;
const NAME: &str = "template";
/// How much of a template's own message is told, in characters.
const MESSAGE: usize = 300;

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Template(Environment<'static>);

/// What a template makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Makes {
    Xml,
    Json,
}

impl Template {
    pub(crate) fn parse(source: String, makes: Makes) -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(move |_| match makes {
            Makes::Xml => AutoEscape::Html,
            Makes::Json => AutoEscape::Json,
        });
        if makes == Makes::Xml {
            // What is not there is no text, and not the word that the language has for it.
            environment.set_formatter(|out, state, value| {
                if value.is_none() { Ok(()) } else { escape_formatter(out, state, value) }
            });
        }
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        environment.set_debug(false);
        environment.add_template_owned(NAME, source).map_err(|error| {
            Error::new(match error.line() {
                Some(line) => format!("line {line}: {}", error.detail().unwrap_or("not a template")),
                None => error.to_string(),
            })
        })?;
        Ok(Self(environment))
    }

    fn render(&self, body: &Json, terms: &Terms) -> Result<String, Stop> {
        let told = |error: minijinja::Error| {
            Stop::Template(format!(
                "the template failed: {}",
                error.to_string().chars().take(MESSAGE).collect::<String>()
            ))
        };
        let context = Value::from_pairs([("body", to_value(body))]);
        let text = self.0.get_template(NAME).and_then(|template| template.render(context)).map_err(told)?;
        if text.len() > terms.bounds.size {
            return Err(Stop::TooLarge(terms.bounds.too_large()));
        }
        Ok(text)
    }

    /// The JSON that the template makes.
    pub(crate) fn json(&self, body: &Json, terms: &Terms) -> Result<Json, Stop> {
        let text = self.render(body, terms)?;
        let value = json::parse(text.as_bytes(), &terms.bounds);
        value.map_err(|why| Stop::Template(format!("what the template made: {}", Failure::from(why).detail)))
    }

    /// The element of this name with what the template makes in it.
    pub(crate) fn xml(
        &self,
        tag: &Tag,
        body: &Json,
        out: &mut Writer<'_>,
        terms: &Terms,
    ) -> Result<(), Stop> {
        let content = self.render(body, terms)?;
        let name = &tag.written;
        let standalone = format!("<{name}{}>{content}</{name}>", terms.names.declarations());
        // Nothing but content of the element: an end of it, or a beginning of another, is not well-formed then.
        if let Err(why) = xml::parse(&standalone, &terms.bounds) {
            return Err(Stop::Template(format!("what the template made: {}", Failure::from(why).detail)));
        }
        out.open(name);
        out.body();
        out.raw(&content);
        out.close(name);
        out.check()
    }
}

/// Integers keep their digits up to 128 bits. Other numbers are floats; what no float can be stays a text.
fn to_value(value: &Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(text) => match (text.parse::<i64>(), text.parse::<i128>(), text.parse::<f64>()) {
            (Ok(integer), ..) => Value::from(integer),
            (_, Ok(integer), _) => Value::from(integer),
            (.., Ok(float)) if float.is_finite() => Value::from(float),
            _ => Value::from(text.as_str()),
        },
        Json::Text(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(to_value).collect(),
        Json::Object(members) => {
            Value::from_pairs(members.iter().map(|(name, value)| (name.as_str(), to_value(value))))
        }
    }
}
