//! `cargo xtask bench attacks`: what a steady client sees, and what the gateway holds, while others attack it in the ways that edges are
//! attacked in. The attackers are on the same machine; they have the lowest priority, so that what a probe waits for is the gateway.

mod http1;
mod http2;
mod strike;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::harness::{Connection, Gateway, Origin, Setup, config, wait};
use crate::load::percentile;
use crate::report;
use strike::Target;

/// One way to attack: threads that run it, and what each does until it is to stop.
pub(crate) struct Attack {
    name: &'static str,
    threads: usize,
    run: fn(&Target),
}

/// Between two requests of the probe.
const BETWEEN: Duration = Duration::from_millis(2);

/// What the probe asks for, and what slow readers do.
const SMALL: &str = "/small";
const LARGE: &str = "/large";
const LARGE_BYTES: usize = 4 << 20;

/// What the probe has seen.
struct Seen {
    times: Vec<Duration>,
    failed: Vec<String>,
    /// The most memory that the gateway held, in bytes.
    memory: u64,
}

pub(crate) fn run(seconds: u64) -> Result<()> {
    let time = Duration::from_secs(seconds);
    let mut table = "| attack | connections made | ended by the gateway | sent MiB | probes | failed | p50 ms, quiet | p99 ms, quiet | p50 ms | p99 ms | p99 ratio | memory held MiB | per byte sent |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n".to_owned();
    let mut failures = Vec::new();
    for attack in http1::ATTACKS.iter().chain(http2::ATTACKS) {
        let row = measure(attack, time, &mut failures);
        println!("{row}");
        writeln!(table, "{row}")?;
    }
    let text = format!(
        "Each attack for {seconds} s on a gateway of its own with the default limits, but `timeout.header`, `body` and `idle` of 5 s, beside a probe of one request every {} ms; before it the probe alone for as long. Memory is the most that was resident above what was before. Attackers, probe, gateway and origin share the machine.\n\n{table}",
        BETWEEN.as_millis()
    );
    report::section("attacks", "Under attack", &text, false)?;
    ensure!(failures.is_empty(), "{} probes failed, the first: {}", failures.len(), failures[0]);
    Ok(())
}

fn measure(attack: &Attack, time: Duration, failures: &mut Vec<String>) -> String {
    let gateway = start();
    let mut quiet = probe(&gateway, time);
    let before = gateway.memory();
    let target = Target::new(gateway.public);
    let threads: Vec<_> = (0..attack.threads)
        .map(|_| {
            let (target, run) = (target.clone(), attack.run);
            thread::spawn(move || {
                // Whoever attacks has machines of his own: here he takes what the others leave.
                let _ = rustix::process::nice(19);
                run(&target);
            })
        })
        .collect();
    let mut under = probe(&gateway, time);
    target.stop();
    for thread in threads {
        thread.join().expect("an attacker does not panic");
    }
    let count = target.count();
    let held = under.memory.saturating_sub(before);
    quiet.times.sort_unstable();
    under.times.sort_unstable();
    let milliseconds = |seen: &Seen, percent| percentile(&seen.times, percent).as_secs_f64() * 1000.0;
    let failed = quiet.failed.len() + under.failed.len();
    failures.extend(quiet.failed.iter().chain(&under.failed).map(|text| format!("{}: {text}", attack.name)));
    format!(
        "| {} | {} | {} | {:.1} | {} | {failed} | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} | {:.1} | {:.1} |",
        attack.name,
        count.connections,
        count.ended,
        mebibytes(count.bytes),
        under.times.len(),
        milliseconds(&quiet, 50.0),
        milliseconds(&quiet, 99.0),
        milliseconds(&under, 50.0),
        milliseconds(&under, 99.0),
        milliseconds(&under, 99.0) / milliseconds(&quiet, 99.0),
        mebibytes(held),
        held as f64 / count.bytes.max(1) as f64,
    )
}

fn start() -> Gateway {
    let body = "x".repeat(LARGE_BYTES);
    let origin = Origin::new(move |request, stream| {
        use std::io::Write as _;
        let body = if request.line[1].starts_with(LARGE) { body.as_str() } else { "ok" };
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len())?;
        stream.write_all(body.as_bytes())
    });
    let listener = "[listeners.public]\nbind = \"@public@\"\ntimeout = { header = \"5s\", body = \"5s\", idle = \"5s\" }\n";
    let quiet = "[telemetry]\nlog = \"off\"\naccess_log = \"off\"\n";
    Setup::new().start(&format!("{}{listener}{quiet}", config::service(origin.address, &[])))
}

/// Asks for so long. A request that is answered with anything but 200 has failed; a connection that the gateway closes by the rules, not.
fn probe(gateway: &Gateway, time: Duration) -> Seen {
    let stop = Arc::new(AtomicBool::new(false));
    let address = gateway.public;
    let asking = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            let (mut times, mut failed) = (Vec::new(), Vec::new());
            let mut connection = None;
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                let open = connection.take().map_or_else(|| Connection::try_open(address), Ok);
                let asked = open.and_then(|mut open| Ok((open.try_get(SMALL)?, open)));
                match asked {
                    Ok((answer, open)) if answer.status == 200 => {
                        times.push(began.elapsed());
                        connection = (answer.header("connection") != Some("close")).then_some(open);
                    }
                    Ok((answer, _)) => failed.push(format!("{}: {}", answer.status, answer.text())),
                    Err(error) => failed.push(error.to_string()),
                }
                wait::pause(BETWEEN);
            }
            (times, failed)
        })
    };
    let (start, mut memory) = (Instant::now(), 0);
    while start.elapsed() < time {
        memory = memory.max(gateway.memory());
        wait::pause(Duration::from_millis(20));
    }
    stop.store(true, Ordering::Relaxed);
    let (times, failed) = asking.join().expect("the probe does not panic");
    Seen { times, failed, memory }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
