//! A route: what it matches, what it asks the upstream, and what of that it answers.

use serde_json::Value;
use sluice_sdk::prelude::*;
use sluice_sdk_graphql::{Document, InvalidSpread, Operation, OperationKind, Selected, parse, position};

use crate::config::{Partial, RouteConfig, SourceConfig, Unknown};
use crate::errors::Rules;
use crate::result::Step;
use crate::schema::{Named, TypeRef, Types};
use crate::template::Template;

/// A route.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) template: Template,
    /// What is asked, up to the variables.
    pub(crate) question: String,
    pub(crate) variables: Vec<Variable>,
    pub(crate) unknown_body: Unknown,
    pub(crate) result: Vec<Step>,
    pub(crate) status: u16,
    pub(crate) null_status: u16,
    pub(crate) partial: Partial,
    pub(crate) cache_control: Option<String>,
    pub(crate) errors: Rules,
}

/// A variable of the operation.
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) of: TypeRef,
    pub(crate) source: Source,
    /// It takes no null and has no default.
    pub(crate) is_required: bool,
}

/// Where a variable comes from.
#[derive(Debug, PartialEq)]
pub(crate) enum Source {
    Path(String),
    Query(String),
    Header(HeaderName),
    /// The steps of a pointer; none for all of it.
    Body(Vec<String>),
    Consumer,
    /// JSON.
    Fixed(String),
}

/// Tokens of a document.
const MOST_TOKENS: usize = 100_000;

impl Route {
    pub(crate) fn new(config: RouteConfig, types: &Types) -> Result<Self> {
        let template = Template::parse(&config.path).context("`path`")?;
        let document = parse(&config.query, MOST_TOKENS).map_err(|error| place(&config.query, &error))?;
        document.fragment_order().map_err(|error| {
            Error::new(match error {
                InvalidSpread::Unknown { name, .. } => format!("`query`: there is no fragment `{name}`"),
                InvalidSpread::Circle { name, .. } => format!("`query`: fragment `{name}` uses itself"),
            })
        })?;
        let operation = match (&config.operation, document.operation(config.operation.as_deref())) {
            (_, Some(operation)) => operation,
            (Some(name), None) => bail!("`operation`: `query` has no operation `{name}`"),
            (None, None) => bail!("`query` has not just one operation: name one in `operation`"),
        };
        ensure!(operation.kind != OperationKind::Subscription, "`query`: a subscription has no one answer");
        let is_get = config.method == Method::Get;
        ensure!(
            !is_get || operation.kind == OperationKind::Query,
            "`method`: a mutation cannot be a `GET`, which is safe to repeat"
        );
        ensure!(config.method != Method::Head, "`method`: `HEAD` comes with `GET`");
        ensure!(is_get || config.cache_control.is_none(), "`cache_control` has a meaning with `GET` only");
        ensure!(
            matches!(config.null_status, 200 | 204 | 404),
            "`null_status` is 200, 204 or 404, not {}",
            config.null_status
        );
        ensure!(!matches!(config.status, 205 | 206), "`status` is not {}", config.status);
        let result = Step::parse(config.result.as_deref().unwrap_or_default()).context("`result`")?;
        is_selected(&document, operation, &result)?;
        let variables = variables(&config.method, config.variables, &template, operation, types)?;
        let is_shared = config.cache_control.as_deref().is_some_and(lets_share);
        ensure!(
            !is_shared || variables.iter().all(|variable| variable.source != Source::Consumer),
            "`cache_control`: what the consumer decides is neither `public` nor has `s-maxage`"
        );
        Ok(Self {
            question: question(&config.query, operation.name),
            method: config.method,
            template,
            variables,
            unknown_body: config.unknown_body,
            result,
            status: config.status,
            null_status: config.null_status,
            partial: config.partial,
            cache_control: config.cache_control,
            errors: Rules::new(config.errors)?,
        })
    }

    pub(crate) fn takes_body(&self) -> bool {
        self.variables.iter().any(|variable| matches!(variable.source, Source::Body(_)))
    }

    pub(crate) fn serves(&self, method: &Method) -> bool {
        self.method == *method || self.is_get() && *method == Method::Head
    }

    /// Headers that the answer depends on.
    pub(crate) fn varies(&self) -> impl Iterator<Item = &HeaderName> {
        self.variables.iter().filter_map(|variable| match &variable.source {
            Source::Header(name) => Some(name),
            _ => None,
        })
    }

    /// The answer is for one consumer.
    pub(crate) fn is_private(&self) -> bool {
        self.variables.iter().any(|variable| variable.source == Source::Consumer)
    }

    pub(crate) fn is_get(&self) -> bool {
        self.method == Method::Get
    }
}

/// Whether caches that others use may keep what has this.
fn lets_share(cache_control: &str) -> bool {
    cache_control.split(',').any(is_shared)
}

/// Whether a directive of `Cache-Control` is for caches that others use.
pub(crate) fn is_shared(directive: &str) -> bool {
    let name = directive.split('=').next().unwrap_or_default().trim_ascii();
    name.eq_ignore_ascii_case("public") || name.eq_ignore_ascii_case("s-maxage")
}

fn place(text: &str, error: &sluice_sdk_graphql::ParseError) -> Error {
    match error {
        sluice_sdk_graphql::ParseError::Syntax { at, message } => {
            let (line, column) = position(text, *at);
            Error::new(format!("`query`, line {line}, column {column}: {message}"))
        }
        sluice_sdk_graphql::ParseError::TooManyTokens(_) => Error::new(format!("`query`: {error}")),
    }
}

fn question(query: &str, operation: Option<&str>) -> String {
    let name = operation.map(|name| format!(",\"operationName\":{}", Value::from(name))).unwrap_or_default();
    format!("{{\"query\":{}{name},\"variables\":", Value::from(query))
}

/// Every variable with its source.
fn variables(
    method: &Method,
    mut sources: std::collections::BTreeMap<String, SourceConfig>,
    template: &Template,
    operation: &Operation<'_>,
    types: &Types,
) -> Result<Vec<Variable>> {
    let mut variables = Vec::new();
    for variable in &operation.variables {
        let name = variable.name;
        let Some(of) = types.resolve(&variable.of) else {
            bail!(
                "`query`: `schema` has no enum, input or scalar `{}`, the type of `${name}`",
                variable.of.name
            );
        };
        let source = match sources.remove(name) {
            Some(source) => Source::new(source).context(format_args!("`variables.{name}`"))?,
            None if template.names().any(|known| known == name) => Source::Path(name.to_owned()),
            None if matches!(method, Method::Get | Method::Delete) => Source::Query(name.to_owned()),
            None => Source::Body(vec![name.to_owned()]),
        };
        fits(&source, &of, method, template, types).context(format_args!("`variables.{name}`"))?;
        let is_required = of.is_required() && variable.default.is_none();
        variables.push(Variable { name: name.to_owned(), of, source, is_required });
    }
    if let Some(name) = sources.keys().next() {
        bail!("`variables.{name}`: `query` has no variable `${name}`");
    }
    for name in template.names() {
        let source = Source::Path(name.to_owned());
        ensure!(
            variables.iter().any(|variable| variable.source == source),
            "`path`: no variable takes `{{{name}}}`"
        );
    }
    Ok(variables)
}

/// Whether a type can come from a source.
fn fits(source: &Source, of: &TypeRef, method: &Method, template: &Template, types: &Types) -> Result<()> {
    let is_text = match source {
        Source::Path(name) => {
            ensure!(template.names().any(|known| known == name), "`path` has no `{{{name}}}`");
            ensure!(of.lists() == 0, "a list cannot come from the path");
            true
        }
        Source::Query(_) | Source::Header(_) => true,
        Source::Consumer => {
            ensure!(of.lists() == 0, "the consumer is no list");
            true
        }
        Source::Body(_) => {
            ensure!(*method != Method::Get, "a `GET` has no body");
            false
        }
        Source::Fixed(json) => {
            let mut findings = Vec::new();
            crate::input::check(types, of, json, "", &mut findings);
            if let Some(finding) = findings.first() {
                bail!("`value`{}: {}", finding.pointer.as_deref().unwrap_or_default(), finding.message);
            }
            false
        }
    };
    if is_text {
        ensure!(of.lists() <= 1, "a list of lists can only come from the body");
        ensure!(!matches!(types.named(of), Named::Input(_)), "an object can only come from the body");
    }
    Ok(())
}

impl Source {
    fn new(config: SourceConfig) -> Result<Self> {
        let text = match config {
            SourceConfig::Fixed(fixed) => return Ok(Self::Fixed(fixed.value.to_string())),
            SourceConfig::From(text) => text,
        };
        let (place, name) = text.split_once(':').unwrap_or((&text, ""));
        Ok(match (place, name) {
            ("body", "") => Self::Body(Vec::new()),
            ("body", pointer) => Self::Body(steps(pointer)?),
            ("consumer", "") => Self::Consumer,
            ("path", name) if !name.is_empty() => Self::Path(name.to_owned()),
            ("query", name) if !name.is_empty() => Self::Query(name.to_owned()),
            ("header", name) if !name.is_empty() => Self::Header(name.parse()?),
            _ => bail!(
                "`{text}` is none of `path:NAME`, `query:NAME`, `header:NAME`, `body`, `body:/POINTER` and `consumer`"
            ),
        })
    }
}

/// The steps of a JSON pointer.
fn steps(pointer: &str) -> Result<Vec<String>> {
    let Some(rest) = pointer.strip_prefix('/') else { bail!("`{pointer}` is not a JSON pointer") };
    Ok(rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
}

/// Whether the operation selects what is to be answered.
fn is_selected(document: &Document<'_>, operation: &Operation<'_>, result: &[Step]) -> Result<()> {
    let mut level = fields(document, vec![operation.definition.selections.clone()]);
    for step in result {
        let Step::Name(name) = step else { continue };
        let within: Vec<_> = level
            .iter()
            .filter(|&&at| match &document.selection(at).selected {
                Selected::Field { name: own, alias, .. } => alias.unwrap_or(own) == name,
                _ => false,
            })
            .map(|&at| document.within(at))
            .collect();
        ensure!(!within.is_empty(), "`result`: `query` does not select `{name}` there");
        level = fields(document, within);
    }
    Ok(())
}

/// The fields of a level, those of fragments included.
fn fields(document: &Document<'_>, mut ranges: Vec<std::ops::Range<usize>>) -> Vec<usize> {
    let (mut found, mut seen) = (Vec::new(), Vec::new());
    while let Some(range) = ranges.pop() {
        for at in document.level(range) {
            match &document.selection(at).selected {
                Selected::Field { .. } => found.push(at),
                Selected::Inline { .. } => ranges.push(document.within(at)),
                Selected::Spread { name } => {
                    if let Some(fragment) = document.fragment(name).filter(|known| !seen.contains(known)) {
                        seen.push(fragment);
                        ranges.push(document.fragments[fragment].definition.selections.clone());
                    }
                }
            }
        }
    }
    found
}
