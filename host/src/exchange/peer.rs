//! Who is on the other end of a client connection.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;

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
}

impl Peer {
    pub(crate) fn new(address: SocketAddr, listener: &Listener) -> Self {
        let trusted = forwarded::is_trusted(address.ip(), &listener.trusted_proxies);
        Self::build(address, Arc::clone(&listener.name), trusted)
    }

    fn build(address: SocketAddr, listener: Arc<str>, trusted: bool) -> Self {
        let text = address.ip().to_canonical().to_string();
        let address_value = HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
            .expect("an address is a valid field value");
        Self { address, listener, trusted: Cell::new(trusted), scheme: "http", address_value }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(address: SocketAddr, trusted: bool) -> Self {
        Self::build(address, "test".into(), trusted)
    }
}
