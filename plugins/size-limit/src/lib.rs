//! Refuses what is too large: bodies by their stated length or as they pass, targets and headers by their bytes.

use sluice_sdk::prelude::*;

/// The bounds; at least one of them. What is exactly as large as a bound passes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The largest body of a request, as it comes: one with a content coding is not decoded.
    request: Option<Size>,
    /// The largest body of a response, as it comes.
    response: Option<Size>,
    /// The longest target of a request: path, and query with its `?`.
    uri: Option<Size>,
    /// The most bytes of a request's header fields: names and values, and 4 more for each (`: ` and the line's end).
    headers: Option<Size>,
}

/// The policy.
pub struct SizeLimit {
    request: Option<u64>,
    response: Option<u64>,
    uri: Option<u64>,
    headers: Option<u64>,
}

/// Bytes of the request's body that have passed.
const REQUEST_BYTES: Value<u64> = Value::step("request-bytes");
/// Bytes of the response's body that have passed.
const RESPONSE_BYTES: Value<u64> = Value::step("response-bytes");

/// What each header field has on the wire beside its name and value (RFC 9112 section 5).
const FIELD_OVERHEAD: usize = 4;

#[plugin]
impl Plugin for SizeLimit {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let Config { request, response, uri, headers } = config;
        ensure!(
            [request, response, uri, headers].iter().any(Option::is_some),
            "there is nothing to limit: give `request`, `response`, `uri` or `headers`"
        );
        ensure!(
            uri.is_none_or(|size| size.bytes() > 0),
            "`uri`: every request has a path, so the least is 1B"
        );
        ensure!(headers.is_none_or(|size| size.bytes() > 0), "`headers`: the least is 1B");
        let [request, response, uri, headers] =
            [request, response, uri, headers].map(|size| size.map(Size::bytes));
        Ok(Self { request, response, uri, headers })
    }

    fn skips(&self, phase: Phase) -> bool {
        match phase {
            Phase::Request => self.request.is_none() && self.uri.is_none() && self.headers.is_none(),
            Phase::RequestChunk => self.request.is_none(),
            Phase::Response | Phase::ResponseChunk => self.response.is_none(),
            _ => false,
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        if let Some(limit) = self.uri
            && count(target_length(request)) > limit
        {
            return Ok(refuse(414, "uri-too-long", "the request's target", limit));
        }
        if let Some(limit) = self.headers
            && count(header_bytes(request.headers())) > limit
        {
            return Ok(refuse(431, "request-headers-too-large", "the request's header fields", limit));
        }
        let Some(limit) = self.request else { return Ok(Verdict::Continue) };
        match length(request.headers()) {
            Some(length) if length > limit => Ok(too_large(limit)),
            // The gateway holds a body to the length that it states.
            Some(_) => {
                ctx.skip_body();
                Ok(Verdict::Continue)
            }
            None => Ok(Verdict::Continue),
        }
    }

    fn on_request_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<Verdict> {
        let Some(limit) = self.request else { return Ok(Verdict::Continue) };
        Ok(if passes(chunk, ctx, &REQUEST_BYTES, limit)? { Verdict::Continue } else { too_large(limit) })
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let Some(limit) = self.response else { return Ok(Verdict::Continue) };
        // Such a response may state the length that another one would have.
        let is_bodiless = matches!(response.status(), 204 | 304) || ctx.method() == Method::Head;
        let Some(length) = length(response.headers()).filter(|_| !is_bodiless) else {
            return Ok(Verdict::Continue);
        };
        if length > limit {
            let problem = Problem::bad_gateway(format!("the response's body is larger than {limit} bytes"));
            return Ok(problem.kind("response-too-large").with("limit", &limit).into());
        }
        ctx.skip_body();
        Ok(Verdict::Continue)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, ctx: &mut Context) -> Result<()> {
        let Some(limit) = self.response else { return Ok(()) };
        // The head is gone: the client can only be shown that the body has no end.
        ensure!(
            passes(chunk, ctx, &RESPONSE_BYTES, limit)?,
            "the response's body is larger than {limit} bytes: it is cut off"
        );
        Ok(())
    }
}

/// Counts a chunk; whether the body is still within the limit.
fn passes(chunk: &Chunk, ctx: &mut Context, counter: &Value<u64>, limit: u64) -> Result<bool> {
    if chunk.is_empty() {
        return Ok(true);
    }
    let passed = ctx.get(counter)?.unwrap_or_default().saturating_add(count(chunk.len()));
    ctx.set(counter, &passed)?;
    Ok(passed <= limit)
}

fn too_large(limit: u64) -> Verdict {
    refuse(413, "request-too-large", "the request's body", limit)
}

fn refuse(status: u16, kind: &str, what: &str, limit: u64) -> Verdict {
    let problem = Problem::new(status, format!("{what} may have at most {limit} bytes"));
    problem.kind(kind).with("limit", &limit).into()
}

/// The length that the message says its body has.
fn length(headers: Headers<'_>) -> Option<u64> {
    headers.get("content-length")?.as_str()?.parse().ok()
}

fn target_length(request: &Request) -> usize {
    request.path().len() + request.query().map_or(0, |query| query.len() + 1)
}

fn header_bytes(headers: Headers<'_>) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.as_bytes().len() + FIELD_OVERHEAD).sum()
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
