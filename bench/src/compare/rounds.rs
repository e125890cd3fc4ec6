//! Runs the peers of a case turn by turn, so that whatever else the machine does falls on all of them.
//!
//! All peers of a case are up for all of its rounds: only the one under load works. What the others do meanwhile is
//! measured too (`idle`): nothing to speak of, so starting each anew for every round would only cost time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::launch::{Proxy, launch};
use super::load::paced::{self, Latencies};
use super::load::{Served, h2load, wrk};
use super::options::Options;
use super::peer::Peer;
use super::process::PROXY_CORE;
use super::scenario::{Case, Load};
use super::system::{self, Core};
use super::template;
use crate::harness::Connection;
use crate::harness::wait;

const QUIET_WITHIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(250);

/// One run at saturation.
pub(crate) struct Sample {
    pub(crate) served: Served,
    /// CPU time of the proxy, a request.
    pub(crate) micros: f64,
    /// The part of its core that the proxy used.
    pub(crate) used: f64,
    /// The part of its core that was used by anyone.
    pub(crate) busy: f64,
    /// The part of its core that the peers used which had nothing to do.
    pub(crate) idlers: f64,
}

/// What was measured of one peer in one case.
pub(crate) struct Measured {
    pub(crate) peer: Peer,
    pub(crate) samples: Vec<Sample>,
    pub(crate) paced: Vec<Latencies>,
    /// After all the load.
    pub(crate) memory: u64,
    /// Why there are no figures.
    pub(crate) failed: Option<String>,
}

/// A case with all its peers.
pub(crate) struct Outcome {
    pub(crate) case: String,
    pub(crate) peers: Vec<Measured>,
}

/// A peer that is up, or why it is not.
struct Entry {
    proxy: Option<Proxy>,
    measured: Measured,
}

impl Entry {
    fn processes(&self) -> Vec<u32> {
        self.proxy.as_ref().map_or_else(Vec::new, |proxy| proxy.running.tree())
    }
}

/// Measures the peers of a case.
pub(crate) fn run(case: &Case, options: &Options, origin: SocketAddr) -> Result<Outcome> {
    // Not beside anyone's configuration: Sluice takes a new file there for a change.
    wrk::prepare(&case.requests, &load_directory())?;
    let mut entries = Vec::new();
    for peer in Peer::ALL {
        if peer.template(case.template).is_some() && options.wants(peer) {
            eprintln!("  {} {}: {}", case.template, case.name, peer.name());
            entries.push(bring_up(peer, case, origin));
        }
    }
    let everyone: Vec<u32> = entries.iter().flat_map(Entry::processes).collect();
    wait_until_quiet(&everyone);
    for entry in &mut entries {
        saturate(entry, case, options.warm_up, &everyone);
        entry.measured.samples.clear();
    }
    for round in 0..options.rounds {
        in_turn(&mut entries, round, |entry| saturate(entry, case, options.time, &everyone));
    }
    if case.paced && options.paces(case.template) {
        tell(origin, "/sleep")?;
        for round in 0..options.paced_rounds {
            in_turn(&mut entries, round, |entry| pace(entry, case, options.time));
        }
        tell(origin, "/wake")?;
    }
    for entry in &mut entries {
        entry.measured.memory = entry.proxy.as_ref().map_or(0, |proxy| system::memory(&proxy.running.tree()));
    }
    let peers = entries.into_iter().map(|entry| entry.measured).collect();
    Ok(Outcome { case: case.name.clone(), peers })
}

pub(crate) fn tell(origin: SocketAddr, path: &str) -> Result<()> {
    Connection::try_open(origin)?.try_get(path)?;
    Ok(())
}

fn load_directory() -> PathBuf {
    template::scratch().join("run/load")
}

/// Waits until nobody works: some go on after their first answer, Sluice for seconds with 100,000 routes.
pub(crate) fn wait_until_quiet(processes: &[u32]) {
    let begin = Instant::now();
    while begin.elapsed() < QUIET_WITHIN {
        let before = system::cpu_time(processes);
        wait::pause(LOOK);
        if system::cpu_time(processes) - before < LOOK / 50 {
            return;
        }
    }
    eprintln!("    somebody never rests: see the remarks");
}

/// Each round begins with another.
fn in_turn(entries: &mut [Entry], round: usize, mut run: impl FnMut(&mut Entry)) {
    let count = entries.len();
    for turn in 0..count {
        run(&mut entries[(round + turn) % count]);
    }
}

fn bring_up(peer: Peer, case: &Case, origin: SocketAddr) -> Entry {
    let mut measured = Measured { peer, samples: Vec::new(), paced: Vec::new(), memory: 0, failed: None };
    match launch(peer, case, origin) {
        Ok(proxy) => Entry { proxy: Some(proxy), measured },
        Err(error) => {
            eprintln!("    {} is left out: {error:#}", peer.name());
            measured.failed = Some(format!("{error:#}"));
            Entry { proxy: None, measured }
        }
    }
}

fn saturate(entry: &mut Entry, case: &Case, time: Duration, everyone: &[u32]) {
    let processes = entry.processes();
    let Some(proxy) = &entry.proxy else { return };
    let sample = sample(&processes, everyone, || match case.load {
        Load::Wrk => wrk::run(proxy.address, &case.requests, &load_directory(), time),
        Load::H2load => h2load::run(proxy.address, &case.requests, time),
    });
    match sample {
        Ok(sample) => entry.measured.samples.push(sample),
        Err(error) => fail(entry, &error),
    }
}

/// What a load takes of the proxy that these processes are, and of all others that are up.
pub(crate) fn sample(
    processes: &[u32],
    everyone: &[u32],
    load: impl FnOnce() -> Result<Served>,
) -> Result<Sample> {
    let times = || [system::cpu_time(processes), system::cpu_time(everyone)].map(|time| time.as_secs_f64());
    let (core, [own, all], begin) = (Core::now(PROXY_CORE), times(), Instant::now());
    let served = load()?;
    let [own_after, all_after] = times();
    let (own, all, elapsed) = (own_after - own, all_after - all, begin.elapsed().as_secs_f64());
    Ok(Sample {
        served,
        micros: own * 1e6 / served.requests.max(1) as f64,
        used: own / elapsed,
        busy: Core::now(PROXY_CORE).busy_since(core),
        idlers: (all - own) / elapsed,
    })
}

fn pace(entry: &mut Entry, case: &Case, time: Duration) {
    let Some(rate) = half_of(entry) else { return };
    let Some(proxy) = &entry.proxy else { return };
    match paced::run(proxy.address, &case.requests, rate, time) {
        Ok(latencies) => entry.measured.paced.push(latencies),
        Err(error) => fail(entry, &error),
    }
}

fn fail(entry: &mut Entry, error: &anyhow::Error) {
    eprintln!("    {} failed: {error:#}", entry.measured.peer.name());
    entry.measured.failed = Some(format!("{error:#}"));
    entry.proxy = None;
}

/// Half of what it does at most: as much of its strength as of anyone's.
fn half_of(entry: &Entry) -> Option<f64> {
    let rates = entry.measured.samples.iter().map(|sample| sample.served.per_second);
    Some((super::figures::Spread::of(rates)?.median / 2.0).round()).filter(|rate| *rate > 0.0)
}
