//! The admin listener: health, readiness, metrics, the snapshot; and the access log.

use std::net::TcpStream;

use crate::harness::{Connection, Gateway, Origin, Setup, config, guest, guests, h2::H2, ports, wait};

fn start() -> Gateway {
    let text = "[secrets]\nhidden = \"sesame\"\n".to_owned()
        + &config::plugin("tag", "config = { label = \"a\" }")
        + &config::service(Origin::echo(), &["tag"]);
    Setup::new().plugin("tag", guests::tag(1)).start(&text)
}

#[test]
fn health_and_readiness() {
    let gateway = start();
    gateway.admin_get("/healthz").expect(200);
    gateway.admin_get("/readyz").expect(200);
    gateway.admin_get("/nothing").expect(404);
    let mut client = Connection::open(gateway.admin);
    assert_eq!(client.request("POST", "/healthz", &[], b"").status, 405);
    assert_eq!(client.request("GET", "/reload", &[], b"").status, 405);
    assert_eq!(H2::open(gateway.admin).get("/healthz").status, 200);
    let public = gateway.get("/healthz").expect(200).text();
    assert!(public.contains("\"path\": \"/healthz\""), "the public listener has no such pages: {public}");
}

#[test]
fn the_snapshot_tells_what_serves() {
    let gateway = start();
    let snapshot = gateway.snapshot();
    assert_eq!(snapshot["generation"], 1);
    assert_eq!(snapshot["ready"], true);
    assert_eq!(snapshot["config_digest"].as_str().unwrap().len(), 64);
    let plugin = &snapshot["plugins"][0];
    assert_eq!((&plugin["name"], &plugin["plugin"]), (&"tag".into(), &"tag".into()));
    assert_eq!(plugin["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(plugin["digest"].as_str().unwrap().len(), 64);
    assert_eq!(plugin["state"], "active");
    assert_eq!(plugin["phases"], serde_json::json!(["request", "response", "response_chunk"]));
    assert_eq!(snapshot["routes"][0]["steps"][0]["name"], "tag");
    assert!(!snapshot.to_string().contains("sesame"), "{snapshot}");
    gateway.install_plugin("tag", guests::tag(2));
    gateway.wait_for_generation_after(1);
    assert_ne!(gateway.snapshot()["plugins"][0]["digest"], plugin["digest"]);
    assert_eq!(gateway.snapshot()["config_digest"], snapshot["config_digest"]);
}

#[test]
fn metrics_count_what_happened() {
    let gateway = start();
    for _ in 0..5 {
        gateway.connect().request("POST", "/", &[], b"hello").expect(200);
    }
    gateway.connect().request("CONNECT", "a:1", &[], b"");
    let metrics = wait::until_some("five exchanges are counted", || {
        let metrics = gateway.metrics();
        (metrics.sum("sluice_requests_total", &[("route", "all"), ("status", "200")]) == 5.0)
            .then_some(metrics)
    });
    for (family, labels, count) in [
        ("sluice_build_info", &[][..], 1.0),
        ("sluice_snapshot_generation", &[], 1.0),
        ("sluice_request_duration_seconds_count", &[("route", "all")], 5.0),
        ("sluice_request_body_bytes_total", &[("route", "all")], 25.0),
        ("sluice_upstream_responses_total", &[("upstream", "service"), ("status", "200")], 5.0),
        ("sluice_upstream_response_head_seconds_count", &[("upstream", "service")], 5.0),
        ("sluice_step_calls_total", &[("step", "tag"), ("phase", "request"), ("verdict", "continue")], 5.0),
        ("sluice_step_call_seconds_count", &[("step", "tag"), ("phase", "response")], 5.0),
        ("sluice_step_faults_total", &[], 0.0),
    ] {
        assert_eq!(metrics.sum(family, labels), count, "{family} {labels:?}\n{}", metrics.text());
    }
    assert!(metrics.sum("sluice_plugin_instances", &[("plugin", "tag")]) >= 1.0);
    assert!(metrics.sum("sluice_plugin_memory_bytes", &[("plugin", "tag")]) > 0.0);
    assert!(metrics.sum("sluice_process_resident_memory_bytes", &[]) > 1e6);
    assert!(metrics.sum("sluice_listener_refused_total", &[("listener", "public")]) >= 1.0);
}

#[test]
fn traffic_cannot_invent_labels() {
    let gateway = start();
    for number in 0..50 {
        gateway.connect().host(&format!("host-{number}")).get(&format!("/invented-{number}"));
        gateway.connect().request(&format!("METHOD{number}"), "/", &[], b"");
    }
    let text = gateway.metrics().text().to_owned();
    assert!(!text.contains("invented") && !text.contains("host-1") && !text.contains("METHOD"), "{text}");
}

#[test]
fn a_listener_may_serve_metrics_alone() {
    let other = ports::free();
    let text = config::service(Origin::echo(), &[])
        + &format!("[listeners.scrape]\nbind = \"{other}\"\nserve = [\"metrics\"]\n");
    let _gateway = Gateway::start(&text);
    let mut client = Connection::open(other);
    client.get("/metrics").expect(200);
    client.get("/healthz").expect(200);
    client.get("/snapshot").expect(404);
    assert_eq!(client.request("POST", "/reload", &[], b"").status, 404);
}

#[test]
fn the_access_log_has_a_line_for_every_exchange() {
    let gateway = start();
    let answer =
        gateway.connect().host("shop.example").request("POST", "/orders?id=1", &[], b"hello").expect(200);
    let entry = gateway.wait_for_access(&["\"/orders\""]);
    assert!(!entry.to_string().contains("id=1"), "queries may hold secrets: {entry}");
    assert_eq!(entry["request_id"].as_str(), answer.header("x-request-id"));
    assert_eq!(entry["method"], "POST");
    assert_eq!(entry["host"], "shop.example");
    assert_eq!(entry["route"], "all");
    assert!(entry["upstream"].is_string(), "{entry}");
    assert_eq!(entry["status"], 200);
    assert_eq!(entry["client"], "127.0.0.1");
    assert_eq!(entry["request_bytes"], 5);
    assert_eq!(entry["response_bytes"], answer.body.len());
    assert!(entry["duration_ms"].as_f64() > Some(0.0), "{entry}");
    let time = entry["time"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.000Z".len(), "{time}");
    assert!(entry.get("failure").is_none_or(serde_json::Value::is_null), "{entry}");

    H2::open(gateway.public).get("/over-h2").expect(200);
    assert_eq!(gateway.wait_for_access(&["/over-h2"])["status"], 200);
}

#[test]
fn the_access_log_may_go_to_a_file_or_nowhere() {
    let text = config::service(Origin::echo(), &[])
        + "[telemetry]\nlog = \"info\"\nformat = \"json\"\naccess_log = { file = \"access.log\" }\n";
    let gateway = Gateway::start(&text);
    gateway.get("/to-a-file").expect(200);
    let line = wait::until_some("the line is written", || {
        std::fs::read_to_string(gateway.path("access.log")).ok().filter(|text| text.contains("/to-a-file"))
    });
    serde_json::from_str::<serde_json::Value>(line.lines().next().unwrap()).unwrap();
    for line in gateway.log().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn a_line_cannot_be_forged_by_a_request() {
    let gateway = Setup::new()
        .plugin("noop", guest("noop"))
        .start(&(config::plugin("noop", "") + &config::service(Origin::echo(), &["noop"])));
    gateway.get("/a\"b\\c%0a").status.to_string();
    let path = "/quoted%22";
    gateway.connect().host("x").get(path);
    let entry = gateway.wait_for_access(&["quoted"]);
    assert_eq!(entry["path"], path);
}

/// Has this configuration published.
#[track_caller]
fn reload(gateway: &Gateway, text: &str) {
    gateway.configure(text);
    let answer = gateway.reload();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_listener_that_stays_gets_its_new_settings() {
    let other = ports::free();
    let base = config::service(Origin::echo(), &[]) + "[reload]\nwatch = false\n";
    let with = |more: &str| format!("{base}[listeners.other]\nbind = \"{other}\"\n{more}\n");
    let gateway = Gateway::start(&with("serve = [\"metrics\"]"));
    let mut open = Connection::open(other);
    open.get("/snapshot").expect(404);
    open.get("/metrics").expect(200);

    reload(&gateway, &with("serve = [\"admin\"]"));
    open.get("/snapshot").expect(200);
    open.get("/metrics").expect(404);
    Connection::open(other).get("/metrics").expect(404);

    reload(&gateway, &with(""));
    wait::until("it serves the routes", || {
        let text = Connection::open(other).get("/snapshot").expect(200).text();
        text.contains("\"path\": \"/snapshot\"")
    });
    wait::until("and the listener is announced", || gateway.log().matches("listener=\"other\"").count() == 2);

    reload(&gateway, &with("serve = [\"admin\", \"metrics\"]"));
    wait::until("the pages again", || {
        Connection::open(other).get("/snapshot").expect(200).text().contains("\"generation\": 4")
    });
    reload(&gateway, &base);
    wait::until("it is closed", || TcpStream::connect(other).is_err());
}

#[test]
fn the_limits_of_an_open_listener_can_be_changed() {
    let (first, second) = (ports::free(), ports::free());
    let base = config::service(Origin::echo(), &[]) + "[reload]\nwatch = false\n";
    let with = |limit: u32| {
        let limits = format!("limits = {{ connections = {limit} }}");
        format!(
            "workers = 1\n{base}[listeners.proxy]\nbind = \"{first}\"\n{limits}\n\
             [listeners.pages]\nbind = \"{second}\"\nserve = [\"admin\"]\n{limits}\n"
        )
    };
    for address in [first, second] {
        let gateway = Gateway::start(&with(1));
        let mut held = Connection::open(address);
        held.get("/healthz").expect(200);
        let (done, answered) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn(move || {
            let answer = Connection::open(address).get("/healthz").status;
            done.send(()).unwrap();
            answer
        });
        let early = answered.recv_timeout(std::time::Duration::from_millis(200));
        assert!(early.is_err(), "one connection is all there may be");
        reload(&gateway, &with(2));
        assert_eq!(waiting.join().unwrap(), 200);
        held.get("/healthz").expect(200);
    }
}

#[test]
fn what_takes_effect_at_the_next_start_is_told() {
    let base = config::service(Origin::echo(), &[]);
    let first = format!("workers = 2\n{base}[reload]\nwatch = false\n");
    let gateway = Gateway::start(&first);
    assert_eq!(gateway.snapshot()["needs_restart"], serde_json::json!([]));
    let second = "[reload]\nwatch = true\ndrain = \"2s\"\n[store]\nmax_entries = 7\n";
    reload(&gateway, &format!("workers = 1\n{base}{second}"));
    let waits = gateway.snapshot()["needs_restart"].clone();
    assert_eq!(waits, serde_json::json!(["workers", "store", "reload.watch"]));
    for setting in ["workers", "store", "reload.watch"] {
        gateway.wait_for_log(&[setting, "takes effect at the next start"]);
    }
    reload(&gateway, &first);
    assert_eq!(gateway.snapshot()["needs_restart"], serde_json::json!([]));
}

#[test]
fn a_gateway_without_an_instance_of_a_step_that_denies_is_not_ready() {
    // The second to the fourth instance that is configured fails, the others do not: the first one is tried out.
    let moody = guests::assemble(
        r#";;! phases request
        ;;! capabilities store
        (import "sluice:v1/store" "add" (func $add (param i32 i32 i64 i64 i32) (result i32)))
        (data (i32.const 50000) "count")
        (func (export "sluice_v1_configure") (result i32)
          (drop (call $add (i32.const 50000) (i32.const 5) (i64.const 1) (i64.const 60000) (i32.const 50016)))
          (if (result i32) (i64.lt_u (i64.sub (i64.load (i32.const 50016)) (i64.const 2)) (i64.const 3))
            (then (i32.const 2)) (else (i32.const 0))))
        (func (export "sluice_v1_request") (result i32) (i32.const 0))"#,
    );
    let base = "workers = 1\n[reload]\nwatch = false\n".to_owned();
    let gateway =
        Setup::new().plugin("moody", moody).start(&format!("{base}{}", config::service(Origin::echo(), &[])));
    let text =
        config::plugin("moody", "capabilities = [\"store\"]") + &config::service(Origin::echo(), &["moody"]);
    reload(&gateway, &format!("{base}{text}"));
    gateway.admin_get("/readyz").expect(503);
    let snapshot = gateway.snapshot();
    assert_eq!(snapshot["ready"], false);
    assert_eq!(snapshot["not_ready_because"][0], "worker 0 has no instance of moody");
    wait::until("it was tried again", || gateway.admin_get("/readyz").status == 200);
    assert_eq!(gateway.snapshot()["not_ready_because"], serde_json::json!([]));
    gateway.get("/").expect(200);
}

#[test]
fn a_fault_is_forgotten_with_the_module_that_had_it() {
    let text = config::plugin("trap", "") + &config::service(Origin::echo(), &["trap"]);
    let gateway = Setup::new().plugin("trap", guest("trap")).start(&text);
    let active = gateway.snapshot()["plugins"][0]["since"].clone();
    assert!(active.as_str().unwrap().ends_with('Z'), "{active}");
    gateway.get_with("/", &[("x-misbehave", "1")]).expect(500);
    wait::until("the fault is told", || gateway.snapshot()["plugins"][0]["state"] == "faulted");
    let plugin = gateway.snapshot()["plugins"][0].clone();
    assert_eq!(plugin["faults"]["count"], 1, "{plugin}");
    assert!(plugin["since"].as_str() >= active.as_str(), "{plugin}");
    let generation = gateway.generation();
    gateway.install_plugin("trap", guest("noop"));
    gateway.wait_for_generation_after(generation);
    let plugin = gateway.snapshot()["plugins"][0].clone();
    assert_eq!((&plugin["state"], &plugin["faults"]["count"]), (&"active".into(), &0.into()), "{plugin}");
}

#[test]
fn a_fault_in_a_plugins_own_words_does_not_show_what_came_from_outside() {
    let gossip = guests::assemble(
        r#";;! phases request
        (import "sluice:v1/http" "config_read" (func $config_read (param i32 i32) (result i64)))
        (import "sluice:v1/http" "fail" (func $fail (param i32 i32) (result i32)))
        (func (export "sluice_v1_request") (result i32)
          (drop (call $fail (i32.const 40000)
            (i32.wrap_i64 (call $config_read (i32.const 40000) (i32.const 8000)))))
          (i32.const 2))"#,
    );
    let text = config::plugin("gossip", "config = { token = \"Bearer ${env:TOKEN}\" }")
        + &config::service(Origin::echo(), &["gossip"]);
    let gateway = Setup::new().plugin("gossip", gossip).variable("TOKEN", "sesame").start(&text);
    gateway.get("/").expect(500);
    gateway.wait_for_log(&["plugin fault", "Bearer …"]);
    let snapshot = gateway.snapshot().to_string();
    assert!(snapshot.contains("Bearer …") && !snapshot.contains("sesame"), "{snapshot}");
    assert!(!gateway.log().contains("sesame"), "{}", gateway.log());
}
