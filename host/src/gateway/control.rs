//! The control runtime's work: builds snapshots, hands them to the workers, and tells what became of it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::State;
use super::caught::caught;
use super::crew::Crew;
use super::exports::{self, Exporting};
use super::start::StartSettings;
use super::takeover::Sockets;
use crate::admin::AdminFronts;
use crate::config::{self, Config, Listener, Problem, Problems, Serve, Watcher};
use crate::jwks;
use crate::listener::{Newcomer, bind, ensure_vacant};
use crate::metering::Metering;
use crate::snapshot::{Builder, Snapshot};
use crate::telemetry::{CertificateSample, KeySetSample, Metrics, ReloadResult};
use crate::tls::Acceptor;

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
    pub(super) crew: Rc<Crew>,
    pub(super) started_with: StartSettings,
    pub(super) state: Rc<RefCell<State>>,
    pub(super) metrics: Metrics,
    pub(super) admin: AdminFronts,
    pub(super) watcher: Option<Watcher>,
    pub(super) again: mpsc::Sender<ReloadRequest>,
    pub(super) bound: HashSet<Bound>,
    pub(super) sockets: Sockets,
    /// While this process takes over from another: what that one listens on.
    pub(super) newcomer: Option<Newcomer>,
    pub(super) metering: Option<Arc<Metering>>,
    pub(super) exporting: Option<Rc<Exporting>>,
}

/// A socket that is open: its listener's name, its address, and whether it is for the gateway's own pages.
pub(super) type Bound = (Arc<str>, SocketAddr, bool);

fn bound_as(listener: &Listener) -> Bound {
    (Arc::clone(&listener.name), listener.bind, listener.serve != Serve::Proxy)
}

/// A listener's name and its sockets, one for each worker.
type NewListener = (Arc<str>, Vec<std::net::TcpListener>);

/// What a configuration was read from and the modules it names.
fn watched(config: &Config) -> impl Iterator<Item = PathBuf> {
    config.files.iter().cloned().chain(config.plugins.values().map(|plugin| plugin.module.clone()))
}

impl Control {
    /// Serves reload requests until told to stop, and no longer: a reload under way is dropped.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<ReloadRequest>,
        mut stop: oneshot::Receiver<()>,
    ) {
        loop {
            let request = tokio::select! {
                biased;
                _ = &mut stop => return,
                request = requests.recv() => request,
            };
            let Some(request) = request else { return };
            let reloaded = tokio::select! {
                biased;
                _ = &mut stop => return,
                reloaded = caught(self.reload(request.reason)) => reloaded,
            };
            let reloaded = reloaded.unwrap_or_else(|panic| {
                let message =
                    format!("the gateway failed while it reloaded, which is a mistake of its own: {panic}");
                self.refuse(request.reason, &Problem::new(message).into())
            });
            if let Some(reply) = request.reply {
                let _ = reply.send(reloaded);
            }
        }
    }

    /// Reads everything anew and swaps it in, whole or not at all.
    async fn reload(&mut self, reason: &'static str) -> Reloaded {
        let started = std::time::Instant::now();
        let built = match config::read(&self.path, &config::ProcessEnvironment) {
            Ok(config) => {
                self.watch(&config);
                self.builder.build(config, self.generation() + 1).await
            }
            Err(partial) => {
                // What could be read is watched beside what is served, so that mending it is noticed.
                let mut files = partial.problems.files().to_vec();
                files.extend(partial.config.iter().flat_map(watched));
                if let Some(current) = &self.state.borrow().snapshot {
                    files.extend(watched(&current.config));
                }
                self.watch_files(files);
                Err(self.builder.examine(partial).await)
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
            Err(problems) => self.refuse(reason, &problems),
        }
    }

    fn refuse(&self, reason: &'static str, problems: &Problems) -> Reloaded {
        tracing::error!(reason, "reload refused, the old snapshot goes on serving\n{problems}");
        self.metrics.reloaded(ReloadResult::Refused);
        self.state.borrow_mut().refused(problems, SystemTime::now());
        Reloaded::Refused(problems.to_json())
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
        let sinks = exports::sinks(&snapshot.config).map_err(|found| {
            let mut problems = Problems::default();
            problems.extend(found);
            problems
        })?;
        self.check_meters(&snapshot).await?;
        let sockets = self.bind_new(&snapshot)?;
        snapshot.key_sets.start(&Handle::current());
        if let Some(metering) = &self.metering {
            metering.publish(&snapshot.tariff).await;
        }
        let snapshot = Arc::new(snapshot);
        let board = self.crew.publish(&snapshot, sockets);
        if tokio::time::timeout(PUBLISH_TIME, board.answered()).await.is_err() {
            tracing::warn!("a worker takes longer than {PUBLISH_TIME:?} to take up the snapshot");
        }
        if let Some(exporting) = &self.exporting {
            exporting.apply(&snapshot.config, sinks);
        }
        let listeners = &snapshot.config.listeners;
        self.bound.retain(|bound| listeners.iter().any(|listener| bound_as(listener) == *bound));
        self.sockets.borrow_mut().retain(|(bound, _)| self.bound.contains(bound));
        self.admin.keep(&snapshot);
        let needs_restart = self.started_with.changed(&snapshot.config);
        for setting in &needs_restart {
            tracing::warn!("a change of `{setting}` takes effect at the next start");
        }
        for warning in &snapshot.warnings {
            tracing::warn!("{}", warning.to_line());
        }
        let generation = snapshot.generation;
        let acceptors = snapshot.acceptors.clone();
        self.metrics.watch_certificates(move || {
            let sample = |(listener, acceptor): (&Arc<str>, &Arc<Acceptor>)| CertificateSample {
                listener: Arc::clone(listener),
                not_after: acceptor.first_end(),
            };
            acceptors.iter().map(sample).collect()
        });
        let key_sets = snapshot.key_sets.clone();
        self.metrics.watch_key_sets(move || {
            let sample = |set: jwks::Status| KeySetSample {
                keys: set.keys.map(|(usable, _)| usable),
                name: set.name,
                fetches: set.fetches,
                failures: set.failures,
            };
            key_sets.statuses().into_iter().map(sample).collect()
        });
        self.state.borrow_mut().published(snapshot, board, needs_restart, SystemTime::now());
        Ok(Reloaded::Published(generation))
    }

    /// What the ledger has of a meter keeps its meaning.
    async fn check_meters(&self, snapshot: &Snapshot) -> Result<(), Problems> {
        let Some(metering) = &self.metering else { return Ok(()) };
        let Some((meter, message)) = metering.redefined(&snapshot.tariff).await else { return Ok(()) };
        let problem = Problem::new(message);
        Err(match snapshot.config.meter_places.get(&meter) {
            Some(place) => problem.at(place.clone()).into(),
            None => problem.into(),
        })
    }

    /// Binds the listeners that are new: one socket for each worker, or one here for the admin pages.
    fn bind_new(&mut self, snapshot: &Snapshot) -> Result<Vec<NewListener>, Problems> {
        let mut problems = Problems::default();
        let mut opened = Vec::new();
        for listener in &snapshot.config.listeners {
            if self.bound.contains(&bound_as(listener)) {
                continue;
            }
            let count = if listener.serve == Serve::Proxy { self.crew.len() } else { 1 };
            // A listener that changes its name or what it serves takes its address over from itself.
            let ours = self.bound.iter().any(|(_, bind, _)| *bind == listener.bind);
            let mut taken =
                self.newcomer.as_mut().map_or_else(Vec::new, |newcomer| newcomer.take(listener.bind));
            let is_free = ours || !taken.is_empty();
            let vacant = if is_free { Ok(()) } else { ensure_vacant(listener.bind) };
            // Each worker has one at least.
            let missing = count.saturating_sub(taken.len());
            match vacant.and_then(|()| bind(listener, missing)) {
                Ok(sockets) => {
                    taken.extend(sockets);
                    opened.push((listener, taken));
                }
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
        for (listener, own) in opened {
            let bind = own.first().and_then(|socket| socket.local_addr().ok()).unwrap_or(listener.bind);
            let plugins = snapshot.plugins.len();
            tracing::info!(listener = &*listener.name, %bind, plugins, "listening");
            self.bound.insert(bound_as(listener));
            let once_more = own.iter().filter_map(|socket| socket.try_clone().ok());
            self.sockets.borrow_mut().extend(once_more.map(|socket| (bound_as(listener), socket)));
            if listener.serve == Serve::Proxy {
                sockets.push((Arc::clone(&listener.name), own));
            } else {
                for socket in own {
                    self.open_admin(snapshot, listener, socket);
                }
            }
        }
        Ok(sockets)
    }

    fn open_admin(&self, snapshot: &Snapshot, listener: &Listener, socket: std::net::TcpListener) {
        let acceptor = snapshot.acceptors.get(&listener.name).cloned();
        if let Err(error) = self.admin.open(listener, acceptor, socket) {
            tracing::error!(listener = &*listener.name, %error, "the admin listener cannot be served");
        }
    }

    /// Watches what this configuration was read from and the modules it names.
    pub(super) fn watch(&mut self, config: &Config) {
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
