//! Errors that the upstream tells, as problem documents.

use serde_json::{Value, json};
use sluice_sdk::prelude::*;
use sluice_sdk_graphql::short;

use crate::config::ErrorConfig;
use crate::result::{PathStep, Reported, Step};

/// What errors become, in the order of the configuration.
pub(crate) struct Rules(Vec<Rule>);

struct Rule {
    code: Option<String>,
    path: Vec<Step>,
    status: u16,
    kind: Option<String>,
    detail: Option<String>,
}

/// Codes that servers of GraphQL agree on.
const KNOWN: [(&str, u16); 10] = [
    ("BAD_USER_INPUT", 400),
    ("BAD_REQUEST", 400),
    ("UNAUTHENTICATED", 401),
    ("UNAUTHORIZED", 401),
    ("FORBIDDEN", 403),
    ("NOT_FOUND", 404),
    ("CONFLICT", 409),
    ("TOO_MANY_REQUESTS", 429),
    ("RATE_LIMITED", 429),
    ("SERVICE_UNAVAILABLE", 503),
];

/// Statuses of a response that say what an error is where nothing else does.
pub(crate) const REFUSALS: [u16; 4] = [401, 403, 429, 503];

impl Rules {
    pub(crate) fn new(configs: Vec<ErrorConfig>) -> Result<Self> {
        let rule = |(at, config): (usize, ErrorConfig)| {
            ensure!(
                config.code.is_some() || config.path.is_some(),
                "`errors[{at}]` fits every error: give `code` or `path`"
            );
            let path = Step::parse(config.path.as_deref().unwrap_or_default());
            let path = path.context(format_args!("`errors[{at}].path`"))?;
            let ErrorConfig { code, status, kind, detail, .. } = config;
            Ok(Rule { code, path, status, kind, detail })
        };
        configs.into_iter().enumerate().map(rule).collect::<Result<_>>().map(Self)
    }

    fn find(&self, error: &Reported) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.fits(error))
    }
}

impl Rule {
    fn fits(&self, error: &Reported) -> bool {
        let path = error.path.as_deref().unwrap_or_default();
        self.code.as_deref().is_none_or(|code| error.code.as_deref() == Some(code))
            && self.path.len() <= path.len()
            && self.path.iter().zip(path).all(|pair| match pair {
                (Step::Each, _) => true,
                (Step::Name(wanted), PathStep::Name(name)) => wanted == name,
                (Step::Name(wanted), PathStep::Item(item)) => *wanted == item.to_string(),
            })
    }
}

/// The problem that the first error is, with all of them in it. A route's rules come before everybody's; where nothing says what an
/// error is, the response's status may.
pub(crate) fn problem(errors: &[Reported], rules: [&Rules; 2], status: u16) -> Problem {
    let judged: Vec<_> = errors.iter().map(|error| judge(error, rules, status)).collect();
    let Some(first) = judged.first() else {
        return Problem::bad_gateway("the upstream failed").kind("graphql-error");
    };
    let told: Vec<_> = errors.iter().zip(&judged).map(|(error, judged)| tell(error, judged)).collect();
    let kind = first.rule.and_then(|rule| rule.kind.as_deref()).unwrap_or("graphql-error");
    Problem::new(first.status, message(&errors[0], first)).kind(kind).with("errors", &told)
}

/// What an error is.
struct Judged<'r> {
    status: u16,
    rule: Option<&'r Rule>,
    /// It is the client's own, by a rule or by its code.
    is_clients: bool,
}

fn judge<'r>(error: &Reported, rules: [&'r Rules; 2], status: u16) -> Judged<'r> {
    let rule = rules.into_iter().find_map(|rules| rules.find(error));
    let known = KNOWN.iter().find(|(code, _)| error.code.as_deref() == Some(code)).map(|(_, status)| *status);
    let said = rule.map(|rule| rule.status).or(known);
    let of_response = if REFUSALS.contains(&status) { status } else { 502 };
    Judged { status: said.unwrap_or(of_response), rule, is_clients: said.is_some_and(|status| status < 500) }
}

/// What the client is told. Of an error that is not its own it learns nothing: messages of failures tell of internals.
fn message(error: &Reported, judged: &Judged<'_>) -> String {
    match judged.rule.and_then(|rule| rule.detail.as_ref()) {
        Some(detail) => detail.clone(),
        None if judged.is_clients => error.message.chars().take(1_000).collect(),
        None if judged.status < 500 => "the upstream refused".to_owned(),
        None => "the upstream failed".to_owned(),
    }
}

fn tell(error: &Reported, judged: &Judged<'_>) -> Value {
    let mut told = json!({ "message": message(error, judged) });
    if judged.is_clients {
        if let Some(code) = error.code.as_deref() {
            told["code"] = short(code).into();
        }
        if let Some(path) = &error.path {
            told["path"] = path.iter().take(64).map(|step| json!(step)).collect();
        }
    }
    told
}
