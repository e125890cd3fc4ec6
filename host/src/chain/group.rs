//! Steps that stand for each other: a request passes if one of them admits it, or all of one list.

use std::ops::Range;
use std::sync::Arc;

use sluice_abi::{Phase, Problem, Reply};

use super::before::Before;
use super::{Chain, ChainFailure, Visit};
use crate::consumers::Consumer;
use crate::wasm::{Clockwork, ExchangeView};

/// Alternatives that follow each other in the chain, each of one step or of several that all have to admit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) alternatives: Vec<Range<usize>>,
}

/// An alternative's answer to a request that it does not admit.
struct Refusal {
    /// The place of the step that gave it.
    index: usize,
    reply: Reply,
    /// Who is asking was found out before.
    knows: bool,
}

impl Group {
    /// The places of its steps.
    pub(super) fn steps(&self) -> Range<usize> {
        let first = self.alternatives.first().map_or(0, |steps| steps.start);
        first..self.alternatives.last().map_or(first, |steps| steps.end)
    }
}

impl Chain {
    /// Asks one alternative after the other; the answer, with the place of the step that gave it, if none admits the request.
    ///
    /// What an alternative changed before it refused is undone, and of the exchange its steps see no more than the end. A fault
    /// ends the exchange as it would anywhere: nobody comes in because a step broke.
    pub(super) async fn admit(
        &self,
        visit: &Visit,
        group: &Group,
        clock: &mut Clockwork,
    ) -> Result<Option<(usize, Reply)>, ChainFailure> {
        // There is nothing to go back to where nobody else is asked.
        let mut before = match group.alternatives.len() {
            1 => None,
            _ => Some(visit.slot.lend(|view| Before::of(view)).await),
        };
        let mut refusals = Vec::new();
        for (number, steps) in group.alternatives.iter().enumerate() {
            let later = group.alternatives.iter().skip(number + 1).flat_map(Range::clone);
            let Some((index, reply)) = self.ask(visit, steps.clone(), clock).await? else {
                later.for_each(|index| visit.steps[index].passed_over.set(true));
                visit.reached.set(group.steps().end);
                return Ok(None);
            };
            if status(&reply) < 300 {
                return Ok(Some((index, reply)));
            }
            let is_last = number + 1 == group.alternatives.len();
            let undone = if is_last { before.take() } else { before.clone() };
            let leave = |view: &mut ExchangeView| {
                let Some(undone) = undone else { return false };
                let knows = undone.knows_less_than(view);
                undone.restore(view);
                knows
            };
            let knows = visit.slot.lend(leave).await;
            self.leave(visit, steps.clone(), index);
            refusals.push(Refusal { index, reply, knows });
        }
        Ok(combined(refusals))
    }

    /// Of an alternative that refused at `last`: those who let the request through are told when it ends, and nobody more.
    fn leave(&self, visit: &Visit, steps: Range<usize>, last: usize) {
        for index in steps {
            let state = &visit.steps[index];
            state.refused.set(true);
            if index > last || !self.steps[index].has(Phase::Complete) {
                state.passed_over.set(true);
                // An instance that it keeps is free for another.
                state.own.replace(None);
            }
        }
    }

    /// Asks all steps of an alternative: the first answer that one of them gives.
    async fn ask(
        &self,
        visit: &Visit,
        steps: Range<usize>,
        clock: &mut Clockwork,
    ) -> Result<Option<(usize, Reply)>, ChainFailure> {
        let mut known: Option<Arc<Consumer>> = None;
        for index in steps {
            let step = &self.steps[index];
            visit.reached.set(index + 1);
            if let Some(reply) = step.call(visit, index, Phase::Request, false, clock).await? {
                return Ok(Some((index, reply)));
            }
            self.note_body_mode(visit, index, super::visit::Message::Request);
            let found = visit.slot.lend(|view| view.consumer.clone()).await;
            if let (Some(first), Some(second)) = (&known, &found)
                && first.name != second.name
            {
                return Ok(Some((index, disagreement())));
            }
            known = found.or(known);
        }
        Ok(None)
    }
}

const fn status(reply: &Reply) -> u16 {
    match reply {
        Reply::Plain { status, .. } => *status,
        Reply::Problem { problem, .. } => problem.status,
    }
}

/// Somebody shows his own credential and somebody else's.
fn disagreement() -> Reply {
    let problem = Problem {
        status: 403,
        kind: "credentials-disagree".to_owned(),
        title: String::new(),
        detail: "the credentials that were sent belong to different consumers".to_owned(),
        extensions: serde_json::Map::new(),
    };
    Reply::Problem { headers: Vec::new(), problem }
}

/// The answer to somebody whom no alternative admits, with the challenges of all who would know him by a credential
/// (RFC 9110 section 11.6.1): that something behind a step failed; else what he may not, though he is known; else what is wrong
/// with a credential that he has shown; else where to get one; else that he should show one; else what remains.
fn combined(mut refusals: Vec<Refusal>) -> Option<(usize, Reply)> {
    let rank = |refusal: &Refusal| {
        let challenges = headers(&refusal.reply).iter().any(is_challenge);
        let missing =
            matches!(&refusal.reply, Reply::Problem { problem, .. } if problem.kind.ends_with("-missing"));
        match status(&refusal.reply) {
            500.. => 0,
            401 if missing => 4,
            401 => 2,
            403 if refusal.knows || challenges => 1,
            400.. if refusal.knows => 1,
            400.. if challenges => 2,
            400.. => 5,
            _ => 3,
        }
    };
    let best = refusals.iter().enumerate().min_by_key(|(_, refusal)| rank(refusal))?.0;
    let challenges: Vec<_> = refusals
        .iter()
        .flat_map(|refusal| headers(&refusal.reply))
        .filter(|field| is_challenge(field))
        .cloned()
        .collect();
    let Refusal { index, mut reply, .. } = refusals.swap_remove(best);
    if status(&reply) == 401 {
        let (Reply::Plain { headers, .. } | Reply::Problem { headers, .. }) = &mut reply;
        headers.retain(|field| !is_challenge(field));
        headers.extend(challenges);
    }
    Some((index, reply))
}

type Field = (Vec<u8>, Vec<u8>);

const fn headers(reply: &Reply) -> &Vec<Field> {
    let (Reply::Plain { headers, .. } | Reply::Problem { headers, .. }) = reply;
    headers
}

fn is_challenge((name, _): &Field) -> bool {
    name.eq_ignore_ascii_case(b"www-authenticate")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, kind: &str, challenge: Option<&str>) -> Reply {
        let (title, detail) = (String::new(), String::new());
        let extensions = serde_json::Map::new();
        let headers = challenge.map(|text| (b"www-authenticate".to_vec(), text.as_bytes().to_vec()));
        let problem = Problem { status, kind: kind.to_owned(), title, detail, extensions };
        Reply::Problem { headers: headers.into_iter().collect(), problem }
    }

    fn answer(refusals: &[(&Reply, bool)]) -> (usize, u16, Vec<String>) {
        let refusals = refusals.iter().enumerate().map(|(index, (reply, knows))| Refusal {
            index,
            reply: (*reply).clone(),
            knows: *knows,
        });
        let (index, reply) = combined(refusals.collect()).unwrap();
        let texts = headers(&reply).iter().map(|(_, value)| String::from_utf8(value.clone()).unwrap());
        (index, status(&reply), texts.collect())
    }

    #[test]
    fn every_way_in_is_told() {
        let token = refusal(401, "token-missing", Some("Bearer"));
        let key = refusal(401, "api-key-unknown", Some("Key"));
        let both = vec!["Bearer".to_owned(), "Key".to_owned()];
        assert_eq!(answer(&[(&token, false), (&key, false)]), (1, 401, both.clone()));
        let none = refusal(401, "api-key-missing", Some("Key"));
        assert_eq!(answer(&[(&token, false), (&none, false)]), (0, 401, both));
    }

    #[test]
    fn who_is_known_and_may_not_is_told_that() {
        let missing = refusal(401, "token-missing", Some("Bearer"));
        let forbidden = refusal(403, "not-in-group", None);
        assert_eq!(answer(&[(&missing, false), (&forbidden, true)]), (1, 403, vec![]));
        let scope = refusal(403, "insufficient-scope", Some("Bearer"));
        assert_eq!(answer(&[(&missing, false), (&scope, false)]).1, 403);
        let busy = refusal(429, "quota-exceeded", None);
        assert_eq!(answer(&[(&missing, false), (&busy, true)]).1, 429);
        let broken = refusal(503, "introspection-unavailable", None);
        assert_eq!(answer(&[(&missing, false), (&forbidden, true), (&broken, false)]), (2, 503, vec![]));
    }

    #[test]
    fn who_is_not_known_is_told_how_to_be() {
        let outside = refusal(403, "address-denied", None);
        let hidden = refusal(404, "no-route", None);
        let missing = refusal(401, "api-key-missing", Some("Key"));
        for elsewhere in [&outside, &hidden] {
            assert_eq!(answer(&[(elsewhere, false), (&missing, false)]), (1, 401, vec!["Key".to_owned()]));
        }
        assert_eq!(answer(&[(&outside, false), (&hidden, false)]).1, 403);
        let ambiguous = refusal(400, "token-ambiguous", Some("Bearer"));
        assert_eq!(answer(&[(&missing, false), (&ambiguous, false)]).1, 400);
        let login = Reply::Plain { status: 302, headers: Vec::new(), body: Vec::new() };
        let unknown = refusal(401, "api-key-unknown", Some("Key"));
        assert_eq!(answer(&[(&login, false), (&missing, false)]).1, 302);
        assert_eq!(answer(&[(&login, false), (&unknown, false)]).1, 401);
    }
}
