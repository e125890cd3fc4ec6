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
use rules::{Concern, Rules, Transformed};
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

/// That this step has refused the request: its own answer is no upstream's response.
const REFUSED: Value<bool> = Value::step("refused");

/// Headers that speak of the body's bytes, and are wrong once they have changed.
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

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
        if self.response.is_some() {
            self.prepare_response(request, ctx)?;
        }
        let Some(rules) = &self.request else { return Ok(Verdict::Continue) };
        match rules.concern(&request.headers()) {
            Ok(Concern::Leave) => ctx.skip_body(),
            Ok(Concern::Transform | Concern::Refuse) => {}
            Err(refusal) => return refuse(refusal, ctx),
        }
        Ok(Verdict::Continue)
    }

    fn on_request_body(&self, request: &mut Request, body: &mut Body, ctx: &mut Context) -> Result<Verdict> {
        let Some(rules) = &self.request else { return Ok(Verdict::Continue) };
        let headers = request.headers();
        let render = |template: &Template| {
            template.render(ctx, &|name| headers.get(name).map(|value| value.to_string()))
        };
        match transform(rules, &headers, body, &render)? {
            Ok(None) => Ok(Verdict::Continue),
            Ok(Some(transformed)) => {
                let written = write(body, &transformed, rules)?;
                match written {
                    Ok(()) => describe(&mut request.headers_mut(), &transformed).map(|()| Verdict::Continue),
                    Err(refusal) => refuse(refusal, ctx),
                }
            }
            Err(refusal) => refuse(refusal, ctx),
        }
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let Some(rules) = &self.response else { return Ok(Verdict::Continue) };
        if ctx.get(&REFUSED)?.unwrap_or_default() || !self.statuses.hold(response.status()) {
            ctx.skip_body();
            return Ok(Verdict::Continue);
        }
        match rules.concern(&response.headers()) {
            Ok(Concern::Leave) => ctx.skip_body(),
            Ok(_) if response.status() == 206 => {
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
            Ok(Some(transformed)) => write(body, &transformed, rules)?.map(|()| transformed),
            Err(refusal) => Err(refusal),
        };
        match written {
            Ok(transformed) => {
                describe(&mut response.headers_mut(), &transformed).map(|()| Verdict::Continue)
            }
            Err(refusal) => Ok(refusal.problem(Side::Response).into()),
        }
    }
}

impl BodyMap {
    /// Remembers what values refer to, and asks for the whole and without coding: nothing else can be transformed.
    fn prepare_response(&self, request: &mut Request, ctx: &mut Context) -> Result<()> {
        if !self.remembered.is_empty() {
            let headers = request.headers();
            let found = |name: &HeaderName| Some((name.to_string(), headers.get(name)?.to_string()));
            ctx.set(&REQUEST_HEADERS, &self.remembered.iter().filter_map(found).collect())?;
        }
        for name in ["range", "if-range"] {
            request.headers_mut().remove(name)?;
        }
        request.headers_mut().set("accept-encoding", "identity")
    }
}

/// The transformed body; none if it is to pass as it came.
fn transform(
    rules: &Rules,
    headers: &Headers<'_>,
    body: &Body,
    render: steps::Render<'_>,
) -> Result<Result<Option<Transformed>, Refusal>> {
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

fn write(body: &mut Body, transformed: &Transformed, rules: &Rules) -> Result<Result<(), Refusal>> {
    match body.set(&transformed.body) {
        Ok(()) => Ok(Ok(())),
        Err(error) if error.code() == Some(sluice_sdk::Code::TooLarge) => {
            let detail = format!(
                "the transformed body has {} bytes, more than the plugin's `limits.body` (`max_size` is {})",
                transformed.body.len(),
                rules.max_size()
            );
            Ok(Err(Refusal::new(Fault::TooLarge, detail)))
        }
        Err(error) => Err(error),
    }
}

/// Makes the head speak of the body as it is now.
fn describe(headers: &mut HeadersMut<'_>, transformed: &Transformed) -> Result<()> {
    if let Some(content_type) = transformed.content_type {
        headers.set("content-type", content_type)?;
    }
    headers.remove("content-encoding")?;
    DIGESTS.iter().try_for_each(|name| headers.remove(name).map(drop))
}

fn refuse(refusal: Refusal, ctx: &mut Context) -> Result<Verdict> {
    ctx.set(&REFUSED, &true)?;
    Ok(refusal.problem(Side::Request).into())
}
