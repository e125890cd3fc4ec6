//! Who is on the other end of a client connection.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{CONTENT_SECURITY_POLICY, LINK};
use http::{HeaderMap, HeaderValue};

use super::forwarded;
use crate::config::Listener;

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) listener: Arc<str>,
    /// The address is one of the listener's `trusted_proxies`, as the newest request's snapshot has them.
    pub(crate) trusted: Cell<bool>,
    pub(crate) scheme: &'static str,
    /// The address as a field value: formatted once per connection, shared by its requests.
    pub(crate) address_value: HeaderValue,
    /// What a client that is answered one request at a time is to be told before its answer.
    hints: RefCell<Vec<HeaderMap>>,
}

/// Hints that may be on their way at a time.
const HINTS: usize = 16;

impl Peer {
    pub(crate) fn new(address: SocketAddr, listener: &Listener) -> Self {
        let trusted = forwarded::is_trusted(address.ip(), &listener.trusted_proxies);
        Self::build(address, Arc::clone(&listener.name), trusted)
    }

    fn build(address: SocketAddr, listener: Arc<str>, trusted: bool) -> Self {
        let text = address.ip().to_canonical().to_string();
        let address_value = HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
            .expect("an address is a valid field value");
        let (trusted, hints) = (Cell::new(trusted), RefCell::default());
        Self { address, listener, trusted, scheme: "http", address_value, hints }
    }

    /// The client is to be told what it may begin to load. No step sees these fields, so only those are passed on that a client acts on
    /// before its answer (RFC 8297 section 2, and HTML's processing of early hints).
    pub(crate) fn hint(&self, fields: &HeaderMap) {
        let mut hint = HeaderMap::new();
        for name in [LINK, CONTENT_SECURITY_POLICY] {
            for value in fields.get_all(&name) {
                hint.append(&name, value.clone());
            }
        }
        let mut hints = self.hints.borrow_mut();
        if !hint.is_empty() && hints.len() < HINTS {
            hints.push(hint);
        }
    }

    /// What it is to be told, once.
    pub(crate) fn take_hints(&self) -> Vec<HeaderMap> {
        std::mem::take(&mut *self.hints.borrow_mut())
    }

    #[cfg(test)]
    pub(crate) fn for_tests(address: SocketAddr, trusted: bool) -> Self {
        Self::build(address, "test".into(), trusted)
    }
}
