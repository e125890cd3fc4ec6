//! Keeps responses as RFC 9111 allows and answers from them; of many who want the same, one asks the upstream.

mod config;
mod directives;
mod entry;
mod forward;
mod freshness;
mod invalidation;
mod key;
mod personal;
mod report;
mod serving;
mod shelf;
mod storing;

use std::cell::RefCell;

use sluice_sdk::prelude::*;

pub use config::Config;
use config::Settings;
use directives::Directives;
use forward::{Forward, Outgoing};
use invalidation::Invalidation;
use key::Asked;
use report::{Forwarded, Report};
use serving::{Conditions, Use, judge, within};
use shelf::{Flight, Found};

/// The policy, and the one exchange that passes through this instance.
pub struct ResponseCache {
    settings: Settings,
    stage: RefCell<Stage>,
}

/// What becomes of the exchange.
enum Stage {
    /// This cache has answered it.
    Served,
    /// It passes.
    Passes(Forwarded),
    /// It passes, and may make what is stored obsolete.
    Changes(Invalidation),
    /// It went to the upstream for a response that may be kept.
    Forwarded(Box<Forward>),
}

#[plugin(isolation = "exchange", dispensable, capabilities(clock, crypto, log, random, store))]
impl Plugin for ResponseCache {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let settings = Settings::new(config)?;
        Ok(Self { settings, stage: RefCell::new(Stage::Passes(Forwarded::Bypass)) })
    }

    fn on_request(&self, request: &mut Request, ctx: &mut Context) -> Result<Verdict> {
        let (stage, verdict) = match self.decide(request, ctx) {
            Ok(decided) => decided,
            Err(error) => {
                debug!("the cache is passed by: {error}");
                (Stage::Passes(Forwarded::Bypass), Verdict::Continue)
            }
        };
        self.stage.replace(stage);
        Ok(verdict)
    }

    fn on_response(&self, response: &mut Response, ctx: &mut Context) -> Result<Verdict> {
        let mut stage = self.stage.borrow_mut();
        match &mut *stage {
            Stage::Served => ctx.skip_body(),
            Stage::Passes(forwarded) => {
                ctx.skip_body();
                Report::forwarded(*forwarded).in_response(response, &self.settings)?;
            }
            Stage::Changes(invalidation) => {
                ctx.skip_body();
                quietly(invalidation.apply(response, ctx, &self.settings));
                Report::forwarded(Forwarded::Method).in_response(response, &self.settings)?;
            }
            Stage::Forwarded(forward) => {
                let came = now();
                if let Some(reply) = forward.replace(response, came, &self.settings) {
                    ctx.skip_body();
                    *stage = Stage::Served;
                    return Ok(reply.into());
                }
                if !forward.begin(response, came, &self.settings) {
                    ctx.skip_body();
                }
                Report::forwarded(forward.reason()).in_response(response, &self.settings)?;
            }
        }
        Ok(Verdict::Continue)
    }

    fn on_response_chunk(&self, chunk: &mut Chunk, _: &mut Context) -> Result<()> {
        if let Stage::Forwarded(forward) = &mut *self.stage.borrow_mut() {
            forward.take(chunk, now(), &self.settings);
        }
        Ok(())
    }

    fn on_complete(&self, _: &Outcome, _: &mut Context) -> Result<()> {
        if let Stage::Forwarded(forward) = &mut *self.stage.borrow_mut() {
            forward.give_up();
        }
        Ok(())
    }
}

impl ResponseCache {
    /// What becomes of a request. An error is the store's, or the host's.
    fn decide(&self, request: &mut Request, ctx: &Context) -> Result<(Stage, Verdict)> {
        let settings = &self.settings;
        let method = request.method();
        if matches!(method, Method::Options | Method::Trace) {
            return Ok((Stage::Passes(Forwarded::Method), Verdict::Continue));
        }
        let (scheme, authority, path) = (request.scheme(), request.authority(), request.path());
        let uri = key::of_uri(&scheme, &authority, &path, request.query().as_deref(), settings)?;
        if !matches!(method, Method::Get | Method::Head) {
            return Ok((Stage::Changes(Invalidation::new(uri)), Verdict::Continue));
        }
        let directives = self.directives(request);
        if directives.has("no-store") || passes_by(request) {
            return Ok((Stage::Passes(Forwarded::Bypass), Verdict::Continue));
        }
        let asked = Asked::new(uri, settings, request, ctx);
        let personal = personal::is_personal(request, ctx, settings)?;
        let conditions = Conditions::of(request);
        let conditional = conditions.are_there();
        let mut asking = Asking { directives, personal, conditional, asked, settings };
        let found = asking.look()?;
        let choice = asking.choose(found, method == Method::Get)?;
        let (entry, report) = match choice {
            Choice::Answer(entry, report) => (entry, report),
            Choice::Forward(_) if asking.directives.has("only-if-cached") => {
                let problem = Problem::new(504, "the response is not in the cache").kind("not-cached");
                return Ok((Stage::Served, problem.into()));
            }
            Choice::Forward(outgoing) if method == Method::Head => {
                return Ok((Stage::Passes(outgoing.reason), Verdict::Continue));
            }
            Choice::Forward(outgoing) => {
                let Asking { asked, personal, .. } = asking;
                let forward = Forward::new(*outgoing, asked, personal, conditions, now());
                forward.prepare(request)?;
                return Ok((Stage::Forwarded(Box::new(forward)), Verdict::Continue));
            }
        };
        let now = now();
        let reply = report.in_reply(serving::reply(&entry, now, &conditions), &entry, now, settings);
        Ok((Stage::Served, reply.into()))
    }

    fn directives(&self, request: &Request) -> Directives {
        if self.settings.ignore_request_directives {
            return Directives::default();
        }
        let lines = request.headers().get_all("cache-control");
        let pragma =
            || request.headers().get("pragma").is_some_and(|value| value.to_string().contains("no-cache"));
        // RFC 9111 section 5.4: `Pragma` counts only where there is no `Cache-Control`.
        if lines.is_empty() && pragma() { Directives::no_cache() } else { Directives::read(&lines) }
    }
}

/// Whether the request wants what only the upstream can decide (RFC 9110 sections 13.1 and 14.2), or brings a body.
fn passes_by(request: &Request) -> bool {
    let headers = request.headers();
    let names = ["range", "if-range", "if-match", "if-unmodified-since"];
    names.iter().any(|name| headers.contains(name)) || request.has_body()
}

/// A request that may be answered from the store.
struct Asking<'a> {
    asked: Asked,
    directives: Directives,
    personal: bool,
    /// It has conditions of its own.
    conditional: bool,
    settings: &'a Settings,
}

enum Choice {
    Answer(Box<entry::Entry>, Report),
    Forward(Box<Outgoing>),
}

impl Asking<'_> {
    /// What is stored and may be used for this client.
    fn look(&self) -> Result<Found> {
        let mut found = shelf::find(&self.asked)?;
        found.entry = found.entry.filter(|entry| !self.personal || entry.rules.shareable);
        Ok(found)
    }

    fn choose(&mut self, found: Found, may_lead: bool) -> Result<Choice> {
        let now = now();
        let Found { index, entry } = found;
        let usage = entry.as_ref().map(|entry| judge(entry, now, &self.directives));
        let reason = match (&usage, &index) {
            (Some(Use::Validate { forced: true }), _) => Forwarded::Request,
            (Some(_), _) => Forwarded::Stale,
            (None, Some(index)) if !index.vary.is_empty() => Forwarded::VaryMiss,
            (None, _) => Forwarded::UriMiss,
        };
        let entry = match (usage, entry) {
            (Some(Use::Fresh), Some(entry)) => {
                return Ok(Choice::Answer(Box::new(entry), Report::hit(false)));
            }
            (Some(Use::Stale), Some(entry)) => {
                return Ok(Choice::Answer(Box::new(entry), Report::stale("max-stale")));
            }
            (_, entry) => entry,
        };
        let mut outgoing = Outgoing { reason, stored: entry, flight: None };
        let is_alone = usage == Some(Use::Validate { forced: true }) || self.directives.has("only-if-cached");
        // What answers a person, or the client's own conditions, would be of no use to the others.
        let is_for_one = outgoing.stored.is_none() && (self.personal || self.conditional);
        if is_alone || is_for_one || !may_lead || self.settings.wait.is_zero() {
            return Ok(Choice::Forward(Box::new(outgoing)));
        }
        let revalidates =
            outgoing.stored.as_ref().is_some_and(|entry| within(entry, now, entry.rules.while_revalidate));
        let wait = if revalidates { std::time::Duration::ZERO } else { self.settings.wait.get() };
        let flight = self.asked.flight(index.as_ref())?;
        match shelf::lead(&flight, self.settings, wait)? {
            Flight::Leads => outgoing.flight = Some(flight),
            // Somebody is validating it: until then the stale one serves.
            Flight::Alone | Flight::Landed if revalidates => {
                if let Some(entry) = outgoing.stored.take() {
                    let report = Report::stale("stale-while-revalidate");
                    return Ok(Choice::Answer(Box::new(entry), report));
                }
            }
            Flight::Landed => {
                let again = self.look()?.entry;
                if let Some(entry) = again {
                    if judge(&entry, crate::now(), &self.directives) == Use::Fresh {
                        return Ok(Choice::Answer(Box::new(entry), Report::hit(true)));
                    }
                    outgoing.stored = Some(entry);
                }
            }
            Flight::Alone => {}
        }
        Ok(Choice::Forward(Box::new(outgoing)))
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    u64::try_from(clock::since_epoch().as_millis()).unwrap_or(u64::MAX)
}

/// The store may fail without anybody noticing but the log.
pub(crate) fn quietly(result: Result<()>) {
    if let Err(error) = result {
        debug!("the cache could not be changed: {error}");
    }
}
