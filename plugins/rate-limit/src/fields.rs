//! What the client is told: the fields of draft-ietf-httpapi-ratelimit-headers-11, and the refusal.

use std::fmt::Write as _;

use sluice_sdk::prelude::*;

pub(crate) const POLICY: &str = "ratelimit-policy";
pub(crate) const STANDING: &str = "ratelimit";

const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// Structured fields have integers of at most 15 digits (RFC 9651 section 3.3.1).
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// A limit as clients know it.
pub(crate) struct Policy {
    pub(crate) name: String,
    quota: u64,
    window: Duration,
}

impl Policy {
    pub(crate) fn new(name: String, quota: u64, window: Duration) -> Result<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        ensure!(
            !name.is_empty() && name.bytes().all(is_plain),
            "a limit's `name` is of letters, digits, `_`, `.` and `-`"
        );
        ensure!(quota <= MAX_INTEGER, "`q` is at most {MAX_INTEGER}");
        Ok(Self { name, quota, window })
    }
}

/// `"1m";q=100;w=60, "1h";q=1000;w=3600`
pub(crate) fn policies<'a>(policies: impl Iterator<Item = &'a Policy>) -> String {
    let items = policies.map(|Policy { name, quota, window }| {
        // The field knows whole seconds only; another window is left out, which it may be.
        if window.as_millis().is_multiple_of(1000) {
            format!("\"{name}\";q={quota};w={}", window.as_secs())
        } else {
            format!("\"{name}\";q={quota}")
        }
    });
    items.collect::<Vec<_>>().join(", ")
}

/// `"1m";r=42;t=17, "1h";r=942;t=1217`. With `retry`, nothing refers to a time after it: `Retry-After` and the
/// fields would contradict each other.
pub(crate) fn standings<'a>(
    limits: impl Iterator<Item = (&'a Policy, &'a Taken)>,
    retry: Option<u64>,
) -> String {
    let mut field = String::new();
    for (Policy { name, .. }, taken) in limits {
        if !field.is_empty() {
            field.push_str(", ");
        }
        let reset = if taken.allowed { seconds(taken.reset_ms) } else { seconds(taken.retry_ms) };
        let reset = reset.min(retry.unwrap_or(MAX_INTEGER));
        // Writing to a string cannot fail.
        let _ = write!(field, "\"{name}\";r={};t={reset}", taken.remaining.min(MAX_INTEGER));
    }
    field
}

/// 429, with when to come back.
pub(crate) fn refusal<'a>(
    limits: impl Iterator<Item = (&'a Policy, &'a Taken)> + Clone,
    policies: Option<&str>,
) -> Problem {
    let violated: Vec<_> = limits.clone().filter(|(_, taken)| !taken.allowed).collect();
    let retry = violated.iter().map(|(_, taken)| seconds(taken.retry_ms)).max().unwrap_or_default().max(1);
    let names: Vec<_> = violated.iter().map(|(policy, _)| policy.name.as_str()).collect();
    let detail = match violated.first() {
        Some((policy, _)) => {
            format!("{} requests per {} are allowed; try again in {retry} s", policy.quota, policy.window)
        }
        None => format!("too many requests; try again in {retry} s"),
    };
    let problem = Problem::too_many_requests(detail)
        .kind(QUOTA_EXCEEDED)
        .title("Request cannot be satisfied as assigned quota has been exceeded")
        .with("violated-policies", &names)
        .header("retry-after", retry.to_string());
    match policies {
        Some(policies) => problem.header(POLICY, policies).header(STANDING, standings(limits, Some(retry))),
        None => problem,
    }
}

/// Whole seconds, rounded up: a client that waits them has waited long enough.
fn seconds(milliseconds: u64) -> u64 {
    milliseconds.div_ceil(1000)
}
