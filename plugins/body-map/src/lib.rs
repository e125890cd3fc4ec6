//! Transforms JSON bodies of requests and responses by declared operations.

mod coding;
mod edit;
mod form;
mod json;
mod media;
mod path;
mod refusal;
mod rules;
mod statuses;
mod steps;

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk_template::Template;

use refusal::{Fault, Refusal, Side};
use rules::{Concern, Rules};
pub use rules::{OnMismatch, RulesConfig};
use statuses::Statuses;
pub use steps::OperationConfig;

/// What happens to which bodies.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Bodies of requests, before they go to the upstream.
    #[serde(default)]
    request: Option<RulesConfig>,
    /// Bodies of responses, before they go to the client.
    #[serde(default)]
    response: Option<RulesConfig>,
    /// Statuses of the responses whose bodies are meant, such as `2xx` or `404`; every one if not given.
    #[serde(default)]
    response_statuses: Option<Vec<String>>,
}

/// Headers of the request that values of the response refer to.
const REQUEST_HEADERS: Value<BTreeMap<String, String>> = Value::step("request-headers");

/// The policy.
pub struct BodyMap {
    request: Option<Rules>,
    response: Option<Rules>,
    statuses: Statuses,
    /// Headers of the request that the response's rules need.
    remembered: Vec<HeaderName>,
}

#[plugin]
impl Plugin for BodyMap {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let rules =
            |config: Option<RulesConfig>, side| config.map(|config| Rules::new(config, side)).transpose();
        let request = rules(config.request, Side::Request)?;
        let response = rules(config.response, Side::Response)?;
        ensure!(
            request.is_some() || response.is_some(),
            "there is nothing to do: give `request` or `response`"
        );
        ensure!(
            response.is_some() || config.response_statuses.is_none(),
            "`response_statuses` has no meaning without `response`"
        );
        let statuses = Statuses::new(config.response_statuses).context("response_statuses")?;
        let remembered = response.as_ref().map(Rules::request_headers).unwrap_or_default();
        Ok(Self { request, response, statuses, remembered })
    }

    fn skips(&self, phase: Phase) -> bool {
        match phase {
            Phase::RequestBody => self.request.is_none(),
            Phase::Response | Phase::ResponseBody => self.response.is_none(),
            _ => false,
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        if self.response.is_some()
            && let Err(refusal) = self.prepare_response(request, ctx)?
        {
            return Ok(refusal.problem(Side::Request).into());
        }
        let Some(rules) = &self.request else { return Ok(Verdict::Continue) };
        match rules.concern(&request.headers()) {
            Ok(Concern::Leave) => ctx.skip_body(),
            Ok(Concern::Transform | Concern::Refuse) => {}
            Err(refusal) => return Ok(refusal.problem(Side::Request).into()),
        }
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        let Some(rules) = &self.request else { return Ok(Verdict::Continue) };
        let headers = request.headers();
        let render = |template: &Template| {
            template.render(ctx, &|name| headers.get(name).map(|value| value.to_string()))
        };
        let written = match transform(rules, &headers, body, &render)? {
            Ok(None) => return Ok(Verdict::Continue),
            Ok(Some(transformed)) => write(body, &transformed, rules)?,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = written {
            return Ok(refusal.problem(Side::Request).into());
        }
        request.mark_rewritten()?;
        describe(&mut request.headers_mut(), rules)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let Some(rules) = &self.response else { return Ok(Verdict::Continue) };
        // A 304 stands for the 200 that the client has.
        let status = if response.status() == 304 { 200 } else { response.status() };
        if response.is_refusal() || !self.statuses.hold(status) {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        }
        if response.describes_absent_body(ctx) {
            return describe_absent(rules, response, ctx);
        }
        match rules.concern(&response.headers()) {
            Ok(Concern::Leave) => ctx.skip_body(),
            Ok(_) if status == 206 => {
                let detail = "a part of a body cannot be transformed";
                return Ok(Refusal::new(Fault::Partial, detail).problem(Side::Response).into());
            }
            Ok(Concern::Transform | Concern::Refuse) => {}
            Err(refusal) => return Ok(refusal.problem(Side::Response).into()),
        }
        Ok(Verdict::Continue)
    }

    fn on_response_body(
        &self,
        response: &mut Response,
        body: &mut Body,
        ctx: &mut Context,
    ) -> Result<Verdict> {
        let Some(rules) = &self.response else { return Ok(Verdict::Continue) };
        let remembered = if self.remembered.is_empty() { None } else { ctx.get(&REQUEST_HEADERS)? };
        let remembered = remembered.unwrap_or_default();
        let render =
            |template: &Template| template.render(ctx, &|name| remembered.get(name.as_str()).cloned());
        let written = match transform(rules, &response.headers(), body, &render)? {
            Ok(None) => return Ok(Verdict::Continue),
            Ok(Some(transformed)) => write(body, &transformed, rules)?,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = written {
            return Ok(refusal.problem(Side::Response).into());
        }
        response.mark_rewritten()?;
        describe(&mut response.headers_mut(), rules)
    }
}

impl BodyMap {
    /// Remembers what values refer to, and asks for the whole and without coding: nothing else can be transformed.
    fn prepare_response(&self, request: &mut Request, ctx: &mut Context) -> Result<Result<(), Refusal>> {
        if !self.remembered.is_empty() {
            let headers = request.headers();
            let found = |name: &HeaderName| Some((name.to_string(), headers.get(name)?.to_string()));
            match ctx.set(&REQUEST_HEADERS, &self.remembered.iter().filter_map(found).collect()) {
                Err(error) if error.refuses_value() => {
                    let detail = "headers that the response's rules refer to take more than the 64 KiB that an exchange remembers";
                    return Ok(Err(Refusal::new(Fault::HeadersTooLarge, detail)));
                }
                kept => kept?,
            }
        }
        for name in ["range", "if-range"] {
            request.headers_mut().remove(name)?;
        }
        request.headers_mut().set("accept-encoding", "identity").map(Ok)
    }
}

/// Makes a head without its body say what it would with the body.
fn describe_absent(rules: &Rules, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
    let (headers, is_304) = (response.headers(), response.status() == 304);
    let is_empty = !is_304 && headers.get("content-length").is_some_and(|length| length == "0");
    // A 304 need not name the type. If it does not, its tag has to be the one of what may have been transformed.
    let is_untyped = is_304 && !headers.contains("content-type");
    if !is_untyped && (is_empty || !matches!(rules.concern(&headers), Ok(Concern::Transform))) {
        ctx.skip_body();
        return Ok(Verdict::Continue);
    }
    response.mark_rewritten()?;
    if is_untyped { Ok(Verdict::Continue) } else { describe(&mut response.headers_mut(), rules) }
}

/// The transformed body; none if it is to pass as it came.
fn transform(
    rules: &Rules,
    headers: &Headers<'_>,
    body: &Body,
    render: steps::Render<'_>,
) -> Result<Result<Option<Vec<u8>>, Refusal>> {
    // An empty body is of no type, whatever the head says: a GET may well have a `Content-Type`.
    if body.is_empty() {
        return Ok(Ok(None));
    }
    match rules.concern(headers) {
        Ok(Concern::Transform) => {}
        Ok(Concern::Leave) => return Ok(Ok(None)),
        Ok(Concern::Refuse) => return Ok(Err(rules.wanted())),
        Err(refusal) => return Ok(Err(refusal)),
    }
    let plain = coding::decode(headers, &body.bytes()?, rules.max_size());
    Ok(plain.and_then(|plain| rules.transform(&plain, render)))
}

fn write(body: &mut Body, transformed: &[u8], rules: &Rules) -> Result<Result<(), Refusal>> {
    match body.set(transformed) {
        Ok(()) => Ok(Ok(())),
        Err(error) if error.code() == Some(sluice_sdk::Code::TooLarge) => {
            let detail = format!(
                "the transformed body has {} bytes, more than the plugin's `limits.body` (`max_size` is {})",
                transformed.len(),
                rules.max_size()
            );
            Ok(Err(Refusal::new(Fault::TooLarge, detail)))
        }
        Err(error) => Err(error),
    }
}

/// Names the type of the body as it is now.
fn describe(headers: &mut HeadersMut<'_>, rules: &Rules) -> Result<Verdict> {
    if let Some(content_type) = rules.content_type() {
        headers.set("content-type", content_type)?;
    }
    Ok(Verdict::Continue)
}
