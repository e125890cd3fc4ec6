//! A listener as one worker serves it: its settings, its metrics, its connections.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::body::Body;
use crate::config::Listener;
use crate::connection::{self, Abort, Handler, Refusal};
use crate::exchange::{self, Gate, Peer};
use crate::listener::accept_loop;
use crate::net::{Crowd, Drain, Member, Permits, Timer};
use crate::telemetry::ListenerMetrics;
use crate::tls::{Acceptor, HandshakeFailure};

/// A listener that is open on this worker. Its settings are those of the newest snapshot that has it.
pub(super) struct Front {
    shared: Rc<Shared>,
    /// One for each socket.
    accepting: Vec<JoinHandle<()>>,
}

struct Shared {
    settings: RefCell<Rc<Listener>>,
    /// Shakes hands, if it speaks TLS.
    acceptor: RefCell<Option<Arc<Acceptor>>>,
    proxy: Rc<Proxy>,
    permits: Permits,
    drain: Drain,
}

/// How much of a listener's limit each of `workers` has.
fn share(limit: usize, workers: usize) -> usize {
    limit.div_ceil(workers).max(1)
}

impl Front {
    /// Begins to accept.
    pub(super) fn open(
        gate: &Rc<Gate>,
        listener: &Listener,
        acceptor: Option<Arc<Acceptor>>,
        workers: usize,
        socket: TcpListener,
    ) -> Self {
        let metrics = gate.metrics.listener(&listener.name);
        let exchanges = Permits::new(share(listener.limits.exchanges, workers));
        let shared = Rc::new(Shared {
            settings: RefCell::new(Rc::new(listener.clone())),
            acceptor: RefCell::new(acceptor),
            proxy: Rc::new(Proxy { gate: Rc::clone(gate), metrics, exchanges }),
            permits: Permits::new(share(listener.limits.connections, workers)),
            drain: Drain::new(),
        });
        let mut front = Self { shared, accepting: Vec::new() };
        front.accept(socket);
        front
    }

    /// Accepts on another socket too.
    pub(super) fn accept(&mut self, socket: TcpListener) {
        let front = Rc::clone(&self.shared);
        let (permits, drain) = (front.permits.clone(), front.drain.clone());
        let accepting = accept_loop(socket, permits, drain, move |stream, address, permit| {
            let served = front.serve(stream, address);
            tokio::task::spawn_local(async move {
                served.await;
                drop(permit);
            });
        });
        self.accepting.push(tokio::task::spawn_local(accepting));
    }

    pub(super) fn bind(&self) -> SocketAddr {
        self.shared.settings.borrow().bind
    }

    /// New connections get these settings.
    pub(super) fn refresh(&self, listener: &Listener, acceptor: Option<Arc<Acceptor>>, workers: usize) {
        self.shared.acceptor.replace(acceptor);
        if **self.shared.settings.borrow() != *listener {
            self.shared.permits.set_limit(share(listener.limits.connections, workers));
            self.shared.proxy.exchanges.set_limit(share(listener.limits.exchanges, workers));
            self.shared.settings.replace(Rc::new(listener.clone()));
        }
    }

    /// Stops accepting; what is open has until then.
    pub(super) fn close(&self, deadline: Instant) {
        self.shared.drain.start(deadline);
    }

    /// Whether nothing is left of it.
    pub(super) fn is_over(&self) -> bool {
        self.accepting.iter().all(JoinHandle::is_finished) && self.shared.drain.connections() == 0
    }

    /// Returns when what the kernel had queued was taken in and the last connection is gone.
    pub(super) async fn finished(&mut self) {
        // A panic while accepting leaves connections that are waited for below.
        for accepting in &mut self.accepting {
            let _ = accepting.await;
        }
        self.shared.drain.finished().await;
    }
}

impl Shared {
    /// Serves a connection with the listener's settings as they are now, or as they last were.
    fn serve(&self, stream: TcpStream, address: SocketAddr) -> impl Future<Output = ()> + use<> {
        let settings = Rc::clone(&self.settings.borrow());
        let acceptor = self.acceptor.borrow().clone();
        let (proxy, drain) = (Rc::clone(&self.proxy), self.drain.clone());
        // From here on, and not only once its task runs, a drain waits for it.
        let counted = drain.watch();
        async move {
            let metrics = Arc::clone(&proxy.metrics);
            metrics.connection_opened();
            let mut stream = stream;
            let peer = peer(&mut stream, address, &settings, &metrics, &drain).await;
            let admitted = peer.and_then(|peer| {
                let member = joined(&proxy.gate.crowd, &peer, &settings);
                if member.is_err() {
                    metrics.refused("connections-per-address");
                }
                Some((peer, member.ok()?))
            });
            if let Some((peer, _member)) = admitted {
                match connection::admit(stream, peer, &settings, acceptor.as_deref()).await {
                    Ok((transport, peer)) => {
                        connection::serve(transport, Rc::new(peer), settings, proxy, drain).await;
                    }
                    Err(HandshakeFailure(reason)) => metrics.refused(reason),
                }
            }
            metrics.connection_closed();
            drop(counted);
        }
    }
}

/// Who is on the other end, or `None` where the connection goes no further.
async fn peer(
    stream: &mut TcpStream,
    address: SocketAddr,
    settings: &Listener,
    metrics: &ListenerMetrics,
    drain: &Drain,
) -> Option<Peer> {
    if !settings.proxy_protocol {
        return Some(Peer::new(address, settings));
    }
    if !exchange::is_trusted(address.ip(), &settings.trusted_proxies) {
        metrics.refused("proxy-untrusted");
        return None;
    }
    // Boxed: its size would be that of every connection's task.
    match Box::pin(connection::announced_client(stream, settings, drain)).await {
        Ok(Some(client)) => Some(Peer::new(client, settings)),
        Ok(None) => Some(Peer::silent(address, settings)),
        Err(reason) => {
            if let Some(kind) = reason.as_str() {
                metrics.refused(kind);
            }
            None
        }
    }
}

/// Its address has more connections than it may.
struct Crowded;

/// Counts a connection of a peer. The operator's own proxies, which bring many clients, are not counted.
fn joined(crowd: &Arc<Crowd>, peer: &Peer, settings: &Listener) -> Result<Option<Member>, Crowded> {
    let address = peer.address.ip();
    if exchange::is_trusted(address, &settings.trusted_proxies) {
        return Ok(None);
    }
    let most = settings.limits.connections_per_address;
    crowd.join(&settings.name, address, most).map(Some).ok_or(Crowded)
}

/// Answers requests by the routes.
struct Proxy {
    gate: Rc<Gate>,
    metrics: Arc<ListenerMetrics>,
    /// Places for requests.
    exchanges: Permits,
}

impl Handler for Proxy {
    async fn handle(
        &self,
        request: http::Request<Body>,
        peer: &Rc<Peer>,
        timer: Timer,
    ) -> Result<http::Response<Body>, Abort> {
        Ok(exchange::serve(&self.gate, peer, timer, request).await)
    }

    fn places(&self) -> Option<&Permits> {
        Some(&self.exchanges)
    }

    fn refused(&self, refusal: Refusal, _peer: &Rc<Peer>) {
        self.metrics.refused(refusal.as_str());
    }
}
