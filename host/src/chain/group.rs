//! Steps that stand for each other: a request passes if one of them admits it, or all of one list.

use std::ops::Range;
use std::sync::Arc;

use sluice_abi::{Phase, Problem, Reply};

use super::{Chain, ChainFailure, Visit};
use crate::consumers::Consumer;
use crate::wasm::{Clockwork, ContextValues, ExchangeView};

/// Alternatives that follow each other in the chain, each of one step or of several that all have to admit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) alternatives: Vec<Range<usize>>,
}

/// What an alternative may have changed before it refused.
struct Before {
    head: Option<(http::Method, http::Uri, http::HeaderMap)>,
    consumer: Option<Arc<Consumer>>,
    context: ContextValues,
}

impl Group {
    /// The places of its steps.
    pub(super) fn steps(&self) -> Range<usize> {
        let first = self.alternatives.first().map_or(0, |steps| steps.start);
        first..self.alternatives.last().map_or(first, |steps| steps.end)
    }
}

impl Before {
    fn of(view: &ExchangeView) -> Self {
        let head = view.request.as_ref();
        Self {
            head: head.map(|head| (head.method.clone(), head.uri.clone(), head.headers.clone())),
            consumer: view.consumer.clone(),
            context: view.context.clone(),
        }
    }

    fn restore(&self, view: &mut ExchangeView) {
        if let (Some(head), Some((method, uri, headers))) = (&mut view.request, &self.head) {
            (head.method, head.uri, head.headers) = (method.clone(), uri.clone(), headers.clone());
        }
        view.consumer.clone_from(&self.consumer);
        view.context = self.context.clone();
        view.skips_body = false;
    }
}

impl Chain {
    /// Asks one alternative after the other; the answer, with the place of the step that gave it, if none admits the request.
    ///
    /// What an alternative changed before it refused is undone, and its steps see nothing more of the exchange. A fault ends the
    /// exchange as it would anywhere: nobody comes in because a step broke.
    pub(super) async fn admit(
        &self,
        visit: &Visit,
        group: &Group,
        clock: &mut Clockwork,
    ) -> Result<Option<(usize, Reply)>, ChainFailure> {
        let before = visit.slot.lend(|view| Before::of(view)).await;
        let mut refusals = Vec::new();
        for (number, steps) in group.alternatives.iter().enumerate() {
            if number > 0 {
                visit.slot.lend(|view| before.restore(view)).await;
            }
            match self.ask(visit, steps.clone(), clock).await? {
                None => {
                    let later = group.alternatives.iter().skip(number + 1).flat_map(Range::clone);
                    later.for_each(|index| visit.steps[index].passed_over.set(true));
                    visit.reached.set(group.steps().end);
                    return Ok(None);
                }
                Some((index, reply)) if status(&reply) < 400 => return Ok(Some((index, reply))),
                Some(refusal) => {
                    steps.clone().for_each(|index| visit.steps[index].passed_over.set(true));
                    refusals.push(refusal);
                }
            }
        }
        visit.slot.lend(|view| before.restore(view)).await;
        Ok(combined(refusals))
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
            self.note_skip(visit, index, sluice_abi::HeaderMap::Request);
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

/// The answer to somebody whom no alternative admits: that something behind a step failed, else that he may not, else what the
/// first step says that found a credential; with the challenges of all who would know him by one (RFC 9110 section 11.6.1).
fn combined(mut refusals: Vec<(usize, Reply)>) -> Option<(usize, Reply)> {
    let missing =
        |reply: &Reply| matches!(reply, Reply::Problem { problem, .. } if problem.kind.ends_with("-missing"));
    let rank = |reply: &Reply| match status(reply) {
        500.. => 0,
        403 => 1,
        401 if missing(reply) => 4,
        401 => 3,
        _ => 2,
    };
    let best = refusals.iter().enumerate().min_by_key(|(_, (_, reply))| rank(reply))?.0;
    let mut challenges = Vec::new();
    for (_, reply) in &refusals {
        let (Reply::Plain { headers, .. } | Reply::Problem { headers, .. }) = reply;
        let own = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"www-authenticate"));
        challenges.extend(own.cloned());
    }
    let (index, mut reply) = refusals.swap_remove(best);
    if status(&reply) == 401 {
        let (Reply::Plain { headers, .. } | Reply::Problem { headers, .. }) = &mut reply;
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case(b"www-authenticate"));
        headers.extend(challenges);
    }
    Some((index, reply))
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

    fn answer(refusals: Vec<Reply>) -> (usize, u16, Vec<String>) {
        let (index, reply) = combined(refusals.into_iter().enumerate().collect()).unwrap();
        let Reply::Problem { headers, problem } = reply else { panic!("a problem") };
        let texts = headers.into_iter().map(|(_, value)| String::from_utf8(value).unwrap());
        (index, problem.status, texts.collect())
    }

    #[test]
    fn every_way_in_is_told() {
        let token = refusal(401, "token-missing", Some("Bearer"));
        let key = refusal(401, "api-key-unknown", Some("Key"));
        let both = vec!["Bearer".to_owned(), "Key".to_owned()];
        assert_eq!(answer(vec![token.clone(), key.clone()]), (1, 401, both.clone()));
        let none = refusal(401, "api-key-missing", Some("Key"));
        assert_eq!(answer(vec![token, none]), (0, 401, both));
    }

    #[test]
    fn who_is_known_and_may_not_is_told_that() {
        let missing = refusal(401, "token-missing", Some("Bearer"));
        let forbidden = refusal(403, "not-in-group", None);
        assert_eq!(answer(vec![missing.clone(), forbidden.clone()]), (1, 403, vec![]));
        let broken = refusal(503, "introspection-unavailable", None);
        assert_eq!(answer(vec![missing, forbidden, broken]), (2, 503, vec![]));
    }
}
