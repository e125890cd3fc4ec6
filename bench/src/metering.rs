//! `cargo xtask bench metering`: what metering adds to a request, by what is metered and where the ledger is. `cargo xtask bench
//! million`: a million requests over two gateways that share a ledger on PostgreSQL, and what the back end says of it.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::compare::template;
use crate::harness::metering::{Books, consumer, key};
use crate::harness::postgres::PostgresServer;
use crate::harness::{Connection, Gateway, Setup, config, metering, wait};
use crate::report;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;

const REQUESTS: &str = "[meters.requests]\naggregation = \"count\"\n";
const COUNTED: &str = "[{ meter = \"requests\" }]";
const TOKENS: &str = "[meters.tokens]\naggregation = \"sum\"\n";
const READ: &str = "[{ meter = \"tokens\", value = { response_json = \"$.usage.total_tokens\" } }]";
const QUOTA: &str = "[plans.plan]\ncharges = [{ meter = \"requests\", hard_quota = 1_000_000_000 }]\n";
const PREPAID: &str = "[plans.plan]\ncurrency = \"EUR\"\nprepaid = { grant = \"1000000\" }\n\
                       charges = [{ meter = \"requests\", model = \"per_unit\", unit = \"0.00001\" }]\n";

/// What is metered, and where it is kept.
struct Case {
    name: &'static str,
    postgres: bool,
    durability: &'static str,
    meters: &'static str,
    more: &'static str,
}

const CASES: [Case; 8] = [
    case("counted, SQLite, `group`", false, "group", COUNTED, REQUESTS),
    case("with a hard quota", false, "group", COUNTED, QUOTA),
    case("paid from credit", false, "group", COUNTED, PREPAID),
    case("tokens read from the response", false, "group", READ, TOKENS),
    case("counted, SQLite, `sync`", false, "sync", COUNTED, REQUESTS),
    case("counted, PostgreSQL, `group`", true, "group", COUNTED, REQUESTS),
    case("counted, PostgreSQL, `sync`", true, "sync", COUNTED, REQUESTS),
    case("with a hard quota, PostgreSQL", true, "group", COUNTED, QUOTA),
];

const fn case(
    name: &'static str,
    postgres: bool,
    durability: &'static str,
    meters: &'static str,
    more: &'static str,
) -> Case {
    Case { name, postgres, durability, meters, more }
}

/// A back end that counts what it has answered.
pub(crate) struct Served(Arc<AtomicU64>, SocketAddr);

impl Served {
    fn start() -> Result<Self> {
        let (listener, count) = (TcpListener::bind("127.0.0.1:0")?, Arc::<AtomicU64>::default());
        let served = Self(Arc::clone(&count), listener.local_addr()?);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                thread::spawn(move || serve(stream, &count));
            }
        });
        Ok(served)
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Answers requests without bodies, one after the other.
fn serve(mut stream: TcpStream, count: &AtomicU64) -> std::io::Result<()> {
    const BODY: &[u8] = br#"{"id":"x","choices":[{"text":"some words of an answer"}],"usage":{"prompt_tokens":11,"completion_tokens":22,"total_tokens":33}}"#;
    stream.set_nodelay(true)?;
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        BODY.len()
    )
    .into_bytes();
    answer.extend_from_slice(BODY);
    let (mut buffer, mut held) = (vec![0; 64 << 10], 0);
    loop {
        let read = stream.read(&mut buffer[held..])?;
        if read == 0 {
            return Ok(());
        }
        held += read;
        while let Some(end) = buffer[..held].windows(4).position(|window| window == b"\r\n\r\n") {
            buffer.copy_within(end + 4..held, 0);
            held -= end + 4;
            count.fetch_add(1, Ordering::SeqCst);
            stream.write_all(&answer)?;
        }
    }
}

/// Clients that ask one request after the other until there are none left.
fn ask(gateways: &[&Gateway], requests: u64) -> Result<Duration> {
    let (header, acme) = key("acme");
    let request = format!("GET / HTTP/1.1\r\nhost: api.example\r\n{header}: {acme}\r\n\r\n");
    let left = AtomicU64::new(requests);
    let began = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let gateway = gateways[number % gateways.len()];
                let (left, request) = (&left, &request);
                scope.spawn(move || -> Result<()> {
                    let mut client = Connection::try_open(gateway.public)?;
                    while left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                        .is_ok()
                    {
                        client.try_send(request)?;
                        let answer = client.try_read("GET")?;
                        ensure!(answer.status == 200, "status {}: {}", answer.status, answer.text());
                    }
                    Ok(())
                })
            })
            .collect();
        clients.into_iter().try_for_each(|client| client.join().expect("a client does not panic"))
    })?;
    Ok(began.elapsed())
}

fn start(case: Option<&Case>, id: &str, ledger: &str, origin: SocketAddr) -> Result<Gateway> {
    let plugins = template::plugins();
    let read = |name: &str| {
        let path = plugins.join(format!("{name}.wasm"));
        std::fs::read(&path).with_context(|| path.display().to_string())
    };
    let (meters, more, steps) = match case {
        Some(case) => (case.meters, case.more, &["api-key", "meter"][..]),
        None => (COUNTED, REQUESTS, &["api-key"][..]),
    };
    let plan = if more.contains("[plans.plan]") { "plan" } else { "" };
    let requests = if more.contains("[meters.") { "" } else { REQUESTS };
    let text = metering::gateway(ledger, meters).replace("id = \"gw\"", &format!("id = \"{id}\""))
        + requests
        + more
        + &consumer("acme", plan)
        + &config::service(origin, steps)
        + &format!(
            "[ledger]\ndurability = \"{}\"\ntimeout = \"30s\"\n",
            case.map_or("group", |case| case.durability)
        )
        + "[telemetry]\nlog = \"error\"\naccess_log = \"off\"\n";
    let setup = Setup::new().plugin("api-key", read("api-key")?).plugin("meter", read("meter")?);
    Ok(setup.start(&format!("workers = 1\n{text}")))
}

/// Microseconds of CPU a request, in one round.
fn round(gateway: &Gateway, requests: u64) -> Result<(f64, f64)> {
    let before = gateway.cpu_time();
    let took = ask(&[gateway], requests)?;
    let spent = gateway.cpu_time() - before;
    let count = requests as f64;
    Ok((spent.as_secs_f64() * 1e6 / count, count / took.as_secs_f64()))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// `cargo xtask bench metering`.
pub(crate) fn run(requests: u64) -> Result<()> {
    let (origin, server) = (Served::start()?, PostgresServer::start());
    let base = start(None, "base", "sqlite:ledger.db", origin.1)?;
    let mut gateways = Vec::new();
    for (number, case) in CASES.iter().enumerate() {
        let ledger =
            if case.postgres { server.url(&server.database()) } else { "sqlite:ledger.db".to_owned() };
        gateways.push(start(Some(case), &format!("gw{number}"), &ledger, origin.1)?);
    }
    let mut figures = vec![(Vec::new(), Vec::new()); CASES.len() + 1];
    for number in 0..=ROUNDS {
        for place in 0..figures.len() {
            // Each round begins with another.
            let place = (place + number) % figures.len();
            let gateway = place.checked_sub(1).map_or(&base, |place| &gateways[place]);
            let (cpu, rate) = round(gateway, requests)?;
            // The first is for warming up.
            if number > 0 {
                figures[place].0.push(cpu);
                figures[place].1.push(rate);
            }
        }
        eprintln!("  round {number} of {ROUNDS}");
    }
    let base = median(&mut figures[0].0);
    let mut text = format!(
        "One worker, {CONNECTIONS} connections over HTTP/1.1 with one request after the other, medians of {ROUNDS} rounds of {requests} \
         requests; clients, back end and database run on the same two cores, so requests a second say little. CPU is the gateway's, its \
         ledger thread's included, and not that of the database's server.\n\n\
         | | CPU µs a request | added µs | requests/s |\n|---|--:|--:|--:|\n"
    );
    let rate = median(&mut figures[0].1);
    let _ = writeln!(text, "| `api-key` alone | {base:.1} | | {rate:.0} |");
    for (case, (cpu, rate)) in CASES.iter().zip(&mut figures[1..]) {
        let (cpu, rate) = (median(cpu), median(rate));
        let _ = writeln!(text, "| {} | {cpu:.1} | {:+.1} | {rate:.0} |", case.name, cpu - base);
    }
    report::section("metering", "What metering adds", &text, false)
}

/// `cargo xtask bench million`.
pub(crate) fn million(requests: u64) -> Result<()> {
    let (origin, server) = (Served::start()?, PostgresServer::start());
    let database = server.database();
    let url = server.url(&database);
    let case = case("", true, "sync", COUNTED, QUOTA);
    let gateways = [start(Some(&case), "one", &url, origin.1)?, start(Some(&case), "two", &url, origin.1)?];
    let before: Duration = gateways.iter().map(Gateway::cpu_time).sum();
    let took = ask(&[&gateways[0], &gateways[1]], requests)?;
    let cpu = gateways.iter().map(Gateway::cpu_time).sum::<Duration>() - before;
    let books = Books::on(&url);
    let metered = u64::try_from(books.sum("acme", "requests"))?;
    let served = origin.count();
    let rows: u64 = server.ask(&database, "SELECT count(*) FROM sluice.events").parse()?;
    let problems = books.ask(async |reader| reader.check().await)?.problems;
    let size = server.ask(&database, "SELECT pg_size_pretty(pg_database_size(current_database()))");

    // And the last unit of a quota and the last cent of a credit, each handed out once.
    let spent = [QUOTA.replace("1_000_000_000", "1000"), PREPAID.replace("\"1000000\"", "\"0.01\"")];
    let mut exhausted = Vec::new();
    for plan in spent {
        exhausted.push(exhaust(&server, &plan)?);
    }

    let mut report = report::Report::new("million", "A million requests over two gateways on one PostgreSQL");
    report.row("requests, all answered 200", requests);
    report.row("served by the back end", served);
    report.row("metered", metered);
    report.row("**metered minus served**", format!("**{}**", i128::from(metered) - i128::from(served)));
    report.row("rows in the ledger", rows);
    report.row("problems that its check finds", problems.len());
    report.row(
        "time",
        format!("{:.0} s, {:.0} requests/s", took.as_secs_f64(), requests as f64 / took.as_secs_f64()),
    );
    report.row(
        "CPU of both gateways a request",
        format!("{:.1} µs", cpu.as_secs_f64() * 1e6 / requests as f64),
    );
    report.row("the database's size", size);
    report.row("of a quota of 1000, both asked to the end", format!("{} served", exhausted[0]));
    report.row("of a credit for 1000, both asked to the end", format!("{} served", exhausted[1]));
    report.finish()?;
    ensure!(metered == served && rows == served && problems.is_empty(), "it does not add up: {problems:?}");
    ensure!(exhausted == [1000, 1000], "not exactly what there was: {exhausted:?}");
    Ok(())
}

/// Two gateways are asked until both have refused for three seconds: how many requests the back end has served.
fn exhaust(server: &PostgresServer, plan: &str) -> Result<u64> {
    const REFUSALS: usize = 30;
    let (origin, url) = (Served::start()?, server.url(&server.database()));
    let plan: &'static str = plan.to_owned().leak();
    let case = case("", true, "group", COUNTED, plan);
    let gateways = [start(Some(&case), "one", &url, origin.1)?, start(Some(&case), "two", &url, origin.1)?];
    let (header, acme) = key("acme");
    thread::scope(|scope| {
        for number in 0..CONNECTIONS {
            let (gateway, acme) = (&gateways[number % 2], &acme);
            scope.spawn(move || {
                let (mut client, mut refused) = (gateway.connect(), 0);
                while refused < REFUSALS {
                    if client.request("GET", "/", &[(header, acme)], b"").status != 200 {
                        refused += 1;
                        wait::pause(Duration::from_millis(100));
                    }
                }
            });
        }
    });
    Ok(origin.count())
}
