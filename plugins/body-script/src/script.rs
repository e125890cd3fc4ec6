//! What is done to one body: which it is done to, the filter or template, and what else is set.

use jaq_core::load::parse::Def;
use sluice_sdk::prelude::*;

use crate::changes::Changes;
use crate::failure::{Failure, Side};
use crate::jq::Filter;
use crate::json;
use crate::template::Template;
use crate::value::Val;

/// What is done to a body. One of `jq` and `template` is given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptConfig {
    /// A jq filter. Its input is the body.
    #[serde(default)]
    jq: Option<String>,
    /// A Jinja template. The body is its variable `body`.
    #[serde(default)]
    template: Option<String>,
    /// The `Content-Type` of what is made. If not given: of a filter, as `outputs` says; of a template, plain text.
    #[serde(default)]
    content_type: Option<HeaderValue>,
    /// Media types of the bodies that are transformed, such as `application/json`, `application/*+json`, `text/*` or `*/*`. Others
    /// pass as they are.
    #[serde(default = "json_types")]
    types: Vec<String>,
    /// What the body is read as.
    #[serde(default)]
    input: Input,
    /// What becomes of a filter's outputs.
    #[serde(default)]
    outputs: Outputs,
    /// A jq filter without input: the body is transformed if its output is neither `false` nor `null`.
    #[serde(default)]
    when: Option<String>,
    /// What else is set: jq filters over the body as it came.
    #[serde(default)]
    sets: SetsConfig,
    /// Of how many values, counting each array, object, string, number and so on, a body may consist. Each takes memory.
    #[serde(default = "default_max_values")]
    #[schemars(range(min = 1, max = 10_000_000))]
    max_values: usize,
    /// Bytes of a body, without its content codings; to 64 MiB. No body is larger than the plugin's `limits.body` as it comes.
    #[serde(default = "default_max_size")]
    max_size: Size,
}

/// What else is set: jq filters over the body as it came. What is not given stays as it is.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetsConfig {
    /// An object of header names and values: a string or number, an array of several, or `null` to take the header away.
    #[serde(default)]
    headers: Option<String>,
    /// The status, 200 to 599. Of the response only.
    #[serde(default)]
    status: Option<String>,
    /// The method. Of the request only.
    #[serde(default)]
    method: Option<String>,
    /// The path, beginning with `/` and percent-encoded. Of the request only.
    #[serde(default)]
    path: Option<String>,
    /// The query without its `?`, percent-encoded. Of the request only.
    #[serde(default)]
    query: Option<String>,
}

/// What a body is read as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// JSON.
    #[default]
    Json,
    /// A string.
    Text,
}

/// What becomes of a filter's outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outputs {
    /// There is exactly one, and it is the body.
    #[default]
    One,
    /// They are the elements of an array.
    Array,
    /// Each is a line.
    Lines,
    /// There is exactly one, a string, and its text is the body.
    Text,
}

fn json_types() -> Vec<String> {
    vec!["application/json".to_owned(), "application/*+json".to_owned()]
}

fn default_max_values() -> usize {
    100_000
}

fn default_max_size() -> Size {
    Size::from_bytes(1 << 20)
}

const MAX_SIZE: u64 = 64 << 20;

#[expect(clippy::large_enum_variant, reason = "there is one of each step")]
enum Maker {
    Filter(Filter, Outputs),
    Template(Template),
}

/// A checked script.
pub(crate) struct Script {
    maker: Maker,
    content_type: String,
    types: Vec<String>,
    input: Input,
    when: Option<Filter>,
    sets: Vec<(&'static str, Filter)>,
    max_values: usize,
    max_size: usize,
    variables: &'static [&'static str],
    needs_request: bool,
}

/// What a script made.
pub(crate) struct Made {
    pub(crate) body: String,
    pub(crate) changes: Changes,
}

impl Script {
    pub(crate) fn new(config: ScriptConfig, side: Side, definitions: &[Def<&'static str>]) -> Result<Self> {
        let variables: &[&str] = match side {
            Side::Request => &["$request"],
            Side::Response => &["$request", "$status", "$headers"],
        };
        for pattern in &config.types {
            ensure!(
                is_pattern(pattern),
                "types: `{pattern}` is not a media type, `type/*`, `type/*+suffix` or `*/*`"
            );
        }
        ensure!(!config.types.is_empty(), "types: there are none, so that nothing would be transformed");
        ensure!(config.max_values > 0, "max_values: a body has one value at least");
        let max_size = config.max_size.bytes();
        ensure!((1..=MAX_SIZE).contains(&max_size), "max_size: not between \"1B\" and \"64MiB\"");
        let max_size = usize::try_from(max_size)?;
        let SetsConfig { headers, status, method, path, query } = config.sets;
        let mut needs_request = false;
        let mut compile = |name: &'static str, code: String| {
            needs_request |= code.contains("request");
            Filter::compile(&code, variables, definitions).context(name)
        };
        let when = config.when.map(|code| compile("when", code)).transpose()?;
        let mut sets = Vec::new();
        for (name, code, of) in [
            ("headers", headers, None),
            ("status", status, Some(Side::Response)),
            ("method", method, Some(Side::Request)),
            ("path", path, Some(Side::Request)),
            ("query", query, Some(Side::Request)),
        ] {
            let Some(code) = code else { continue };
            ensure!(of.is_none_or(|of| of == side), "sets.{name}: not here, since this has none");
            sets.push((name, compile(name, code).context("sets")?));
        }
        let content_type = config.content_type.map(|value| value.to_string());
        let (maker, content_type) = match (config.jq, config.template) {
            (Some(code), None) => {
                let content_type = content_type.unwrap_or_else(|| config.outputs.content_type().to_owned());
                (Maker::Filter(compile("jq", code)?, config.outputs), content_type)
            }
            (None, Some(source)) => {
                ensure!(config.outputs == Outputs::One, "outputs: a template has but one output");
                needs_request |= source.contains("request");
                let content_type = content_type.unwrap_or_else(|| "text/plain; charset=utf-8".to_owned());
                (Maker::Template(Template::parse(source, &content_type).context("template")?), content_type)
            }
            _ => bail!("give either `jq` or `template`"),
        };
        let (types, input, max_values) = (config.types, config.input, config.max_values);
        Ok(Self {
            maker,
            content_type,
            types,
            input,
            when,
            sets,
            max_values,
            max_size,
            variables,
            needs_request,
        })
    }

    /// Whether anything in it may look at `$request`.
    pub(crate) fn needs_request(&self) -> bool {
        self.needs_request
    }

    /// Whether bodies of this media type are transformed.
    pub(crate) fn takes(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        self.types.iter().any(|pattern| matches_type(&pattern.to_ascii_lowercase(), &essence))
    }

    /// The type of what it makes.
    pub(crate) fn content_type(&self) -> &str {
        &self.content_type
    }

    pub(crate) fn max_size(&self) -> usize {
        self.max_size
    }

    /// Whether the body passes as it is, which the head tells: there is no need to wait for it then. A `when` that fails is left to
    /// the body's phase, since an empty body passes whatever happens.
    pub(crate) fn passes(
        &self,
        content_type: &str,
        facts: impl FnOnce() -> Result<Vec<Val>>,
    ) -> Result<bool> {
        Ok(!self.takes(content_type) || self.is_excluded(facts)?)
    }

    /// Whether `when` says no.
    pub(crate) fn is_excluded(&self, facts: impl FnOnce() -> Result<Vec<Val>>) -> Result<bool> {
        Ok(self.when.is_some() && matches!(self.applies(&facts()?), Ok(false)))
    }

    /// What `when` says.
    pub(crate) fn applies(&self, facts: &[Val]) -> Result<bool, Failure> {
        let Some(when) = &self.when else { return Ok(true) };
        let output = only(when, facts, Val::Null).map_err(|failure| failure.within("when"))?;
        Ok(jaq_core::ValT::as_bool(&output))
    }

    /// Reads and transforms a body.
    pub(crate) fn make(&self, body: Vec<u8>, facts: &[Val]) -> Result<Made, Failure> {
        let input = match self.input {
            Input::Json => json::read(&body, self.max_values)
                .map_err(|refused| Failure::read(refused, self.max_values))?,
            Input::Text => Val::from(String::from_utf8(body).map_err(|_| Failure::NotText)?),
        };
        let mut changes = Changes::default();
        for (name, filter) in &self.sets {
            let value = only(filter, facts, input.clone())
                .map_err(|failure| failure.within(&format!("sets.{name}")))?;
            changes.add(name, &value)?;
        }
        let body = match &self.maker {
            Maker::Filter(filter, outputs) => outputs.write(filter, facts, input)?,
            Maker::Template(template) => {
                template.render(self.variables, facts, &input).map_err(Failure::script)?
            }
        };
        Ok(Made { body, changes })
    }
}

impl Outputs {
    fn content_type(self) -> &'static str {
        match self {
            Self::One | Self::Array => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    fn write(self, filter: &Filter, facts: &[Val], input: Val) -> Result<String, Failure> {
        match self {
            Self::One => text(&only(filter, facts, input)?),
            Self::Text => match only(filter, facts, input)? {
                Val::Str(text) => Ok(text.as_ref().to_owned()),
                other => Err(Failure::script(format_args!("the output is no string but {}", other.shown()))),
            },
            Self::Array | Self::Lines => {
                let outputs = filter.run(facts, input);
                let texts = outputs.map(|output| text(&output.map_err(Failure::script)?));
                let texts = texts.collect::<Result<Vec<_>, _>>()?;
                Ok(if self == Self::Array {
                    format!("[{}]", texts.join(","))
                } else {
                    texts.into_iter().flat_map(|text| [text, "\n".to_owned()]).collect()
                })
            }
        }
    }
}

fn text(value: &Val) -> Result<String, Failure> {
    json::write(value).ok_or_else(|| {
        Failure::script(format_args!("the output is nested deeper than {} levels", json::MAX_DEPTH))
    })
}

fn only(filter: &Filter, facts: &[Val], input: Val) -> Result<Val, Failure> {
    let mut outputs = filter.run(facts, input);
    let output = outputs.next().ok_or_else(|| Failure::script("there is no output"))?;
    let output = output.map_err(Failure::script)?;
    match outputs.next() {
        None => Ok(output),
        Some(_) => Err(Failure::script("there is more than one output")),
    }
}

fn is_pattern(pattern: &str) -> bool {
    let token = |part: &str| part.parse::<HeaderName>().is_ok();
    match pattern.split_once('/') {
        Some((kind, subtype)) => token(kind) && token(subtype) && (kind != "*" || subtype == "*"),
        None => false,
    }
}

fn matches_type(pattern: &str, essence: &str) -> bool {
    let (Some((kind, subtype)), Some((of_kind, of_subtype))) =
        (pattern.split_once('/'), essence.split_once('/'))
    else {
        // Without a type a body may be anything.
        return pattern == "*/*";
    };
    (kind == "*" || kind == of_kind)
        && match subtype.strip_prefix('*') {
            Some(suffix) => of_subtype.ends_with(suffix),
            None => subtype == of_subtype,
        }
}

impl Failure {
    fn within(self, name: &str) -> Self {
        match self {
            Self::Script(message) => Self::script(format_args!("{name}: {message}")),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_match_their_patterns() {
        for (pattern, essence, expected) in [
            ("application/json", "application/json", true),
            ("application/json", "application/jsonp", false),
            ("application/*+json", "application/problem+json", true),
            ("application/*+json", "application/json", false),
            ("application/*+json", "text/a+json", false),
            ("text/*", "text/csv", true),
            ("*/*", "", true),
            ("text/*", "", false),
        ] {
            assert_eq!(matches_type(pattern, essence), expected, "{pattern} {essence}");
        }
        for bad in ["json", "*/json", "a/b;c=d", "", "a/", "a b/c"] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }
}
