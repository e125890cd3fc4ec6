//! A request that went to the upstream, and what comes of it.

use sluice_sdk::prelude::*;

use crate::config::Settings;
use crate::entry::Entry;
use crate::freshness::{Times, texts};
use crate::key::Asked;
use crate::report::{Forwarded, Report};
use crate::serving::{self, Conditions};
use crate::{quietly, shelf, storing};

/// Why a request goes to the upstream, and with what.
pub(crate) struct Outgoing {
    pub(crate) reason: Forwarded,
    /// What is stored but has to be validated.
    pub(crate) stored: Option<Entry>,
    /// The key of the flight that this request leads.
    pub(crate) flight: Option<Vec<u8>>,
}

/// A request on its way.
pub(crate) struct Forward {
    outgoing: Outgoing,
    asked: Asked,
    /// The request names a person that the key does not.
    personal: bool,
    conditions: Conditions,
    sent: u64,
    /// The response as far as it has come, while it may be kept.
    capture: Option<Entry>,
}

/// Statuses by which an upstream fails (RFC 5861 section 4).
const FAILURES: [u16; 4] = [500, 502, 503, 504];

impl Forward {
    pub(crate) fn new(
        outgoing: Outgoing,
        asked: Asked,
        personal: bool,
        conditions: Conditions,
        sent: u64,
    ) -> Self {
        Self { outgoing, asked, personal, conditions, sent, capture: None }
    }

    pub(crate) fn reason(&self) -> Forwarded {
        self.outgoing.reason
    }

    /// Makes the request ask whether what is stored still holds.
    pub(crate) fn prepare(&self, request: &mut Request) -> Result<()> {
        match &self.outgoing.stored {
            Some(entry) if entry.has_validator() => serving::make_conditional(request, entry),
            _ => Ok(()),
        }
    }

    /// The answer from the store, if the response says that it still holds, or if the upstream fails.
    pub(crate) fn replace(&mut self, response: &Response, came: u64, settings: &Settings) -> Option<Reply> {
        let status = response.status();
        let stored = self.outgoing.stored.as_ref()?;
        if status == 304 && stored.has_validator() {
            return self.revalidated(response, came, settings);
        }
        if FAILURES.contains(&status) && serving::within(stored, came, stored.rules.if_error) {
            let reply = serving::reply(stored, came, &self.conditions);
            let report = Report::stale_after(status, "stale-if-error");
            let reply = report.in_reply(reply, stored, came, settings);
            self.give_up();
            return Some(reply);
        }
        None
    }

    /// The stored response, of which the upstream says that it still holds.
    fn revalidated(&mut self, response: &Response, came: u64, settings: &Settings) -> Option<Reply> {
        let stored = self.outgoing.stored.as_ref()?;
        let news = storing::fields(response);
        let tag = texts(&news, "etag").next();
        let is_other = stored.text("etag").zip(tag).is_some_and(|(own, new)| !serving::are_alike(own, new));
        let reply = if is_other {
            // RFC 9111 section 4.3.4: it speaks of another response, and nothing may be made of it.
            quietly(shelf::drop_entry(&self.asked));
            if self.conditions.name(tag) {
                return None;
            }
            let reply = serving::reply(stored, came, &self.conditions);
            let reply = Report::stale_after(304, "other-etag").in_reply(reply, stored, came, settings);
            self.give_up();
            reply
        } else {
            let times = Times { request: self.sent, response: came };
            let (entry, may_keep) = storing::freshened(stored, news, times, self.personal, settings);
            let kept = may_keep && self.keep(&entry, came, settings);
            if !may_keep {
                quietly(shelf::drop_entry(&self.asked));
            }
            self.land(kept);
            let reply = serving::reply(&entry, came, &self.conditions);
            Report::revalidated(self.outgoing.reason).in_reply(reply, &entry, came, settings)
        };
        // Cookies are for the client who asked, and only that one.
        let cookies = response.headers().get_all("set-cookie");
        Some(cookies.into_iter().fold(reply, |reply, cookie| reply.header("set-cookie", cookie)))
    }

    /// Looks at a response that passes; whether its body is wanted.
    pub(crate) fn begin(&mut self, response: &Response, came: u64, settings: &Settings) -> bool {
        let status = response.status();
        let times = Times { request: self.sent, response: came };
        let length = response.headers().get("content-length");
        let length = length.map(|length| length.as_str().and_then(|text| text.parse::<usize>().ok()));
        let is_small = length.is_none_or(|length| length.is_some_and(|length| length <= settings.max_body));
        let storable =
            || storing::storable(status, storing::fields(response), times, self.personal, settings);
        match is_small.then(storable).flatten() {
            // There is no body to wait for.
            Some(entry) if status == 204 => {
                let kept = self.keep(&entry, came, settings);
                self.land(kept);
                false
            }
            Some(entry) => {
                self.capture = Some(entry);
                true
            }
            None => {
                // What is said to one person need not be said to the others.
                if !self.personal && tells_of_resource(response) {
                    self.cannot_keep();
                } else {
                    self.give_up();
                }
                false
            }
        }
    }

    /// A piece of the body passes.
    pub(crate) fn take(&mut self, chunk: &Chunk, now: u64, settings: &Settings) {
        let Some(mut entry) = self.capture.take() else { return };
        let bytes = if chunk.is_empty() { Ok(Vec::new()) } else { chunk.bytes() };
        let fits = entry.body.len().saturating_add(chunk.len()) <= settings.max_body;
        let (Ok(bytes), true) = (bytes, fits) else { return self.cannot_keep() };
        entry.body.extend(bytes);
        if chunk.is_last() {
            let kept = self.keep(&entry, now, settings);
            self.land(kept);
        } else {
            self.capture = Some(entry);
        }
    }

    /// What the upstream says now is not what is stored, nor will the next one's answer be kept.
    fn cannot_keep(&mut self) {
        if self.outgoing.stored.is_some() {
            quietly(shelf::drop_entry(&self.asked));
        }
        self.land(false);
    }

    /// Lets the next one try, if this one has led and come to nothing.
    pub(crate) fn give_up(&mut self) {
        if let Some(flight) = self.outgoing.flight.take() {
            quietly(store::release(flight));
        }
    }

    fn keep(&self, entry: &Entry, now: u64, settings: &Settings) -> bool {
        match shelf::put(&self.asked, entry, now, settings) {
            Ok(kept) => kept,
            Err(error) => {
                debug!("a response could not be kept: {error}");
                false
            }
        }
    }

    fn land(&mut self, stored: bool) {
        if let Some(flight) = self.outgoing.flight.take() {
            quietly(shelf::land(&flight, stored));
        }
    }
}

/// Whether a response that is not kept is how the resource is for everyone. A failure is not, nor what answers this client alone: its
/// conditions, its credentials, its rate or an odd header. Nor is what a later step answers, or the gateway itself.
fn tells_of_resource(response: &Response) -> bool {
    let status = response.status();
    let is_general = matches!(status, 404 | 410) || (status < 400 && status != 304);
    is_general && response.origin() == Origin::Upstream
}
