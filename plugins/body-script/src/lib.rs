//! Transforms bodies with jq filters and templates.

mod changes;
mod facts;
mod failure;
mod functions;
mod jq;
mod json;
mod message;
mod script;
mod template;
mod value;

use sluice_sdk::prelude::*;

use failure::{Failure, Side};
use message::Incoming;
use script::Script;
pub use script::{Input, Outputs, ScriptConfig, SetsConfig};
use value::Val;

/// What becomes of the bodies.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The request's body, before it goes to the upstream.
    #[serde(default)]
    request: Option<ScriptConfig>,
    /// The response's body, before it goes to the client.
    #[serde(default)]
    response: Option<ScriptConfig>,
    /// Whether the client is told why a script failed on its body. The words are those of the script and of the body.
    #[serde(default)]
    expose_errors: bool,
}

/// What `$request` is in the response's script: the request's head as it was in this step.
const REQUEST: Value<String> = Value::step("request");

/// The policy.
pub struct BodyScript {
    request: Option<Script>,
    response: Option<Script>,
    expose_errors: bool,
}

#[plugin(capabilities(log))]
impl Plugin for BodyScript {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let definitions = functions::definitions();
        let new = |script: Option<ScriptConfig>, side| {
            script.map(|script| Script::new(script, side, &definitions)).transpose()
        };
        let (request, response) = (new(config.request, Side::Request), new(config.response, Side::Response));
        let (request, response) = (request.context("request")?, response.context("response")?);
        ensure!(
            request.is_some() || response.is_some(),
            "there is nothing to do: give `request` or `response`"
        );
        Ok(Self { request, response, expose_errors: config.expose_errors })
    }

    fn skips(&self, phase: Phase) -> bool {
        match phase {
            Phase::Response | Phase::ResponseBody => self.response.is_none(),
            Phase::RequestBody => self.request.is_none(),
            _ => false,
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        if let Some(script) = &self.response {
            if script.needs_request() {
                let facts = json::write(&facts::of_request(request, ctx)).unwrap_or_default();
                match ctx.set(&REQUEST, &facts) {
                    Err(error) if error.refuses_value() => {
                        return Ok(self.answer(&Failure::HeadTooLarge, Side::Request));
                    }
                    kept => kept?,
                }
            }
            // A part of a body is no JSON, and several parts are of another media type, which would pass as it is.
            request.headers_mut().remove("range")?;
            request.headers_mut().remove("if-range")?;
            // What is compressed would have to be decompressed here, which takes time.
            request.headers_mut().set("accept-encoding", "identity")?;
        }
        if let Some(script) = &self.request {
            let content_type = message::content_type(&request.headers());
            if script.passes(&content_type, || Ok(request_facts(script, request, ctx)))? {
                ctx.skip_body();
            }
        }
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        let Some(script) = &self.request else { return Ok(Verdict::Continue) };
        let facts = request_facts(script, request, ctx);
        let written = match Incoming::new(&request.headers(), body)?.through(script, &facts) {
            Ok(None) => return Ok(Verdict::Continue),
            Ok(Some(made)) => {
                request.mark_rewritten()?;
                request.headers_mut().set("content-type", script.content_type())?;
                match made.changes.apply_to_request(request)? {
                    Ok(()) => message::replace(body, &made.body)?,
                    refused => refused,
                }
            }
            Err(failure) => Err(failure),
        };
        Ok(self.told(written, Side::Request))
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let Some(script) = &self.response else { return Ok(Verdict::Continue) };
        let (is_304, content_type) = (response.status() == 304, message::content_type(&response.headers()));
        // A 304 need not name the type. If it does not, its tag has to be the one of what may have been transformed.
        let is_untyped = is_304 && content_type.is_empty();
        let facts = || response_facts(script, response, ctx);
        let passes = response.is_refusal()
            || if is_untyped { script.is_excluded(facts)? } else { script.passes(&content_type, facts)? };
        if passes {
            ctx.skip_body();
        } else if response.describes_absent_body(ctx) {
            if !is_304 && message::is_empty(&response.headers()) {
                ctx.skip_body();
                return Ok(Verdict::Continue);
            }
            response.mark_rewritten()?;
            if !is_untyped {
                response.headers_mut().set("content-type", script.content_type())?;
            }
        }
        Ok(Verdict::Continue)
    }

    fn on_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let Some(script) = &self.response else { return Ok(Verdict::Continue) };
        let facts = response_facts(script, response, ctx)?;
        let written = match Incoming::new(&response.headers(), body)?.through(script, &facts) {
            Ok(None) => return Ok(Verdict::Continue),
            Ok(Some(made)) => {
                response.mark_rewritten()?;
                response.headers_mut().set("content-type", script.content_type())?;
                match made.changes.apply_to_response(response)? {
                    Ok(()) => message::replace(body, &made.body)?,
                    refused => refused,
                }
            }
            Err(failure) => Err(failure),
        };
        Ok(self.told(written, Side::Response))
    }
}

fn request_facts(script: &Script, request: &Request, ctx: &Context) -> Vec<Val> {
    vec![if script.needs_request() { facts::of_request(request, ctx) } else { Val::Null }]
}

fn response_facts(script: &Script, response: &Response, ctx: &Context) -> Result<Vec<Val>> {
    let request = if script.needs_request() { ctx.get(&REQUEST)? } else { None };
    let request = request.and_then(|facts| json::read(facts.as_bytes(), usize::MAX).ok()).unwrap_or_default();
    // A 304 stands for the 200 that the client has.
    let status = if response.status() == 304 { 200 } else { response.status() };
    Ok(vec![request, Val::from(f64::from(status)), facts::headers(response.headers())])
}

impl BodyScript {
    fn told(&self, written: Result<(), Failure>, side: Side) -> Verdict {
        match written {
            Ok(()) => Verdict::Continue,
            Err(failure) => self.answer(&failure, side),
        }
    }

    fn answer(&self, failure: &Failure, side: Side) -> Verdict {
        match side {
            Side::Request => info!("{failure}"),
            Side::Response => warn!("{failure}"),
        }
        Verdict::respond(failure.problem(side, self.expose_errors))
    }
}

/// What a filter makes of a text of JSON, for the comparison with jq: the outputs, and the error that ended them. `None` if it
/// is no filter.
#[doc(hidden)]
#[must_use]
pub fn evaluate(filter: &str, input: &str) -> Option<(Vec<String>, Option<String>)> {
    let filter = jq::Filter::compile(filter, &[], &functions::definitions()).ok()?;
    let Ok(input) = json::read(input.as_bytes(), usize::MAX) else {
        return Some((Vec::new(), Some("the input is not JSON".to_owned())));
    };
    let mut outputs = Vec::new();
    for output in filter.run(&[], input) {
        match output.map(|value| json::write(&value).ok_or("not JSON")) {
            Ok(Ok(text)) => outputs.push(text),
            Ok(Err(error)) => return Some((outputs, Some(error.to_owned()))),
            Err(error) => return Some((outputs, Some(error))),
        }
    }
    Some((outputs, None))
}
