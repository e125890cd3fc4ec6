//! Processes beside us: a proxy on its core, the origin.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::system;
use crate::harness::{Connection, wait};

/// The proxy's own core. Load and origin share the others.
pub(crate) const PROXY_CORE: usize = 0;

/// Some need a while for 100,000 routes; a thousand plugins are compiled once.
const READY_WITHIN: Duration = Duration::from_secs(600);
/// Whoever does not end by itself is ended.
const END_WITHIN: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// Moves this process, and so what it starts, off the proxy's core, and lets all of them open many connections.
pub(crate) fn settle() -> Result<()> {
    let mut others = CpuSet::new();
    let cores = std::thread::available_parallelism()?.get();
    ensure!(cores > 1, "a comparison needs two cores: one for the proxy, one for load and origin");
    (0..cores).filter(|core| *core != PROXY_CORE).for_each(|core| others.set(core));
    sched_setaffinity(None, &others).context("cannot leave the proxy's core")?;
    // As many as the system lets us have without asking for more; the scenario `idle` says so if it is too few.
    let most = rustix::process::getrlimit(Resource::Nofile).maximum;
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })
        .context("cannot open many files")?;
    Ok(())
}

/// A process that ends, with all it started, when this is dropped.
pub(crate) struct Running {
    child: Child,
    log: std::path::PathBuf,
}

impl Running {
    /// Starts a command; what it says goes to a file beside `directory`, not into it: Sluice watches its own.
    pub(crate) fn start(command: &mut Command, directory: &Path) -> Result<Self> {
        let log = directory.with_extension("log");
        let output = File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        Ok(Self { child, log })
    }

    /// Waits until `ready`, for as long as the process runs.
    pub(crate) fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended ({status}): {}", self.said());
            }
            ensure!(start.elapsed() < READY_WITHIN, "no answer within {READY_WITHIN:?}: {}", self.said());
            wait::pause(LOOK_AGAIN);
        }
        Ok(())
    }

    /// The end of what it wrote.
    pub(crate) fn said(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// It and all it started.
    pub(crate) fn tree(&self) -> Vec<u32> {
        system::tree(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked first: one that counts what it does writes its counts as it ends.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < END_WITHIN && matches!(self.child.try_wait(), Ok(None)) {
            wait::pause(LOOK_AGAIN);
        }
        // From the top, so that no master starts a worker anew.
        for pid in self.tree() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        let _ = self.child.wait();
    }
}

/// The command, to be run on the proxy's core.
pub(crate) fn on_its_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &PROXY_CORE.to_string()]).arg(program);
    command
}

/// Starts our origin and waits until it answers.
pub(crate) fn origin(address: SocketAddr, directory: &Path) -> Result<Running> {
    serve(Command::new(std::env::current_exe()?), address, directory)
}

/// Another one, which the proxies themselves ask. It sleeps and, as load generators do, waits its turn behind the origin on
/// their core.
pub(crate) fn service(address: SocketAddr, directory: &Path) -> Result<Running> {
    let service = serve(super::load::batch(std::env::current_exe()?), address, directory)?;
    Connection::try_open(address)?.try_get("/sleep")?;
    Ok(service)
}

fn serve(mut command: Command, address: SocketAddr, directory: &Path) -> Result<Running> {
    std::fs::create_dir_all(directory)?;
    command.args(["origin", &address.port().to_string()]);
    let mut origin = Running::start(&mut command, directory)?;
    origin.wait_until(|| answers(address))?;
    Ok(origin)
}

fn answers(address: SocketAddr) -> bool {
    Connection::try_open(address)
        .and_then(|mut connection| connection.try_get("/128"))
        .is_ok_and(|answer| answer.status == 200)
}
