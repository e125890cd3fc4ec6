//! `plugins`: what a plugin costs in memory, and what each further instance of it.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::figures::mebibytes;
use super::launch::{Prepared, Proxy};
use super::load::Request;
use super::options::Options;
use super::peer::Peer;
use super::scenario::Case;
use super::{system, template, versions};
use crate::harness::{Connection, wait};

const SETTLE: Duration = Duration::from_secs(2);
/// Exchanges that wait for the origin at once, each with an instance of its own.
const EXCHANGES: usize = 100;

/// A table of Sluice alone: nobody else has plugins of this kind.
pub(crate) fn run(options: &Options, origin: SocketAddr) -> Result<String> {
    let counts: &[usize] = if options.quick { &[0, 100] } else { &[0, 5, 100, 1_000] };
    let mut text = "Sluice with so many distinct plugins that do nothing (the same code of 157 KiB, each file its own), one on \
        each route; compiled before. Loading a plugin makes its first instance.\n\n\
        | plugins | ms to the first answer | memory at rest MiB | KiB a plugin | after a request to each MiB |\n\
        |--:|--:|--:|--:|--:|\n"
        .to_owned();
    let mut bare = None;
    for count in counts {
        eprintln!("  plugins: {count}");
        let case = case(&format!("{count} plugins"), *count, "shared");
        let prepared = Prepared::new(Peer::Sluice, &case, origin)?;
        // Compiles them, where no earlier run has.
        drop(prepared.launch()?);
        let proxy = prepared.launch()?;
        let rest = at_rest(&proxy);
        ask_each(&proxy, *count)?;
        let used = at_rest(&proxy);
        let bare = *bare.get_or_insert(rest);
        let each = rest.saturating_sub(bare) as f64 / 1024.0 / *count as f64;
        let each = if *count > 0 { format!("{each:.0}") } else { "–".to_owned() };
        let _ = writeln!(
            text,
            "| {count} | {:.0} | {} | {} | {} |",
            proxy.started_in.as_secs_f64() * 1000.0,
            mebibytes(rest),
            each,
            mebibytes(used),
        );
    }
    if !options.quick {
        text += &instances(origin)?;
    }
    Ok(text + "\n" + &versions([Peer::Sluice]))
}

fn case(name: &str, plugins: usize, isolation: &'static str) -> Case {
    let first = if plugins == 0 { "/128" } else { "/p0/128" };
    Case { plugins, isolation, ..Case::new(name, "plugins", vec![Request::get(first)]) }
}

/// Further instances of one plugin: each exchange has its own, and many wait for the origin at once. The same exchanges
/// without the plugin are what they cost themselves.
fn instances(origin: SocketAddr) -> Result<String> {
    eprintln!("  plugins: instances");
    let mut grown = Vec::new();
    let mut seen = 0.0;
    for plugins in [0, 1] {
        let case = case(&format!("{plugins} with instances"), plugins, "exchange");
        let proxy = Prepared::new(Peer::Sluice, &case, origin)?.launch()?;
        let before = at_rest(&proxy);
        let path = if plugins == 0 { "/slow" } else { "/p0/slow" };
        let waiting: Vec<TcpStream> =
            (0..EXCHANGES).map(|_| send(proxy.address, path)).collect::<Result<_>>()?;
        wait::pause(SETTLE);
        grown.push(system::memory(&proxy.running.tree()).saturating_sub(before));
        seen = instances_of(&proxy)?;
        drop(waiting);
    }
    let each = grown[1].saturating_sub(grown[0]) as f64 / 1024.0 / seen.max(1.0);
    Ok(format!(
        "\n{EXCHANGES} exchanges at once with `isolation = \"exchange\"` have {seen} instances, {each:.1} KiB each beyond what \
         the exchange itself takes ({:.1} KiB).\n",
        grown[0] as f64 / 1024.0 / EXCHANGES as f64
    ))
}

fn at_rest(proxy: &Proxy) -> u64 {
    wait::pause(SETTLE);
    system::memory(&proxy.running.tree())
}

fn ask_each(proxy: &Proxy, count: usize) -> Result<()> {
    let mut connection = Connection::try_open(proxy.address)?;
    for number in 0..count {
        let answer = connection.try_get(&format!("/p{number}/128"))?;
        ensure!(answer.status == 200, "the route of plugin {number} answers {}", answer.status);
    }
    Ok(())
}

/// A request whose answer takes a while.
fn send(address: SocketAddr, path: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    std::io::Write::write_all(&mut stream, &Request::get(path).bytes())?;
    Ok(stream)
}

/// How many instances there are, by the gateway's own count.
fn instances_of(proxy: &Proxy) -> Result<f64> {
    let admin = template::admin(&proxy.directory).context("the configuration names the admin listener")?;
    let metrics = Connection::try_open(admin)?.try_get("/metrics")?.text();
    let lines = metrics.lines().filter(|line| line.starts_with("sluice_plugin_instances{"));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}
