//! The admin listener: health, readiness, metrics, the snapshot; and the access log.

use crate::harness::{Connection, Gateway, Origin, Setup, config, guest, guests, h2::H2, wait};

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
    let other = crate::harness::ports::free();
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
    let entry = gateway.wait_for_access(&["/orders?id=1"]);
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
