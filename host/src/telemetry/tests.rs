//! The page as a scrape sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use sluice_abi::Phase;

use super::collect::FAMILIES;
use super::probe::{CertificateSample, KeySetSample, MeteringSample, SinkSample, StoreSample};
use super::{CircuitState, Metrics, NO_ROUTE, ReloadResult, StepVerdict, WorkerMetrics};

const MS: Duration = Duration::from_millis(1);

fn name(text: &str) -> Arc<str> {
    text.into()
}

/// Samples by what stands before their value.
fn samples(page: &str) -> BTreeMap<&str, f64> {
    page.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(series, value)| (series, value.parse().unwrap()))
        .collect()
}

/// Counts one of everything there is.
fn count_everything(worker: &WorkerMetrics) {
    let listener = worker.listener(&name("public"));
    listener.connection_opened();
    listener.refused("malformed");
    worker.route(&name("orders")).observe(200, MS, 10, 20);
    let upstream = worker.upstream(&name("orders"));
    upstream.answered(200, MS);
    upstream.failed("connect");
    upstream.connection_opened();
    upstream.connection_reused();
    let step = worker.step(&name("orders"), &name("limit"), &name("rate-limit"));
    let plugin = worker.plugin(&name("rate-limit"));
    plugin.instance_created();
    plugin.instances_changed(1, 65_536);
    step.call(Phase::Request, MS, StepVerdict::Continue);
    step.call(Phase::Request, MS, StepVerdict::Respond);
    step.call(Phase::Response, MS, StepVerdict::Fault("trap"));
    step.set_circuit(CircuitState::HalfOpen);
    worker.failed("no-route");
    worker.exchange_started();
}

#[test]
fn every_family_is_on_the_page_and_explained() {
    let metrics = Metrics::new();
    count_everything(&metrics.worker());
    metrics.watch_store(|| StoreSample { errors: vec![("timeout", 1)], ..StoreSample::default() });
    metrics.watch_key_sets(|| {
        vec![KeySetSample { name: name("login"), keys: Some(2), fetches: 3, failures: 1 }]
    });
    metrics.watch_metering(|| {
        let sink = SinkSample {
            name: name("billing"),
            lag_events: 3,
            lag_seconds: 1.5,
            late: true,
            events: vec![("sent", 5)],
        };
        MeteringSample {
            state: "well",
            refused: vec![("quota", 1)],
            sinks: vec![sink],
            ..MeteringSample::default()
        }
    });
    let sample = CertificateSample { listener: name("public"), not_after: SystemTime::UNIX_EPOCH };
    metrics.watch_certificates(move || vec![sample.clone()]);
    let page = metrics.render();
    assert!(page.contains("sluice_ledger_state{state=\"well\"} 1"), "{page}");
    assert!(page.contains("sluice_sink_events_total{sink=\"billing\",result=\"sent\"} 5"), "{page}");
    let given: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let declared: BTreeSet<&str> = FAMILIES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(given, declared);

    let explained = include_str!("../../../docs/metrics.md");
    let rows: BTreeSet<&str> = explained
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let rows: BTreeSet<&str> = rows.into_iter().filter(|name| name.starts_with("sluice_")).collect();
    assert_eq!(rows, declared, "docs/metrics.md has a row for each family and no other");
    for (name, _, _, labels) in FAMILIES {
        let row = explained.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap();
        for label in *labels {
            assert!(row.contains(&format!("`{label}`")), "docs/metrics.md: {name} has the label {label}");
        }
    }
}

#[test]
fn a_page_is_well_formed() {
    let metrics = Metrics::new();
    let worker = metrics.worker();
    worker.route(&name("quote\" slash\\ line\n")).observe(200, MS, 1, 1);
    let page = metrics.render();
    assert!(
        page.contains(r#"sluice_requests_total{route="quote\" slash\\ line\n",status="200"} 1"#),
        "{page}"
    );
    assert!(page.ends_with('\n'));
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok()), "{line}");
    }
}

#[test]
fn workers_count_apart_and_are_summed() {
    const TIMES: u64 = 20_000;
    let metrics = Metrics::new();
    let counted = [metrics.worker(), metrics.worker()].map(|worker| {
        let step = worker.step(&name("orders"), &name("auth"), &name("api-key"));
        (worker.route(&name("orders")), step)
    });
    thread::scope(|scope| {
        for (route, step) in &counted {
            scope.spawn(move || {
                for number in 0..TIMES {
                    route.observe(if number % 4 == 0 { 503 } else { 200 }, MS * 3, 1, 2);
                    step.call(Phase::Request, Duration::from_micros(3), StepVerdict::Continue);
                }
            });
        }
        for _ in 0..20 {
            metrics.render();
        }
    });
    metrics.worker().route(&name("orders")).observe(200, MS, 0, 0);
    let page = metrics.render();
    let samples = samples(&page);
    let all = 2.0 * TIMES as f64;
    assert_eq!(samples[r#"sluice_requests_total{route="orders",status="503"}"#], all / 4.0);
    assert_eq!(samples[r#"sluice_requests_total{route="orders",status="200"}"#], all / 4.0 * 3.0 + 1.0);
    assert_eq!(samples[r#"sluice_request_body_bytes_total{route="orders"}"#], all);
    assert_eq!(samples[r#"sluice_response_body_bytes_total{route="orders"}"#], all * 2.0);
    let bucket = |bound| {
        samples[&*format!(r#"sluice_request_duration_seconds_bucket{{route="orders",le="{bound}"}}"#)]
    };
    assert_eq!([bucket("0.0005"), bucket("0.001"), bucket("0.0025")], [0.0, 1.0, 1.0]);
    assert_eq!([bucket("0.005"), bucket("60"), bucket("+Inf")], [all + 1.0; 3]);
    assert_eq!(samples[r#"sluice_request_duration_seconds_count{route="orders"}"#], all + 1.0);
    let sum = samples[r#"sluice_request_duration_seconds_sum{route="orders"}"#];
    assert!((sum - (all * 0.003 + 0.001)).abs() < 1e-9, "{sum}");
    let labels = r#"route="orders",step="auth",plugin="api-key",phase="request""#;
    assert_eq!(samples[&*format!(r#"sluice_step_calls_total{{{labels},verdict="continue"}}"#)], all);
    assert_eq!(samples[&*format!(r#"sluice_step_call_seconds_bucket{{{labels},le="0.000005"}}"#)], all);
    assert_eq!(samples[&*format!(r#"sluice_step_call_seconds_bucket{{{labels},le="0.000002"}}"#)], 0.0);
}

#[test]
fn the_worst_circuit_and_all_instances_are_shown() {
    let metrics = Metrics::new();
    let steps = [CircuitState::Closed, CircuitState::Open, CircuitState::HalfOpen].map(|state| {
        let step = metrics.worker().step(&name("r"), &name("s"), &name("p"));
        step.set_circuit(state);
        step
    });
    let plugins = [(); 3].map(|()| {
        let plugin = metrics.worker().plugin(&name("p"));
        plugin.instance_created();
        plugin.instances_changed(1, 100);
        plugin
    });
    plugins[0].instances_changed(-1, -100);
    let page = metrics.render();
    let samples = samples(&page);
    assert_eq!(samples[r#"sluice_step_circuit_state{route="r",step="s",plugin="p"}"#], 2.0);
    assert_eq!(samples[r#"sluice_plugin_instances{plugin="p"}"#], 2.0);
    assert_eq!(samples[r#"sluice_plugin_instances_created_total{plugin="p"}"#], 3.0);
    assert_eq!(samples[r#"sluice_plugin_memory_bytes{plugin="p"}"#], 200.0);
    drop(steps);
}

#[test]
fn a_name_counts_on_while_it_is_held_and_goes_after_its_last_scrape() {
    let metrics = Metrics::new();
    let worker = metrics.worker();
    let (old, new) = (worker.route(&name("orders")), worker.route(&name("orders")));
    old.observe(200, MS, 0, 0);
    new.observe(200, MS, 0, 0);
    drop(old);
    let series = r#"sluice_requests_total{route="orders",status="200"} 2"#;
    assert!(metrics.render().contains(series));
    drop(new);
    assert!(metrics.render().contains(series), "once more, so that nothing is lost");
    assert!(!metrics.render().contains("orders"));
}

#[test]
fn reloads_and_the_rest_of_the_process_are_shown() {
    let metrics = Metrics::new();
    metrics.reloaded(ReloadResult::Applied);
    metrics.reloaded(ReloadResult::Refused);
    metrics.set_generation(7);
    metrics.set_store_entries(12);
    let worker = metrics.worker();
    worker.exchange_started();
    worker.exchange_started();
    worker.exchange_ended();
    let listener = worker.listener(&name("public"));
    listener.connection_opened();
    listener.connection_opened();
    listener.connection_closed();
    worker.route(&name(NO_ROUTE)).observe(404, MS, 0, 0);
    let page = metrics.render();
    let samples = samples(&page);
    for (series, value) in [
        (r#"sluice_reloads_total{result="applied"}"#, 1.0),
        (r#"sluice_reloads_total{result="refused"}"#, 1.0),
        ("sluice_reload_last_refused", 1.0),
        ("sluice_snapshot_generation", 7.0),
        ("sluice_store_entries", 12.0),
        ("sluice_exchanges", 1.0),
        (r#"sluice_listener_connections{listener="public"}"#, 1.0),
        (r#"sluice_listener_connections_opened_total{listener="public"}"#, 2.0),
        (r#"sluice_requests_total{route="",status="404"}"#, 1.0),
    ] {
        assert_eq!(samples[series], value, "{series}");
    }
    metrics.reloaded(ReloadResult::Applied);
    assert!(metrics.render().contains("\nsluice_reload_last_refused 0\n"));
}
