//! From the upstream's answer to the client's.

use std::hash::Hasher;

use sluice_sdk::prelude::*;

use crate::RestGraphql;
use crate::config::Partial;
use crate::errors;
use crate::result::{self, Found};
use crate::route::{Route, is_shared};

/// What was asked for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) route: usize,
    /// Entity tags that the client has.
    pub(crate) tags: Option<String>,
}

/// What the upstream answered is none of GraphQL.
pub(crate) fn nonsense(detail: impl Into<String>) -> Problem {
    Problem::bad_gateway(detail).kind("graphql-response-malformed")
}

/// Whether a request's body is JSON, in no coding.
pub(crate) fn is_json(headers: &Headers<'_>) -> Result<(), Problem> {
    let types = headers.get_all("content-type");
    let is_json = match types.as_slice() {
        [only] => {
            let only = only.to_string().to_ascii_lowercase();
            let essence = only.split(';').next().unwrap_or_default().trim_ascii().to_owned();
            essence == "application/json" || essence.ends_with("+json")
        }
        _ => false,
    };
    if !is_json {
        let problem = Problem::unsupported_media_type("the body has to be `application/json`");
        return Err(problem.kind("media-type-unsupported"));
    }
    match headers.get("content-encoding") {
        Some(coding) if !coding.to_string().eq_ignore_ascii_case("identity") => {
            let problem = Problem::unsupported_media_type("a body in a content coding is not read");
            Err(problem.kind("content-coding-unsupported").header("accept-encoding", "identity"))
        }
        _ => Ok(()),
    }
}

impl RestGraphql {
    pub(crate) fn answer(&self, asked: &Asked, response: &mut Response, body: &mut Body) -> Result<Verdict> {
        let Some(route) = self.routes.get(asked.route) else { return Ok(Verdict::Continue) };
        if response.headers().contains("content-encoding") {
            return Ok(
                nonsense("the upstream's answer has a content coding, though none was asked for").into()
            );
        }
        let bytes = body.bytes()?;
        let read = str::from_utf8(&bytes).ok().and_then(|text| result::read(text, &route.result).ok());
        let Some(read) = read else { return Ok(failed(response).into()) };
        let accepts = route.partial == Partial::Accept && !matches!(read.found, Found::Null | Found::Missing);
        if read.errors.count > 0 && !accepts {
            let problem =
                errors::problem(&read.errors.first, [&route.errors, &self.errors], response.status());
            return Ok(kept(problem, response).header("cache-control", "no-store").into());
        }
        match read.found {
            Found::Missing => return Ok(nonsense("the upstream's answer has not what was asked for").into()),
            Found::Null if route.null_status == 404 => {
                let mut problem = Problem::not_found("there is no such thing").kind("result-null");
                for name in route.varies() {
                    problem = problem.header("vary", name.as_str());
                }
                return Ok(if route.is_private() {
                    problem.header("cache-control", "private")
                } else {
                    problem
                }
                .into());
            }
            _ => {}
        }
        let is_empty = route.status == 204 || route.null_status == 204 && matches!(read.found, Found::Null);
        let mut text = String::new();
        if !is_empty {
            read.found.write(&mut text);
        }
        let errors = read.errors.count;
        describe(route, response, errors)?;
        if is_empty {
            // What has no body is an answer of its own.
            let names = ["cache-control", "expires", "graphql-errors", "set-cookie", "vary"];
            return Ok(with(Reply::new(204), response, &names).into());
        }
        if route.is_get() && errors == 0 {
            let tag = tag(&text);
            if asked.tags.as_deref().is_some_and(|tags| knows(tags, &tag)) {
                return Ok(not_modified(response, &tag).into());
            }
            response.headers_mut().set("etag", &tag)?;
        }
        body.set(text)?;
        Ok(Verdict::Continue)
    }
}

/// Makes the head that of the route's answer.
fn describe(route: &Route, response: &mut Response, errors: usize) -> Result<()> {
    response.set_status(route.status)?;
    response.mark_rewritten()?;
    let mut headers = response.headers_mut();
    headers.remove("etag")?;
    headers.remove("last-modified")?;
    headers.set("content-type", "application/json")?;
    if errors > 0 {
        headers.set("cache-control", "no-store")?;
        headers.set("graphql-errors", errors.to_string())?;
    } else if let Some(cache_control) = &route.cache_control {
        headers.set("cache-control", cache_control)?;
    }
    for name in route.varies() {
        headers.append("vary", name.as_str())?;
    }
    if errors == 0 && route.is_private() {
        let lines: Vec<_> = headers.get_all("cache-control").iter().map(ToString::to_string).collect();
        headers.set("cache-control", private(&lines.join(",")))?;
        // They would come first where they are understood (RFC 9213).
        headers.remove("cdn-cache-control")?;
        headers.remove("surrogate-control")?;
    }
    Ok(())
}

/// The `Cache-Control` for what is one consumer's, whatever the upstream thinks: it may not know that.
fn private(cache_control: &str) -> String {
    // What is quoted names headers, which is more than is told apart here.
    if cache_control.contains('"') {
        return "no-store".to_owned();
    }
    let directives = cache_control.split(',').map(str::trim_ascii);
    let own =
        directives.filter(|own| !own.is_empty() && !is_shared(own) && !own.eq_ignore_ascii_case("private"));
    own.chain(["private"]).collect::<Vec<_>>().join(", ")
}

/// Of headers that say what a client should do, those that go with the status.
fn kept(mut problem: Problem, response: &Response) -> Problem {
    for name in ["retry-after", "www-authenticate"] {
        for value in response.headers().get_all(name) {
            problem = problem.header(name, value.as_bytes());
        }
    }
    problem
}

/// The upstream's answer is none of GraphQL: what it is stands in its status, if anywhere.
fn failed(response: &Response) -> Problem {
    match response.status() {
        status if errors::REFUSALS.contains(&status) => {
            let problem = Problem::new(status, "the upstream refused").kind("graphql-upstream-refused");
            kept(problem, response)
        }
        status if status >= 400 => nonsense(format!("the upstream answered with the status {status}")),
        _ => nonsense("the upstream's answer is none of GraphQL"),
    }
}

/// An entity tag of the text. Not against those who look for two texts of one tag: they would deceive themselves.
fn tag(text: &str) -> String {
    #[expect(deprecated, reason = "the hasher in its place promises no more, and takes no keys")]
    let half = |key| {
        let mut hasher = std::hash::SipHasher::new_with_keys(key, 0);
        hasher.write(text.as_bytes());
        hasher.finish()
    };
    format!("\"{:016x}{:016x}\"", half(0), half(1))
}

/// RFC 9110 section 13.1.2: weak comparison.
fn knows(tags: &str, tag: &str) -> bool {
    let mut tags = tags.split(',').map(str::trim_ascii);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// RFC 9110 section 15.4.5: with the headers that the whole would have.
fn not_modified(response: &Response, tag: &str) -> Reply {
    let reply = Reply::new(304).header("etag", tag);
    with(reply, response, &["cache-control", "expires", "vary"])
}

/// With these headers of the response.
fn with(mut reply: Reply, response: &Response, names: &[&str]) -> Reply {
    for name in names {
        for value in response.headers().get_all(name) {
            reply = reply.header(name, value.as_bytes());
        }
    }
    reply
}
