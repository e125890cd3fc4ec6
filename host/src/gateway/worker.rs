//! One worker: a current-thread runtime with its own sockets, connections, instances and snapshot.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::caught::caught;
use super::fetch;
use super::front::Front;
use crate::body::Room;
use crate::chain::FaultReports;
use crate::config::{Listener, Serve};
use crate::exchange::Gate;
use crate::metering::Metering;
use crate::net::Crowd;
use crate::snapshot::{Snapshot, WorkerParts};
use crate::telemetry::{AccessLogBuffer, WorkerMetrics};
use crate::tls::Acceptor;
use crate::upstream::Upstreams;

/// Of a worker's thread: plugins that cannot wait run on it, beside the host's own frames.
const STACK: usize = 4 << 20;

/// Plugins of which a worker has no instance, although a step that denies on error needs one.
pub(super) type Cold = Vec<Arc<str>>;

/// A new listener's name and this worker's socket.
pub(super) type NewSocket = (Arc<str>, std::net::TcpListener);

/// What the control runtime asks of a worker.
pub(super) enum Command {
    /// Serve this snapshot from the next request on. `sockets` are for listeners that are new to it.
    Publish { snapshot: Arc<Snapshot>, sockets: Vec<NewSocket>, done: oneshot::Sender<Cold> },
    /// Try once more to have an instance of everything.
    Warm { done: oneshot::Sender<Cold> },
}

/// The way to a worker. Its `commands` are closed once its thread has nothing more to do, or has panicked.
pub(super) struct Worker {
    pub(super) commands: mpsc::UnboundedSender<Command>,
    drain: Cell<Option<oneshot::Sender<Duration>>>,
}

/// What a worker is given when it starts.
pub(super) struct Equipment {
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) access_log: AccessLogBuffer,
    pub(super) reports: FaultReports,
    pub(super) metering: Option<Arc<Metering>>,
    /// How many workers share the listeners' connection limits.
    pub(super) workers: usize,
    pub(super) room: Arc<Room>,
    pub(super) crowd: Arc<Crowd>,
}

impl Worker {
    /// Starts a worker's thread.
    pub(super) fn spawn(index: usize, equipment: Equipment) -> std::io::Result<Self> {
        let (commands, queue) = mpsc::unbounded_channel();
        let (drain, told) = oneshot::channel();
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).stack_size(STACK);
        thread.spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            match runtime {
                Ok(runtime) => {
                    runtime.block_on(work(equipment, queue, told));
                    // A name that is still being looked up is not waited for.
                    runtime.shutdown_background();
                }
                Err(error) => tracing::error!(%error, "a worker cannot start"),
            }
        })?;
        Ok(Self { commands, drain: Cell::new(Some(drain)) })
    }

    /// Stop accepting, finish what is under way within this time, and end; commands that wait are forgotten.
    pub(super) fn drain(&self, within: Duration) {
        if let Some(drain) = self.drain.take() {
            // Of a worker that is gone there is nothing left to drain.
            let _ = drain.send(within);
        }
    }
}

/// A worker's state between commands.
struct Desk {
    parts: WorkerParts,
    access_log: Rc<AccessLogBuffer>,
    workers: usize,
    room: Arc<Room>,
    crowd: Arc<Crowd>,
    gate: Option<Rc<Gate>>,
    open: HashMap<Arc<str>, Front>,
    /// Listeners that are no longer configured, while they have connections.
    closing: Vec<Front>,
}

async fn work(
    equipment: Equipment,
    mut commands: mpsc::UnboundedReceiver<Command>,
    mut told: oneshot::Receiver<Duration>,
) {
    let (fetch, jobs) = mpsc::unbounded_channel();
    let Equipment { metrics, access_log, reports, metering, workers, room, crowd } = equipment;
    let parts = WorkerParts::new(Upstreams::new(), metrics, fetch, reports, metering);
    let mut desk = Desk {
        parts,
        access_log: Rc::new(access_log),
        workers,
        room,
        crowd,
        gate: None,
        open: HashMap::new(),
        closing: Vec::new(),
    };
    let flushing = tokio::task::spawn_local(Rc::clone(&desk.access_log).keep_flushed());
    let mut jobs = Some(jobs);
    let drain = loop {
        let obey = async {
            let command = commands.recv().await?;
            // A panic is one snapshot's, and not the end of a worker that serves another.
            match caught(desk.obey(command)).await {
                Ok(()) => {}
                Err(panic) => tracing::error!(panic, "a worker cannot take up the snapshot"),
            }
            Some(())
        };
        // The drain wins over a snapshot that is being taken up: nobody would see it.
        let drain = tokio::select! {
            biased;
            told = &mut told => told.ok(),
            obeyed = obey => match obeyed {
                Some(()) => {
                    if let (Some(gate), Some(jobs)) = (&desk.gate, jobs.take()) {
                        tokio::task::spawn_local(fetch::serve(Rc::clone(gate), jobs));
                    }
                    continue;
                }
                None => None,
            },
        };
        break drain;
    };
    if let Some(within) = drain {
        desk.drain(within).await;
    }
    flushing.abort();
    desk.access_log.flush();
}

impl Desk {
    async fn obey(&mut self, command: Command) {
        match command {
            Command::Publish { snapshot, sockets, done } => {
                let cold = self.publish(snapshot, sockets).await;
                let _ = done.send(cold);
            }
            Command::Warm { done } => {
                let current = self.gate.as_ref().map(|gate| Arc::clone(&gate.snapshot.borrow().shared));
                let cold = match current {
                    Some(snapshot) => self.parts.warm(&snapshot).await,
                    None => Cold::new(),
                };
                let _ = done.send(cold);
            }
        }
    }

    async fn publish(&mut self, snapshot: Arc<Snapshot>, sockets: Vec<NewSocket>) -> Cold {
        let (own, cold) = self.parts.assemble(Arc::clone(&snapshot)).await;
        // From here on nothing waits, so that what is published is published whole.
        let own = Rc::new(own);
        let gate = match &self.gate {
            // The next request of any connection finds the new one.
            Some(gate) => {
                gate.snapshot.replace(own);
                Rc::clone(gate)
            }
            None => {
                let metrics = Arc::clone(&self.parts.metrics);
                let gate = Rc::new(Gate::new(
                    own,
                    metrics,
                    Rc::clone(&self.access_log),
                    Some(Arc::clone(&self.room)),
                    Arc::clone(&self.crowd),
                ));
                self.gate = Some(Rc::clone(&gate));
                gate
            }
        };
        self.reconcile(&snapshot);
        for (name, socket) in sockets {
            if let Some(listener) = snapshot.config.listeners.iter().find(|listener| listener.name == name) {
                let acceptor = snapshot.acceptors.get(&name).cloned();
                self.listen(&gate, listener, acceptor, socket);
            }
        }
        cold
    }

    /// Listeners that stay get their newest settings; the others close.
    fn reconcile(&mut self, snapshot: &Snapshot) {
        let deadline = Instant::now() + snapshot.config.reload.drain;
        self.closing.retain(|front| !front.is_over());
        for (name, front) in std::mem::take(&mut self.open) {
            let stays = snapshot.config.listeners.iter().find(|listener| {
                listener.name == name && listener.bind == front.bind() && listener.serve == Serve::Proxy
            });
            if let Some(listener) = stays {
                front.refresh(listener, snapshot.acceptors.get(&name).cloned(), self.workers);
                self.open.insert(name, front);
            } else {
                front.close(deadline);
                self.closing.push(front);
            }
        }
    }

    fn listen(
        &mut self,
        gate: &Rc<Gate>,
        listener: &Listener,
        acceptor: Option<Arc<Acceptor>>,
        socket: std::net::TcpListener,
    ) {
        match TcpListener::from_std(socket) {
            // Of another process that had more workers.
            Ok(socket) if self.open.contains_key(&listener.name) => {
                if let Some(front) = self.open.get_mut(&listener.name) {
                    front.accept(socket);
                }
            }
            Ok(socket) => {
                let front = Front::open(gate, listener, acceptor, self.workers, socket);
                self.open.insert(Arc::clone(&listener.name), front);
            }
            Err(error) => tracing::error!(listener = &*listener.name, %error, "a worker cannot listen"),
        }
    }

    async fn drain(&mut self, within: Duration) {
        let deadline = Instant::now() + within;
        let mut fronts: Vec<Front> = self.open.drain().map(|(_, front)| front).collect();
        fronts.append(&mut self.closing);
        for front in &fronts {
            front.close(deadline);
        }
        let finished = async {
            for front in &mut fronts {
                front.finished().await;
            }
        };
        // The deadline is the connections' own; the second on top is for their last words.
        let last_words = deadline + Duration::from_secs(1);
        let _ = tokio::time::timeout_at(last_words, finished).await;
        // The last exchange's end starts its complete phases from a task of its own.
        tokio::task::yield_now().await;
        if let Some(gate) = &self.gate
            && tokio::time::timeout_at(last_words, gate.completions.finished()).await.is_err()
        {
            tracing::warn!("not every complete phase ended within the drain time");
        }
    }
}
