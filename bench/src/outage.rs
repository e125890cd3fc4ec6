//! `cargo xtask bench outage`: how long requests take while the server that holds the counters is well, frozen, killed and
//! back, for each `on_store_error`, counted exactly and with leases.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::compare::template;
use crate::harness::redis::RedisServer;
use crate::harness::{Gateway, Origin, Setup, config, wait};
use crate::load::{one_by_one, percentile};
use crate::report;

const CONNECTIONS: usize = 16;
/// A freeze or a kill hits only the requests that are under way at that moment, hence several.
const ROUNDS: usize = 3;
/// Connections are made and caches filled: not a part of how it is when the server is well.
const WARM_UP: Duration = Duration::from_secs(1);

const COUNTING: [(&str, &str); 2] = [("exact", ""), ("`lease = 0.05`", "lease = 0.05\n")];
const BEHAVIOURS: [&str; 3] = ["local", "deny", "allow"];

/// How the server is, what makes it so, and whether the gateway is connected to it in the end.
type Phase = (&'static str, fn(&mut RedisServer), bool);
const PHASES: [Phase; 5] = [
    ("well", |_| {}, true),
    ("frozen", |redis| redis.freeze(), false),
    ("thawed", |redis| redis.thaw(), true),
    ("killed", RedisServer::kill, false),
    ("restarted", RedisServer::restart, true),
];
const WELL: usize = 0;
/// What ends in it is not counted.
const NO_PHASE: usize = PHASES.len();

/// What ended in one phase.
#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    /// How often each; 0 is no answer.
    statuses: BTreeMap<u16, u64>,
    /// How long it took at most until the gateway knew how the server is.
    noticed: Duration,
}

pub(crate) fn run(seconds: u64) -> Result<()> {
    let time = Duration::from_secs(seconds);
    let mut text = format!(
        "{CONNECTIONS} connections over HTTP/1.1, on each one request after the other, through `rate-limit` with a quota that nobody \
         uses up; `timeout` is the default of 25 ms, and an exchange waits at most twice that. {ROUNDS} rounds of {seconds} s a phase, \
         and until the gateway knows. A request belongs to the phase in which it was answered; *added* is the longest less the longest when the server was well; \
         *noticed* is how long that took at most.\n\n\
         | counting | `on_store_error` | the server is | requests | statuses | p50 ms | p99 ms | longest ms | added ms | noticed after ms |\n\
         |---|---|---|--:|---|--:|--:|--:|--:|--:|\n"
    );
    let mut unexpected = Vec::new();
    for (counting, lease) in COUNTING {
        for behaviour in BEHAVIOURS {
            eprintln!("  {counting}, {behaviour}");
            let seen = measure(&format!("{lease}on_store_error = \"{behaviour}\"\n"), time)?;
            let well = seen[WELL].longest();
            for (number, ((name, _, _), seen)) in PHASES.iter().zip(&seen).enumerate() {
                let well = (number != WELL).then_some(well);
                let _ = writeln!(text, "| {counting} | `{behaviour}` | {name} | {} |", seen.cells(well));
                let declared = |status| status == 200 || (behaviour == "deny" && status == 503);
                if !seen.statuses.keys().all(|status| declared(*status)) {
                    unexpected.push(format!("{counting}, {behaviour}, {name}: {}", seen.shown_statuses()));
                }
            }
        }
    }
    report::section("outage", "While the counters' server is away", &text, false)?;
    ensure!(unexpected.is_empty(), "not what is declared: {}", unexpected.join("; "));
    Ok(())
}

/// A gateway and a server of their own through all phases, under load from the beginning to the end.
fn measure(store: &str, time: Duration) -> Result<Vec<Seen>> {
    let mut redis = RedisServer::start();
    let gateway = start(&format!("[store]\ncounters = \"{}\"\n{store}", redis.url()))?;
    let clients = Clients::start(&gateway);
    wait::until("the server is asked", || is_connected(&gateway));
    wait::pause(WARM_UP);
    let mut noticed = [Duration::ZERO; PHASES.len()];
    for _ in 0..ROUNDS {
        for (number, (name, happen, connected)) in PHASES.iter().enumerate() {
            let enter = || clients.phase.store(number, Ordering::SeqCst);
            // Before it goes away, so that whoever it hits first is counted; after it came back, since it takes time to start.
            if !connected {
                enter();
            }
            happen(&mut redis);
            enter();
            let began = Instant::now();
            let notice = || {
                wait::until(&format!("the gateway finds the server {name}"), || {
                    is_connected(&gateway) == *connected
                });
                began.elapsed()
            };
            noticed[number] = noticed[number].max(notice());
            wait::pause(time.saturating_sub(began.elapsed()));
            // Once more: the next phase is not to begin in the middle of this one.
            notice();
        }
    }
    let mut all = clients.finish();
    all.iter_mut().zip(noticed).for_each(|(seen, noticed)| seen.noticed = noticed);
    Ok(all)
}

fn start(store: &str) -> Result<Gateway> {
    let path = template::plugins().join("rate-limit.wasm");
    let plugin = fs::read(&path).with_context(|| path.display().to_string())?;
    // A lease lives for its share of the window: half a second here, so that purses run out within a phase.
    let limit = "capabilities = [\"store\"]\n\
                 config = { key = \"route\", limits = [{ q = 10000000, w = \"10s\" }] }";
    let text = config::plugin("rate-limit", limit)
        + &config::service(Origin::echo(), &["rate-limit"])
        + store
        + "[telemetry]\nlog = \"off\"\naccess_log = \"off\"\n";
    Ok(Setup::new().plugin("rate-limit", plugin).start(&text))
}

fn is_connected(gateway: &Gateway) -> bool {
    gateway.snapshot()["store"]["connected"] == true
}

/// A closed-loop load that notes in which phase each request was answered.
struct Clients {
    phase: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Seen>>>,
}

impl Clients {
    fn start(gateway: &Gateway) -> Self {
        let (phase, stop) = (Arc::new(AtomicUsize::new(NO_PHASE)), Arc::new(AtomicBool::new(false)));
        let client = |_| {
            let (address, phase, stop) = (gateway.public, Arc::clone(&phase), Arc::clone(&stop));
            thread::spawn(move || {
                let mut seen: Vec<Seen> = PHASES.iter().map(|_| Seen::default()).collect();
                one_by_one(address, &stop, |answer, took| {
                    let Some(seen) = seen.get_mut(phase.load(Ordering::SeqCst)) else { return };
                    seen.times.push(took);
                    *seen.statuses.entry(answer.map_or(0, |answer| answer.status)).or_default() += 1;
                });
                seen
            })
        };
        let threads = (0..CONNECTIONS).map(client).collect();
        Self { phase, stop, threads }
    }

    /// What was seen of each phase.
    fn finish(self) -> Vec<Seen> {
        self.phase.store(NO_PHASE, Ordering::SeqCst);
        self.stop.store(true, Ordering::Relaxed);
        let mut all: Vec<Seen> = PHASES.iter().map(|_| Seen::default()).collect();
        for thread in self.threads {
            for (all, seen) in all.iter_mut().zip(thread.join().expect("a client does not panic")) {
                all.times.extend(seen.times);
                for (status, count) in seen.statuses {
                    *all.statuses.entry(status).or_default() += count;
                }
            }
        }
        all.iter_mut().for_each(|seen| seen.times.sort_unstable());
        all
    }
}

impl Seen {
    fn longest(&self) -> f64 {
        milliseconds(self.times.last().copied().unwrap_or_default())
    }

    fn shown_statuses(&self) -> String {
        let one = |(status, count): (&u16, &u64)| match status {
            0 => format!("{count} × no answer"),
            _ => format!("{count} × {status}"),
        };
        self.statuses.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// Compared with the longest when the server was well, unless this is that.
    fn cells(&self, well: Option<f64>) -> String {
        let [half, most] = [50.0, 99.0].map(|percent| milliseconds(percentile(&self.times, percent)));
        let (count, longest) = (self.times.len(), self.longest());
        let compared = well.map_or_else(
            || "– | –".to_owned(),
            |well| format!("{:+.1} | {:.0}", longest - well, milliseconds(self.noticed)),
        );
        format!("{count} | {} | {half:.2} | {most:.2} | {longest:.1} | {compared}", self.shown_statuses())
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
