//! The seven phases, the order of steps, verdicts, and what a plugin carries from one phase to the next.

use crate::harness::{Gateway, Origin, Response, Setup, config, guest, h2::H2, plugin};

/// A gateway whose one route has these steps, all of one guest.
fn start(name: &str, more: &str, steps: &[&str]) -> Gateway {
    let text = if steps == [name] {
        config::service(Origin::echo(), &[name])
    } else {
        let steps: Vec<_> =
            steps.iter().map(|step| format!("{{ use = \"{name}\", name = \"{step}\" }}")).collect();
        let route = format!("[routes.all]\nsteps = [{}]\nto = \"service\"\n", steps.join(", "));
        config::upstream("service", Origin::echo()) + &route
    };
    Setup::new().plugin(name, guest(name)).start(&(config::plugin(name, more) + &text))
}

fn all<'a>(response: &'a Response, name: &str) -> Vec<&'a str> {
    response.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
}

/// That one step wants no body says nothing of the next one.
#[test]
fn a_body_is_skipped_for_the_step_that_says_so_alone() {
    let text = config::plugin("skip-body", "")
        + &config::plugin("size-limit", "config = { request = \"10B\" }")
        + &config::service(Origin::echo(), &["skip-body", "size-limit"]);
    let gateway = Setup::new()
        .plugin("skip-body", guest("skip-body"))
        .plugin("size-limit", plugin("size-limit"))
        .start(&text);
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n0\r\n\r\n");
    client.read().problem(413);
}

#[test]
fn a_step_that_does_nothing_changes_nothing() {
    let gateway = start("noop", "", &["noop"]);
    let answer = gateway.connect().request("POST", "/a?b", &[("x-a", "b")], b"body").expect(200);
    assert_eq!(answer.json()["body"], "body");
    assert_eq!(answer.sent("x-a").as_deref(), Some("b"));
}

#[test]
fn responses_pass_the_steps_in_reverse() {
    let gateway = start("answer", "", &["first", "second", "third"]);
    let answer = gateway.get("/").expect(200);
    assert_eq!(all(&answer, "x-passed"), ["third", "second", "first"]);
}

#[test]
fn an_early_answer_passes_the_steps_it_had_reached() {
    let gateway = start("answer", "", &["first", "second", "third"]);
    let answer = gateway.get_with("/", &[("x-answer", "request@second")]).expect(418);
    assert_eq!(answer.text(), "request");
    assert_eq!(answer.header("x-answered"), Some("request"));
    assert_eq!(all(&answer, "x-passed"), ["second", "first"]);
}

#[test]
fn a_step_can_replace_a_response_and_its_status() {
    let gateway = start("answer", "", &["first", "second"]);
    let answer = gateway.get_with("/", &[("x-answer", "response@second")]).expect(418);
    assert_eq!(answer.text(), "response");
    assert_eq!(all(&answer, "x-passed"), ["first"]);
    gateway.get_with("/", &[("x-answer", "status@first")]).expect(202);
    H2::open(gateway.public).request("GET", "/", &[("x-answer", "response@first")], b"").expect(418);
}

#[test]
fn a_problem_of_a_step_names_the_step() {
    let gateway = start("answer", "", &["first", "second"]);
    let answer = gateway.get_with("/", &[("x-answer", "problem@second")]);
    assert_eq!(answer.header("x-why"), Some("closed"));
    let problem = answer.problem(403);
    assert_eq!(problem["step"], "second");
    assert_eq!(problem["title"], "Closed");
    assert_eq!(problem["detail"], "not today");
    assert_eq!(problem["until"], "tomorrow");
    assert!(problem["type"].as_str().unwrap().ends_with("closed"));
}

#[test]
fn a_failure_that_a_plugin_reports_is_told_to_the_log_alone() {
    let gateway = start("answer", "", &["answer"]);
    let answer = gateway.get_with("/", &[("x-answer", "fail")]);
    assert!(!answer.text().contains("own words"), "{}", answer.text());
    assert_eq!(answer.problem(500)["step"], "answer");
    gateway.wait_for_log(&["answer", "the plugin's own words, not for clients"]);
}

#[test]
fn a_request_without_a_body_stays_without_one() {
    let gateway = start("chunks", "capabilities = [\"log\"]", &["chunks"]);
    let answer = gateway.get("/").expect(200);
    assert_eq!(answer.sent("transfer-encoding"), None);
    assert_eq!(answer.sent("content-length"), None);
}

#[test]
fn an_answer_without_a_body_is_a_finished_one() {
    let gateway = start("answer", "", &["answer"]);
    gateway.connect().request("HEAD", "/none", &[("x-answer", "request")], b"").expect(418);
    let line = gateway.wait_for_access(&["/none"]);
    assert!(line["failure"].is_null(), "{line}");
}

#[test]
fn whole_bodies_are_rewritten_and_heads_with_them() {
    let gateway = start("rewrite", "", &["rewrite"]);
    for answer in [
        gateway.connect().request("POST", "/", &[], b"hello").expect(200),
        H2::open(gateway.public).request("POST", "/", &[], b"hello").expect(200),
    ] {
        let text = answer.text();
        let (echo, mark) = text.rsplit_once('\n').unwrap();
        assert_eq!(mark, "rewritten");
        let received: serde_json::Value = serde_json::from_str(echo).unwrap();
        assert_eq!(received["body"], "HELLO");
        assert_eq!(received["headers"]["x-request-length"], "5");
        assert_eq!(received["headers"]["content-length"], "5");
        assert_eq!(answer.header("x-response-length").unwrap(), echo.len().to_string());
    }
    // The answer of a step passes that step's own response phase too.
    let answer = gateway.connect().request("POST", "/", &[], b"forbidden").expect(422);
    let (problem, mark) = answer.text().rsplit_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(mark, "rewritten");
    let problem: serde_json::Value = serde_json::from_str(&problem).unwrap();
    assert_eq!(problem["detail"], "that word is forbidden");
    assert_eq!(problem["step"], "rewrite");
    gateway.connect().request("HEAD", "/", &[], b"").expect(200);
}

#[test]
fn bodies_over_what_a_step_may_hold_are_refused() {
    let gateway = start("rewrite", "limits = { body = \"4KiB\" }", &["rewrite"]);
    gateway.connect().request("POST", "/", &[], &[b'x'; 100]).expect(200);
    let problem = gateway.connect().request("POST", "/", &[], &[b'x'; 8192]).problem(413);
    assert_eq!(problem["step"], "rewrite");
    let long = "y".repeat(5000);
    assert_eq!(
        gateway.get_with("/", &[("x-long", &long)]).problem(502)["step"],
        "rewrite",
        "the echo is too long"
    );
}

#[test]
fn bodies_pass_in_pieces_and_are_counted() {
    let gateway = start("chunks", "capabilities = [\"log\"]", &["chunks"]);
    let body = "abcd".repeat(1 << 18);
    let answer = gateway.connect().request("POST", "/pieces", &[], body.as_bytes()).expect(200);
    assert_eq!(answer.json()["body"].as_str().unwrap(), body.to_ascii_uppercase());
    let length = answer.body.len();
    gateway.wait_for_log(&["/pieces", "request=1048576", &format!("response={length}"), "finished=true"]);
    gateway.get("/nothing").expect(200);
    gateway.wait_for_log(&["/nothing", "request=0"]);
}

#[test]
fn values_live_from_phase_to_phase_and_from_step_to_step() {
    let gateway = start("context", "capabilities = [\"log\"]", &["first", "second"]);
    let told = |mark: &str| {
        let answer = gateway.get_with("/", &[("x-mark", mark)]).expect(200);
        all(&answer, "x-context").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        told("red"),
        ["red of second; first+second; all; 127.0.0.1", "red of first; first+second; all; 127.0.0.1"]
    );
    assert!(
        told("blue")[0].starts_with("blue of second; first+second;"),
        "nothing is left of another exchange"
    );
    gateway.wait_for_log(&["over: red of first, status 200, finished true"]);
    gateway.wait_for_log(&["over: blue of second, status 200, finished true"]);
}

#[test]
fn the_last_phase_learns_that_a_client_left() {
    let origin = Origin::new(|_, stream| {
        std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nbegin")?;
        crate::harness::wait::pause(std::time::Duration::from_millis(300));
        std::io::Write::write_all(stream, &[b'x'; 100_000])
    });
    let text = config::plugin("context", "capabilities = [\"log\"]")
        + &config::service(origin.address, &["context"]);
    let gateway = Setup::new().plugin("context", guest("context")).start(&text);
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-mark: left\r\n\r\n");
    client.try_read_head().unwrap();
    drop(client);
    gateway.wait_for_log(&["over: left of context", "finished false"]);
}

#[test]
fn an_exchange_can_have_an_instance_of_its_own() {
    let gateway = start("fresh", "isolation = \"exchange\"", &["fresh"]);
    let mut client = gateway.connect();
    for _ in 0..5 {
        assert_eq!(
            client.get("/").expect(200).header("x-calls"),
            Some("2"),
            "request and response, no other"
        );
    }
    let shared = start("fresh", "", &["fresh"]);
    let mut client = shared.connect();
    let calls: Vec<_> = (0..3).map(|_| client.get("/").header("x-calls").unwrap().to_owned()).collect();
    assert_eq!(calls, ["2", "4", "6"], "one instance after the other's exchange");
}

#[test]
fn a_step_has_its_own_configuration_over_the_plugins() {
    let text = config::plugin("tag", "config = { label = \"plugin\" }")
        + &config::upstream("service", Origin::echo())
        + "[routes.own]\nmatch = { path = \"/own\" }\nsteps = [{ use = \"tag\", config = { label = \"step\" } }]\nto = \"service\"\n"
        + &config::route("plain", "/plain", &["tag"]);
    let gateway = Setup::new().plugin("tag", guest("tag")).start(&text);
    assert_eq!(gateway.get("/own").header("x-tag"), Some("build-000000/step"));
    assert_eq!(gateway.get("/plain").header("x-tag"), Some("build-000000/plugin"));
}

#[test]
fn chains_are_shared_and_routes_add_to_them() {
    let text = config::plugin("answer", "")
        + &config::upstream("service", Origin::echo())
        + "[chains.base]\nsteps = [{ use = \"answer\", name = \"a\" }, { use = \"answer\", name = \"b\" }]\n\
           [routes.plain]\nmatch = { path = \"/plain\" }\nchain = \"base\"\nto = \"service\"\n\
           [routes.more]\nmatch = { path = \"/more\" }\nchain = \"base\"\nto = \"service\"\n\
           steps = [{ use = \"answer\", name = \"x\", after = \"a\" }, { use = \"answer\", name = \"y\", before = \"a\" }, { use = \"answer\", name = \"z\" }]\n";
    let gateway = Setup::new().plugin("answer", guest("answer")).start(&text);
    assert_eq!(all(&gateway.get("/plain"), "x-passed"), ["b", "a"]);
    assert_eq!(all(&gateway.get("/more"), "x-passed"), ["z", "b", "x", "a", "y"]);
}
