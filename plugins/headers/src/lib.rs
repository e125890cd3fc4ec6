//! Removes, renames and writes headers, query parameters and paths, with variables in the values, under conditions.

mod condition;
mod matching;
mod query;
mod rules;
mod target;
mod write;

use std::collections::BTreeMap;

use sluice_sdk::Code;
use sluice_sdk::prelude::*;
use sluice_sdk_template::Source;

use condition::{AsCame, When};
pub use condition::{Status, WhenConfig};
pub use matching::Match;
pub use query::QueryConfig;
use rules::{Message, Rules};
pub use rules::{RequestConfig, RulesConfig};
use target::TargetRules;

/// What happens to requests and responses.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The request, before it goes to the upstream.
    #[serde(default)]
    request: RequestConfig,
    /// Headers of the response, before it goes to the client.
    #[serde(default)]
    response: RulesConfig,
    /// Further rules that apply under conditions, in order, after those above; at most 63.
    #[serde(default)]
    #[schemars(length(max = MAX_RULES))]
    rules: Vec<SetConfig>,
}

/// Rules with the conditions under which they apply. Every one that fits applies.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetConfig {
    /// Conditions, all of which have to hold. Without any, the rules always apply.
    #[serde(default)]
    when: WhenConfig,
    /// The request, before it goes to the upstream.
    #[serde(default)]
    request: RequestConfig,
    /// Headers of the response, before it goes to the client.
    #[serde(default)]
    response: RulesConfig,
}

/// Each is work for every request, and a bit of what is remembered beside the one for what always applies.
const MAX_RULES: usize = 63;

/// Headers of the request that values of the response refer to.
const REQUEST_HEADERS: Value<BTreeMap<String, String>> = Value::step("request-headers");
/// The sets of rules whose conditions on the request hold, a bit each.
const FITTING: Value<u64> = Value::step("fitting");

/// The policy.
pub struct HeaderRules {
    /// What always applies comes first.
    sets: Vec<Set>,
    /// Headers of the request that the response's rules need.
    remembered: Vec<HeaderName>,
    /// Whether rules for the response depend on the request.
    response_looks_back: bool,
}

struct Set {
    when: When,
    request: Rules,
    target: TargetRules,
    response: Rules,
}

impl Set {
    fn new(when: WhenConfig, request: RequestConfig, response: RulesConfig, place: &str) -> Result<Self> {
        let (request, target) = request.split();
        let set = Self {
            when: When::new(when).context(format_args!("{place}when"))?,
            request: Rules::new(request, &format!("{place}request"))?,
            target: TargetRules::new(target, &format!("{place}request"))?,
            response: Rules::new(response, &format!("{place}response"))?,
        };
        ensure!(
            set.leaves_request() || !set.when.asks_response(),
            "{place}when: a condition on the response comes too late for rules of the request"
        );
        Ok(set)
    }

    fn leaves_request(&self) -> bool {
        self.request.is_empty() && self.target.is_empty()
    }
}

#[plugin]
impl Plugin for HeaderRules {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let Config { request, response, rules } = config;
        ensure!(rules.len() <= MAX_RULES, "`rules` has more than {MAX_RULES} members");
        let mut sets = vec![Set::new(WhenConfig::default(), request, response, "")?];
        for (at, SetConfig { when, request, response }) in rules.into_iter().enumerate() {
            let set = Set::new(when, request, response, &format!("rules[{at}]."))?;
            ensure!(
                !(set.leaves_request() && set.response.is_empty()),
                "rules[{at}]: there is nothing to do: give `request` or `response`"
            );
            sets.push(set);
        }
        sets.retain(|set| !(set.leaves_request() && set.response.is_empty()));
        ensure!(!sets.is_empty(), "there is nothing to do: give `request`, `response` or `rules`");
        let mut remembered: Vec<_> = sets.iter().flat_map(|set| set.response.request_headers()).collect();
        remembered.sort();
        remembered.dedup();
        let response_looks_back = sets.iter().any(|set| !set.response.is_empty() && set.when.asks_request());
        Ok(Self { sets, remembered, response_looks_back })
    }

    fn skips(&self, phase: Phase) -> bool {
        match phase {
            Phase::Request => {
                self.sets.iter().all(Set::leaves_request)
                    && self.remembered.is_empty()
                    && !self.response_looks_back
            }
            Phase::Response => self.sets.iter().all(|set| set.response.is_empty()),
            _ => false,
        }
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        if !self.remembered.is_empty() {
            let found = |name: &HeaderName| Some((name.to_string(), header(request, name)?));
            let kept = ctx.set(&REQUEST_HEADERS, &self.remembered.iter().filter_map(found).collect());
            if let Some(problem) = too_large(kept, 431, KEPT)? {
                return Ok(problem.into());
            }
        }
        let came = AsCame::new(request, ctx);
        let fits: Vec<bool> = self.sets.iter().map(|set| set.when.fits_request(&came)).collect();
        if self.response_looks_back {
            let bits = fits.iter().enumerate().fold(0, |bits, (at, fits)| bits | u64::from(*fits) << at);
            ctx.set(&FITTING, &bits)?;
        }
        // All values are taken from the request as it came, before any rule changes it.
        let mut planned = Vec::new();
        for (set, _) in self.sets.iter().zip(fits).filter(|(set, fits)| *fits && !set.leaves_request()) {
            let source = Sent(request);
            let fields = set.request.render(ctx, &source);
            match set.target.render(request, ctx, &source)? {
                Ok(target) => planned.push((set, fields, target)),
                Err(problem) => return Ok(problem.into()),
            }
        }
        for (set, fields, target) in planned {
            let written = set.request.apply(&mut Message::new(request.headers_mut()), fields);
            match written {
                // All that the configuration has not been refused for: `Host` can be set to something only.
                Err(error) if error.code() == Some(Code::Denied) => {
                    let detail = "`Host` cannot be rewritten: a part of it is missing in the request";
                    return Ok(Problem::bad_request(detail).kind("host-not-rewritable").into());
                }
                written => {
                    if let Some(problem) = too_large(written, 431, WRITTEN)? {
                        return Ok(problem.into());
                    }
                }
            }
            if let Err(problem) = set.target.apply(request, target)? {
                return Ok(problem.into());
            }
        }
        Ok(Verdict::Continue)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let remembered = if self.remembered.is_empty() { None } else { ctx.get(&REQUEST_HEADERS)? };
        let fitting =
            if self.response_looks_back { ctx.get(&FITTING)?.unwrap_or_default() } else { u64::MAX };
        let status = response.status();
        let source = Remembered { headers: remembered.unwrap_or_default(), status };
        let mut planned = Vec::new();
        for (at, set) in self.sets.iter().enumerate() {
            let fits = fitting >> at & 1 == 1 && !set.response.is_empty();
            if fits && set.when.fits_response(status, &response.headers()) {
                planned.push((set, set.response.render(ctx, &source)));
            }
        }
        for (set, fields) in planned {
            let written = set.response.apply(&mut Message::new(response.headers_mut()), fields);
            if let Some(problem) = too_large(written, 502, WRITTEN)? {
                return Ok(problem.into());
            }
        }
        Ok(Verdict::Continue)
    }
}

const KEPT: &str =
    "the headers that rules for the response refer to take more than the 64 KiB that an exchange remembers";
const WRITTEN: &str = "the rules would write more headers than this step's `limits.headers`, or than 1,000";

/// The answer to a message whose values, which others have sent, the host finds too large.
fn too_large(done: Result<()>, status: u16, detail: &str) -> Result<Option<Problem>> {
    match done {
        Ok(()) => Ok(None),
        Err(error) if error.code() == Some(Code::TooLarge) => {
            Ok(Some(Problem::new(status, detail).kind("headers-too-large")))
        }
        Err(error) => Err(error),
    }
}

/// The first value of a header; of cookies all, since HTTP/2 may send each in a field of its own.
fn header(request: &Request, name: &HeaderName) -> Option<String> {
    if *name != "cookie" {
        return request.headers().get(name).map(|value| value.to_string());
    }
    let values = request.headers().get_all(name);
    (!values.is_empty()).then(|| values.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// The request at hand.
struct Sent<'a>(&'a Request);

impl Source for Sent<'_> {
    fn header(&self, name: &HeaderName) -> Option<String> {
        header(self.0, name)
    }
}

/// What is left of the request when the response is there.
struct Remembered {
    headers: BTreeMap<String, String>,
    status: u16,
}

impl Source for Remembered {
    fn header(&self, name: &HeaderName) -> Option<String> {
        self.headers.get(name.as_str()).cloned()
    }

    fn status(&self) -> Option<u16> {
        Some(self.status)
    }
}
