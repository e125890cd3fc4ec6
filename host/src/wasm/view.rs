//! What plugins see of an exchange, and the slot through which the calls of one exchange take turns.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, Version, request, response};
use sluice_abi::{BodyMode, Hold, Origin, Outcome, Reply};
use tokio::sync::Notify;

use crate::consumers::Consumer;
use crate::metering::Tab;
use crate::store::remote::Budget;

/// Bytes of context values, names included, that one exchange may hold.
const MAX_CONTEXT_BYTES: usize = 64 << 10;

/// What plugins see of an exchange. It is lent to one call at a time.
#[derive(Debug)]
pub(crate) struct ExchangeView {
    /// The request's head, while it is on its way to the upstream.
    pub(crate) request: Option<request::Parts>,
    /// Method and target as they left, once the head is gone.
    pub(crate) sent: Option<(Method, Uri)>,
    /// The response's head, in the response phases.
    pub(crate) response: Option<response::Parts>,
    /// Whether the request came with a body.
    pub(crate) has_body: bool,
    /// Whose the response is.
    pub(crate) origin: Origin,
    /// The body or chunk at hand.
    pub(crate) body: Bytes,
    /// What the plugin put in its place.
    pub(crate) written: Option<Bytes>,
    /// What the plugin keeps of the chunk for another call.
    pub(crate) hold: Option<Hold>,
    /// The trailers, where the end of a body is at hand.
    pub(crate) trailers: Option<HeaderMap>,
    /// How this step takes the body of the message at hand, if it has said so.
    pub(crate) body_mode: Option<BodyMode>,
    /// The call at hand has changed a head, or the body.
    pub(crate) wrote: bool,
    /// The answer given to `respond`.
    pub(crate) reply: Option<Reply>,
    /// How it ended, in the complete phase.
    pub(crate) outcome: Option<Outcome>,
    /// Who is asking, once an authentication step knows.
    pub(crate) consumer: Option<Arc<Consumer>>,
    /// The client's certificate in DER, if it has proven to own one.
    pub(crate) certificate: Option<Arc<[u8]>>,
    /// What it has used, where its chain meters.
    pub(crate) tab: Option<Arc<Tab>>,
    /// How long the exchange may still wait for a store that is on a server.
    pub(crate) store_budget: Option<Arc<Budget>>,
    /// Values that steps keep from phase to phase.
    pub(crate) context: ContextValues,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// In which the client asked.
    pub(crate) protocol: Version,
    /// The authority asked for.
    pub(crate) authority: HeaderValue,
    /// The client's address.
    pub(crate) client: IpAddr,
    /// The id of the exchange.
    pub(crate) request_id: HeaderValue,
    /// The matched route's name.
    pub(crate) route: Arc<str>,
    /// The path segments that the route names.
    pub(crate) path_params: Vec<(Box<str>, Box<str>)>,
}

/// What is known of an exchange before any step has seen it.
pub(crate) struct Asked {
    pub(crate) scheme: &'static str,
    pub(crate) protocol: Version,
    pub(crate) authority: HeaderValue,
    pub(crate) client: IpAddr,
    pub(crate) request_id: HeaderValue,
    pub(crate) route: Arc<str>,
    pub(crate) path_params: Vec<(Box<str>, Box<str>)>,
}

impl ExchangeView {
    /// An exchange that no step has seen.
    pub(crate) fn new(asked: Asked) -> Self {
        let Asked { scheme, protocol, authority, client, request_id, route, path_params } = asked;
        Self {
            request: None,
            sent: None,
            response: None,
            has_body: false,
            origin: Origin::Upstream,
            body: Bytes::new(),
            written: None,
            hold: None,
            trailers: None,
            body_mode: None,
            wrote: false,
            reply: None,
            outcome: None,
            consumer: None,
            certificate: None,
            tab: None,
            store_budget: None,
            context: ContextValues::default(),
            scheme,
            protocol,
            authority,
            client,
            request_id,
            route,
            path_params,
        }
    }

    /// The body or chunk for the next call, and its trailers if this is its end.
    pub(crate) fn show_body(&mut self, body: Bytes, trailers: Option<HeaderMap>) {
        self.body = body;
        self.written = None;
        self.hold = None;
        self.trailers = trailers;
    }

    /// The body or chunk as the plugin left it.
    pub(crate) fn take_body(&mut self) -> Left {
        let shown = std::mem::take(&mut self.body);
        let is_written = self.written.is_some();
        let held = self.hold.take().map(|hold| (shown.slice(hold.from..), hold.want));
        let passed = match (self.written.take(), &held) {
            (Some(written), _) => written,
            (None, Some((held, _))) => shown.slice(..shown.len() - held.len()),
            (None, None) => shown,
        };
        Left { passed, is_written, held, trailers: self.trailers.take() }
    }

    /// The request's head leaves; what it asked for stays known.
    pub(crate) fn send_request(&mut self) -> Option<request::Parts> {
        let parts = self.request.take()?;
        self.sent = Some((parts.method.clone(), parts.uri.clone()));
        Some(parts)
    }
}

/// What a call leaves of a body or chunk.
pub(crate) struct Left {
    /// What goes on.
    pub(crate) passed: Bytes,
    /// The plugin wrote that.
    pub(crate) is_written: bool,
    /// What is to be shown again, and how many bytes together with it.
    pub(crate) held: Option<(Bytes, usize)>,
    /// Where this is the end.
    pub(crate) trailers: Option<HeaderMap>,
}

/// Where a context value belongs: to a step (by its place in the chain) or to the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContextKey<'a> {
    Step(usize, &'a [u8]),
    Exchange(&'a [u8]),
}

#[derive(Clone, Debug)]
struct ContextValue {
    step: Option<usize>,
    name: Box<[u8]>,
    value: Box<[u8]>,
}

/// The context values of one exchange: few, so a scan finds them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContextValues {
    values: Vec<ContextValue>,
    bytes: usize,
}

impl ContextValues {
    fn position(&self, key: ContextKey<'_>) -> Option<usize> {
        let (step, name) = key.parts();
        self.values.iter().position(|held| held.step == step && *held.name == *name)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: ContextKey<'_>) -> Option<&[u8]> {
        Some(&self.values[self.position(key)?].value)
    }

    /// Sets a value, unless the exchange would hold too many bytes.
    pub(crate) fn set(&mut self, key: ContextKey<'_>, value: &[u8]) -> bool {
        let (step, name) = key.parts();
        let position = self.position(key);
        let held = position.map_or(0, |at| self.values[at].value.len() + name.len());
        let bytes = self.bytes - held + name.len() + value.len();
        if bytes > MAX_CONTEXT_BYTES {
            return false;
        }
        self.bytes = bytes;
        match position {
            Some(at) => self.values[at].value = value.into(),
            None => self.values.push(ContextValue { step, name: name.into(), value: value.into() }),
        }
        true
    }

    /// Makes the values of the exchange what they were. Those of single steps stay.
    pub(crate) fn restore_shared(&mut self, before: Self) {
        self.values.retain(|held| held.step.is_some());
        self.values.extend(before.values.into_iter().filter(|held| held.step.is_none()));
        self.bytes = self.values.iter().map(|held| held.name.len() + held.value.len()).sum();
    }

    /// Removes a value; whether there was one.
    pub(crate) fn remove(&mut self, key: ContextKey<'_>) -> bool {
        let Some(at) = self.position(key) else { return false };
        let gone = self.values.swap_remove(at);
        self.bytes -= gone.name.len() + gone.value.len();
        true
    }
}

impl<'a> ContextKey<'a> {
    const fn parts(self) -> (Option<usize>, &'a [u8]) {
        match self {
            Self::Step(step, name) => (Some(step), name),
            Self::Exchange(name) => (None, name),
        }
    }
}

/// Holds the view between calls. A call takes it out and puts it back; while a suspended call has it,
/// the next one (a body chunk beside a response head) waits for its turn.
pub(crate) struct Slot {
    view: Cell<Option<Box<ExchangeView>>>,
    waiting: Cell<bool>,
    returned: Notify,
}

impl Slot {
    /// A slot that holds `view`.
    pub(crate) fn new(view: Box<ExchangeView>) -> Self {
        Self { view: Cell::new(Some(view)), waiting: Cell::new(false), returned: Notify::new() }
    }

    /// The view, if no call has it.
    pub(crate) fn try_take(&self) -> Option<Box<ExchangeView>> {
        self.view.take()
    }

    /// The view, as soon as no call has it.
    pub(crate) async fn take(&self) -> Box<ExchangeView> {
        loop {
            if let Some(view) = self.view.take() {
                return view;
            }
            self.waiting.set(true);
            self.returned.notified().await;
        }
    }

    /// Gives the view back.
    pub(crate) fn put(&self, view: Box<ExchangeView>) {
        self.view.set(Some(view));
        if self.waiting.replace(false) {
            self.returned.notify_waiters();
        }
    }

    /// Looks at the view as soon as no call has it.
    pub(crate) async fn lend<T>(&self, look: impl FnOnce(&mut ExchangeView) -> T) -> T {
        let mut view = self.take().await;
        let result = look(&mut view);
        self.put(view);
        result
    }

    /// Looks at the view between calls; `None` while a call has it.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut ExchangeView) -> T) -> Option<T> {
        let mut view = self.view.take()?;
        let result = look(&mut view);
        self.view.set(Some(view));
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_do_not_see_each_others_values() {
        let mut values = ContextValues::default();
        assert!(values.set(ContextKey::Step(0, b"a"), b"zero"));
        assert!(values.set(ContextKey::Step(1, b"a"), b"one"));
        assert!(values.set(ContextKey::Exchange(b"a"), b"all"));
        assert_eq!(values.get(ContextKey::Step(0, b"a")), Some(&b"zero"[..]));
        assert_eq!(values.get(ContextKey::Exchange(b"a")), Some(&b"all"[..]));
        assert!(values.remove(ContextKey::Step(0, b"a")));
        assert_eq!(values.get(ContextKey::Step(0, b"a")), None);
        assert_eq!(values.get(ContextKey::Step(1, b"a")), Some(&b"one"[..]));
    }

    #[test]
    fn values_are_bounded_and_replacing_one_frees_its_bytes() {
        let mut values = ContextValues::default();
        let half = vec![0; MAX_CONTEXT_BYTES / 2];
        assert!(values.set(ContextKey::Exchange(b"a"), &half));
        assert!(!values.set(ContextKey::Exchange(b"b"), &half));
        assert!(values.set(ContextKey::Exchange(b"a"), b""));
        assert!(values.set(ContextKey::Exchange(b"b"), &half));
        assert!(values.remove(ContextKey::Exchange(b"b")));
        assert_eq!(values.bytes, 1);
    }
}
