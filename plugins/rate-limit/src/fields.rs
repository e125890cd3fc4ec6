//! What the client is told: the fields of draft-ietf-httpapi-ratelimit-headers-11, those before them, and the refusal.

use std::borrow::Cow;
use std::fmt::Write as _;

use sluice_sdk::prelude::*;

use crate::config::Compat;
use crate::limits::{MAX_INTEGER, Policy, Set};

const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// When to try again where only requests at once are too many: one of them may end any moment.
const SOON: u64 = 1;

/// A window that has a name.
pub(crate) struct Period {
    pub(crate) name: &'static str,
    pub(crate) seconds: u64,
    limit: &'static str,
    remaining: &'static str,
}

macro_rules! period {
    ($name:literal, $seconds:expr) => {
        Period {
            name: $name,
            seconds: $seconds,
            limit: concat!("x-ratelimit-limit-", $name),
            remaining: concat!("x-ratelimit-remaining-", $name),
        }
    };
}

pub(crate) const PERIODS: [Period; 6] = [
    period!("second", 1),
    period!("minute", 60),
    period!("hour", 3600),
    period!("day", 86_400),
    period!("month", 30 * 86_400),
    period!("year", 365 * 86_400),
];

/// A field of a response.
pub(crate) struct Field<'a> {
    pub(crate) name: &'static str,
    pub(crate) value: Cow<'a, str>,
    /// Whether more of the same name may stand beside it.
    pub(crate) is_list: bool,
}

/// `"1m";q=100;w=60, "concurrency";q=10;qu="concurrent-requests"`
pub(crate) fn policies(policies: &[Policy]) -> String {
    let items = policies.iter().map(|Policy { name, quota, window }| match window {
        // The field knows whole seconds only; another window is left out, which it may be.
        Some(window) if window.as_millis().is_multiple_of(1000) => {
            format!("\"{name}\";q={quota};w={}", window.as_secs())
        }
        Some(_) => format!("\"{name}\";q={quota}"),
        None => format!("\"{name}\";q={quota};qu=\"concurrent-requests\""),
    });
    items.collect::<Vec<_>>().join(", ")
}

/// Of each limit what is left, and seconds until it is whole, or until the next try.
pub(crate) fn standing(taken: &[Taken]) -> Vec<(u64, u64)> {
    let standing = taken.iter().map(|taken| {
        let ms = if taken.allowed { taken.reset_ms } else { taken.retry_ms };
        (taken.remaining.min(MAX_INTEGER), seconds(ms).min(MAX_INTEGER))
    });
    standing.collect()
}

pub(crate) fn tell<'a>(set: &'a Set, standing: &[(u64, u64)], compat: Option<Compat>) -> Vec<Field<'a>> {
    let list = |name, value| Field { name, value, is_list: true };
    let mut fields = Vec::with_capacity(8);
    fields.push(list("ratelimit-policy", Cow::Borrowed(&*set.field)));
    fields.push(list("ratelimit", Cow::Owned(standings(set, standing))));
    if let Some(compat) = compat {
        tell_as_before(set, standing, compat, &mut fields);
    }
    fields
}

/// `"1m";r=42;t=17, "concurrency";r=9`
fn standings(set: &Set, standing: &[(u64, u64)]) -> String {
    let mut field = String::with_capacity(32 * standing.len());
    for (Policy { name, window, .. }, (remaining, reset)) in set.policies.iter().zip(standing) {
        if !field.is_empty() {
            field.push_str(", ");
        }
        // Writing to a string cannot fail.
        let _ = write!(field, "\"{name}\";r={remaining}");
        // Unless nothing is used, 0 says that nobody knows when it is whole.
        if window.is_some() && *reset > 0 {
            let _ = write!(field, ";t={reset}");
        }
    }
    field
}

fn tell_as_before(set: &Set, standing: &[(u64, u64)], compat: Compat, fields: &mut Vec<Field<'_>>) {
    let windows = || {
        let all = set.policies.iter().zip(standing);
        all.filter_map(|(policy, standing)| Some((policy.quota, policy.window?, standing)))
    };
    let mut put = |name, number: u64| {
        fields.push(Field { name, value: Cow::Owned(number.to_string()), is_list: false });
    };
    if compat == Compat::Kong {
        for (quota, window, (remaining, _)) in windows() {
            let period = PERIODS.iter().find(|period| Duration::from_secs(period.seconds) == window);
            if let Some(period) = period {
                put(period.limit, quota);
                put(period.remaining, *remaining);
            }
        }
    }
    // The limit that is nearest; of two, the one that lasts longer.
    let nearest =
        windows().min_by_key(|(_, window, (remaining, _))| (*remaining, std::cmp::Reverse(*window)));
    if let Some((quota, _, (remaining, reset))) = nearest {
        let names = match compat {
            Compat::X => ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
            Compat::Kong | Compat::Draft03 => ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"],
        };
        for (name, number) in names.into_iter().zip([quota, *remaining, *reset]) {
            put(name, number);
        }
    }
}

/// 429 or 503, with when to come back.
pub(crate) fn refusal(set: &Set, taken: &[Taken], status: u16, told: Option<Option<Compat>>) -> Problem {
    let mut standing = standing(taken);
    let violated = || set.policies.iter().zip(taken).zip(&standing).filter(|((_, taken), _)| !taken.allowed);
    let names: Vec<_> = violated().map(|((policy, _), _)| policy.name.as_str()).collect();
    let windows = violated().filter(|((policy, _), _)| policy.window.is_some());
    let waits = windows.clone().map(|(_, (_, wait))| *wait);
    let retry = waits.max().unwrap_or(SOON).max(1);
    let problem = match windows.map(|((policy, _), _)| policy).next() {
        Some(policy) => {
            let detail = format!("{} are allowed; try again in {retry} s", policy.rule());
            Problem::new(status, detail)
                .kind(QUOTA_EXCEEDED)
                .title("Request cannot be satisfied as assigned quota has been exceeded")
        }
        None => {
            Problem::new(status, "too many requests are on their way at once; try again when one has ended")
                .kind("concurrency-exceeded")
                .title("Too many requests at once")
        }
    };
    let mut problem = problem.with("violated-policies", &names).header("retry-after", retry.to_string());
    if let Some(compat) = told {
        // Nothing refers to a time after `Retry-After`: the fields would contradict each other.
        for (_, reset) in &mut standing {
            *reset = (*reset).min(retry);
        }
        for field in tell(set, &standing, compat) {
            problem = problem.header(field.name, &*field.value);
        }
    }
    problem
}

/// Whole seconds, rounded up: a client that waits them has waited long enough.
fn seconds(milliseconds: u64) -> u64 {
    milliseconds.div_ceil(1000)
}
