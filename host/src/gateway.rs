//! The only place that wires everything: start, reload, drain.

mod caught;
mod control;
mod counters;
mod crew;
mod exports;
mod fetch;
mod front;
mod ledger;
mod start;
mod state;
mod takeover;
mod worker;

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::{Builder as RuntimeBuilder, LocalOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

pub(crate) use control::{ReloadRequest, Reloaded};
pub(crate) use ledger::location as ledger_location;
pub(crate) use state::State;

use crate::admin::AdminFronts;
use crate::body::Room;
use crate::chain::FaultReport;
use crate::config::{self, Config, Problem, Problems, Watcher};
use crate::listener::Newcomer;
use crate::metering::Metering;
use crate::net::Crowd;
use crate::snapshot::Builder;
use crate::store::{MemoryStore, Stores};
use crate::telemetry::{self, AccessLog, Metrics};
use crate::wasm::{Clock, Engines, Loader};
use control::Control;
use crew::Crew;
use exports::Exporting;
use start::StartSettings;
use worker::{Equipment, Worker};

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

/// Reads, loads and tries out everything that `path` names, and serves nothing. What may become a problem is given back.
pub(crate) fn check(path: &Path) -> Result<Vec<Problem>, GatewayError> {
    let runtime = RuntimeBuilder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(io("cannot start a runtime"))?;
    let config = runtime.block_on(read(path))?;
    let mut builder = builder(&config);
    let ledger = config.ledger.as_ref().and_then(|ledger| ledger::location(&config, ledger).err());
    let sinks = exports::sinks(&config).err().unwrap_or_default();
    let away: Vec<_> = counters::check(&config).into_iter().chain(ledger).chain(sinks).collect();
    let built = runtime.block_on(builder.build(config, 1));
    match (built, away) {
        (Ok(snapshot), away) if away.is_empty() => Ok(snapshot.warnings),
        (Ok(_), away) => {
            let mut found = Problems::default();
            found.extend(away);
            Err(problems(&found))
        }
        (Err(mut found), away) => {
            found.extend(away);
            Err(problems(&found))
        }
    }
}

/// Reads the configuration. If there are problems, what could be read is examined for more of them.
async fn read(path: &Path) -> Result<Config, GatewayError> {
    match config::read(path, &config::ProcessEnvironment) {
        Ok(config) => Ok(config),
        Err(partial) => {
            let found = match &partial.config {
                Some(config) => builder(config).examine(partial).await,
                None => partial.problems,
            };
            Err(problems(&found))
        }
    }
}

/// What checks a configuration with everything it names, but for the store's server.
fn builder(config: &Config) -> Builder {
    builder_with(config, Stores::local(Arc::new(MemoryStore::new(&config.store))))
}

/// The one way to make snapshots.
fn builder_with(config: &Config, stores: Stores) -> Builder {
    let engines = Arc::new(Engines::new(config.remote_store.is_some()));
    let loader = Loader::new(engines, config.cache.dir.clone().or_else(default_cache));
    Builder::new(loader, stores, Clock::System)
}

/// `$XDG_CACHE_HOME/sluice`, or `~/.cache/sluice` (XDG Base Directory Specification).
fn default_cache() -> Option<std::path::PathBuf> {
    let directory =
        |name| std::env::var_os(name).map(std::path::PathBuf::from).filter(|path| path.is_absolute());
    let home = directory("XDG_CACHE_HOME").or_else(|| directory("HOME").map(|home| home.join(".cache")))?;
    Some(home.join("sluice"))
}

/// Runs the gateway until it is told to stop, or until another takes over; `upgrade` takes over from the one that runs.
pub(crate) fn run(path: &Path, upgrade: bool) -> Result<(), GatewayError> {
    let runtime = RuntimeBuilder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(io("cannot start the control runtime"))?;
    let config = runtime.block_on(read(path))?;
    // Held to the end: dropped, it waits for the last lines.
    let _lines = telemetry::log::init(&config.telemetry)?;
    let newcomer = if upgrade { Some(takeover::ask(path, &config)?) } else { None };
    let ended = runtime.block_on(govern(path, config, newcomer));
    // Whatever still blocks a thread does not keep the process from ending.
    runtime.shutdown_background();
    ended
}

/// Starts the workers.
fn hire(workers: usize, equipment: impl Fn() -> Equipment) -> Result<Rc<Crew>, GatewayError> {
    let spawned = (0..workers).map(|index| Worker::spawn(index, equipment()));
    let crew: std::io::Result<Vec<Worker>> = spawned.collect();
    Ok(Rc::new(Crew::new(crew.map_err(io("cannot start a worker"))?)))
}

async fn govern(path: &Path, config: Config, newcomer: Option<Newcomer>) -> Result<(), GatewayError> {
    let metrics = Metrics::new();
    let access_log =
        AccessLog::start(&config.telemetry.access_log, &metrics).map_err(io("cannot open the access log"))?;
    let stores = counters::open(&config).map_err(|problem| problems(&problem.into()))?;
    let (metering, exporting) = open_books(&config).await.map_err(|problem| problems(&problem.into()))?;
    let mut builder = builder_with(&config, stores.clone());
    let ((reports, faults), (reload, requests)) = (mpsc::channel(MAX_REPORTS), mpsc::channel(16));
    let state = Rc::new(RefCell::new(State::new()));
    state.borrow_mut().meters_in(metering.clone(), exporting.clone());
    let started_with = StartSettings::of(&config);
    let (room, crowd) = (Room::new(config.buffered_bytes), Crowd::new());
    let (workers, drain, watch, debounce) =
        (config.workers.get(), config.reload.drain, config.reload.watch, config.reload.debounce);

    let snapshot = builder.build(config, 1).await.map_err(|found| problems(&found))?;
    let equipment = || Equipment {
        metrics: metrics.worker(),
        access_log: access_log.worker(),
        reports: reports.clone(),
        metering: metering.clone(),
        workers,
        room: Arc::clone(&room),
        crowd: Arc::clone(&crowd),
    };
    let crew = hire(workers, equipment)?;
    let mut control = Control {
        path: path.to_owned(),
        builder,
        crew: Rc::clone(&crew),
        started_with,
        state: Rc::clone(&state),
        metrics: metrics.clone(),
        admin: AdminFronts::new(Rc::clone(&state), metrics.clone(), reload.clone()),
        watcher: None,
        again: reload.clone(),
        bound: HashSet::new(),
        sockets: Rc::default(),
        newcomer,
        exporting: exporting.clone(),
        metering: metering.clone(),
    };
    if watch {
        let (watcher, changes) = Watcher::new(Vec::new(), debounce).map_err(io("cannot watch files"))?;
        control.watcher = Some(watcher);
        control.watch(&snapshot.config);
        tokio::task::spawn_local(on_change(changes, reload.clone()));
    }
    control.swap(snapshot).await.map_err(|found| problems(&found))?;
    metrics.set_generation(1);
    takeover::finish(control.newcomer.take()).await?;
    let (sockets, admin) = (Rc::clone(&control.sockets), control.admin.clone());
    let taken_over = takeover::offer(path, &sockets);
    tokio::task::spawn_local(tell_faults(Rc::clone(&state), faults));
    state.borrow_mut().counts_on(stores.remote().cloned());
    watch_others(metrics, &stores, metering.as_ref().zip(exporting.as_deref()));
    let (stop_reloads, stopped) = oneshot::channel();
    tokio::task::spawn_local(control.run(requests, stopped));

    until_over(&reload, taken_over, &admin).await.map_err(io("cannot listen for signals"))?;
    // Otherwise the kernel would go on taking connections in.
    sockets.take();
    // Whoever balances over gateways should look elsewhere before a connection is refused.
    state.borrow_mut().stop();
    let drain = state.borrow().snapshot.as_ref().map_or(drain, |snapshot| snapshot.config.reload.drain);
    tracing::info!(?drain, "stopping: exchanges under way may finish");
    let _ = stop_reloads.send(());
    crew.stop(drain).await;
    close_books(metering, exporting).await;
    access_log.finish(LAST_LINES);
    tracing::info!("stopped");
    Ok(())
}

/// The ledger and its exports, if the configuration has one.
async fn open_books(config: &Config) -> Result<(Option<Arc<Metering>>, Option<Rc<Exporting>>), Problem> {
    let metering = ledger::open(config).await?;
    let exporting = match &metering {
        Some(metering) => exports::open(config, metering)?,
        None => None,
    };
    Ok((metering, exporting))
}

/// Nothing more is metered: what there is is written.
async fn close_books(metering: Option<Arc<Metering>>, exporting: Option<Rc<Exporting>>) {
    if let Some(exporting) = exporting {
        exporting.stop().await;
    }
    if let Some(metering) = metering {
        metering.stop().await;
    }
}

/// Has metrics look at what is counted elsewhere, and has that swept out where it has expired.
fn watch_others(metrics: Metrics, stores: &Stores, metering: Option<(&Arc<Metering>, &Exporting)>) {
    if let Some(remote) = stores.remote().cloned() {
        metrics.watch_store(move || counters::sample(&remote));
    }
    if let Some((metering, exporting)) = metering {
        let (metering, sinks) = (Arc::clone(metering), exporting.look());
        metrics.watch_metering(move || ledger::sample(&metering, sinks()));
    }
    tokio::task::spawn_local(sweep(Arc::clone(stores.memory()), metrics));
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

/// Waits until it is told to stop, or until another process serves.
async fn until_over(
    reload: &mpsc::Sender<ReloadRequest>,
    taken_over: impl Future<Output = ()>,
    admin: &AdminFronts,
) -> std::io::Result<()> {
    tokio::select! {
        told = until_told_to_stop(reload) => told,
        () = taken_over => {
            tracing::info!("another process serves from here on");
            // It answers these pages too, and for itself.
            admin.close();
            Ok(())
        }
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
                // Where the queue is full, a reload is yet to begin and will see what there is to see.
                let _ = reload.try_send(ReloadRequest { reason: "SIGHUP", reply: None });
            }
        }
    }
}
