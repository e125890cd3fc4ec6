//! One address of an upstream and the idle connections to it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::error::{UpstreamError, UpstreamErrorKind};
use super::lease::Lease;
use crate::config;

pub(super) struct Target {
    /// `host:port`.
    authority: Arc<str>,
    address: Address,
    policy: Cell<Policy>,
    /// The one used last is used next: under less load the others grow old and are closed.
    #[allow(
        clippy::vec_box,
        reason = "a lease travels as the boxed tail of a response body: boxed once, never per exchange"
    )]
    idle: RefCell<Vec<Box<Lease>>>,
}

/// How connections are kept. A reload can change it while the connections stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) connect: Duration,
    pub(super) idle: Duration,
    pub(super) max_idle: usize,
}

enum Address {
    Known(SocketAddr),
    Name(String, u16),
}

impl Target {
    pub(super) fn new(config: &config::Target, policy: Policy) -> Self {
        let (host, port) = (config.host.as_str(), config.port);
        let (authority, address) = match host.parse::<IpAddr>() {
            Ok(ip) => (SocketAddr::new(ip, port).to_string(), Address::Known(SocketAddr::new(ip, port))),
            Err(_) => (format!("{host}:{port}"), Address::Name(host.to_owned(), port)),
        };
        Self { authority: authority.into(), address, policy: Cell::new(policy), idle: RefCell::default() }
    }

    pub(super) fn authority(&self) -> &Arc<str> {
        &self.authority
    }

    pub(super) fn set_policy(&self, policy: Policy) {
        self.policy.set(policy);
    }

    /// An idle connection that can carry a request now.
    pub(super) fn take(&self) -> Option<Box<Lease>> {
        let mut idle = self.idle.borrow_mut();
        let place = idle.iter().rposition(|lease| lease.is_ready())?;
        Some(idle.remove(place))
    }

    /// Takes a connection back, unless there are enough.
    pub(super) fn put(&self, lease: Box<Lease>) {
        let policy = self.policy.get();
        let mut idle = self.idle.borrow_mut();
        if idle.len() < policy.max_idle && !lease.is_closed() {
            lease.rest(policy.idle);
            idle.push(lease);
        }
    }

    /// A driver has ended.
    pub(super) fn forget_closed(&self) {
        self.idle.borrow_mut().retain(|lease| !lease.is_closed());
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.idle.borrow().len()
    }

    pub(super) async fn connect(self: &Rc<Self>) -> Result<Box<Lease>, UpstreamError> {
        let failed = |kind| UpstreamError::new(kind, Some(&self.authority));
        let stream = match timeout(self.policy.get().connect, self.dial()).await {
            Err(_) => return Err(failed(UpstreamErrorKind::ConnectTimeout)),
            Ok(Err((kind, error))) => return Err(failed(kind).with_source(error)),
            Ok(Ok(stream)) => stream,
        };
        // Without it a request whose body follows its head waits for an acknowledgement.
        let _ = stream.set_nodelay(true);
        Lease::open(stream, self).await.map_err(|error| UpstreamError::from_hyper(error, &self.authority))
    }

    async fn dial(&self) -> Result<TcpStream, (UpstreamErrorKind, io::Error)> {
        let (name, port) = match &self.address {
            Address::Known(address) => {
                return TcpStream::connect(address)
                    .await
                    .map_err(|error| (UpstreamErrorKind::Connect, error));
            }
            Address::Name(name, port) => (name.as_str(), *port),
        };
        let found = lookup_host((name, port)).await.map_err(|error| (UpstreamErrorKind::Resolve, error))?;
        let mut last = (UpstreamErrorKind::Resolve, io::Error::from(io::ErrorKind::NotFound));
        for address in found {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = (UpstreamErrorKind::Connect, error),
            }
        }
        Err(last)
    }
}
