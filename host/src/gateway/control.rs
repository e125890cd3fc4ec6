//! The control runtime's work: builds snapshots, hands them to the workers, and tells what became of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};

use super::State;
use super::worker::{Command, Worker};
use crate::admin::AdminFronts;
use crate::config::{self, Listener, Problem, Problems, Serve, Watcher};
use crate::listener::bind;
use crate::snapshot::{Builder, Snapshot};
use crate::telemetry::{Metrics, ReloadResult};

/// How long workers may take to make a snapshot their own before that is worth a warning.
const PUBLISH_TIME: Duration = Duration::from_secs(10);

/// What a reload came to.
#[derive(Clone, Debug)]
pub(crate) enum Reloaded {
    /// A new generation serves.
    Published(u64),
    /// Nothing had changed.
    Unchanged(u64),
    /// The old generation goes on serving.
    Refused(serde_json::Value),
}

/// Someone wants a reload, and perhaps to know what came of it.
pub(crate) struct ReloadRequest {
    pub(crate) reason: &'static str,
    pub(crate) reply: Option<oneshot::Sender<Reloaded>>,
}

/// The control runtime's state.
pub(super) struct Control {
    pub(super) path: PathBuf,
    pub(super) builder: Builder,
    pub(super) workers: Vec<Worker>,
    pub(super) state: Rc<RefCell<State>>,
    pub(super) metrics: Metrics,
    pub(super) admin: AdminFronts,
    pub(super) watcher: Option<Watcher>,
    again: mpsc::Sender<ReloadRequest>,
    bound: HashMap<(Arc<str>, SocketAddr), ()>,
}

/// A listener's name and its sockets, one for each worker.
type NewListener = (Arc<str>, Vec<std::net::TcpListener>);

/// What a configuration was read from and the modules it names.
fn watched(config: &config::Config) -> impl Iterator<Item = PathBuf> {
    config.files.iter().cloned().chain(config.plugins.values().map(|plugin| plugin.module.clone()))
}

impl Control {
    pub(super) fn new(
        path: PathBuf,
        builder: Builder,
        workers: Vec<Worker>,
        state: Rc<RefCell<State>>,
        metrics: Metrics,
        admin: AdminFronts,
        again: mpsc::Sender<ReloadRequest>,
    ) -> Self {
        Self { path, builder, workers, state, metrics, admin, watcher: None, again, bound: HashMap::new() }
    }

    /// Serves reload requests until told to stop; a reload under way is finished first.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<ReloadRequest>,
        mut stop: oneshot::Receiver<()>,
    ) -> Vec<Worker> {
        loop {
            let request = tokio::select! {
                biased;
                _ = &mut stop => break,
                request = requests.recv() => request,
            };
            let Some(request) = request else { break };
            let reloaded = self.reload(request.reason).await;
            if let Some(reply) = request.reply {
                let _ = reply.send(reloaded);
            }
        }
        self.workers
    }

    /// Reads everything anew and swaps it in, whole or not at all.
    async fn reload(&mut self, reason: &'static str) -> Reloaded {
        let started = std::time::Instant::now();
        let built = match config::load(&self.path, &config::ProcessEnvironment) {
            Ok(config) => {
                self.watch(&config);
                self.builder.build(config, self.generation() + 1).await
            }
            Err(problems) => {
                // What could be read is watched beside what is served, so that mending it is noticed.
                let mut files = problems.files().to_vec();
                if let Some(current) = &self.state.borrow().snapshot {
                    files.extend(watched(&current.config));
                }
                self.watch_files(files);
                Err(problems)
            }
        };
        let result = match built {
            Ok(snapshot) => self.swap(snapshot).await,
            Err(problems) => Err(problems),
        };
        match result {
            Ok(Reloaded::Unchanged(generation)) => {
                tracing::debug!(reason, generation, "reload: nothing has changed");
                self.metrics.reloaded(ReloadResult::Unchanged);
                self.state.borrow_mut().unrefuse();
                Reloaded::Unchanged(generation)
            }
            Ok(reloaded) => {
                let generation = self.generation();
                tracing::info!(
                    reason,
                    generation,
                    elapsed_ms = started.elapsed().as_millis(),
                    "reload: published"
                );
                self.metrics.reloaded(ReloadResult::Applied);
                self.metrics.set_generation(generation);
                reloaded
            }
            Err(problems) => {
                tracing::error!(reason, "reload refused, the old snapshot goes on serving\n{problems}");
                self.metrics.reloaded(ReloadResult::Refused);
                let json = problems.to_json();
                self.state.borrow_mut().refused(&problems, SystemTime::now());
                Reloaded::Refused(json)
            }
        }
    }

    fn generation(&self) -> u64 {
        self.state.borrow().snapshot.as_ref().map_or(0, |snapshot| snapshot.generation)
    }

    /// Publishes a snapshot that was built, unless it is what is served already.
    pub(super) async fn swap(&mut self, snapshot: Snapshot) -> Result<Reloaded, Problems> {
        if let Some(current) = &self.state.borrow().snapshot
            && current.is_same(&snapshot)
        {
            return Ok(Reloaded::Unchanged(current.generation));
        }
        let mut sockets = self.bind_new(&snapshot)?;
        let snapshot = Arc::new(snapshot);
        let mut waiting = Vec::with_capacity(self.workers.len());
        for worker in &self.workers {
            let (done, published) = oneshot::channel();
            let own =
                sockets.iter_mut().filter_map(|(name, left)| Some((Arc::clone(name), left.pop()?))).collect();
            let command = Command::Publish { snapshot: Arc::clone(&snapshot), sockets: own, done };
            if worker.commands.send(command).is_ok() {
                waiting.push(published);
            }
        }
        let all = async {
            for published in waiting {
                let _ = published.await;
            }
        };
        if tokio::time::timeout(PUBLISH_TIME, all).await.is_err() {
            tracing::warn!("a worker takes longer than {PUBLISH_TIME:?} to take up the snapshot");
        }
        let generation = snapshot.generation;
        self.bound.retain(|(name, bind), ()| {
            snapshot.config.listeners.iter().any(|listener| listener.name == *name && listener.bind == *bind)
        });
        self.admin.keep(&snapshot.config.listeners, snapshot.config.reload.drain);
        let mut state = self.state.borrow_mut();
        state.published(snapshot, SystemTime::now());
        state.ready = true;
        Ok(Reloaded::Published(generation))
    }

    /// Binds the listeners that are new: one socket for each worker, or one here for the admin pages.
    fn bind_new(&mut self, snapshot: &Snapshot) -> Result<Vec<NewListener>, Problems> {
        let mut problems = Problems::default();
        let mut opened = Vec::new();
        for listener in &snapshot.config.listeners {
            if self.bound.contains_key(&(Arc::clone(&listener.name), listener.bind)) {
                continue;
            }
            let count = if listener.serve == Serve::Proxy { self.workers.len() } else { 1 };
            match bind(listener, count) {
                Ok(sockets) => opened.push((listener, sockets)),
                Err(error) => {
                    let message =
                        format!("listener `{}` cannot bind to {}: {error}", listener.name, listener.bind);
                    problems.push(Problem::new(message));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut sockets = Vec::new();
        for (listener, mut own) in opened {
            self.bound.insert((Arc::clone(&listener.name), listener.bind), ());
            if listener.serve == Serve::Proxy {
                sockets.push((Arc::clone(&listener.name), own));
            } else if let Some(socket) = own.pop() {
                self.open_admin(listener, socket);
            }
        }
        Ok(sockets)
    }

    fn open_admin(&mut self, listener: &Listener, socket: std::net::TcpListener) {
        if let Err(error) = self.admin.open(listener, socket) {
            tracing::error!(listener = &*listener.name, %error, "the admin listener cannot be served");
        }
    }

    /// Watches what this configuration was read from and the modules it names.
    pub(super) fn watch(&mut self, config: &config::Config) {
        self.watch_files(watched(config).collect());
    }

    fn watch_files(&self, files: Vec<PathBuf>) {
        if let Some(watcher) = &self.watcher
            && watcher.watch(files)
        {
            // A directory is new to the watch: what changed in it before is not told, so it is looked at once more.
            let _ = self.again.try_send(ReloadRequest { reason: "newly watched", reply: None });
        }
    }
}
