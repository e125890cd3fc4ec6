//! `cargo xtask bench policies`: what one step of each built-in policy takes of the gateway, and what Lua takes of nginx for
//! the same.

mod credentials;
mod expect;
mod list;
mod site;
mod table;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::compare::launch::Proxy;
use crate::compare::load::{Request, wrk};
use crate::compare::options::Options;
use crate::compare::peer::Peer;
use crate::compare::rounds::{self, Sample};
use crate::compare::{process, template, versions};
use crate::harness::ports;
use crate::report;
use expect::Expect;
use site::{Around, Site};

/// A row: what a proxy does on one of its routes, with requests that pass it.
pub(crate) struct Policy {
    pub(crate) name: &'static str,
    /// The first segment of the route's path.
    pub(crate) route: &'static str,
    /// Its file in `bench/peers/sluice/policies/`; none for a route that every template has.
    pub(crate) file: Option<&'static str>,
    /// The route that costs what this one does without the step.
    pub(crate) base: Option<&'static str>,
    pub(crate) requests: Vec<Request>,
    /// What has to be seen of it first.
    pub(crate) expects: Vec<Expect>,
    /// nginx's location that does the same in Lua.
    pub(crate) twin: Option<&'static str>,
}

/// A policy of a site that is up, and its figures.
pub(crate) struct Row {
    /// Its place among the sites.
    pub(crate) site: usize,
    pub(crate) policy: Policy,
    pub(crate) samples: Vec<Sample>,
    /// Why there are no figures.
    pub(crate) failed: Option<String>,
}

/// What a whole run found.
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    /// The place of nginx among the sites.
    pub(crate) nginx: Option<usize>,
    /// Policies that could not be measured, and why.
    pub(crate) missing: Vec<String>,
    /// What became of the questions to Redis.
    pub(crate) notes: Vec<String>,
}

/// Runs what the arguments choose, prints it and, if that is everything, keeps it in `bench/RESULTS.md`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    process::settle()?;
    let service = ports::free();
    let credentials = credentials::Credentials::new()?;
    let redis = site::Redis::start()?;
    let mut sites = site::all(&credentials, service, redis.as_ref());
    let names = sites.iter().flat_map(|site| &site.policies).map(|policy| policy.route);
    let names: Vec<_> = names.filter(|name| !name.starts_with("none")).collect();
    let options = Options::parse(arguments, &names)?;
    let part = options.quick || names.iter().any(|name| !options.wants_scenario(name));
    for site in &mut sites {
        site.keep(|route| route.starts_with("none") || options.wants_scenario(route));
    }
    let origin = ports::free();
    let _origin = process::origin(origin, &template::scratch().join("run/origin"))?;
    let _service = process::service(service, &template::scratch().join("run/service"))?;

    let mut missing: Vec<String> = Vec::new();
    if redis.is_none() {
        missing.push("counters on Redis: redis-server is not on the `PATH`".to_owned());
    }
    let outcome = measure(sites, missing, &options, [origin, service], redis.as_ref())?;
    let text = format!(
        "{ABOUT} {} rounds of {} s, median [least–most].\n\n{}\n{}",
        options.rounds,
        options.time.as_secs(),
        table::render(&outcome),
        versions([Peer::NginxLua, Peer::Sluice]),
    );
    report::section("policies", "What each policy takes", &text, options.dry || part)
}

const ABOUT: &str = "CPU time of the gateway a request, 64 connections, 128 B from the origin unless said otherwise. Every GET \
    carries one of 1,000 API keys in turn. One gateway has all these routes, so that nothing but the steps differs; those \
    whose counters are on Redis have one each, and so has `mtls`, whose client is a trusted proxy. nginx has all its locations in \
    one process too: Lua, but for networks, gzip and the cache, for which it has modules of its own in C. *More* is the difference to \
    the same requests on a route without steps in the same process, round by round; *ratio* is that of what Wasm and Lua add.";

/// Brings all sites up and measures their policies turn by turn.
fn measure(
    sites: Vec<Site>,
    mut missing: Vec<String>,
    options: &Options,
    [origin, service]: [SocketAddr; 2],
    redis: Option<&site::Redis>,
) -> Result<Outcome> {
    let (mut proxies, mut rows, mut nginx, mut counting) = (Vec::new(), Vec::new(), None, Vec::new());
    for mut site in sites {
        missing.extend(site.leave_out_unbuilt());
        eprintln!("  {}", site.name);
        let proxy = site.start(origin).with_context(|| format!("{} does not start", site.name))?;
        if site.store.is_some() {
            counting.push((site.name, proxies.len()));
        }
        if site.peer == Peer::NginxLua {
            nginx = Some(proxies.len());
        }
        for policy in site.policies {
            let around = Around { proxy: &proxy, service, redis: redis.filter(|_| site.store.is_some()) };
            let failed = around.verify(&policy.expects).err();
            if let Some(failure) = &failed {
                eprintln!("    {} is left out: {failure:#}", policy.route);
            }
            let failed = failed.map(|failure| format!("{failure:#}"));
            rows.push(Row { site: proxies.len(), policy, samples: Vec::new(), failed });
        }
        proxies.push(proxy);
    }
    let everyone: Vec<u32> = proxies.iter().flat_map(|proxy| proxy.running.tree()).collect();
    rounds::wait_until_quiet(&everyone);
    for row in &mut rows {
        load(row, &proxies[row.site], options.warm_up, &everyone);
        row.samples.clear();
    }
    let count = rows.len();
    for round in 0..options.rounds {
        eprintln!("  round {} of {}", round + 1, options.rounds);
        // Each round begins elsewhere.
        for turn in 0..count {
            let row = &mut rows[(round * count / options.rounds + turn) % count];
            load(row, &proxies[row.site], options.time, &everyone);
        }
    }
    let mut notes = Vec::new();
    for (name, proxy) in counting {
        notes.push(format!("{name}: {}", expect::questions(&proxies[proxy])?));
    }
    Ok(Outcome { rows, nginx, missing, notes })
}

/// One turn of a policy.
fn load(row: &mut Row, proxy: &Proxy, time: Duration, everyone: &[u32]) {
    if row.failed.is_some() {
        return;
    }
    let directory = template::scratch().join("run/load");
    let run = || {
        wrk::prepare(&row.policy.requests, &directory)?;
        wrk::run(proxy.address, &row.policy.requests, &directory, time)
    };
    match rounds::sample(&proxy.running.tree(), everyone, run) {
        Ok(sample) => row.samples.push(sample),
        Err(error) => {
            eprintln!("    {} failed: {error:#}", row.policy.route);
            row.failed = Some(format!("{error:#}"));
        }
    }
}
