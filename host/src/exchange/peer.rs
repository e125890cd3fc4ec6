//! Who is on the other end of a client connection.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{CONTENT_SECURITY_POLICY, LINK};
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use super::forwarded;
use crate::config::Listener;
use crate::tls::{Agreed, Secured};

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) listener: Arc<str>,
    /// The address is one of the listener's `trusted_proxies`, as the newest request's snapshot has them.
    pub(crate) trusted: Cell<bool>,
    /// It sent no word of its client where it had to: it vouches for nobody.
    silent: bool,
    pub(crate) scheme: &'static str,
    /// The address as a field value: formatted once per connection, shared by its requests.
    pub(crate) address_value: HeaderValue,
    /// What a client that is answered one request at a time is to be told before its answer.
    hints: RefCell<Vec<HeaderMap>>,
    /// What its TLS handshake has told, if there was one.
    secured: Option<Secured>,
    /// The fields that tell upstreams the certificate that it has shown there.
    pub(super) client_cert: Option<ClientCert>,
}

/// `Client-Cert` and `Client-Cert-Chain` (RFC 9440 section 2).
#[derive(Debug)]
pub(super) struct ClientCert {
    pub(super) leaf: HeaderValue,
    pub(super) chain: Option<HeaderValue>,
}

/// Hints that may be on their way at a time.
const HINTS: usize = 16;

impl Peer {
    pub(crate) fn new(address: SocketAddr, listener: &Listener) -> Self {
        let trusted = forwarded::is_trusted(address.ip(), &listener.trusted_proxies);
        Self::build(address, Arc::clone(&listener.name), trusted)
    }

    /// A proxy that did not say whose connection it passes on: what the requests say is not the proxy's word.
    pub(crate) fn silent(address: SocketAddr, listener: &Listener) -> Self {
        Self { silent: true, ..Self::build(address, Arc::clone(&listener.name), false) }
    }

    /// Judges it by the newest networks.
    pub(super) fn judge(&self, trusted: &[IpNet]) {
        self.trusted.set(!self.silent && forwarded::is_trusted(self.address.ip(), trusted));
    }

    fn build(address: SocketAddr, listener: Arc<str>, trusted: bool) -> Self {
        let text = address.ip().to_canonical().to_string();
        let address_value = HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
            .expect("an address is a valid field value");
        let (trusted, hints) = (Cell::new(trusted), RefCell::default());
        Self {
            address,
            listener,
            trusted,
            silent: false,
            scheme: "http",
            address_value,
            hints,
            secured: None,
            client_cert: None,
        }
    }

    /// Has shaken hands. Upstreams are told its certificate if it `forwards`.
    pub(crate) fn secured(self, secured: Secured, forwards: bool) -> Self {
        let client_cert = if forwards { ClientCert::of(&secured.client) } else { None };
        Self { scheme: "https", secured: Some(secured), client_cert, ..self }
    }

    /// What both have agreed to speak before the first byte.
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        self.secured.as_ref()?.protocol
    }

    /// Whether it may ask for a host on this connection.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        self.secured.as_ref().is_none_or(|secured| secured.is_for(host))
    }

    /// The certificate that it has shown, in DER.
    pub(super) fn certificate(&self) -> Option<&Arc<[u8]>> {
        self.secured.as_ref()?.client.first()
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

impl ClientCert {
    fn of(certificates: &[Arc<[u8]>]) -> Option<Self> {
        let item = |der: &Arc<[u8]>| format!(":{}:", data_encoding::BASE64.encode(der));
        let (leaf, others) = certificates.split_first()?;
        let chain: Vec<String> = others.iter().map(item).collect();
        let chain = if chain.is_empty() { None } else { HeaderValue::try_from(chain.join(", ")).ok() };
        Some(Self { leaf: HeaderValue::try_from(item(leaf)).ok()?, chain })
    }
}
