//! Usage that leaves the gateway: to files and over HTTP, whatever becomes of the sink, of the gateway, and of another one beside it.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::harness::metering::{consumer, gateway, key, setup};
use crate::harness::postgres::PostgresServer;
use crate::harness::{Gateway, Origin, config, wait};

fn text(ledger: &str, sinks: &str) -> String {
    gateway(ledger, "[{ meter = \"requests\" }, { meter = \"egress\", value = \"response_bytes\" }]")
        + "[meters.requests]\naggregation = \"count\"\n[meters.egress]\naggregation = \"sum\"\nunit = \"byte\"\n"
        + &consumer("acme", "").replace("keys =", "custom_id = \"crm-17\"\nkeys =")
        + &config::service(Origin::echo(), &["api-key", "meter"])
        + sinks
}

/// The ids of requests that were answered.
fn ask(gateway: &Gateway, count: usize) -> HashSet<String> {
    let (header, acme) = key("acme");
    let mut client = gateway.connect();
    (0..count)
        .map(|_| {
            let answer = client.request("GET", "/", &[(header, &acme)], b"").expect(200);
            answer.header("x-request-id").unwrap().to_owned()
        })
        .collect()
}

/// A server that keeps the events of all batches it is sent; while it is down it answers 503.
struct Recorder {
    origin: Origin,
    down: Arc<AtomicBool>,
}

impl Recorder {
    fn start() -> Self {
        let down = Arc::<AtomicBool>::default();
        let state = Arc::clone(&down);
        let origin = Origin::new(move |_, stream| {
            let status =
                if state.load(Ordering::SeqCst) { "503 Service Unavailable" } else { "204 No Content" };
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")
        });
        Self { origin, down }
    }

    /// By their ids.
    fn events(&self) -> BTreeMap<String, Value> {
        let mut events = BTreeMap::new();
        for request in self.origin.requests() {
            assert_eq!(request.header("content-type"), Some("application/cloudevents-batch+json"));
            for event in serde_json::from_slice::<Vec<Value>>(&request.body).unwrap() {
                let id = event["id"].as_str().unwrap().to_owned();
                if let Some(before) = events.insert(id, event.clone()) {
                    assert_eq!(before, event, "an event that is sent again is the same");
                }
            }
        }
        events
    }
}

fn http(recorder: &Recorder, name: &str) -> String {
    format!(
        "[sinks.{name}]\nurl = \"http://{}/api/v1/events\"\nmeters = [\"requests\"]\ninterval = \"10ms\"\n",
        recorder.origin.address
    )
}

#[test]
fn every_event_is_sent_also_after_the_sink_and_the_gateway_were_gone() {
    let recorder = Recorder::start();
    let mut gateway = setup().start(&text("sqlite:ledger.db", &http(&recorder, "billing")));
    let mut asked = ask(&gateway, 20);
    wait::until("all are sent", || recorder.events().len() == asked.len());
    let (_, event) = recorder.events().pop_first().unwrap();
    assert_eq!(
        (&event["specversion"], &event["type"], &event["subject"], &event["source"]),
        (&"1.0".into(), &"requests".into(), &"crm-17".into(), &"urn:sluice:gateway:gw".into())
    );

    recorder.down.store(true, Ordering::SeqCst);
    asked.extend(ask(&gateway, 20));
    let sent = |result| gateway.metrics().sum("sluice_sink_events_total", &[("result", result)]);
    wait::until("it has failed", || sent("failed") > 0.0);
    assert!(
        gateway.metrics().sum("sluice_sink_lag_events", &[("sink", "billing")]) > 0.0 || sent("failed") > 0.0
    );
    gateway.kill();
    recorder.down.store(false, Ordering::SeqCst);
    gateway.restart(&[]).unwrap();
    asked.extend(ask(&gateway, 5));
    wait::until("all are sent", || recorder.events().len() == asked.len());
    let ids: HashSet<String> = asked.iter().map(|request| format!("gw/{request}/requests")).collect();
    assert_eq!(recorder.events().into_keys().collect::<HashSet<_>>(), ids);
}

#[test]
fn a_file_has_every_event_once() {
    let sink = "[sinks.files]\nurl = \"file:usage\"\nformat = \"csv\"\ninterval = \"10ms\"\n";
    let mut gateway = setup().start(&text("sqlite:ledger.db", sink));
    let mut asked = HashSet::new();
    for _ in 0..5 {
        asked.extend(ask(&gateway, 10));
        gateway.kill();
        gateway.restart(&[]).unwrap();
    }
    let rows = || -> Vec<String> {
        let files = std::fs::read_dir(gateway.path("usage")).into_iter().flatten().flatten();
        // The directory's name is in a file whose own begins with a dot.
        let files = files.filter(|file| !file.file_name().to_string_lossy().starts_with('.'));
        let lines = files.flat_map(|file| {
            let text = std::fs::read_to_string(file.path()).unwrap();
            assert!(text.lines().next().is_none_or(|header| header.starts_with("id,")), "{text}");
            text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        });
        lines.collect()
    };
    wait::until("all are there", || rows().len() >= 2 * asked.len());
    let rows = rows();
    assert_eq!(rows.len(), 2 * asked.len());
    for request in asked {
        for meter in ["requests", "egress"] {
            let id = format!("gw/{request}/{meter},");
            assert_eq!(rows.iter().filter(|row| row.starts_with(&id)).count(), 1, "{id}");
        }
    }
}

#[test]
fn sinks_come_and_go_with_a_reload() {
    let (first, second) = (Recorder::start(), Recorder::start());
    let gateway = setup().start(&text("sqlite:ledger.db", &http(&first, "first")));
    let asked = ask(&gateway, 3);
    wait::until("all are sent", || first.events().len() == asked.len());
    let generation = gateway.generation();
    gateway.configure(&text("sqlite:ledger.db", &http(&second, "second")));
    gateway.wait_for_generation_after(generation);
    let later = ask(&gateway, 3);
    // One that is new has all that the ledger has; one that is gone gets no more.
    wait::until("all are sent", || second.events().len() == asked.len() + later.len());
    assert_eq!(first.events().len(), asked.len());
}

#[test]
fn of_gateways_that_share_a_ledger_one_sends() {
    let (server, recorder) = (PostgresServer::start(), Recorder::start());
    let url = server.url(&server.database());
    let start = |id: &str| {
        let text = text(&url, &http(&recorder, "billing"));
        setup().start(&text.replace("id = \"gw\"", &format!("id = \"{id}\"")))
    };
    let (mut one, two) = (start("one"), start("two"));
    let mut asked = ask(&one, 10);
    asked.extend(ask(&two, 10));
    wait::until("all are sent", || recorder.events().len() == asked.len());
    // Whichever of them did it, the other one goes on when it is gone.
    one.kill();
    asked.extend(ask(&two, 10));
    wait::until("all are sent", || recorder.events().len() == asked.len());
    let sent: usize = recorder
        .origin
        .requests()
        .iter()
        .map(|request| serde_json::from_slice::<Vec<Value>>(&request.body).unwrap().len())
        .sum();
    assert!(sent < asked.len() + 20, "{sent} events were sent of {}", asked.len());
}
