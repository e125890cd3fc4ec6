//! The gateway's own pages on a listener of their own: health, metrics, the snapshot, reload.
//! It reads everything; nothing knows it but the gateway that opens it.

mod pages;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

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
use crate::net::{Drain, Permits};
use crate::telemetry::Metrics;

/// The admin listeners, on the control runtime.
#[derive(Clone)]
pub(crate) struct AdminFronts {
    state: Rc<RefCell<State>>,
    metrics: Metrics,
    reload: mpsc::Sender<ReloadRequest>,
    open: Rc<RefCell<Open>>,
}

/// What to start to close a listener, by its name and address.
type Open = HashMap<(Arc<str>, std::net::SocketAddr), Drain>;

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
    pub(crate) fn open(&self, listener: &Listener, socket: std::net::TcpListener) -> std::io::Result<()> {
        let Serve::Admin { admin, metrics } = listener.serve else { return Ok(()) };
        let socket = TcpListener::from_std(socket)?;
        let drain = Drain::new();
        self.open.borrow_mut().insert((Arc::clone(&listener.name), listener.bind), drain.clone());
        let settings = Rc::new(listener.clone());
        let pages = Rc::new(Pages {
            state: Rc::clone(&self.state),
            metrics: self.metrics.clone(),
            reload: self.reload.clone(),
            serves_admin: admin,
            serves_metrics: metrics,
        });
        let permits = Permits::new(listener.limits.connections);
        let watched = drain.clone();
        let accepting = accept_loop(socket, permits, drain, move |stream, address, permit| {
            let peer = Rc::new(Peer::new(address, &settings));
            let (settings, pages, drain) = (Rc::clone(&settings), Rc::clone(&pages), watched.clone());
            tokio::task::spawn_local(async move {
                connection::serve(stream, peer, settings, pages, drain).await;
                drop(permit);
            });
        });
        tokio::task::spawn_local(accepting);
        Ok(())
    }

    /// Closes the listeners that are no longer configured.
    pub(crate) fn keep(&self, listeners: &[Listener], drain: Duration) {
        self.open.borrow_mut().retain(|(name, bind), front| {
            let stays = listeners.iter().any(|listener| listener.name == *name && listener.bind == *bind);
            if !stays {
                front.start(Instant::now() + drain);
            }
            stays
        });
    }
}

/// What the pages show and do.
struct Pages {
    state: Rc<RefCell<State>>,
    metrics: Metrics,
    reload: mpsc::Sender<ReloadRequest>,
    serves_admin: bool,
    serves_metrics: bool,
}

impl Handler for Pages {
    async fn handle(&self, request: Request<Body>, _peer: &Rc<Peer>) -> Result<Response<Body>, Abort> {
        Ok(self.answer(&request).await)
    }
}
