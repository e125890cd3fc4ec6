//! What RFC 9421 and the configuration demand of a signature (sections 3.2 and 3.2.1), up to its verification.

use crate::algorithm::Algorithm;
use crate::base;
use crate::component::{Component, Form, Shape};
use crate::config::Policy;
use crate::digest::{self, Covered, Mode};
use crate::input::{self, Claim};
use crate::message::Message;
use crate::proof::{self, Proof};
use crate::refusal::{Refusal, Stop};
use crate::time;

/// What is to be verified, if the signature states and covers what it has to.
pub(crate) fn proof(message: &Message, policy: &Policy, now: i64) -> Result<Proof, Stop> {
    let claim = input::claim(message, policy.label.as_deref(), policy.tag.as_deref())?;
    let digests = covered_digests(&claim.components);
    let missing = missing(&claim, message, policy, &digests);
    let (Some(keyid), Some(created), true) = (&claim.keyid, claim.created, missing.is_empty()) else {
        return Err(Refusal::Incomplete(missing).into());
    };
    let (leeway, max_age) = (time::seconds(policy.leeway), time::seconds(policy.max_age));
    time::check_age(created, now, max_age, leeway)?;
    if let Some(expires) = claim.expires {
        if expires < created {
            return Err(Refusal::Malformed("the signature ends before it was made".to_owned()).into());
        }
        time::check_end(expires, now, leeway)?;
    }
    let algorithms = algorithms(claim.algorithm.as_deref(), &policy.algorithms)?;
    base::check(&claim.components, message, &policy.structured)?;
    // Without a key a request has come this far and no further.
    let key = proof::key(keyid)?;
    let bases = base::bases(&claim.components, &claim.parameters, message, &policy.structured)
        .map_err(|_| proof::invalid())?;
    // From the earliest time at which it is accepted to the latest.
    let lifetime = time::lifetime(max_age + leeway * 2);
    let keyid = keyid.clone();
    let Claim { signature, nonce, .. } = claim;
    Ok(Proof { keyid, key, algorithms, bases, signature, nonce, lifetime, digests, is_old: false })
}

/// The registered algorithms among those that are allowed, or the one that the signature states.
fn algorithms(stated: Option<&str>, allowed: &[Algorithm]) -> Result<Vec<Algorithm>, Refusal> {
    let fits = |algorithm: &&Algorithm| match (algorithm.registered(), stated) {
        (Some(name), Some(stated)) => name == stated,
        (name, None) => name.is_some(),
        (None, Some(_)) => false,
    };
    let algorithms: Vec<Algorithm> = allowed.iter().filter(fits).copied().collect();
    if algorithms.is_empty() {
        return Err(Refusal::Invalid("the signature's algorithm is not accepted".to_owned()));
    }
    Ok(algorithms)
}

/// The digests that it covers: all of a field's, or one of them.
fn covered_digests(components: &[Component]) -> Vec<Covered> {
    let fields = [digest::CONTENT, digest::REPRESENTATION, digest::OLD];
    let covered = |field: &'static str| {
        let mut understood = components.iter().filter_map(|component| match &component.shape {
            Shape::Field(name, Form::Member(key)) => (name == field).then(|| digest::is_understood(key)),
            Shape::Field(name, _) => (name == field).then_some(field != digest::OLD),
            _ => None,
        });
        let first = understood.next()?;
        Some(Covered { field, is_understood: first || understood.any(|understood| understood) })
    };
    fields.into_iter().filter_map(covered).collect()
}

/// What it has to cover or state and does not.
fn missing(claim: &Claim, message: &Message, policy: &Policy, digests: &[Covered]) -> Vec<String> {
    let uncovered = policy.required.iter().filter(|component| !component.is_covered_by(&claim.components));
    let mut missing: Vec<String> =
        uncovered.map(|component| component.identifier.replacen('"', "", 2)).collect();
    // That there is a digest which is not covered is told with the rest; that there is none is another refusal.
    let has_digest = message.has(digest::CONTENT) && message.announces_body();
    let is_named = missing.iter().any(|name| name == digest::CONTENT);
    let is_covered = digests.iter().any(|digest| digest.is_understood);
    if policy.digest == Mode::Required && has_digest && !is_covered && !is_named {
        missing.push(digest::CONTENT.to_owned());
    }
    let demands = [
        ("created", claim.created.is_none()),
        ("keyid", claim.keyid.is_none()),
        ("expires", policy.require_expires && claim.expires.is_none()),
        ("nonce", policy.require_nonce && claim.nonce.is_none()),
    ];
    missing
        .extend(demands.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name.to_owned()));
    missing
}
