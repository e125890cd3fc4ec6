//! A ledger to test: in a file, or on a server that all tests of this process share.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rust_decimal::Decimal;
use sluice_metering::event::Event;
use sluice_metering::ledger::{
    Backend, Cursor, Draw, Durability, Entry, Exported, Ledger, Pool, Reader, Settings, Want,
};
use sluice_metering::meter::Aggregation;
use sluice_metering::period::Every;
use sluice_metering::plan::{Charge, Price};
use tempfile::TempDir;

use crate::postgres::PostgresServer;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Sqlite,
    Postgres,
}

pub(crate) const BOTH: [Which; 2] = [Which::Sqlite, Which::Postgres];

/// A database of a test's own.
pub(crate) struct Place {
    directory: TempDir,
    database: Option<String>,
}

/// One server for all tests, each with a database of its own. It ends with the process.
pub(crate) fn server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(PostgresServer::start)
}

impl Place {
    pub(crate) fn new(which: Which) -> Self {
        let database = (which == Which::Postgres).then(|| server().database());
        Self { directory: tempfile::tempdir().unwrap(), database }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("ledger.db")
    }

    pub(crate) fn database(&self) -> &str {
        self.database.as_deref().unwrap()
    }

    pub(crate) fn settings(&self, gateway: &str) -> Settings {
        let backend = match &self.database {
            None => Backend::Sqlite { path: self.path() },
            Some(database) => Backend::Postgres { config: server().url(database), connector: None },
        };
        Settings {
            backend,
            durability: Durability::Group,
            gateway: gateway.into(),
            lease: Duration::from_secs(20),
        }
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        Ledger::open(self.settings("edge-1")).await.unwrap()
    }

    pub(crate) async fn reader(&self) -> Reader {
        Reader::open(&self.settings("edge-1")).await.unwrap()
    }
}

/// The events after a cursor, once there are as many. On a server they wait for whoever else is in a transaction, also in another
/// test's database.
pub(crate) async fn events(reader: &mut Reader, after: Cursor, count: usize) -> (Vec<Exported>, Cursor) {
    let start = Instant::now();
    loop {
        let (events, cursor) = reader.events(after, 1000).await.unwrap();
        if events.len() >= count {
            return (events, cursor);
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{} of {count} events", events.len());
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The moment of most events.
pub(crate) fn noon() -> Timestamp {
    at("2026-11-23T12:34:56.789Z")
}

pub(crate) fn event(request: &str, value: i64) -> Event {
    Event {
        gateway: "edge-1".into(),
        request: request.into(),
        meter: "tokens".into(),
        consumer: "acme".into(),
        plan: "pro".into(),
        route: "chat".into(),
        at: noon(),
        value,
        subject: None,
        dimensions: Vec::new(),
    }
}

pub(crate) fn entry(request: &str, value: i64) -> Entry {
    Entry { event: event(request, value), quotas: Vec::new(), credit: None }
}

pub(crate) fn day(consumer: &str) -> Pool {
    Pool::Quota { consumer: consumer.into(), meter: "tokens".into(), period: Every::Day.containing(noon()) }
}

pub(crate) fn credit(consumer: &str) -> Pool {
    Pool::Credit { consumer: consumer.into() }
}

pub(crate) fn want(pool: Pool, limit: i64, amount: i64) -> Want {
    Want { pool, limit, amount, at: noon() }
}

/// A nano a unit, beyond what is included.
pub(crate) fn a_nano(included: i64) -> Arc<Charge> {
    Arc::new(Charge {
        meter: "tokens".into(),
        aggregation: Aggregation::Sum,
        decimals: 0,
        name: "Tokens".into(),
        included,
        price: Price::PerUnit { unit: Decimal::new(1, 9) },
    })
}

pub(crate) fn paid(request: &str, value: i64, reserved: i64) -> Entry {
    let credit = Some(Draw { charge: a_nano(0), reserved, free_until: None });
    Entry { credit, ..entry(request, value) }
}

/// Runs a test on both databases.
pub(crate) fn on_both(test: impl AsyncFn(Place)) {
    for which in BOTH {
        on(which, &test);
    }
}

pub(crate) fn on(which: Which, test: impl AsyncFn(Place)) {
    // Shown with a failure.
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("on {which:?}\n"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test(Place::new(which)));
}
