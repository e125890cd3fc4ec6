//! A step that meters: behind it goes only what the consumer's plan has room for.

use std::sync::Arc;

use http::{HeaderValue, Response, StatusCode, header};
use sluice_abi::Origin;

use super::{Chain, Visit};
use crate::body::Body;
use crate::metering::{Exhausted, Metered, Refusal, Spent};
use crate::problem_document::ProblemDocument;

/// When to try again while the ledger cannot be written, in seconds.
const SOON: u64 = 1;

impl Chain {
    /// What the first step that meters meters with; all of a chain do it with the same.
    pub(crate) fn metered(&self) -> Option<&Metered> {
        self.steps.iter().find_map(|step| step.metered())
    }

    /// After a step's request phases: the answer to a request that what it meters has no room for.
    pub(super) async fn admit_metered(&self, visit: &Visit, index: usize) -> Option<Response<Body>> {
        let (step, state) = (&self.steps[index], &visit.steps[index]);
        let metered = step.metered()?;
        // It belongs to an alternative that did not let the request through.
        if state.refused.get() || (state.passed_over.get() && !state.called.get()) {
            return None;
        }
        let tab = Arc::clone(visit.tab.as_ref()?);
        let consumer =
            visit.slot.lend(|view| view.consumer.as_ref().map(|known| Arc::clone(&known.name))).await;
        let refusal = metered.admit(&tab, consumer.as_ref()).await.err()?;
        let forget = |view: &mut crate::wasm::ExchangeView| {
            drop(view.send_request());
            view.origin = Origin::Step;
            view.request_id.clone()
        };
        let request_id = visit.slot.lend(forget).await;
        Some(answer(&refusal, step.name(), &request_id))
    }

    /// The meters of steps that faulted and were passed over.
    pub(crate) fn unknown_meters(&self, visit: &Visit) -> Vec<usize> {
        let faulted = self
            .steps
            .iter()
            .zip(&visit.steps)
            .filter(|(_, state)| state.passed_over.get() && state.called.get() && !state.refused.get());
        faulted
            .filter_map(|(step, _)| step.metered())
            .flat_map(|metered| metered.meters().iter().copied())
            .collect()
    }
}

fn answer(refusal: &Refusal, step: &str, request_id: &HeaderValue) -> Response<Body> {
    let (document, retry) = match refusal {
        Refusal::Exhausted(exhausted) => quota_exceeded(exhausted),
        Refusal::Unavailable => {
            let detail = "usage cannot be recorded at the moment";
            (ProblemDocument::new(StatusCode::SERVICE_UNAVAILABLE, "ledger-unavailable", detail), Some(SOON))
        }
    };
    let mut response = document.with("step", step).into_response(Some(request_id));
    let headers = response.headers_mut();
    let told = match refusal {
        Refusal::Exhausted(Exhausted { meter, what: Spent::Quota { per, resets, .. }, .. }) => {
            Some(("ratelimit", format!("\"{meter}-{per}\";r=0;t={resets}")))
        }
        Refusal::Exhausted(Exhausted { what: Spent::Credit { remaining, currency }, .. }) => {
            Some(("x-credit-remaining", format!("{remaining} {currency}")))
        }
        Refusal::Unavailable => None,
    };
    if let Some((name, value)) = told
        && let Ok(value) = HeaderValue::try_from(value)
    {
        headers.insert(name, value);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = retry {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn quota_exceeded(exhausted: &Exhausted) -> (ProblemDocument, Option<u64>) {
    let status = StatusCode::from_u16(exhausted.status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    let (meter, kind) = (&*exhausted.meter, "quota-exceeded");
    match &exhausted.what {
        Spent::Quota { limit, decimals, per, resets } => {
            let limit = decimal(*limit, *decimals);
            let detail =
                format!("less is left of this {per}'s {limit} of `{meter}` than this request may need");
            let document = ProblemDocument::new(status, kind, &detail)
                .with("meter", meter)
                .with("limit", limit)
                .with("per", *per)
                .with("resets_in", *resets);
            (document, Some((*resets).max(1)))
        }
        Spent::Credit { .. } => {
            let detail = "less credit is left than this request may cost";
            (ProblemDocument::new(status, kind, detail).with("meter", meter), None)
        }
    }
}

/// A quantity in smallest units as one would write it.
fn decimal(value: i64, decimals: u8) -> String {
    if decimals == 0 {
        return value.to_string();
    }
    let unit = 10_i64.pow(u32::from(decimals));
    let fraction = format!("{:0width$}", value.rem_euclid(unit), width = usize::from(decimals));
    let fraction = fraction.trim_end_matches('0');
    let whole = value.div_euclid(unit);
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn quantities_are_written_without_needless_digits() {
        for (value, decimals, text) in [
            (5, 0, "5"),
            (500, 2, "5"),
            (525, 2, "5.25"),
            (50, 3, "0.05"),
            (0, 6, "0"),
            (1_000_001, 6, "1.000001"),
        ] {
            assert_eq!(decimal(value, decimals), text);
        }
    }
}
