//! A client connection that may be handed over to another protocol: what both ends of the gateway know of it.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderValue;

/// A request's offer to speak another protocol on its connection (RFC 9110, 7.8), and after a 101 the bytes of its client. It is empty
/// until then, and nobody reads from the connection before.
#[derive(Clone)]
pub(crate) struct Tunnel(Rc<Shared>);

struct Shared {
    /// `Upgrade` of the request: the protocols that it offers, in the order of its preference.
    offered: HeaderValue,
    /// `Upgrade` of the response: the one that is spoken.
    accepted: RefCell<Option<HeaderValue>>,
    /// What has come and was not taken.
    chunk: Cell<Bytes>,
    ended: Cell<bool>,
    received: Cell<u64>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
}

impl Tunnel {
    /// What a request with this `Upgrade` offers.
    pub(crate) fn new(offered: HeaderValue) -> Self {
        Self(Rc::new(Shared {
            offered,
            accepted: RefCell::default(),
            chunk: Cell::default(),
            ended: Cell::new(false),
            received: Cell::new(0),
            reader: Cell::new(None),
            writer: Cell::new(None),
        }))
    }

    /// `Upgrade` of the request.
    pub(crate) fn offered(&self) -> HeaderValue {
        self.0.offered.clone()
    }

    /// The protocols that are offered, as they are written: `websocket`, `name/version`.
    pub(crate) fn offers(&self) -> impl Iterator<Item = &str> {
        protocols(&self.0.offered)
    }

    /// The other side speaks one of them from now on; `false` if it is none that was offered.
    pub(crate) fn accept(&self, spoken: HeaderValue) -> bool {
        let mut named = protocols(&spoken);
        let (Some(first), None) = (named.next(), named.next()) else { return false };
        let is_offered = self.offers().any(|offer| offer.eq_ignore_ascii_case(first));
        if is_offered {
            self.0.accepted.replace(Some(spoken.clone()));
        }
        is_offered
    }

    /// What is spoken, once the other side has said so.
    pub(crate) fn accepted(&self) -> Option<HeaderValue> {
        self.0.accepted.borrow().clone()
    }

    /// Bytes of the client so far.
    pub(crate) fn received(&self) -> u64 {
        self.0.received.get()
    }

    /// Waits until what was put in has been taken.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let chunk = self.0.chunk.take();
        let is_taken = chunk.is_empty();
        self.0.chunk.set(chunk);
        if is_taken {
            return Poll::Ready(());
        }
        self.0.writer.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Bytes of the client, which has no others under way; none are its end.
    pub(crate) fn put(&self, bytes: Bytes) {
        self.0.received.set(self.0.received.get() + bytes.len() as u64);
        self.0.ended.set(bytes.is_empty());
        self.0.chunk.set(bytes);
        if let Some(reader) = self.0.reader.take() {
            reader.wake();
        }
    }

    fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let chunk = self.0.chunk.take();
        if !chunk.is_empty() {
            if let Some(writer) = self.0.writer.take() {
                writer.wake();
            }
            return Poll::Ready(Some(chunk));
        }
        if self.0.ended.get() {
            return Poll::Ready(None);
        }
        self.0.reader.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

/// The client's bytes as a body.
pub(super) struct TunnelBytes(Tunnel);

impl Tunnel {
    pub(crate) fn bytes(&self) -> impl http_body::Body<Data = Bytes, Error = super::BodyError> + use<> {
        TunnelBytes(self.clone())
    }
}

impl TunnelBytes {
    /// The next of them; `None` at their end.
    pub(super) fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_take(cx)
    }
}

/// The members of a list of protocols (RFC 9110, 7.8).
fn protocols(value: &HeaderValue) -> impl Iterator<Item = &str> {
    let text = value.to_str().unwrap_or_default();
    text.split(',').map(str::trim).filter(|protocol| !protocol.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(offered: &'static str) -> Tunnel {
        Tunnel::new(HeaderValue::from_static(offered))
    }

    #[test]
    fn one_of_what_is_offered_may_be_spoken() {
        let offers: Vec<String> = tunnel("a/1, websocket ,").offers().map(str::to_owned).collect();
        assert_eq!(offers, ["a/1", "websocket"]);
        for (spoken, is_offered) in
            [("websocket", true), ("WebSocket", true), ("a", false), ("a/1, websocket", false), ("", false)]
        {
            let tunnel = tunnel("a/1, websocket");
            assert_eq!(tunnel.accept(HeaderValue::from_static(spoken)), is_offered, "{spoken}");
            assert_eq!(tunnel.accepted().is_some(), is_offered);
        }
    }

    #[test]
    fn bytes_are_taken_one_after_the_other_until_the_end() {
        let (tunnel, cx) = (tunnel("a"), &mut Context::from_waker(Waker::noop()));
        let mut bytes = TunnelBytes(tunnel.clone());
        let mut next = || Pin::new(&mut bytes).poll_next(&mut Context::from_waker(Waker::noop()));
        assert!(next().is_pending());
        assert!(tunnel.poll_room(cx).is_ready());
        tunnel.put(Bytes::from_static(b"one"));
        assert!(tunnel.poll_room(cx).is_pending());
        assert_eq!(next(), Poll::Ready(Some(Bytes::from_static(b"one"))));
        assert!(tunnel.poll_room(cx).is_ready());
        tunnel.put(Bytes::new());
        assert_eq!(next(), Poll::Ready(None));
        assert_eq!(tunnel.received(), 3);
    }
}
