//! What becomes of an exchange, a plugin and its circuit when the plugin faults.

use std::io::Write as _;
use std::time::Duration;

use crate::harness::{Gateway, Origin, Probe, Setup, config, guest, h2::H2, wait};

const BAD: [(&str, &str); 1] = [("x-misbehave", "1")];

fn start(name: &str, more: &str) -> Gateway {
    let text = config::plugin(name, more) + &config::service(Origin::echo(), &[name]);
    Setup::new().plugin(name, guest(name)).start(&text)
}

#[test]
fn deny_is_the_default_and_names_the_step_but_not_the_cause() {
    let gateway = start("trap", "");
    let answer = gateway.get_with("/", &BAD);
    let text = answer.text();
    assert_eq!(answer.problem(500)["step"], "trap");
    for internal in ["unreachable", "wasm", "backtrace"] {
        assert!(!text.contains(internal), "{text}");
    }
    assert_eq!(H2::open(gateway.public).request("GET", "/", &BAD, b"").problem(500)["step"], "trap");
}

#[test]
fn a_failing_step_that_denies_lets_nothing_reach_the_upstream() {
    let origin = Origin::always("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let text = config::plugin("trap", "") + &config::service(origin.address, &["trap"]);
    let gateway = Setup::new().plugin("trap", guest("trap")).start(&text);
    for _ in 0..50 {
        gateway.get_with("/", &BAD).expect(500);
    }
    assert_eq!(origin.requests().len(), 0);
}

#[test]
fn the_operator_may_choose_another_status_or_to_go_on() {
    let gateway = start("trap", "on_error = { respond = 503 }");
    gateway.get_with("/", &BAD).problem(503);

    let gateway = start("trap", "on_error = \"allow\"");
    gateway.get_with("/", &BAD).expect(200);

    let text = config::plugin("trap", "on_error = \"allow\"")
        + &config::upstream("service", Origin::echo())
        + "[routes.strict]\nmatch = { path = \"/strict\" }\nsteps = [{ use = \"trap\", on_error = \"deny\" }]\nto = \"service\"\n"
        + &config::route("lenient", "/lenient", &["trap"]);
    let gateway = Setup::new().plugin("trap", guest("trap")).start(&text);
    gateway.get_with("/strict", &BAD).problem(500);
    gateway.get_with("/lenient", &BAD).expect(200);
}

#[test]
fn the_log_shows_a_panics_words_and_where_it_happened() {
    let gateway = start("panic", "");
    gateway.get_with("/", &[("x-misbehave", "why?")]).expect(500);
    gateway.wait_for_log(&["panic", "nobody may ask: why?"]);
    wait::until("the backtrace is symbolised", || gateway.log().contains("compute_the_answer"));
}

#[test]
fn a_step_that_cuts_a_body_off_is_the_one_named_though_another_waits_for_the_body() {
    let text = config::plugin("trap-in-request-chunk", "on_error = { respond = 503 }")
        + &config::plugin("rewrite", "")
        + &config::service(Origin::echo(), &["trap-in-request-chunk", "rewrite"]);
    let setup = Setup::new().plugin("trap-in-request-chunk", guest("trap-in-request-chunk"));
    let gateway = setup.plugin("rewrite", guest("rewrite")).start(&text);
    gateway.connect().request("POST", "/", &[], b"fine").expect(200);
    let problem = gateway.connect().request("POST", "/", &[], b"xxx").problem(503);
    assert_eq!(problem["step"], "trap-in-request-chunk");
}

#[test]
fn a_trap_in_the_response_phase_replaces_the_response() {
    let gateway = start("trap-in-response", "");
    gateway.get("/").expect(200);
    assert_eq!(gateway.get_with("/", &BAD).problem(500)["step"], "trap-in-response");
    let gateway = start("trap-in-response-body", "");
    gateway.get_with("/", &BAD).problem(500);
}

#[test]
fn a_trap_after_the_head_went_out_cuts_the_response_off() {
    let gateway = start("trap-in-response-chunk", "");
    let probe = Probe::start(gateway.public, "/");
    for _ in 0..20 {
        let cut = gateway.connect().try_request("GET", "/cut", &BAD, b"");
        assert!(cut.is_err(), "{cut:?}");
        assert!(H2::open(gateway.public).try_request("GET", "/cut", &BAD, b"").is_err());
    }
    probe.finish();
    let entry = gateway.wait_for_access(&["/cut"]);
    assert_eq!(
        (&entry["failure"], &entry["step"]),
        (&"step-failed".into(), &"trap-in-response-chunk".into())
    );
}

#[test]
fn with_allow_a_trap_after_the_head_went_out_changes_nothing() {
    let gateway = start("trap-in-response-chunk", "on_error = \"allow\"");
    assert_eq!(gateway.get_with("/", &BAD).expect(200).json()["path"], "/");
}

/// The client has seen the beginning of another body than the one that the end belongs to.
#[test]
fn with_allow_a_body_that_is_rewritten_in_part_is_cut_off() {
    let gateway = start("trap-after-rewriting", "on_error = \"allow\"");
    assert_eq!(gateway.get("/").expect(200).body.len() % 4, 0);
    assert!(gateway.connect().try_request("GET", "/", &BAD, b"").is_err());
}

#[test]
fn a_trap_in_a_request_chunk_ends_the_exchange() {
    let gateway = start("trap-in-request-chunk", "");
    gateway.connect().request("POST", "/", &[], b"fine").expect(200);
    let refused = gateway.connect().try_request("POST", "/", &[], b"xxx");
    assert!(!matches!(&refused, Ok(answer) if answer.status < 500), "{refused:?}");
    gateway.wait_for_log(&["trap-in-request-chunk", "request_chunk"]);
}

#[test]
fn a_trap_when_all_is_over_harms_nobody() {
    let gateway = start("trap-in-complete", "");
    let mut client = gateway.connect();
    for _ in 0..20 {
        client.get("/").expect(200);
    }
    gateway.wait_for_log(&["trap-in-complete", "complete"]);
}

#[test]
fn counters_and_snapshot_name_plugin_and_cause() {
    let gateway = start("trap", "");
    for _ in 0..7 {
        gateway.get_with("/", &BAD).expect(500);
    }
    let plugin = wait::until_some("seven faults are told of", || {
        let plugin = gateway.snapshot()["plugins"][0].clone();
        (plugin["faults"]["count"] == 7).then_some(plugin)
    });
    assert_eq!(plugin["name"], "trap");
    assert_eq!(plugin["state"], "faulted");
    assert_eq!(plugin["faults"]["by_kind"]["trap"], 7);
    assert_eq!(plugin["faults"]["last"]["phase"], "request");
    assert!(plugin["faults"]["last"]["request_id"].is_string());
    let metrics = gateway.metrics();
    let counted = metrics.sum("sluice_step_faults_total", &[("plugin", "trap"), ("kind", "trap")]);
    assert_eq!(counted, 7.0, "{}", metrics.text());
}

#[test]
fn a_plugin_that_only_faults_is_left_out_for_a_while() {
    let more = "circuit = { faults = 5, window = \"200ms\", open = \"400ms\" }";
    let text = format!(
        "workers = 1\n{}{}",
        config::plugin("trap", more),
        config::service(Origin::echo(), &["trap"])
    );
    let gateway = Setup::new().plugin("trap", guest("trap")).start(&text);
    wait::until("the circuit opens", || {
        gateway.get_with("/", &BAD).expect(500);
        gateway.log().contains("circuit opened")
    });
    assert_eq!(gateway.get("/").status, 500, "while it is open, even a good request is denied");
    wait::until("it closes after a good call", || gateway.get("/").status == 200);
    for _ in 0..20 {
        gateway.get("/").expect(200);
    }
}

#[test]
fn faults_beside_good_calls_open_no_circuit() {
    let more = "circuit = { faults = 3, window = \"100ms\", open = \"10s\" }";
    let text = format!(
        "workers = 1\n{}{}",
        config::plugin("trap", more),
        config::service(Origin::echo(), &["trap"])
    );
    let gateway = Setup::new().plugin("trap", guest("trap")).start(&text);
    let probe = Probe::start(gateway.public, "/");
    for _ in 0..200 {
        gateway.get_with("/", &BAD).expect(500);
    }
    probe.finish();
}

#[test]
fn clients_that_leave_in_the_middle_of_a_call_leave_nothing_behind() {
    let times = times(100);
    let slow = Origin::new(|_, stream| {
        wait::pause(Duration::from_millis(50));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    });
    let text = config::plugin("fetch", "capabilities = [\"fetch:other\"]\nlimits = { instances = 16 }")
        + &config::upstream("other", slow.address)
        + &config::service(Origin::echo(), &["fetch"]);
    let gateway = Setup::new().plugin("fetch", guest("fetch")).start(&text);
    let probe = Probe::start(gateway.public, "/");
    let descriptors = gateway.descriptors();
    for _ in 0..times {
        let mut client = gateway.connect();
        client.send("GET / HTTP/1.1\r\nhost: a\r\nx-fetch: other /slow\r\n\r\n");
        drop(client);
    }
    probe.finish();
    wait::until("their connections are closed", || gateway.descriptors() <= descriptors + 20);
    let answer = gateway.get_with("/", &[("x-fetch", "other /")]).expect(200);
    assert_eq!(answer.sent("x-fetched").as_deref(), Some("200:2"), "there are instances left");
}

/// How often a test repeats what it does: so often, or as `SLUICE_REPEATS` says.
pub(crate) fn times(usual: usize) -> usize {
    std::env::var_os("SLUICE_REPEATS").and_then(|times| times.to_str()?.parse().ok()).unwrap_or(usual)
}
