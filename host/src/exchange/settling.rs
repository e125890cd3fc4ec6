//! What an exchange used is in the ledger before its answer is whole.

use std::future::poll_fn;
use std::task::{Context as Poller, Poll};

use http::{HeaderName, HeaderValue, Response};
use http_body::{Body as _, Frame};
use sluice_abi::Measured;
use tokio::time::Instant;

use super::context::Context;
use super::failure::Failure;
use super::respond;
use crate::body::{Body, BodyError, Origin};
use crate::metering::{Ending, Notice, OnFailure, Receipt, Unrecorded};

/// What is beyond the time that the ledger is given, so that its own answer comes first.
const GRACE: std::time::Duration = std::time::Duration::from_secs(1);

/// The end of a body, while the ledger has not said that it has the exchange.
pub(super) struct Held {
    receipt: Receipt,
    until: Instant,
    frame: Option<Frame<bytes::Bytes>>,
}

impl Held {
    /// What was held back, once the ledger has the exchange.
    pub(super) fn poll(
        &mut self,
        cx: &mut Poller<'_>,
        ctx: &Context,
    ) -> Poll<Result<Option<Frame<bytes::Bytes>>, BodyError>> {
        let recorded = match self.receipt.poll(cx) {
            Poll::Ready(recorded) => recorded,
            Poll::Pending => match ctx.timer.poll(cx, self.until) {
                Poll::Ready(()) => Err(Unrecorded),
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready(match recorded {
            // Where that is allowed, everybody is served.
            Err(Unrecorded) if ctx.may_go_unrecorded() => Ok(self.frame.take()),
            Ok(()) => Ok(self.frame.take()),
            Err(Unrecorded) => Err(BodyError::new(Origin::Gateway, "unrecorded")),
        })
    }

    /// Bytes that are held back.
    pub(super) fn length(&self) -> u64 {
        let data = self.frame.as_ref().and_then(Frame::data_ref);
        data.map_or(0, |data| data.len() as u64)
    }
}

impl Context {
    /// Hands what the exchange used to the ledger, once; `None` if it used nothing.
    pub(super) fn settle(&self, status: Option<u16>, response_bytes: u64, withheld: bool) -> Option<Receipt> {
        // What follows is worked out once, though an exchange may end in more than one way.
        let tab = self.tab.as_ref().filter(|tab| !tab.is_closed())?;
        let (route, visit) = (self.route.as_ref()?, self.visit.as_ref()?);
        let metered = route.chain.metered()?;
        let measured = Measured {
            request_bytes: self.request_bytes.get(),
            response_bytes,
            duration_us: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        };
        let ending = Ending {
            status,
            measured,
            request_id: self.request_id.to_str().unwrap_or_default(),
            route: &route.name,
            unknown: &route.chain.unknown_meters(visit),
            withheld,
        };
        metered.settle(tab, &ending)
    }

    /// Holds the end of a body back until the ledger has the exchange; the end itself if there is nothing to wait for.
    pub(super) fn hold(
        &self,
        status: u16,
        sent: u64,
        frame: Option<Frame<bytes::Bytes>>,
    ) -> Result<Held, Option<Frame<bytes::Bytes>>> {
        let Some(receipt) = self.settle(Some(status), sent, false) else { return Err(frame) };
        Ok(Held { receipt, until: self.patience(), frame })
    }

    /// Before a response that is whole goes out: waits until the ledger has what the exchange used. Where it will not, the response
    /// is not given.
    pub(super) async fn record(&mut self, response: Response<Body>, is_bodiless: bool) -> Response<Body> {
        if self.tab.is_none() || !is_whole(&response, is_bodiless) {
            return response;
        }
        let bytes = if is_bodiless { 0 } else { response.body().exact().unwrap_or(0) };
        let Some(mut receipt) = self.settle(Some(response.status().as_u16()), bytes, true) else {
            return response;
        };
        let (timer, until) = (self.timer.clone(), self.patience());
        let recorded = poll_fn(|cx| match receipt.poll(cx) {
            Poll::Ready(recorded) => Poll::Ready(recorded),
            Poll::Pending => timer.poll(cx, until).map(|()| Err(Unrecorded)),
        })
        .await;
        match recorded {
            Ok(()) => response,
            Err(Unrecorded) if self.may_go_unrecorded() => response,
            Err(Unrecorded) => respond::to(self, Failure::Unrecorded),
        }
    }

    fn may_go_unrecorded(&self) -> bool {
        let metered = self.route.as_ref().and_then(|route| route.chain.metered());
        metered.is_some_and(|metered| metered.metering().on_failure() == OnFailure::Allow)
    }

    fn patience(&self) -> Instant {
        let timeout = self.route.as_ref().and_then(|route| route.chain.metered());
        let timeout = timeout.map_or(GRACE, |metered| metered.metering().timeout() + GRACE);
        Instant::now() + timeout
    }

    /// Tells the client what is left of what its request was reserved from.
    pub(super) fn notify(&self, response: &mut Response<Body>) {
        const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
        const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
        const CREDIT: HeaderName = HeaderName::from_static("x-credit-remaining");
        const PASSED: HeaderName = HeaderName::from_static("x-quota-passed");
        let Some(tab) = &self.tab else { return };
        let headers = response.headers_mut();
        let mut add = |name: HeaderName, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                let _ = headers.try_append(name, value);
            }
        };
        for notice in tab.notices() {
            match notice {
                Notice::Quota { meter, per, limit, remaining, window, resets } => {
                    add(POLICY, format!("\"{meter}-{per}\";q={limit};w={window};qu=\"{meter}\""));
                    add(LIMIT, format!("\"{meter}-{per}\";r={remaining};t={resets}"));
                }
                Notice::Passed { meter, per } => add(PASSED, format!("\"{meter}-{per}\"")),
                Notice::Credit { remaining, currency } => add(CREDIT, format!("{remaining} {currency}")),
            }
        }
    }
}

/// Whether a response is all there, or has nothing to come.
fn is_whole(response: &Response<Body>, bodiless: bool) -> bool {
    bodiless || matches!(response.body(), Body::Empty | Body::Whole(_)) || response.body().is_end_stream()
}
