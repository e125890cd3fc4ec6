//! From a request to what the upstream is asked.

use serde_json::Value;
use sluice_sdk::prelude::*;
use sluice_sdk_graphql::short;

use crate::body::{self, Picked};
use crate::config::Unknown;
use crate::input::{Finding, MOST_FINDINGS, check, from_texts};
use crate::route::{Route, Source, Variable};
use crate::schema::Types;

/// A request, taken apart.
pub(crate) struct Parts<'r> {
    pub(crate) request: &'r Request,
    pub(crate) path: Vec<(&'r str, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: &'r str,
    pub(crate) consumer: Option<String>,
}

/// What the upstream is asked, or what is wrong with the request.
pub(crate) fn ask(
    route: &Route,
    types: &Types,
    parts: &Parts<'_>,
    unknown_query: Unknown,
) -> Result<String, Problem> {
    let (mut findings, mut written) = (Vec::new(), Vec::new());
    if unknown_query == Unknown::Refuse {
        let takes = |name: &String| {
            route
                .variables
                .iter()
                .any(|variable| matches!(&variable.source, Source::Query(own) if own == name))
        };
        let others = parts.query.iter().map(|(name, _)| name).filter(|name| !takes(name));
        findings.extend(others.map(|name| finding("query", Some(name), "is not known")));
    }
    let members = members(route, parts, &mut findings)?;
    for variable in &route.variables {
        let value = match &variable.source {
            Source::Fixed(json) => Some(json.clone()),
            Source::Body(steps) => of_body(variable, types, steps, parts.body, &members, &mut findings),
            _ => of_texts(variable, types, parts, &mut findings),
        };
        written.extend(value.map(|value| format!("{}:{value}", Value::from(variable.name.as_str()))));
    }
    if findings.is_empty() {
        return Ok(format!("{}{{{}}}}}", route.question, written.join(",")));
    }
    findings.truncate(MOST_FINDINGS);
    let problem = Problem::bad_request("the request is not what the route takes").kind("variable-invalid");
    Err(problem.with("errors", &findings))
}

fn finding(place: &'static str, name: Option<&str>, message: impl Into<String>) -> Finding {
    Finding { place, name: name.map(short), pointer: None, message: message.into() }
}

fn in_body(pointer: String, message: &str) -> Finding {
    Finding { place: "body", name: None, pointer: Some(pointer), message: message.to_owned() }
}

fn pointer(steps: &[String]) -> String {
    steps.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
}

/// Members of the body that begin a variable's pointer, in the variables' order without those that come from elsewhere.
fn members<'b>(
    route: &Route,
    parts: &Parts<'b>,
    findings: &mut Vec<Finding>,
) -> Result<Vec<(String, Option<&'b serde_json::value::RawValue>)>, Problem> {
    let sources = route.variables.iter().filter_map(|variable| match &variable.source {
        Source::Body(steps) => Some(steps),
        _ => None,
    });
    let (mut wanted, mut is_whole): (Vec<&str>, bool) = (Vec::new(), false);
    for steps in sources {
        match steps.first() {
            Some(first) if !wanted.contains(&first.as_str()) => wanted.push(first),
            Some(_) => {}
            None => is_whole = true,
        }
    }
    if wanted.is_empty() && !is_whole || parts.body.is_empty() {
        return Ok(Vec::new());
    }
    let malformed = |error: serde_json::Error| {
        Problem::bad_request(format!("the body is not what it should be: {error}")).kind("body-malformed")
    };
    if wanted.is_empty() {
        // It goes on as it is, so it has to be one value and nothing behind it.
        serde_json::from_str::<&serde_json::value::RawValue>(parts.body).map_err(malformed)?;
        return Ok(Vec::new());
    }
    let Picked { values, others } = body::pick(parts.body, &wanted).map_err(malformed)?;
    if route.unknown_body == Unknown::Refuse && !is_whole {
        findings.extend(others.iter().map(|name| in_body(pointer(&[short(name)]), "is not known")));
    }
    Ok(wanted.into_iter().map(str::to_owned).zip(values).collect())
}

fn of_body(
    variable: &Variable,
    types: &Types,
    steps: &[String],
    body: &str,
    members: &[(String, Option<&serde_json::value::RawValue>)],
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let found = match steps.split_first() {
        None => Some(body).filter(|body| !body.is_empty()),
        Some((first, rest)) => {
            let member = members.iter().find(|(name, _)| name == first).and_then(|(_, value)| *value);
            match member.map(|member| body::find(member, rest)).transpose() {
                Ok(found) => found.flatten().map(serde_json::value::RawValue::get),
                Err(error) => {
                    findings.push(in_body(pointer(steps), &format!("cannot be read: {error}")));
                    return None;
                }
            }
        }
    };
    match found {
        Some(json) => check(types, &variable.of, json, &pointer(steps), findings),
        None if variable.is_required => findings.push(in_body(pointer(steps), "is required")),
        None => {}
    }
    found.map(str::to_owned)
}

fn of_texts(
    variable: &Variable,
    types: &Types,
    parts: &Parts<'_>,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let (place, name, texts): (_, _, Vec<String>) = match &variable.source {
        Source::Path(name) => {
            let found = parts.path.iter().filter(|(known, _)| known == name);
            ("path", Some(name.as_str()), found.map(|(_, text)| text.clone()).collect())
        }
        Source::Query(name) => {
            let found = parts.query.iter().filter(|(known, _)| known == name);
            ("query", Some(name.as_str()), found.map(|(_, text)| text.clone()).collect())
        }
        Source::Header(name) => {
            let lines = parts.request.headers().get_all(name);
            ("header", Some(name.as_str()), lines.iter().map(ToString::to_string).collect())
        }
        Source::Consumer | Source::Body(_) | Source::Fixed(_) => {
            ("consumer", None, parts.consumer.iter().cloned().collect())
        }
    };
    if texts.is_empty() {
        if variable.is_required {
            findings.push(finding(place, name, "is required"));
        }
        return None;
    }
    match from_texts(types, &variable.of, &texts) {
        Ok(json) => Some(json),
        Err(message) => {
            findings.push(finding(place, name, message));
            None
        }
    }
}
