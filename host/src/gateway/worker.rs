//! One worker: a current-thread runtime with its own sockets, connections, instances and snapshot.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::fetch;
use crate::body::Body;
use crate::chain::FaultReports;
use crate::config::{Listener, Serve};
use crate::connection::{self, Abort, Handler, Refusal};
use crate::exchange::{self, Gate, Peer};
use crate::listener::accept_loop;
use crate::net::{Drain, Permits};
use crate::snapshot::{Snapshot, WorkerParts};
use crate::telemetry::{AccessLogBuffer, ListenerMetrics, WorkerMetrics};
use crate::upstream::Upstreams;

/// What the control runtime asks of a worker.
pub(super) enum Command {
    /// Serve this snapshot from the next request on. `sockets` are for listeners that are new to it.
    Publish {
        snapshot: Arc<Snapshot>,
        sockets: Vec<(Arc<str>, std::net::TcpListener)>,
        done: oneshot::Sender<()>,
    },
    /// Stop accepting, finish what is under way within this time, and end.
    Drain(Duration),
}

/// A worker's thread and the way to it.
pub(super) struct Worker {
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) thread: std::thread::JoinHandle<()>,
}

/// What a worker is given when it starts.
pub(super) struct Equipment {
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) access_log: AccessLogBuffer,
    pub(super) reports: FaultReports,
    /// How many workers share the listeners' connection limits.
    pub(super) workers: usize,
}

impl Worker {
    /// Starts a worker's thread.
    pub(super) fn spawn(index: usize, equipment: Equipment) -> std::io::Result<Self> {
        let (commands, queue) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(work(equipment, queue)),
                Err(error) => tracing::error!(%error, "a worker cannot start"),
            }
        })?;
        Ok(Self { commands, thread })
    }
}

/// A listener as a worker serves it.
struct Open {
    drain: Drain,
    bind: SocketAddr,
}

/// A worker's state between commands.
struct Desk {
    parts: WorkerParts,
    access_log: Rc<AccessLogBuffer>,
    workers: usize,
    gate: Option<Rc<Gate>>,
    open: HashMap<Arc<str>, Open>,
}

async fn work(equipment: Equipment, mut commands: mpsc::UnboundedReceiver<Command>) {
    let (fetch, jobs) = mpsc::unbounded_channel();
    let parts = WorkerParts::new(Upstreams::new(), equipment.metrics, fetch, equipment.reports);
    let mut desk = Desk {
        parts,
        access_log: Rc::new(equipment.access_log),
        workers: equipment.workers,
        gate: None,
        open: HashMap::new(),
    };
    let flushing = tokio::task::spawn_local(Rc::clone(&desk.access_log).keep_flushed());
    let mut jobs = Some(jobs);
    while let Some(command) = commands.recv().await {
        match command {
            Command::Publish { snapshot, sockets, done } => {
                desk.publish(snapshot, sockets).await;
                if let (Some(gate), Some(jobs)) = (&desk.gate, jobs.take()) {
                    tokio::task::spawn_local(fetch::serve(Rc::clone(gate), jobs));
                }
                let _ = done.send(());
            }
            Command::Drain(within) => {
                desk.drain(within).await;
                break;
            }
        }
    }
    flushing.abort();
    desk.access_log.flush();
}

impl Desk {
    async fn publish(&mut self, snapshot: Arc<Snapshot>, sockets: Vec<(Arc<str>, std::net::TcpListener)>) {
        let own = Rc::new(self.parts.assemble(Arc::clone(&snapshot)).await);
        match &self.gate {
            // From here on the next request of any connection finds the new one.
            Some(gate) => drop(gate.snapshot.replace(own)),
            None => {
                let metrics = Arc::clone(&self.parts.metrics);
                self.gate = Some(Rc::new(Gate::new(own, metrics, Rc::clone(&self.access_log))));
            }
        }
        let drain = Instant::now() + snapshot.config.reload.drain;
        self.open.retain(|name, open| {
            let stays = snapshot.config.listeners.iter().any(|l| l.name == *name && l.bind == open.bind);
            if !stays {
                open.drain.start(drain);
            }
            stays
        });
        for (name, socket) in sockets {
            if let Some(listener) = snapshot.config.listeners.iter().find(|listener| listener.name == name) {
                self.listen(listener, socket);
            }
        }
    }

    fn listen(&mut self, listener: &Listener, socket: std::net::TcpListener) {
        let Some(gate) = &self.gate else { return };
        if listener.serve != Serve::Proxy {
            return;
        }
        let socket = match TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(listener = &*listener.name, %error, "a worker cannot listen");
                return;
            }
        };
        let drain = Drain::new();
        let permits = Permits::new(listener.limits.connections.div_ceil(self.workers).max(1));
        let front = Front { gate: Rc::clone(gate), name: Arc::clone(&listener.name), drain: drain.clone() };
        let accepting = accept_loop(socket, permits, drain.clone(), move |stream, address, permit| {
            let served = front.serve(stream, address);
            tokio::task::spawn_local(async move {
                served.await;
                drop(permit);
            });
        });
        tokio::task::spawn_local(accepting);
        self.open.insert(Arc::clone(&listener.name), Open { drain, bind: listener.bind });
    }

    async fn drain(&self, within: Duration) {
        let deadline = Instant::now() + within;
        for open in self.open.values() {
            open.drain.start(deadline);
        }
        let finished = async {
            for open in self.open.values() {
                open.drain.finished().await;
            }
        };
        // The deadline is the connections' own; the second on top is for their last words.
        let _ = tokio::time::timeout_at(deadline + Duration::from_secs(1), finished).await;
        // Complete phases and log lines of the last exchanges.
        tokio::task::yield_now().await;
    }
}

/// Where connections of one listener come in.
struct Front {
    gate: Rc<Gate>,
    name: Arc<str>,
    drain: Drain,
}

impl Front {
    /// Serves a connection with the listener's settings as they are now.
    fn serve(&self, stream: TcpStream, address: SocketAddr) -> impl Future<Output = ()> + use<> {
        let settings = self
            .gate
            .snapshot
            .borrow()
            .shared
            .config
            .listeners
            .iter()
            .find(|listener| listener.name == self.name)
            .cloned()
            .map(Rc::new);
        let gate = Rc::clone(&self.gate);
        let drain = self.drain.clone();
        async move {
            // A listener that is gone from the configuration takes nobody in any more.
            let Some(settings) = settings else { return };
            let peer = Rc::new(Peer::new(address, &settings));
            let metrics = gate.metrics.listener(&settings.name);
            metrics.connection_opened();
            let proxy = Rc::new(Proxy { gate, metrics: Arc::clone(&metrics) });
            connection::serve(stream, peer, settings, proxy, drain).await;
            metrics.connection_closed();
        }
    }
}

/// Answers requests by the routes.
struct Proxy {
    gate: Rc<Gate>,
    metrics: Arc<ListenerMetrics>,
}

impl Handler for Proxy {
    async fn handle(
        &self,
        request: http::Request<Body>,
        peer: &Rc<Peer>,
    ) -> Result<http::Response<Body>, Abort> {
        Ok(exchange::serve(&self.gate, peer, request).await)
    }

    fn refused(&self, refusal: Refusal, _peer: &Rc<Peer>) {
        self.metrics.refused(refusal.as_str());
    }
}
