//! The only place that wires everything: start, reload, drain.

mod control;
mod fetch;
mod state;
mod worker;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::{Builder as RuntimeBuilder, LocalOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

pub(crate) use control::{ReloadRequest, Reloaded};
pub(crate) use state::State;

use crate::admin::AdminFronts;
use crate::chain::FaultReport;
use crate::config::{self, Config, Problems, Watcher};
use crate::snapshot::{Builder, Snapshot};
use crate::store::MemoryStore;
use crate::telemetry::{self, AccessLog, Metrics};
use crate::wasm::{Clock, Engines, Loader};
use control::Control;
use worker::{Command, Equipment, Worker};

/// Fault reports that may wait for the control runtime; more are counted but not described.
const MAX_REPORTS: usize = 1024;

/// How long the access log's last lines may take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// How often expired counters and values are swept out.
const SWEEP: Duration = Duration::from_secs(5);

/// Why the gateway did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatewayError {
    /// The configuration is not in order.
    #[error("{0}")]
    Problems(String),
    /// The log cannot be set up as configured.
    #[error(transparent)]
    Log(#[from] telemetry::log::LogError),
    /// The machine refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was refused.
        what: &'static str,
        /// The machine's words.
        source: std::io::Error,
    },
}

fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> GatewayError {
    move |source| GatewayError::Io { what, source }
}

fn problems(problems: &Problems) -> GatewayError {
    GatewayError::Problems(problems.to_string())
}

/// Reads, loads and tries out everything that `path` names, and serves nothing.
pub(crate) fn check(path: &Path) -> Result<(), GatewayError> {
    let runtime = RuntimeBuilder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(io("cannot start a runtime"))?;
    let config = config::load(path, &config::ProcessEnvironment).map_err(|found| problems(&found))?;
    let mut builder = builder(&config);
    runtime.block_on(builder.build(config, 1)).map(drop).map_err(|found| problems(&found))
}

/// The one way to make snapshots, for `check` and for `run`.
fn builder(config: &Config) -> Builder {
    let loader = Loader::new(Arc::new(Engines::new()), config.cache.dir.clone().or_else(default_cache));
    Builder::new(loader, Arc::new(MemoryStore::new(&config.store)), Clock::System)
}

/// `$XDG_CACHE_HOME/sluice`, or `~/.cache/sluice` (XDG Base Directory Specification).
fn default_cache() -> Option<std::path::PathBuf> {
    let directory =
        |name| std::env::var_os(name).map(std::path::PathBuf::from).filter(|path| path.is_absolute());
    let home = directory("XDG_CACHE_HOME").or_else(|| directory("HOME").map(|home| home.join(".cache")))?;
    Some(home.join("sluice"))
}

/// Runs the gateway until it is told to stop.
pub(crate) fn run(path: &Path) -> Result<(), GatewayError> {
    let config = config::load(path, &config::ProcessEnvironment).map_err(|found| problems(&found))?;
    telemetry::log::init(&config.telemetry)?;
    let runtime = RuntimeBuilder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(io("cannot start the control runtime"))?;
    runtime.block_on(govern(path, config))
}

async fn govern(path: &Path, config: Config) -> Result<(), GatewayError> {
    let metrics = Metrics::new();
    let access_log =
        AccessLog::start(&config.telemetry.access_log, &metrics).map_err(io("cannot open the access log"))?;
    let store = Arc::new(MemoryStore::new(&config.store));
    let loader = Loader::new(Arc::new(Engines::new()), config.cache.dir.clone().or_else(default_cache));
    let mut builder = Builder::new(loader, Arc::clone(&store), Clock::System);
    let (reports, faults) = mpsc::channel(MAX_REPORTS);
    let (reload, requests) = mpsc::channel(16);
    let state = Rc::new(RefCell::new(State::new()));
    let count = config.workers.get();
    let drain = config.reload.drain;
    let watch = config.reload.watch;
    let debounce = config.reload.debounce;

    let snapshot = builder.build(config, 1).await.map_err(|found| problems(&found))?;
    let workers = (0..count)
        .map(|index| {
            let equipment = Equipment {
                metrics: metrics.worker(),
                access_log: access_log.worker(),
                reports: reports.clone(),
                workers: count,
            };
            Worker::spawn(index, equipment)
        })
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(io("cannot start a worker"))?;
    let admin = AdminFronts::new(Rc::clone(&state), metrics.clone(), reload.clone());
    let mut control = Control::new(
        path.to_owned(),
        builder,
        workers,
        Rc::clone(&state),
        metrics.clone(),
        admin.clone(),
        reload.clone(),
    );
    if watch {
        let (watcher, changes) = Watcher::new(Vec::new(), debounce).map_err(io("cannot watch files"))?;
        control.watcher = Some(watcher);
        control.watch(&snapshot.config);
        tokio::task::spawn_local(on_change(changes, reload.clone()));
    }
    announce(&snapshot);
    control.swap(snapshot).await.map_err(|found| problems(&found))?;
    metrics.set_generation(1);
    tokio::task::spawn_local(tell_faults(Rc::clone(&state), faults));
    tokio::task::spawn_local(sweep(store, metrics));
    let (stop_reloads, stopped) = oneshot::channel();
    let control = tokio::task::spawn_local(control.run(requests, stopped));

    until_told_to_stop(&reload).await.map_err(io("cannot listen for signals"))?;
    // Whoever balances over gateways should look elsewhere before a connection is refused.
    state.borrow_mut().ready = false;
    let drain = state.borrow().snapshot.as_ref().map_or(drain, |snapshot| snapshot.config.reload.drain);
    tracing::info!(?drain, "stopping: exchanges under way may finish");
    let _ = stop_reloads.send(());
    if let Ok(workers) = control.await {
        stop(workers, drain).await;
    }
    access_log.finish(LAST_LINES);
    tracing::info!("stopped");
    Ok(())
}

fn announce(snapshot: &Snapshot) {
    for listener in &snapshot.config.listeners {
        tracing::info!(listener = &*listener.name, bind = %listener.bind, "listening");
    }
}

async fn on_change(mut changes: mpsc::Receiver<()>, reload: mpsc::Sender<ReloadRequest>) {
    while changes.recv().await.is_some() {
        if reload.send(ReloadRequest { reason: "file change", reply: None }).await.is_err() {
            return;
        }
    }
}

async fn tell_faults(state: Rc<RefCell<State>>, mut faults: mpsc::Receiver<FaultReport>) {
    while let Some(report) = faults.recv().await {
        state.borrow_mut().faulted(report, SystemTime::now());
    }
}

async fn sweep(store: Arc<MemoryStore>, metrics: Metrics) {
    let mut timer = tokio::time::interval(SWEEP);
    loop {
        timer.tick().await;
        store.sweep(Clock::System.now_ns());
        metrics.set_store_entries(store.len());
    }
}

/// `SIGHUP` reloads; `SIGTERM` and `SIGINT` end the wait.
async fn until_told_to_stop(reload: &mpsc::Sender<ReloadRequest>) -> std::io::Result<()> {
    let (mut terminate, mut interrupt, mut hang_up) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hang_up.recv() => {
                let _ = reload.send(ReloadRequest { reason: "SIGHUP", reply: None }).await;
            }
        }
    }
}

async fn stop(workers: Vec<Worker>, drain: Duration) {
    for worker in &workers {
        let _ = worker.commands.send(Command::Drain(drain));
    }
    let joined = tokio::task::spawn_blocking(move || {
        for worker in workers {
            if worker.thread.join().is_err() {
                tracing::error!("a worker ended by a panic");
            }
        }
    });
    if tokio::time::timeout(drain + Duration::from_secs(3), joined).await.is_err() {
        tracing::warn!("not every worker ended within the drain time");
    }
}
