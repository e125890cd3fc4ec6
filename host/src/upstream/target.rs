//! One address of an upstream and the idle connections to it.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};

use super::error::{UpstreamError, UpstreamErrorKind};
use super::h2::{self, Connections};
use super::lease::Lease;
use crate::config;

pub(super) struct Target {
    /// `host:port`.
    authority: Arc<str>,
    address: Address,
    policy: Cell<Policy>,
    /// The one used last is used next: under less load the others grow old and are closed.
    idle: RefCell<Vec<Idle>>,
    /// Over HTTP/2.
    shared: Connections,
    /// Idle connections are looked after.
    swept: Cell<bool>,
}

struct Idle {
    lease: Lease,
    until: Instant,
}

/// How often idle connections are looked after: whoever takes one looks at it anyway, so this only gives back what is not used.
const SWEEP: Duration = Duration::from_secs(1);

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
        Self {
            authority: authority.into(),
            address,
            policy: Cell::new(policy),
            idle: RefCell::default(),
            shared: Connections::new(),
            swept: Cell::new(false),
        }
    }

    pub(super) fn authority(&self) -> &Arc<str> {
        &self.authority
    }

    pub(super) fn set_policy(&self, policy: Policy) {
        self.policy.set(policy);
    }

    /// An idle connection that can carry a request now.
    pub(super) fn take(&self, now: Instant) -> Option<Lease> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let Idle { lease, until } = idle.pop()?;
            if now < until && lease.line().is_quiet() {
                return Some(lease);
            }
        }
    }

    /// Takes a connection back, unless there are enough.
    pub(super) fn put(self: &Rc<Self>, lease: Lease, now: Instant) {
        let policy = self.policy.get();
        let mut idle = self.idle.borrow_mut();
        if idle.len() < policy.max_idle {
            idle.push(Idle { lease, until: now + policy.idle });
            self.look_after();
        }
    }

    fn look_after(self: &Rc<Self>) {
        if !self.swept.replace(true) {
            tokio::task::spawn_local(sweep(Rc::downgrade(self), self.policy.get().idle.min(SWEEP)));
        }
    }

    /// A connection over HTTP/2 with room for another stream.
    pub(super) async fn share(self: &Rc<Self>) -> Result<Rc<h2::Connection>, UpstreamError> {
        if let Some(connection) = self.shared.find() {
            return Ok(connection);
        }
        let failed = |kind| UpstreamError::new(kind, Some(&self.authority));
        let connection = self.shared.connect(async || self.reach().await, failed).await?;
        self.look_after();
        Ok(connection)
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> usize {
        self.shared.count()
    }

    #[cfg(test)]
    pub(super) fn streams(&self) -> usize {
        self.shared.streams()
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.idle.borrow().len()
    }

    pub(super) async fn connect(self: &Rc<Self>) -> Result<Lease, UpstreamError> {
        Ok(Lease::new(self.reach().await?, self))
    }

    /// A new connection, in time.
    async fn reach(&self) -> Result<TcpStream, UpstreamError> {
        let failed = |kind| UpstreamError::new(kind, Some(&self.authority));
        let stream = match timeout(self.policy.get().connect, self.dial()).await {
            Err(_) => return Err(failed(UpstreamErrorKind::ConnectTimeout)),
            Ok(Err((kind, error))) => return Err(failed(kind).with_source(error)),
            Ok(Ok(stream)) => stream,
        };
        // Without it a request whose body follows its head waits for an acknowledgement.
        let _ = stream.set_nodelay(true);
        Ok(stream)
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

/// Closes idle connections that are too old or that the target has closed, until there are none.
async fn sweep(target: Weak<Target>, every: Duration) {
    loop {
        sleep(every).await;
        let Some(target) = target.upgrade() else { return };
        let now = Instant::now();
        let mut idle = target.idle.borrow_mut();
        idle.retain(|idle| now < idle.until && idle.lease.line().is_quiet());
        let are_shared = target.shared.sweep(now, target.policy.get().idle);
        if idle.is_empty() && !are_shared {
            idle.shrink_to_fit();
            target.swept.set(false);
            return;
        }
    }
}
