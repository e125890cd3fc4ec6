//! Limits how many requests a client may send in a time, over counters that all workers share.

mod fields;
mod key;

use std::num::NonZeroU64;

use sluice_sdk::prelude::*;

use fields::Policy;
pub use key::{Key, Missing};

/// Who is counted, how, and up to where.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What a counter belongs to: `ip`, `consumer`, `route`, `header:<name>`, or a list that is counted together.
    #[serde(default)]
    key: Key,
    /// What becomes of a request that has no such key.
    #[serde(default)]
    missing: Missing,
    /// How requests are counted.
    #[serde(default)]
    algorithm: Algorithm,
    /// The limits. A request has to be within all of them, and one that is not is charged to none.
    #[schemars(length(min = 1, max = MAX_LIMITS))]
    limits: Vec<LimitConfig>,
    /// Whether responses tell the client its limits (`RateLimit` and `RateLimit-Policy`).
    #[serde(default = "default_headers")]
    headers: bool,
}

/// How requests are counted.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// The quota at once, refilled evenly over the window (GCRA).
    #[default]
    Gcra,
    /// The quota in any window, counting the running window and its weighted predecessor.
    SlidingWindow,
}

/// So many requests in so long.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// Requests.
    q: NonZeroU64,
    /// Window.
    w: Duration,
    /// What clients are told this limit is called; the window if not given.
    #[serde(default)]
    #[schemars(regex(pattern = "^[A-Za-z0-9_.-]{1,64}$"))]
    name: Option<String>,
}

fn default_headers() -> bool {
    true
}

/// Each limit is work for every request.
const MAX_LIMITS: usize = 8;

/// What the response says of the limits, once the request has been counted.
const STANDING: Value<String> = Value::step("standing");

/// The policy.
pub struct RateLimit {
    key: Key,
    missing: Missing,
    limits: Vec<(Limit, Policy)>,
    /// `RateLimit-Policy`; none if clients are not told.
    policies: Option<String>,
}

#[plugin(capabilities(store))]
impl Plugin for RateLimit {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        ensure!(
            !config.limits.is_empty(),
            "`limits` is empty: give at least one, as `[{{ q = 100, w = \"1m\" }}]`"
        );
        ensure!(config.limits.len() <= MAX_LIMITS, "`limits` has more than {MAX_LIMITS} entries");
        let mut limits: Vec<(Limit, Policy)> = Vec::new();
        for LimitConfig { q, w, name } in config.limits {
            ensure!(w.as_millis() > 0, "a window `w` is at least \"1ms\"");
            let limit = match config.algorithm {
                Algorithm::Gcra => Limit::gcra(q.get(), w.get()),
                Algorithm::SlidingWindow => Limit::sliding_window(q.get(), w.get()),
            };
            let policy = Policy::new(name.unwrap_or_else(|| w.to_string()), q.get(), w)?;
            let is_new = limits.iter().all(|(_, known)| known.name != policy.name);
            ensure!(is_new, "two limits are called `{}`: give one of them another `name`", policy.name);
            limits.push((limit, policy));
        }
        let policies = config.headers.then(|| fields::policies(limits.iter().map(|(_, policy)| policy)));
        Ok(Self { key: config.key, missing: config.missing, limits, policies })
    }

    fn skips(&self, phase: Phase) -> bool {
        phase == Phase::Response && self.policies.is_none()
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let key = match self.key.of(request, ctx, self.missing) {
            Ok(Some(key)) => key,
            Ok(None) => return Ok(Verdict::Continue),
            Err(problem) => return Ok(Verdict::respond(problem)),
        };
        let takes: Vec<Take> = self.limits.iter().map(|(limit, _)| limit.take(key.clone())).collect();
        let taken = store::take(&takes)?;
        let standings = || self.limits.iter().map(|(_, policy)| policy).zip(&taken);
        if taken.iter().any(|taken| !taken.allowed) {
            return Ok(Verdict::respond(fields::refusal(standings(), self.policies.as_deref())));
        }
        if self.policies.is_some() {
            ctx.set(&STANDING, &fields::standings(standings(), None))?;
        }
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let Some(policies) = &self.policies else { return Ok(Verdict::Continue) };
        // A refusal of this step's own has no standing to tell: it has told it already.
        if let Some(standing) = ctx.get(&STANDING)? {
            let mut headers = response.headers_mut();
            // Appended, because another limit of the chain may have told its own.
            headers.append(fields::POLICY, policies)?;
            headers.append(fields::STANDING, standing)?;
        }
        Ok(Verdict::Continue)
    }
}
