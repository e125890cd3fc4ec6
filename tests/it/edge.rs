//! What the edge refuses before any step, and how it says so.

use crate::harness::{Gateway, Origin, config, h2::H2};

#[test]
fn malformed_requests_are_refused_and_never_reach_an_upstream() {
    let origin = Origin::always("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    for (what, bytes) in [
        ("no host", "GET / HTTP/1.1\r\n\r\n"),
        ("two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
        ("a host that is none", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n"),
        ("a user in the host", "GET / HTTP/1.1\r\nhost: me@a\r\n\r\n"),
        (
            "both framings",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("two lengths", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc"),
        ("a negative length", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n"),
        ("a space before a colon", "GET / HTTP/1.1\r\nhost: a\r\nx-a : b\r\n\r\n"),
        ("nonsense", "hello\r\n\r\n"),
    ] {
        let mut client = gateway.connect();
        client.send(bytes);
        let answer = client.read();
        assert!((400..=501).contains(&answer.status), "{what}: {}", answer.status);
        assert!(client.is_closed(), "{what}: the connection cannot be trusted any more");
    }
    assert_eq!(origin.requests().len(), 0);
}

#[test]
fn methods_that_mean_something_else_to_a_gateway_are_refused() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    for request in ["CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", "TRACE / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut client = gateway.connect();
        client.send(request);
        assert_eq!(client.read().status, 405);
    }
}

#[test]
fn a_target_in_absolute_form_names_the_host() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let mut client = gateway.connect();
    client.send("GET http://shop.example/a?b HTTP/1.1\r\nhost: other.example\r\n\r\n");
    let answer = client.read().expect(200);
    assert_eq!(answer.json()["path"], "/a?b");
    assert_eq!(answer.sent("host").as_deref(), Some("shop.example"));
}

#[test]
fn a_head_over_the_limits_is_refused() {
    let text = config::service(Origin::echo(), &[])
        + "[listeners.public]\nbind = \"@public@\"\nlimits = { header_bytes = \"8KiB\", headers = 20 }\n";
    let gateway = Gateway::start(&text);
    let long = "a".repeat(9000);
    assert_eq!(gateway.get_with("/", &[("x-long", &long)]).status, 431);
    let names: Vec<String> = (0..30).map(|number| format!("x-{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(gateway.get_with("/", &many).status, 431);
    gateway.get_with("/", &[("x-long", &long[..4000])]).expect(200);
}

#[test]
fn connections_over_the_limit_wait_and_are_served() {
    let text = "workers = 1\n".to_owned()
        + &config::service(Origin::echo(), &[])
        + "[listeners.public]\nbind = \"@public@\"\nlimits = { connections = 4 }\n";
    let gateway = Gateway::start(&text);
    let open: Vec<_> = (0..4)
        .map(|_| {
            let mut client = gateway.connect();
            client.get("/").expect(200);
            client
        })
        .collect();
    let mut fifth = gateway.connect();
    fifth.send("GET /waited HTTP/1.1\r\nhost: a\r\n\r\n");
    drop(open);
    assert_eq!(fifth.read().expect(200).json()["path"], "/waited");
}

#[test]
fn http2_requests_that_contradict_themselves_are_refused() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let mut client = H2::open(gateway.public);
    assert_eq!(client.request("GET", "/", &[("host", "other.example")], b"").status, 400);
    client.get("/").expect(200);
}

#[test]
fn what_the_gateway_answers_itself_is_a_problem_document() {
    let gone = crate::harness::ports::free();
    let text = config::upstream("service", Origin::echo())
        + &config::upstream("gone", gone)
        + "[routes.read]\nmatch = { path = \"/read\", methods = [\"GET\", \"HEAD\"] }\nto = \"service\"\n\
           [routes.gone]\nmatch = { path = \"/gone\" }\nto = \"gone\"\n";
    let gateway = Gateway::start(&text);

    gateway.get("/nowhere").problem(404);

    let answer = gateway.connect().request("DELETE", "/read", &[], b"");
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    answer.problem(405);

    let answer = gateway.get("/gone");
    let text = answer.text();
    let problem = answer.problem(502);
    assert_eq!(problem["upstream"], "gone", "names who failed");
    assert!(!text.contains(&gone.port().to_string()) && !text.contains("refused"), "but not how: {text}");
}
