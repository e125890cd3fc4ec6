//! A template: parsed once, rendered for each body. It sees what the filter of the same place sees.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use sluice_sdk::prelude::*;

use crate::value::Val;

/// What a rendering may use: about 64 bytes of memory each, so 6 MiB.
const FUEL: u64 = 100_000;
/// How deep a template may nest its blocks, macros and expressions.
const RECURSION: usize = 64;
const NAME: &str = "template";

/// A parsed template.
pub(crate) struct Template(Environment<'static>);

impl Template {
    /// Parses a template for a body of this media type, which says what is escaped.
    pub(crate) fn parse(source: String, content_type: &str) -> Result<Self> {
        let mut environment = Environment::new();
        let escape = escape(content_type);
        environment.set_auto_escape_callback(move |_| escape.clone());
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

    /// Renders the template with these variables, their names without the `$`.
    pub(crate) fn render(&self, names: &[&str], variables: &[Val], body: &Val) -> Result<String, String> {
        let named =
            names.iter().zip(variables).map(|(name, value)| (name.trim_start_matches('$'), to_value(value)));
        let context = Value::from_pairs(named.chain([("body", to_value(body))]));
        let template = self.0.get_template(NAME).map_err(|error| error.to_string())?;
        template.render(context).map_err(|error| error.to_string())
    }
}

fn escape(content_type: &str) -> AutoEscape {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => AutoEscape::Json,
        "text/html" | "text/xml" | "application/xml" => AutoEscape::Html,
        other if other.ends_with("+json") => AutoEscape::Json,
        other if other.ends_with("+xml") => AutoEscape::Html,
        _ => AutoEscape::None,
    }
}

/// Integers keep their digits up to 128 bits. Other numbers are floats; what no float can be stays a text.
fn to_value(value: &Val) -> Value {
    match value {
        Val::Null => Value::from(()),
        Val::Bool(value) => Value::from(*value),
        Val::Num(number) => {
            let text = number.to_string();
            match (text.parse::<i64>(), text.parse::<i128>()) {
                (Ok(integer), _) => Value::from(integer),
                (_, Ok(integer)) => Value::from(integer),
                _ if number.float().is_finite() => Value::from(number.float()),
                _ => Value::from(text),
            }
        }
        Val::Str(text) => Value::from(&**text),
        Val::Arr(values) => values.iter().map(to_value).collect(),
        Val::Obj(members) => {
            Value::from_pairs(members.iter().map(|(name, value)| (&**name, to_value(value))))
        }
    }
}
