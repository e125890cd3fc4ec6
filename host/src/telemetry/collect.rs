//! The scrape: sums what the workers counted and writes it as Prometheus families. `docs/metrics.md` explains
//! each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};
use sluice_abi::Phase;

use super::cell::{HistogramTotal, Kinds, Statuses};
use super::log;
use super::metrics::{Shared, StepName, Table, WorkerMetrics};
use super::probe::{MeteringSample, StoreSample};
use super::process::Process;
use super::series::{ListenerMetrics, PluginMetrics, RouteMetrics, StepMetrics, UpstreamMetrics};

/// Gathers and writes.
#[derive(Clone)]
pub(super) struct Scrape(Registry);

impl Scrape {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let registry = Registry::new();
        registry
            .register(Box::new(Sums::new(shared)))
            .expect("every family is declared once and well-formed");
        Self(registry)
    }

    pub(super) fn text(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.0.gather())
            .expect("gathered families have a name and samples")
    }
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

/// Name, help, type, labels.
type Family = (&'static str, &'static str, MetricType, &'static [&'static str]);

const STEP: &[&str] = &["route", "step", "plugin"];

macro_rules! families {
    ($($constant:ident = $name:literal, $kind:ident, $labels:expr, $help:literal;)+) => {
        $(const $constant: Family = ($name, $help, MetricType::$kind, $labels);)+
        /// Every family there can be.
        pub(super) const FAMILIES: &[Family] = &[$($constant),+];
    };
}

families! {
    BUILD = "sluice_build_info", GAUGE, &["version"],
        "Always 1; the version of this gateway.";
    GENERATION = "sluice_snapshot_generation", GAUGE, &[],
        "The snapshot that new requests get.";
    RELOADS = "sluice_reloads_total", COUNTER, &["result"],
        "Reloads by result, the start included.";
    RELOAD_REFUSED = "sluice_reload_last_refused", GAUGE, &[],
        "1 if the last reload was refused.";
    EXCHANGES = "sluice_exchanges", GAUGE, &[],
        "Exchanges that are running.";
    REQUESTS = "sluice_requests_total", COUNTER, &["route", "status"],
        "Exchanges that have ended.";
    DURATION = "sluice_request_duration_seconds", HISTOGRAM, &["route"],
        "From a request's head to its response's last byte.";
    REQUEST_BYTES = "sluice_request_body_bytes_total", COUNTER, &["route"],
        "Body bytes received from clients.";
    RESPONSE_BYTES = "sluice_response_body_bytes_total", COUNTER, &["route"],
        "Body bytes sent to clients.";
    FAILURES = "sluice_failures_total", COUNTER, &["kind"],
        "Exchanges that failed in the gateway, by kind of failure.";
    CONNECTIONS = "sluice_listener_connections", GAUGE, &["listener"],
        "Client connections that are open.";
    ACCEPTED = "sluice_listener_connections_opened_total", COUNTER, &["listener"],
        "Client connections accepted.";
    REFUSED = "sluice_listener_refused_total", COUNTER, &["listener", "kind"],
        "Connections and requests turned away before any route.";
    CERTIFICATE_END = "sluice_listener_certificate_not_after_seconds", GAUGE, &["listener"],
        "When the first of the listener's certificates ends, in seconds since 1970.";
    ANSWERS = "sluice_upstream_responses_total", COUNTER, &["upstream", "status"],
        "Response heads from upstreams.";
    HEAD = "sluice_upstream_response_head_seconds", HISTOGRAM, &["upstream"],
        "From sending a request to its response head.";
    UPSTREAM_FAILURES = "sluice_upstream_failures_total", COUNTER, &["upstream", "kind"],
        "Requests that got no response head.";
    OPENED = "sluice_upstream_connections_opened_total", COUNTER, &["upstream"],
        "Connections opened to upstreams.";
    REUSED = "sluice_upstream_connections_reused_total", COUNTER, &["upstream"],
        "Requests sent over a connection that had served another.";
    CALLS = "sluice_step_calls_total", COUNTER, &["route", "step", "plugin", "phase", "verdict"],
        "Calls into plugins.";
    CALL_TIME = "sluice_step_call_seconds", HISTOGRAM, &["route", "step", "plugin", "phase"],
        "Running time of calls into plugins.";
    FAULTS = "sluice_step_faults_total", COUNTER, &["route", "step", "plugin", "kind"],
        "Faults of plugins.";
    CREATED = "sluice_plugin_instances_created_total", COUNTER, &["plugin"],
        "Plugin instances created.";
    INSTANCES = "sluice_plugin_instances", GAUGE, &["plugin"],
        "Plugin instances that exist.";
    MEMORY = "sluice_plugin_memory_bytes", GAUGE, &["plugin"],
        "Linear memory of plugin instances.";
    CIRCUIT = "sluice_step_circuit_state", GAUGE, STEP,
        "0 closed, 1 half-open, 2 open; the worst over all workers.";
    STORE = "sluice_store_entries", GAUGE, &[],
        "Counters and values in the store.";
    STORE_CONNECTED = "sluice_store_connected", GAUGE, &[],
        "1 while the store's server is asked; 0 while it is away.";
    STORE_CONNECTIONS = "sluice_store_connections_total", COUNTER, &[],
        "Connections made to the store's server.";
    STORE_OPERATIONS = "sluice_store_operations_total", COUNTER, &[],
        "Operations on the store's server, those served from a lease included.";
    STORE_LEASED = "sluice_store_leased_total", COUNTER, &[],
        "Operations that were served from a lease.";
    STORE_ERRORS = "sluice_store_errors_total", COUNTER, &["kind"],
        "Operations that the store's server did not do.";
    STORE_TRIPS = "sluice_store_round_trips_total", COUNTER, &[],
        "Questions that the store's server answered.";
    STORE_TRIP_TIME = "sluice_store_round_trip_seconds_total", COUNTER, &[],
        "Time that the answers took.";
    LEDGER_STATE = "sluice_ledger_state", GAUGE, &["state"],
        "1 for the state that the ledger is in, 0 for the others.";
    LEDGER_WAITING = "sluice_ledger_waiting_exchanges", GAUGE, &[],
        "Exchanges whose events wait for the ledger.";
    LEDGER_EVENTS = "sluice_ledger_events_total", COUNTER, &["result"],
        "Events that the ledger was given.";
    LEDGER_BATCHES = "sluice_ledger_batches_total", COUNTER, &[],
        "Transactions in which they were.";
    LEDGER_GIVEN_UP = "sluice_ledger_given_up_total", COUNTER, &["answered"],
        "Exchanges whose events the ledger will not have.";
    METERING_REFUSED = "sluice_metering_refused_total", COUNTER, &["reason"],
        "Requests that were refused before they went on.";
    SOFT_QUOTAS_PASSED = "sluice_soft_quotas_passed_total", COUNTER, &[],
        "Soft quotas that were passed, once for each consumer and period.";
    SINK_LAG = "sluice_sink_lag_events", GAUGE, &["sink"],
        "Events that a sink has not taken yet.";
    SINK_LAG_TIME = "sluice_sink_lag_seconds", GAUGE, &["sink"],
        "Age of the oldest event that a sink has not taken.";
    SINK_LATE = "sluice_sink_late", GAUGE, &["sink"],
        "1 while the lag is beyond the sink's alarm.";
    SINK_EVENTS = "sluice_sink_events_total", COUNTER, &["sink", "result"],
        "Events that a sink was given.";
    JWKS_KEYS = "sluice_jwks_keys", GAUGE, &["jwks"],
        "Keys of a key set that can be used; 0 while the set cannot.";
    JWKS_FETCHES = "sluice_jwks_fetches_total", COUNTER, &["jwks"],
        "Fetches of a key set.";
    JWKS_FAILURES = "sluice_jwks_failures_total", COUNTER, &["jwks"],
        "Fetches of a key set that failed.";
    LOG_DROPPED = "sluice_log_dropped_total", COUNTER, &[],
        "Log lines that were lost.";
    ACCESS_LOG_DROPPED = "sluice_access_log_dropped_total", COUNTER, &[],
        "Lines of the access log that were lost.";
    RESIDENT = "sluice_process_resident_memory_bytes", GAUGE, &[],
        "Resident memory of the process.";
    CPU = "sluice_process_cpu_seconds_total", COUNTER, &[],
        "CPU time of the process, user and system.";
    THREADS = "sluice_process_threads", GAUGE, &[],
        "Threads of the process.";
    OPEN_FILES = "sluice_process_open_fds", GAUGE, &[],
        "File descriptors that are open.";
    STARTED = "sluice_process_start_time_seconds", GAUGE, &[],
        "When the process started, since the Unix epoch.";
}

/// The collector of everything.
struct Sums {
    shared: Arc<Shared>,
    descriptions: Vec<Desc>,
}

impl Sums {
    fn new(shared: Arc<Shared>) -> Self {
        let describe = |&(name, help, _, labels): &Family| {
            let labels = labels.iter().map(|&label| label.to_owned()).collect();
            Desc::new(name.to_owned(), help.to_owned(), labels, Default::default())
                .expect("names and labels of families are valid")
        };
        Self { shared, descriptions: FAMILIES.iter().map(describe).collect() }
    }
}

impl Collector for Sums {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut page = Page::default();
        let workers = self.shared.workers();
        whole(&mut page, &self.shared, &workers);
        for (listener, cells) in grouped(&workers, |worker| &worker.listeners) {
            listeners(&mut page, &listener, &cells);
        }
        for (route, cells) in grouped(&workers, |worker| &worker.routes) {
            routes(&mut page, &route, &cells);
        }
        for (upstream, cells) in grouped(&workers, |worker| &worker.upstreams) {
            upstreams(&mut page, &upstream, &cells);
        }
        for (plugin, cells) in grouped(&workers, |worker| &worker.plugins) {
            plugins(&mut page, &plugin, &cells);
        }
        for (step, cells) in grouped(&workers, |worker| &worker.steps) {
            steps(&mut page, &step, &cells);
        }
        page.into_families()
    }
}

/// Every worker's cells of each name.
fn grouped<K: Ord + Clone, M: Default>(
    workers: &[Arc<WorkerMetrics>],
    table: impl Fn(&WorkerMetrics) -> &Table<K, M>,
) -> BTreeMap<K, Vec<Arc<M>>> {
    let mut groups: BTreeMap<K, Vec<Arc<M>>> = BTreeMap::new();
    for (name, cells) in workers.iter().flat_map(|worker| table(worker).all()) {
        groups.entry(name).or_default().push(cells);
    }
    groups
}

fn sum<M>(cells: &[Arc<M>], number: impl Fn(&M) -> u64) -> f64 {
    float(cells.iter().map(|cells| number(cells)).sum())
}

fn float(number: u64) -> f64 {
    number as f64
}

fn whole(page: &mut Page, shared: &Shared, workers: &[Arc<WorkerMetrics>]) {
    let load = |number: &std::sync::atomic::AtomicU64| float(number.load(Ordering::Relaxed));
    page.add(BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
    page.add(GENERATION, &[], load(&shared.generation));
    page.add(RELOADS, &["applied"], load(&shared.applied));
    page.add(RELOADS, &["unchanged"], load(&shared.unchanged));
    page.add(RELOADS, &["refused"], load(&shared.refused));
    page.add(RELOAD_REFUSED, &[], f64::from(u8::from(shared.last_refused.load(Ordering::Relaxed))));
    page.add(EXCHANGES, &[], workers.iter().map(|worker| worker.exchanges.get()).sum::<i64>() as f64);
    for (kind, count) in Kinds::total(workers.iter().map(|worker| &worker.failures)) {
        page.add(FAILURES, &[kind], float(count));
    }
    page.add(STORE, &[], load(&shared.store_entries));
    if let Some(sample) = shared.store.look() {
        store(page, &sample);
    }
    if let Some(sample) = shared.metering.look() {
        metering(page, &sample);
    }
    for certificate in shared.certificates.look().unwrap_or_default() {
        let end = certificate.not_after.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        page.add(CERTIFICATE_END, &[&certificate.listener], end.as_secs_f64());
    }
    for set in shared.key_sets.look().unwrap_or_default() {
        page.add(JWKS_KEYS, &[&set.name], set.keys.unwrap_or_default() as f64);
        page.add(JWKS_FETCHES, &[&set.name], float(set.fetches));
        page.add(JWKS_FAILURES, &[&set.name], float(set.failures));
    }
    page.add(LOG_DROPPED, &[], float(log::lost()));
    page.add(ACCESS_LOG_DROPPED, &[], load(&shared.access_log_dropped));
    let process = Process::read();
    page.add(RESIDENT, &[], float(process.resident_bytes));
    page.add(CPU, &[], process.cpu_seconds);
    page.add(THREADS, &[], float(process.threads));
    page.add(OPEN_FILES, &[], float(process.open_files));
    let started = shared.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    page.add(STARTED, &[], started.as_secs_f64());
}

fn store(page: &mut Page, sample: &StoreSample) {
    page.add(STORE_CONNECTED, &[], f64::from(u8::from(sample.connected)));
    page.add(STORE_CONNECTIONS, &[], float(sample.connections));
    page.add(STORE_OPERATIONS, &[], float(sample.operations));
    page.add(STORE_LEASED, &[], float(sample.leased));
    for (kind, count) in &sample.errors {
        page.add(STORE_ERRORS, &[kind], float(*count));
    }
    page.add(STORE_TRIPS, &[], float(sample.round_trips));
    page.add(STORE_TRIP_TIME, &[], sample.round_trip_time.as_secs_f64());
}

fn metering(page: &mut Page, sample: &MeteringSample) {
    for state in ["opening", "well", "failing", "failed"] {
        page.add(LEDGER_STATE, &[state], f64::from(u8::from(state == sample.state)));
    }
    page.add(LEDGER_WAITING, &[], sample.waiting as f64);
    page.add(LEDGER_EVENTS, &["written"], float(sample.written));
    page.add(LEDGER_EVENTS, &["duplicate"], float(sample.duplicates));
    page.add(LEDGER_BATCHES, &[], float(sample.batches));
    page.add(LEDGER_GIVEN_UP, &["no"], float(sample.withdrawn));
    page.add(LEDGER_GIVEN_UP, &["yes"], float(sample.lost));
    for (reason, count) in &sample.refused {
        page.add(METERING_REFUSED, &[reason], float(*count));
    }
    page.add(SOFT_QUOTAS_PASSED, &[], float(sample.soft_quotas_passed));
    for sink in &sample.sinks {
        page.add(SINK_LAG, &[&sink.name], float(sink.lag_events));
        page.add(SINK_LAG_TIME, &[&sink.name], sink.lag_seconds);
        page.add(SINK_LATE, &[&sink.name], f64::from(u8::from(sink.late)));
        for (result, count) in &sink.events {
            page.add(SINK_EVENTS, &[&sink.name, result], float(*count));
        }
    }
}

fn listeners(page: &mut Page, listener: &str, cells: &[Arc<ListenerMetrics>]) {
    let opened = sum(cells, |cells| cells.opened.get());
    page.add(ACCEPTED, &[listener], opened);
    page.add(CONNECTIONS, &[listener], (opened - sum(cells, |cells| cells.closed.get())).max(0.0));
    for (kind, count) in Kinds::total(cells.iter().map(|cells| &cells.refused)) {
        page.add(REFUSED, &[listener, kind], float(count));
    }
}

fn routes(page: &mut Page, route: &str, cells: &[Arc<RouteMetrics>]) {
    for (status, count) in Statuses::total(cells.iter().map(|cells| &cells.statuses)) {
        page.add(REQUESTS, &[route, status], float(count));
    }
    page.add_histogram(DURATION, &[route], &cells.iter().map(|cells| &cells.duration).collect());
    page.add(REQUEST_BYTES, &[route], sum(cells, |cells| cells.request_bytes.get()));
    page.add(RESPONSE_BYTES, &[route], sum(cells, |cells| cells.response_bytes.get()));
}

fn upstreams(page: &mut Page, upstream: &str, cells: &[Arc<UpstreamMetrics>]) {
    for (status, count) in Statuses::total(cells.iter().map(|cells| &cells.statuses)) {
        page.add(ANSWERS, &[upstream, status], float(count));
    }
    page.add_histogram(HEAD, &[upstream], &cells.iter().map(|cells| &cells.head).collect());
    for (kind, count) in Kinds::total(cells.iter().map(|cells| &cells.failures)) {
        page.add(UPSTREAM_FAILURES, &[upstream, kind], float(count));
    }
    page.add(OPENED, &[upstream], sum(cells, |cells| cells.opened.get()));
    page.add(REUSED, &[upstream], sum(cells, |cells| cells.reused.get()));
}

fn plugins(page: &mut Page, plugin: &str, cells: &[Arc<PluginMetrics>]) {
    page.add(CREATED, &[plugin], sum(cells, |cells| cells.created.get()));
    page.add(INSTANCES, &[plugin], cells.iter().map(|cells| cells.live.get()).sum::<i64>() as f64);
    page.add(MEMORY, &[plugin], cells.iter().map(|cells| cells.memory.get()).sum::<i64>() as f64);
}

fn steps(page: &mut Page, (route, step, plugin): &StepName, cells: &[Arc<StepMetrics>]) {
    for phase in Phase::ALL {
        let met: Vec<_> = cells.iter().filter_map(|cells| cells.phases[phase as usize].get()).collect();
        if met.is_empty() {
            continue;
        }
        let verdicts = [
            ("continue", met.iter().map(|cells| cells.continued.get()).sum()),
            ("respond", met.iter().map(|cells| cells.responded.get()).sum()),
            ("fault", met.iter().map(|cells| cells.faulted.get()).sum()),
            ("left-out", met.iter().map(|cells| cells.left_out.get()).sum()),
        ];
        for (verdict, count) in verdicts {
            page.add(CALLS, &[route, step, plugin, phase.name(), verdict], float(count));
        }
        let time = met.iter().map(|cells| &cells.time).collect();
        page.add_histogram(CALL_TIME, &[route, step, plugin, phase.name()], &time);
    }
    let step: [&str; 3] = [route, step, plugin];
    for (kind, count) in Kinds::total(cells.iter().map(|cells| &cells.faults)) {
        page.add(FAULTS, &[step[0], step[1], step[2], kind], float(count));
    }
    let worst = cells.iter().map(|cells| cells.circuit.get()).max().unwrap_or(0);
    page.add(CIRCUIT, &step, worst as f64);
}

/// The families of one scrape.
#[derive(Default)]
struct Page(BTreeMap<&'static str, MetricFamily>);

impl Page {
    fn add(&mut self, family: Family, labels: &[&str], value: f64) {
        let mut metric = self.metric(family, labels);
        if family.2 == MetricType::GAUGE {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        } else {
            let mut counter = proto::Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
        self.push(family, metric);
    }

    /// Nothing of what was never observed: with many routes, most of a page would be zeros.
    fn add_histogram(&mut self, family: Family, labels: &[&str], total: &HistogramTotal) {
        let count = total.buckets.iter().sum();
        if count == 0 {
            return;
        }
        let mut cumulative = 0;
        let bucket = |(&bound, &own): (&u64, &u64)| {
            cumulative += own;
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(float(bound) / 1e9);
            bucket.set_cumulative_count(cumulative);
            bucket
        };
        let buckets = total.scale.iter().zip(&total.buckets).map(bucket).collect();
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(count);
        histogram.set_sample_sum(float(total.sum_ns) / 1e9);
        let mut metric = self.metric(family, labels);
        metric.set_histogram(histogram);
        self.push(family, metric);
    }

    fn metric(&self, (_, _, _, names): Family, values: &[&str]) -> proto::Metric {
        debug_assert_eq!(names.len(), values.len(), "a value for each label");
        let pair = |(&name, &value): (&&str, &&str)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value.to_owned());
            pair
        };
        proto::Metric::from_label(names.iter().zip(values).map(pair).collect())
    }

    fn push(&mut self, (name, help, kind, _): Family, metric: proto::Metric) {
        let family = self.0.entry(name).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            family
        });
        family.mut_metric().push(metric);
    }

    fn into_families(self) -> Vec<MetricFamily> {
        self.0.into_values().collect()
    }
}
