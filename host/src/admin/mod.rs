//! The gateway's own pages on a listener of their own: health, metrics, the snapshot, reload, what was used.
//! It reads everything; nothing knows it but the gateway that opens it.

mod pages;
mod usage;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::body::Body;
use crate::config::{Listener, Serve};
use crate::connection::{self, Abort, Handler};
use crate::exchange::Peer;
use crate::gateway::{ReloadRequest, State};
use crate::listener::accept_loop;
use crate::net::{Drain, Permits, Timer};
use crate::snapshot::Snapshot;
use crate::telemetry::Metrics;
use crate::tls::Acceptor;

/// The admin listeners, on the control runtime.
#[derive(Clone)]
pub(crate) struct AdminFronts {
    state: Rc<RefCell<State>>,
    metrics: Metrics,
    reload: mpsc::Sender<ReloadRequest>,
    open: Rc<RefCell<Open>>,
}

/// The listeners by name and address.
type Open = HashMap<(Arc<str>, std::net::SocketAddr), Rc<Pages>>;

impl AdminFronts {
    /// No listener yet.
    pub(crate) fn new(
        state: Rc<RefCell<State>>,
        metrics: Metrics,
        reload: mpsc::Sender<ReloadRequest>,
    ) -> Self {
        Self { state, metrics, reload, open: Rc::default() }
    }

    /// Serves a listener.
    pub(crate) fn open(
        &self,
        listener: &Listener,
        acceptor: Option<Arc<Acceptor>>,
        socket: std::net::TcpListener,
    ) -> std::io::Result<()> {
        let socket = TcpListener::from_std(socket)?;
        let pages = Rc::new(Pages {
            state: Rc::clone(&self.state),
            metrics: self.metrics.clone(),
            reload: self.reload.clone(),
            settings: RefCell::new(Rc::new(listener.clone())),
            acceptor: RefCell::new(acceptor),
            permits: Permits::new(listener.limits.connections),
            drain: Drain::new(),
        });
        self.open.borrow_mut().insert((Arc::clone(&listener.name), listener.bind), Rc::clone(&pages));
        let (permits, drain) = (pages.permits.clone(), pages.drain.clone());
        let accepting = accept_loop(socket, permits, drain, move |stream, address, permit| {
            let settings = Rc::clone(&pages.settings.borrow());
            let acceptor = pages.acceptor.borrow().clone();
            let (pages, drain) = (Rc::clone(&pages), pages.drain.clone());
            tokio::task::spawn_local(async move {
                let admitted =
                    connection::admit(stream, Peer::new(address, &settings), &settings, acceptor.as_deref())
                        .await;
                if let Ok((transport, peer)) = admitted {
                    connection::serve(transport, Rc::new(peer), settings, pages, drain).await;
                }
                drop(permit);
            });
        });
        tokio::task::spawn_local(accepting);
        Ok(())
    }

    /// All of them close at once.
    pub(crate) fn close(&self) {
        for (_, pages) in self.open.borrow_mut().drain() {
            pages.drain.start(Instant::now());
        }
    }

    /// Listeners that stay get their newest settings; those that are no longer configured for admin pages close.
    pub(crate) fn keep(&self, snapshot: &Snapshot) {
        let (listeners, drain) = (&snapshot.config.listeners, snapshot.config.reload.drain);
        self.open.borrow_mut().retain(|(name, bind), pages| {
            let stays = listeners.iter().find(|listener| {
                listener.name == *name && listener.bind == *bind && listener.serve != Serve::Proxy
            });
            match stays {
                Some(listener) => {
                    pages.permits.set_limit(listener.limits.connections);
                    pages.settings.replace(Rc::new(listener.clone()));
                    pages.acceptor.replace(snapshot.acceptors.get(name).cloned());
                }
                None => pages.drain.start(Instant::now() + drain),
            }
            stays.is_some()
        });
    }
}

/// A listener, and what its pages show and do.
struct Pages {
    state: Rc<RefCell<State>>,
    metrics: Metrics,
    reload: mpsc::Sender<ReloadRequest>,
    /// As they are now; a connection keeps those with which it began, but for what is served.
    settings: RefCell<Rc<Listener>>,
    acceptor: RefCell<Option<Arc<Acceptor>>>,
    permits: Permits,
    drain: Drain,
}

impl Pages {
    /// Whether the pages of `admin` and of `metrics` are served.
    fn served(&self) -> (bool, bool) {
        match self.settings.borrow().serve {
            Serve::Proxy => (false, false),
            Serve::Admin { admin, metrics } => (admin, metrics),
        }
    }
}

impl Handler for Pages {
    async fn handle(
        &self,
        request: Request<Body>,
        _peer: &Rc<Peer>,
        _timer: Timer,
    ) -> Result<Response<Body>, Abort> {
        Ok(self.answer(request).await)
    }
}
