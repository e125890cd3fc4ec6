//! What the operator writes, and what it means.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;
use std::rc::Rc;

use sluice_sdk::prelude::*;

use crate::cost::{Cost, Settle};
use crate::fields;
use crate::key::{Key, Missing, Who};
use crate::limits::Set;
use crate::plans::Plans;

/// Who is counted, how, and up to where.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The limits. A request has to be within all of them, and one that is not is charged to none. At most 8.
    #[serde(default)]
    #[schemars(length(max = 8))]
    limits: Vec<LimitConfig>,
    /// Requests in each second. Like the next five the short form of a limit that is called so and counts in fixed windows.
    #[serde(default)]
    second: Option<NonZeroU64>,
    /// Requests in each minute.
    #[serde(default)]
    minute: Option<NonZeroU64>,
    /// Requests in each hour.
    #[serde(default)]
    hour: Option<NonZeroU64>,
    /// Requests in each day (UTC).
    #[serde(default)]
    day: Option<NonZeroU64>,
    /// Requests in 30 days.
    #[serde(default)]
    month: Option<NonZeroU64>,
    /// Requests in 365 days.
    #[serde(default)]
    year: Option<NonZeroU64>,
    /// Limits of some consumers in place of `limits`.
    #[serde(default)]
    limits_by: Option<LimitsBy>,
    /// Whether a consumer on a plan that has rate limits is held to those, in place of all of the above.
    #[serde(default)]
    plan: bool,
    /// How many requests may be on their way at once.
    #[serde(default)]
    concurrency: Option<Concurrency>,
    /// How requests are counted, where a limit does not say otherwise.
    #[serde(default)]
    algorithm: Option<Algorithm>,
    /// What a counter belongs to: `ip`, `consumer`, `credential`, `route`, `host`, `header:<name>`, `query:<name>`,
    /// `cookie:<name>`, `claim:<name>`, `path-param:<name>`, or a list of up to 4 that is counted together. Default: `consumer`
    /// with `plan`, else `ip`.
    #[serde(default)]
    key: Option<Key>,
    /// What becomes of a request that has no such key.
    #[serde(default)]
    missing: Missing,
    /// Leading bits of an IPv4 address that count, 8 to 32.
    #[serde(default = "ipv4_prefix")]
    #[schemars(range(min = 8, max = 32))]
    ipv4_prefix: u8,
    /// Leading bits of an IPv6 address that count, 16 to 128.
    #[serde(default = "ipv6_prefix")]
    #[schemars(range(min = 16, max = 128))]
    ipv6_prefix: u8,
    /// Units of a request: a number, `{ header, default, max }`, or `{ methods, default }`.
    #[serde(default)]
    cost: Cost,
    /// Units that only the response tells. The difference to `cost` is then taken or given back.
    #[serde(default)]
    settle: Option<Settle>,
    /// Whether requests over a limit are let through, and only the log tells of them.
    #[serde(default)]
    shadow: bool,
    /// The status of a refusal: 429 or 503.
    #[serde(default = "status")]
    #[schemars(extend("enum" = [429, 503]))]
    status: u16,
    /// Whether responses tell the client its limits (`RateLimit` and `RateLimit-Policy`).
    #[serde(default = "yes")]
    headers: bool,
    /// Older fields beside them.
    #[serde(default)]
    compat: Option<Compat>,
    /// Refused with a hint: where counters are is the gateway's `[store]`.
    #[serde(default)]
    policy: Option<String>,
}

/// How requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// The quota at once, refilled evenly over the window (GCRA).
    Gcra,
    /// The quota in any window, counting the running window and its weighted predecessor.
    SlidingWindow,
    /// The quota in each window, which begin at whole multiples of their length since 1970.
    FixedWindow,
}

/// So many requests in so long.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// Requests, or units.
    q: NonZeroU64,
    /// Window.
    w: Duration,
    /// What clients are told this limit is called; the window if not given.
    #[serde(default)]
    #[schemars(regex(pattern = "^[A-Za-z0-9_.-]{1,64}$"))]
    name: Option<String>,
    /// How it counts, if not as the others.
    #[serde(default)]
    algorithm: Option<Algorithm>,
}

/// Limits that depend on who asks.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsBy {
    /// Limits of the consumers of a group. Of several groups the first counts, in the consumer's own order. An empty list is
    /// no limit.
    groups: BTreeMap<String, Vec<LimitConfig>>,
}

/// So many requests at once.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concurrency {
    /// Requests at once.
    pub(crate) q: NonZeroU64,
    /// After so long a request counts no more, even if its end was never noticed. Longer than any request.
    #[serde(default = "hold")]
    pub(crate) hold: Duration,
    /// What clients are told this limit is called.
    #[serde(default = "concurrency_name")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_.-]{1,64}$"))]
    pub(crate) name: String,
}

/// Fields of the time before `RateLimit` was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Compat {
    /// As Kong 3 sends them: `X-RateLimit-Limit-Minute`, `X-RateLimit-Remaining-Minute` and so on, and the three of `draft-03`.
    #[serde(rename = "kong")]
    Kong,
    /// `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`, of the limit that is nearest.
    #[serde(rename = "draft-03")]
    Draft03,
    /// The same with `X-` before them.
    #[serde(rename = "x")]
    X,
}

fn ipv4_prefix() -> u8 {
    32
}

fn ipv6_prefix() -> u8 {
    64
}

fn status() -> u16 {
    429
}

fn yes() -> bool {
    true
}

fn hold() -> Duration {
    Duration::from_secs(300)
}

fn concurrency_name() -> String {
    "concurrency".to_owned()
}

const MAX_GROUPS: usize = 100;

/// A configuration that was understood.
pub(crate) struct Parts {
    /// The first is everybody's.
    pub(crate) sets: Vec<Rc<Set>>,
    /// The limits of plans, if those count.
    pub(crate) plans: Option<Plans>,
    /// Where a group's limits are.
    pub(crate) groups: HashMap<String, usize>,
    pub(crate) key: Who,
    pub(crate) cost: Cost,
    pub(crate) settle: Option<Settle>,
    pub(crate) shadow: bool,
    pub(crate) status: u16,
    /// `None` if clients are told nothing.
    pub(crate) told: Option<Option<Compat>>,
}

impl Config {
    pub(crate) fn build(self) -> Result<Parts> {
        self.check()?;
        let everybody = self.set(&self.limits, &self.short())?;
        let mut sets = vec![Rc::new(everybody)];
        let mut groups = HashMap::new();
        for (group, limits) in self.limits_by.iter().flat_map(|by| &by.groups) {
            let set = self.set(limits, &[]).context(format_args!("`limits_by.groups.{group}`"))?;
            groups.insert(group.clone(), sets.len());
            sets.push(Rc::new(set));
        }
        ensure!(
            self.plan || sets.iter().any(|set| !set.is_empty()),
            "there is no limit: give `limits`, as `[{{ q = 100, w = \"1m\" }}]`, `plan` or `concurrency`"
        );
        self.cost.check()?;
        for (smallest, name) in sets.iter().filter_map(|set| set.smallest()) {
            let most = self.cost.most();
            ensure!(most <= smallest, "a `cost` of {most} never fits into the limit `{name}` of {smallest}");
        }
        let has_units = self.plan || sets.iter().any(|set| set.smallest().is_some());
        ensure!(self.settle.is_none() || has_units, "`settle` has no limit to settle with");
        let told = (self.headers && !self.shadow).then_some(self.compat);
        let part = if self.plan { Key::consumer() } else { Key::default() };
        let algorithm = self.algorithm.unwrap_or(Algorithm::Gcra);
        let plans = self.plan.then(|| Plans::new(algorithm, self.concurrency));
        Ok(Parts {
            sets,
            plans,
            groups,
            key: Who::new(self.key.unwrap_or(part), self.missing, self.ipv4_prefix, self.ipv6_prefix),
            cost: self.cost,
            settle: self.settle,
            shadow: self.shadow,
            status: self.status,
            told,
        })
    }

    fn check(&self) -> Result<()> {
        ensure!(
            self.policy.is_none(),
            "`policy` is not chosen here: `[store] counters` of the gateway says where all counters are"
        );
        ensure!([429, 503].contains(&self.status), "`status` is 429 or 503");
        ensure!((8..=32).contains(&self.ipv4_prefix), "`ipv4_prefix` is 8 to 32");
        ensure!((16..=128).contains(&self.ipv6_prefix), "`ipv6_prefix` is 16 to 128");
        ensure!(self.headers || self.compat.is_none(), "`compat` says nothing if `headers` is false");
        if let Some(LimitsBy { groups }) = &self.limits_by {
            ensure!(
                (1..=MAX_GROUPS).contains(&groups.len()),
                "`limits_by.groups` names 1 to {MAX_GROUPS} groups"
            );
        }
        Ok(())
    }

    /// The limits that were written as `minute = 100`.
    fn short(&self) -> Vec<LimitConfig> {
        let words = [self.second, self.minute, self.hour, self.day, self.month, self.year];
        let limits = fields::PERIODS.iter().zip(words).filter_map(|(period, quota)| {
            Some(LimitConfig {
                q: quota?,
                w: Duration::from_secs(period.seconds),
                name: Some(period.name.to_owned()),
                algorithm: Some(self.algorithm.unwrap_or(Algorithm::FixedWindow)),
            })
        });
        limits.collect()
    }

    fn set(&self, limits: &[LimitConfig], short: &[LimitConfig]) -> Result<Set> {
        let mut set = Set::default();
        for LimitConfig { q, w, name, algorithm } in limits.iter().chain(short) {
            let algorithm = algorithm.or(self.algorithm).unwrap_or(Algorithm::Gcra);
            set.add(algorithm, q.get(), *w, name.clone())?;
        }
        set.complete(self.concurrency.as_ref())?;
        Ok(set)
    }
}
