//! gRPC clients of a service that speaks Connect.

use connect::Connect;
use proptest::prelude::*;
use sluice_sdk_coding::{Coding, encode};
use sluice_sdk_grpc::{Code, Detail, Status, frame};
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, json};

use crate::common::{book, call, configured, problem_type, shown};

fn plugin() -> TestPlugin {
    configured(json!({ "upstream": "connect" }))
}

fn grpc(method: &str) -> Request {
    call(method, "application/grpc")
}

fn proto() -> Response {
    Response::new(200).with_header("content-type", "application/proto")
}

fn stream() -> Response {
    Response::new(200).with_header("content-type", "application/connect+proto")
}

fn end(json: &str) -> Vec<u8> {
    frame(2, json.as_bytes())
}

#[test]
fn a_call() {
    let plugin = plugin();
    let request =
        grpc("Get").with_header("grpc-timeout", "5S").with_header("grpc-accept-encoding", "identity, gzip");
    let mut exchange = plugin.send(request.with_header("x-tenant", "a").with_body(frame(0, b"question")));
    let seen = exchange.forwarded();
    assert_eq!(
        (seen.method(), seen.path(), seen.text().as_str()),
        ("POST", "/shop.v1.Books/Get", "question")
    );
    for (name, value) in [
        ("content-type", Some("application/proto")),
        ("connect-protocol-version", Some("1")),
        ("connect-timeout-ms", Some("5000")),
        ("accept-encoding", Some("identity, gzip")),
        ("content-encoding", None),
        ("x-tenant", Some("a")),
        ("grpc-timeout", None),
        ("grpc-accept-encoding", None),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    let answer = proto().with_header("x-leading", "1").with_header("trailer-x-cost", "3").with_body("answer");
    let response = exchange.respond(answer);
    assert_eq!(response.header("content-type"), Some("application/grpc+proto"));
    assert_eq!((response.header("x-leading"), response.header("trailer-x-cost")), (Some("1"), None));
    assert_eq!(response.body(), frame(0, b"answer"));
    assert_eq!((response.trailer("grpc-status"), response.trailer("x-cost")), (Some("0"), Some("3")));
}

#[test]
fn what_is_compressed_stays_so() {
    let plugin = plugin();
    let request = call("Get", "application/grpc+json").with_header("grpc-encoding", "gzip");
    let mut exchange = plugin.send(request.clone().with_body(frame(1, b"zipped")));
    let seen = exchange.forwarded();
    assert_eq!(
        (seen.header("content-encoding"), seen.header("content-type")),
        (Some("gzip"), Some("application/json"))
    );
    let answer = Response::new(200)
        .with_header("content-type", "application/json")
        .with_header("content-encoding", "gzip");
    let response = exchange.respond(answer.with_body("zipped too"));
    assert_eq!((response.header("grpc-encoding"), response.header("content-encoding")), (Some("gzip"), None));
    assert_eq!(
        (response.body(), response.header("content-type")),
        (frame(1, b"zipped too"), Some("application/grpc+json"))
    );
    assert_eq!(
        plugin.send(request.with_body(frame(0, b"plain"))).forwarded().header("content-encoding"),
        None
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    encode(Coding::Gzip, 6, bytes).expect("gzip is there")
}

/// Services compress the end of a stream, and errors, as they do messages: connect-go does so unasked.
#[test]
fn compressed_ends_and_errors_are_read() {
    let plugin = plugin();
    let request = |method| grpc(method).with_header("grpc-accept-encoding", "identity, deflate, gzip, br");
    let mut exchange = plugin.send(request("List"));
    assert_eq!(
        exchange.forwarded().header("connect-accept-encoding"),
        Some("identity, gzip"),
        "what can be read"
    );
    let last = |json: &str| frame(3, &gzip(json.as_bytes()));
    let answer = stream().with_header("connect-content-encoding", "gzip");
    let body = [frame(1, b"zipped"), last(r#"{"metadata":{"x-cost":["3"]}}"#)].concat();
    let told = exchange.respond(answer.clone().with_body(body));
    assert_eq!((told.body(), told.trailer("grpc-status")), (frame(1, b"zipped"), Some("0")));
    assert_eq!(told.trailer("x-cost"), Some("3"));
    let failed = plugin
        .send(request("List"))
        .respond(answer.with_body(last(r#"{"error":{"code":"not_found","message":"none"}}"#)));
    assert_eq!((failed.trailer("grpc-status"), failed.trailer("grpc-message")), (Some("5"), Some("none")));

    let error = Response::new(404)
        .with_header("content-type", "application/json")
        .with_header("content-encoding", "gzip");
    let told = plugin
        .send(request("Get").with_body(frame(0, b"")))
        .respond(error.with_body(gzip(br#"{"code":"not_found","message":"none"}"#)));
    assert_eq!((told.header("grpc-status"), told.header("grpc-message")), (Some("5"), Some("none")));
    assert_eq!(told.header("content-encoding"), None);
}

#[test]
fn trailers_of_a_request_do_not_go_on() {
    let plugin = plugin();
    for (method, body) in [("Get", frame(0, b"one")), ("Upload", frame(0, b"one"))] {
        let exchange = plugin.send(grpc(method).with_body(body).with_trailer("x-a", "1"));
        assert_eq!(exchange.forwarded().trailer("x-a"), None, "{method}");
    }
}

#[test]
fn errors_are_a_status_with_its_details() {
    let plugin = plugin();
    let details =
        vec![Detail { type_url: "type.googleapis.com/shop.v1.Book".to_owned(), value: book("Momo", 7) }];
    let expected = Status { details, ..Status::new(Code::NotFound, "no – none") };
    let error = json!({ "code": "not_found", "message": "no – none", "details": [{ "type": "shop.v1.Book", "value": "CgRNb21vEAc", "debug": 1 }] });
    let response =
        Response::new(404).with_header("content-type", "application/json").with_header("trailer-x-cost", "3");
    let told =
        plugin.send(grpc("Get").with_body(frame(0, b""))).respond(response.with_body(error.to_string()));
    assert_eq!(
        (told.status(), told.header("content-type"), told.body()),
        (200, Some("application/grpc+proto"), Vec::new())
    );
    assert_eq!(Status::from_headers(|name| told.header(name)), Some(expected.clone()));
    assert_eq!(told.header("x-cost"), Some("3"));

    let last =
        end(&json!({ "error": error, "metadata": { "x-cost": ["1", "2"], "grpc-status": ["0"] } })
            .to_string());
    let told = plugin.send(grpc("List")).respond(stream().with_chunks([frame(0, b"one"), last]));
    assert_eq!((told.status(), told.body()), (200, frame(0, b"one")));
    assert_eq!(Status::from_headers(|name| told.trailer(name)), Some(expected));
    assert_eq!(told.trailer_all("x-cost"), ["1", "2"]);
}

#[test]
fn streams_pass_as_they_come() {
    let plugin = plugin();
    let request =
        grpc("Chat").with_header("grpc-encoding", "gzip").with_header("grpc-accept-encoding", "gzip");
    let messages = [frame(0, b"one"), frame(1, b"two")];
    let mut exchange = plugin.send(request.with_chunks(&messages));
    let seen = exchange.forwarded();
    assert_eq!(
        (seen.header("content-type"), seen.chunks()),
        (Some("application/connect+proto"), messages.iter().map(Vec::as_slice).collect())
    );
    assert_eq!(
        (seen.header("connect-content-encoding"), seen.header("connect-accept-encoding")),
        (Some("gzip"), Some("gzip"))
    );
    let answer = stream().with_header("connect-content-encoding", "gzip");
    let response =
        exchange.respond(answer.with_chunks([messages[0].clone(), messages[1].clone(), end("{}")]));
    assert_eq!(response.chunks(), messages, "each by itself");
    assert_eq!(
        (response.trailer("grpc-status"), response.header("grpc-encoding")),
        (Some("0"), Some("gzip"))
    );
}

#[test]
fn failures_are_told_in_grpc() {
    let plugin = plugin();
    let problem = Response::new(429).with_header("content-type", "application/problem+json").of_step();
    for (response, code, message) in [
        (problem.with_body(r#"{"detail":"enough"}"#), 8, "enough"),
        (Response::new(503).of_gateway(), 14, "the gateway answered with 503"),
        (Response::new(404).with_body("<html>"), 12, "the service answered with 404 and not in Connect"),
        (
            Response::new(502).with_json(&json!({ "code": "strange" })),
            14,
            "the service answered with 502 and not in Connect",
        ),
        // A code that is not known is that of the status; what it says stays.
        (Response::new(404).with_json(&json!({ "code": "strange", "message": "oops" })), 12, "oops"),
        (
            Response::new(200).with_header("content-type", "text/html"),
            2,
            "the service answered with 200 and not in Connect",
        ),
    ] {
        for method in ["Get", "List"] {
            let body = if method == "Get" { frame(0, b"") } else { Vec::new() };
            let told = plugin.send(grpc(method).with_body(body)).respond(response.clone());
            let status = Status::from_headers(|name| told.header(name)).unwrap();
            assert_eq!(
                (told.status(), status.code.number(), &*status.message),
                (200, code, message),
                "{response:?}"
            );
        }
    }
    for (body, code, message) in [
        (frame(0, b"one"), "13", "without a status"),
        ([frame(0, b"one"), end("no JSON")].concat(), "13", "in an unknown way"),
        ([frame(0, b"one"), end(r#"{"error":{"code":"ok"}}"#)].concat(), "2", "unknown error"),
        ([frame(0, b"one"), end(r#"{"error":{"message":"oops"}}"#)].concat(), "2", "oops"),
        // Compressed, and nobody says how.
        ([frame(0, b"one"), frame(3, &gzip(b"{}"))].concat(), "13", "in an unknown way"),
    ] {
        let told = plugin.send(grpc("List")).respond(stream().with_body(body));
        assert_eq!((told.body(), told.trailer("grpc-status")), (frame(0, b"one"), Some(code)));
        assert!(told.trailer("grpc-message").unwrap().contains(message));
    }
    for body in [[end("{}"), frame(0, b"one")].concat(), frame(0, b"one")[..6].to_vec(), frame(0x80, b"x")] {
        let mut exchange = plugin.send(grpc("List"));
        exchange.respond(stream().with_body(body));
        assert!(exchange.failure().unwrap().contains("the upstream's response"));
    }
}

#[test]
fn what_is_wrong_with_a_request_is_told() {
    let plugin = plugin();
    for (request, status, kind, code) in [
        (grpc("Lend"), 501, "connect-method-unknown", "12"),
        (grpc("Get").with_header("grpc-timeout", "5"), 400, "connect-timeout-invalid", "3"),
        (grpc("Get"), 501, "connect-malformed", "12"),
        (grpc("Get").with_body([frame(0, b""), frame(0, b"")].concat()), 501, "connect-malformed", "12"),
        (grpc("Get").with_body([0, 0]), 400, "connect-malformed", "3"),
        (grpc("Get").with_body([0, 255, 255, 255, 255]), 413, "connect-message-too-large", "8"),
        (grpc("Upload").with_body([0, 0]), 400, "connect-malformed", "3"),
        (grpc("Get").with_body(frame(1, b"x")), 400, "connect-compression-unnamed", "13"),
        (grpc("Upload").with_body(frame(1, b"x")), 400, "connect-compression-unnamed", "13"),
        (
            grpc("Get").with_header("grpc-encoding", "identity").with_body(frame(1, b"x")),
            400,
            "connect-compression-unnamed",
            "13",
        ),
        (grpc("Upload").with_body([0, 255, 255, 255, 255]), 413, "connect-message-too-large", "8"),
    ] {
        let mut exchange = plugin.send(request.clone());
        assert_eq!(problem_type(&exchange), (status, json!(kind)), "{request:?}");
        let told = shown(&mut exchange);
        assert_eq!((told.status(), told.header("grpc-status")), (200, Some(code)), "{request:?}");
    }
    let request =
        call("Get", "application/proto").with_header("connect-protocol-version", "1").with_body("x");
    let mut exchange = plugin.send(request.clone());
    assert_eq!(exchange.forwarded(), &request, "who speaks Connect passes");
    assert_eq!(exchange.respond(proto().with_body("x")), proto().with_body("x"));
}

#[test]
fn descriptors_are_wanted() {
    let refused = Harness::<Connect>::new(json!({ "upstream": "connect" })).start().unwrap_err();
    assert!(refused.message.contains("wants `descriptors`"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn however_it_is_cut(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..5), size in 1_usize..40) {
        let plugin = plugin();
        let body: Vec<u8> = messages.iter().flat_map(|message| frame(0, message)).collect();
        let mut exchange = plugin.send(grpc("Chat").with_chunks(body.chunks(size)));
        prop_assert_eq!(exchange.forwarded().body(), body.clone());
        let sent = [body.clone(), end(r#"{"metadata":{"x-cost":["3"]}}"#)].concat();
        let response = exchange.respond(stream().with_chunks(sent.chunks(size)));
        prop_assert_eq!(response.body(), body);
        prop_assert_eq!((response.trailer("grpc-status"), response.trailer("x-cost")), (Some("0"), Some("3")));
    }
}
