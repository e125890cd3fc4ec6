//! What a write costs, by the size of the batch: `cargo bench -p sluice-metering`. Events are of 100 consumers, with a dimension.
#![allow(clippy::unwrap_used, reason = "benchmarks")]

#[path = "../tests/postgres/mod.rs"]
mod postgres;

use std::sync::{Arc, OnceLock};

use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::Timestamp;
use sluice_metering::event::Event;
use sluice_metering::ledger::{Backend, Durability, Entry, Ledger, Settings};
use tokio::runtime::{Builder, Runtime};

use postgres::PostgresServer;

const BATCHES: [usize; 3] = [1, 64, 512];

fn main() {
    divan::main();
}

/// Never the same request twice.
struct Source {
    next: u64,
    /// Whether ids begin with the time, as the gateway's do, or are random throughout.
    is_ordered: bool,
    consumers: Vec<Arc<str>>,
    names: [Arc<str>; 5],
}

impl Source {
    fn new(is_ordered: bool) -> Self {
        let consumers = (0..100).map(|n| format!("consumer-{n}").into()).collect();
        Self {
            next: 0,
            is_ordered,
            consumers,
            names: ["edge-1", "tokens", "pro", "chat", "model"].map(Arc::from),
        }
    }

    fn batch(&mut self, size: usize) -> Vec<Entry> {
        let now = Timestamp::now();
        let [gateway, meter, plan, route, model] = &self.names;
        let entries = (0..size).map(|_| {
            self.next += 1;
            // As random as those that the gateway makes.
            let random = self.next.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let event = Event {
                gateway: Arc::clone(gateway),
                request: if self.is_ordered {
                    format!("{:016x}{random:016x}", self.next).into()
                } else {
                    format!("{random:016x}{:016x}", self.next).into()
                },
                meter: Arc::clone(meter),
                consumer: Arc::clone(&self.consumers[usize::try_from(random % 100).unwrap()]),
                plan: Arc::clone(plan),
                route: Arc::clone(route),
                at: now,
                value: 7,
                subject: None,
                dimensions: vec![(
                    Arc::clone(model),
                    ["small", "large"][usize::from(random & 1 == 1)].into(),
                )],
            };
            Entry { event, quotas: Vec::new(), credit: None }
        });
        entries.collect()
    }
}

fn writes(bencher: Bencher<'_, '_>, settings: Settings, size: usize, is_ordered: bool) {
    let runtime: Runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut ledger = runtime.block_on(Ledger::open(settings)).unwrap();
    let mut source = Source::new(is_ordered);
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| source.batch(size))
        .bench_local_refs(|batch| runtime.block_on(ledger.write(batch)).unwrap());
}

fn sqlite(bencher: Bencher<'_, '_>, durability: Durability, size: usize, is_ordered: bool) {
    let directory = tempfile::tempdir().unwrap();
    let backend = Backend::Sqlite { path: directory.path().join("ledger.db") };
    writes(
        bencher,
        Settings { backend, durability, gateway: "edge-1".into(), lease: Settings::LEASE },
        size,
        is_ordered,
    );
}

fn server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(PostgresServer::start)
}

fn on_server(bencher: Bencher<'_, '_>, durability: Durability, size: usize) {
    let backend = Backend::Postgres { config: server().url(&server().database()), connector: None };
    writes(
        bencher,
        Settings { backend, durability, gateway: "edge-1".into(), lease: Settings::LEASE },
        size,
        true,
    );
}

#[divan::bench(args = BATCHES, min_time = 3, max_time = 5)]
fn sqlite_group(bencher: Bencher<'_, '_>, size: usize) {
    sqlite(bencher, Durability::Group, size, true);
}

#[divan::bench(args = BATCHES, min_time = 3, max_time = 5)]
fn sqlite_sync(bencher: Bencher<'_, '_>, size: usize) {
    sqlite(bencher, Durability::Sync, size, true);
}

#[divan::bench(args = BATCHES, min_time = 3, max_time = 5)]
fn postgres_group(bencher: Bencher<'_, '_>, size: usize) {
    on_server(bencher, Durability::Group, size);
}

#[divan::bench(args = BATCHES, min_time = 3, max_time = 5)]
fn postgres_sync(bencher: Bencher<'_, '_>, size: usize) {
    on_server(bencher, Durability::Sync, size);
}

/// What it would be with ids that are random throughout: each dirties a page of their index of its own.
#[divan::bench(args = [512], min_time = 3, max_time = 5)]
fn sqlite_group_random(bencher: Bencher<'_, '_>, size: usize) {
    sqlite(bencher, Durability::Group, size, false);
}
