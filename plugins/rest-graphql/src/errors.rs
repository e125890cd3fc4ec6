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

/// Errors that are told.
const MOST: usize = 20;

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
        self.code.as_deref().is_none_or(|code| error.code() == Some(code))
            && self.path.len() <= path.len()
            && self.path.iter().zip(path).all(|pair| match pair {
                (Step::Each, _) => true,
                (Step::Name(wanted), PathStep::Name(name)) => wanted == name,
                (Step::Name(wanted), PathStep::Item(item)) => *wanted == item.to_string(),
            })
    }
}

/// The problem that the first error is, with all of them in it. A route's rules come before everybody's.
pub(crate) fn problem(errors: &[Reported], rules: [&Rules; 2]) -> Problem {
    let judged: Vec<_> = errors.iter().take(MOST).map(|error| judge(error, rules)).collect();
    let Some((status, rule)) = judged.first() else {
        return Problem::bad_gateway("the upstream failed").kind("graphql-error");
    };
    let told: Vec<_> = errors.iter().zip(&judged).map(|(error, judged)| tell(error, *judged)).collect();
    let detail = message(&errors[0], (*status, *rule));
    let kind = rule.and_then(|rule| rule.kind.as_deref()).unwrap_or("graphql-error");
    Problem::new(*status, detail).kind(kind).with("errors", &told)
}

type Judged<'r> = (u16, Option<&'r Rule>);

fn judge<'r>(error: &Reported, rules: [&'r Rules; 2]) -> Judged<'r> {
    let rule = rules.into_iter().find_map(|rules| rules.find(error));
    let known = || KNOWN.iter().find(|(code, _)| error.code() == Some(code)).map(|(_, status)| *status);
    (rule.map(|rule| rule.status).or_else(known).unwrap_or(502), rule)
}

/// What the client is told. Of an error that is not its own it learns nothing: messages of failures tell of internals.
fn message(error: &Reported, (status, rule): Judged<'_>) -> String {
    match rule.and_then(|rule| rule.detail.as_ref()) {
        Some(detail) => detail.clone(),
        None if status < 500 => error.message.chars().take(1_000).collect(),
        None => "the upstream failed".to_owned(),
    }
}

fn tell(error: &Reported, judged: Judged<'_>) -> Value {
    let mut told = json!({ "message": message(error, judged) });
    if judged.0 < 500 {
        if let Some(code) = error.code() {
            told["code"] = short(code).into();
        }
        if let Some(path) = &error.path {
            told["path"] = path.iter().take(64).map(|step| json!(step)).collect();
        }
    }
    told
}
