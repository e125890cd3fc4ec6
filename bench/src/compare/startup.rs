//! `start`: from the start of a process to its first answer, and its memory when it then rests.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use super::figures::{Spread, mebibytes};
use super::launch::Prepared;
use super::load::Request;
use super::options::Options;
use super::peer::Peer;
use super::scenario::{Case, Check};
use super::{keys, system, versions};
use crate::harness::wait;

/// When memory at rest is looked at.
const REST: Duration = Duration::from_secs(2);
const STARTS: usize = 5;

/// A table of all peers and cases.
pub(crate) fn run(options: &Options, origin: SocketAddr) -> Result<String> {
    let mut text = format!(
        "From the start of the process to its first answer, and its memory {} s later. Median of {STARTS} starts [least–most].\n\n\
         | case | peer | ms to the first answer | memory at rest MiB |\n|---|---|--:|--:|\n",
        REST.as_secs(),
    );
    for (case, cold) in cases().into_iter().filter(|(case, _)| case.quick || !options.quick) {
        for peer in Peer::ALL.into_iter().filter(|peer| options.wants(*peer)) {
            if peer.template(case.template).is_some() {
                eprintln!("  start: {}, {}", case.name, peer.name());
                let row = measure(peer, &case, cold, origin);
                let row =
                    row.unwrap_or_else(|error| format!("**left out**: {error:#} | –").replace('\n', " "));
                let _ = writeln!(text, "| {} | {} | {row} |", case.name, peer.name());
            }
        }
    }
    Ok(text + "\n" + &versions(Peer::ALL.into_iter().filter(|peer| options.wants(*peer))))
}

/// The cases, and whether each start finds no compiled code.
fn cases() -> Vec<(Case, bool)> {
    let own = |case: Case| Case { own_code: true, ..case };
    let key = || vec![Request::get("/128").header("x-api-key", keys::key(0))];
    let five = |name| own(Case { check: Check::Policy, ..Case::new(name, "five", key()) });
    let slow = |case: Case| Case { quick: false, ..case };
    let twenty =
        |name| own(Case { plugins: 20, ..Case::new(name, "plugins", vec![Request::get("/p0/128")]) });
    vec![
        (Case::new("plain", "plain", vec![Request::get("/128")]), false),
        (slow(own(Case::new("policy", "policy", key()))), false),
        (five("five plugins, compiled before"), false),
        (slow(five("five plugins, nothing compiled")), true),
        (slow(twenty("20 plugins, compiled before")), false),
        (slow(twenty("20 plugins, nothing compiled")), true),
    ]
}

fn measure(peer: Peer, case: &Case, cold: bool, origin: SocketAddr) -> Result<String> {
    let prepared = Prepared::new(peer, case, origin)?;
    // Fills the page cache, and the cache of compiled code.
    drop(prepared.launch()?);
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for round in 0..STARTS {
        if cold {
            let _ = fs::remove_dir_all(prepared.directory.join("code"));
        }
        let proxy = prepared.launch()?;
        times.push(proxy.started_in.as_secs_f64() * 1000.0);
        if round == 0 {
            wait::pause(REST);
            memory.push(system::memory(&proxy.running.tree()));
        }
    }
    let time = Spread::of(times.into_iter()).map(|time| time.to_string()).unwrap_or_default();
    Ok(format!("{time} | {}", memory.into_iter().map(mebibytes).collect::<String>()))
}
