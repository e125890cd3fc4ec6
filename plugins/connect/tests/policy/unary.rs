//! Calls without streams.

use sluice_sdk_coding::{Coding, encode};
use sluice_sdk_grpc::{Code, Detail, Status, frame};
use sluice_sdk_testing::{Harness, Response, json};

use crate::common::{book, call, configured, good, grpc, json_of, plain, plugin};

#[test]
fn a_call_in_protobuf_wants_no_descriptors() {
    let plugin = plain(json!({}));
    let request = call("Get", "application/proto")
        .with_header("connect-protocol-version", "1")
        .with_header("connect-timeout-ms", "5000")
        .with_header("accept-encoding", "gzip")
        .with_header("grpc-status", "0")
        .with_header("x-tenant", "a")
        .with_body("question");
    let mut exchange = plugin.send(request);
    let seen = exchange.forwarded();
    assert_eq!((seen.method(), seen.path()), ("POST", "/shop.v1.Books/Get"));
    assert_eq!(seen.header("content-type"), Some("application/grpc+proto"));
    assert_eq!((seen.header("grpc-timeout"), seen.header("x-tenant")), (Some("5000000u"), Some("a")));
    for gone in ["connect-protocol-version", "connect-timeout-ms", "accept-encoding", "grpc-status"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    assert_eq!(seen.body(), frame(0, b"question"));
    let response = exchange.respond(
        good(b"answer")
            .with_header("grpc-accept-encoding", "gzip")
            .with_header("x-leading", "1")
            .with_trailer("x-cost", "237")
            .with_trailer("trace-bin", "AAE"),
    );
    assert_eq!((response.status(), response.text().as_str()), (200, "answer"));
    assert_eq!(response.header("content-type"), Some("application/proto"));
    assert_eq!((response.header("x-leading"), response.header("grpc-accept-encoding")), (Some("1"), None));
    assert_eq!(
        (response.header("trailer-x-cost"), response.header("trailer-trace-bin")),
        (Some("237"), Some("AAE"))
    );
    assert_eq!((response.trailer("grpc-status"), response.trailer("x-cost")), (None, None));
}

#[test]
fn a_call_in_json() {
    let plugin = plugin();
    for content_type in ["application/json", "Application/JSON; charset=utf-8"] {
        let request = call("Get", content_type).with_body(r#"{"title":"Momo","copies":"7","unknown":[1]}"#);
        let mut exchange = plugin.send(request);
        assert_eq!(exchange.forwarded().body(), frame(0, &book("Momo", 7)));
        assert_eq!(exchange.forwarded().header("content-type"), Some("application/grpc+proto"));
        let response = exchange.respond(good(&book("Momo", 8)));
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(json_of(&response), json!({ "title": "Momo", "copies": "8" }));
    }
    // An empty message is one.
    let mut exchange = plugin.send(call("Get", "application/json").with_body("{}"));
    assert_eq!(exchange.forwarded().body(), frame(0, b""));
    assert_eq!(exchange.respond(good(b"")).text(), "{}");
}

#[test]
fn messages_may_be_compressed() {
    let gzip = |bytes: &[u8]| encode(Coding::Gzip, 6, bytes).expect("it is on");
    let plugin = plugin();
    for (content_type, message) in [
        ("application/proto", book("Momo", 7)),
        ("application/json", br#"{"title":"Momo","copies":7}"#.to_vec()),
    ] {
        let request =
            call("Get", content_type).with_header("content-encoding", "gzip").with_body(gzip(&message));
        let mut exchange = plugin.send(request);
        assert_eq!(exchange.forwarded().body(), frame(0, &book("Momo", 7)));
        assert_eq!(exchange.forwarded().header("content-encoding"), None);
        // A service that compresses unasked.
        let answer = grpc().with_header("grpc-encoding", "gzip").with_trailer("grpc-status", "0");
        let response = exchange.respond(answer.with_body(frame(1, &gzip(&book("Momo", 7)))));
        assert_eq!((response.status(), response.header("grpc-encoding")), (200, None));
        assert!(String::from_utf8_lossy(&response.body()).contains("Momo"));
    }
    let empty = call("Get", "application/proto").with_header("content-encoding", "gzip");
    assert_eq!(plugin.send(empty).forwarded().body(), frame(0, b""), "what is empty is not compressed");
}

#[test]
fn errors_are_json_with_their_details() {
    let plugin = plugin();
    let details = vec![
        Detail { type_url: "type.googleapis.com/shop.v1.Book".to_owned(), value: book("Momo", 7) },
        Detail { type_url: "type.googleapis.com/x.Unknown".to_owned(), value: vec![0xff] },
    ];
    let status = Status { details, ..Status::new(Code::ResourceExhausted, "lent – all of them") };
    let expected = json!({
        "code": "resource_exhausted",
        "message": "lent – all of them",
        "details": [
            { "type": "shop.v1.Book", "value": "CgRNb21vEAc", "debug": { "title": "Momo", "copies": "7" } },
            { "type": "x.Unknown", "value": "/w" },
        ],
    });
    for (content_type, in_head) in [
        ("application/proto", true),
        ("application/proto", false),
        ("application/json", true),
        ("application/json", false),
    ] {
        let mut exchange =
            plugin.send(call("Get", content_type).with_body(if content_type.ends_with("json") {
                "{}"
            } else {
                ""
            }));
        let said = status.trailers().into_iter().fold(
            grpc().with_header("x-leading", "1"),
            |response, (name, value)| {
                if in_head { response.with_header(name, value) } else { response.with_trailer(name, value) }
            },
        );
        let said = if in_head { said } else { said.with_trailer("x-cost", "3") };
        let response = exchange.respond(said);
        assert_eq!((response.status(), response.header("content-type")), (429, Some("application/json")));
        assert_eq!(json_of(&response), expected);
        assert_eq!((response.header("grpc-status"), response.header("x-leading")), (None, Some("1")));
        assert_eq!(response.header("trailer-x-cost"), (!in_head).then_some("3"));
    }
}

#[test]
fn every_code_has_its_status() {
    let plugin = plain(json!({}));
    for (number, code, http) in [
        (1, "canceled", 499),
        (2, "unknown", 500),
        (3, "invalid_argument", 400),
        (4, "deadline_exceeded", 504),
        (5, "not_found", 404),
        (6, "already_exists", 409),
        (7, "permission_denied", 403),
        (8, "resource_exhausted", 429),
        (9, "failed_precondition", 400),
        (10, "aborted", 409),
        (11, "out_of_range", 400),
        (12, "unimplemented", 501),
        (13, "internal", 500),
        (14, "unavailable", 503),
        (15, "data_loss", 500),
        (16, "unauthenticated", 401),
        (99, "unknown", 500),
    ] {
        let mut exchange = plugin.send(call("Get", "application/proto"));
        let response = exchange.respond(grpc().with_trailer("grpc-status", number.to_string()));
        assert_eq!((response.status(), json_of(&response)), (http, json!({ "code": code })), "{number}");
    }
}

#[test]
fn a_response_that_is_no_single_message_is_an_error() {
    let plugin = plugin();
    for (response, http, error) in [
        (grpc().with_trailer("grpc-status", "0"), 501, "the service's response: the body has no message"),
        (grpc().with_header("grpc-status", "0"), 501, "the body has no message"),
        (
            good(b"").with_body([frame(0, b""), frame(0, b"")].concat()),
            501,
            "the service's response: the body has more than one message",
        ),
        (
            good(b"").with_body(&frame(0, b"abc")[..6]),
            500,
            "the service's response: the body ends within a message",
        ),
        (grpc().with_body(frame(0, b"")), 500, "the service ended its response without a status"),
        (
            good(b"").with_body(frame(1, b"x")),
            500,
            "the service's response: a message is compressed in an unknown way",
        ),
        (Response::new(502).with_body("<html>"), 503, "the service answered with 502 and not in gRPC"),
        (Response::new(200).with_json(&json!({})), 500, "the service answered with 200 and not in gRPC"),
        (Response::new(404).with_body("no"), 501, "the service answered with 404 and not in gRPC"),
    ] {
        let told = plugin.send(call("Get", "application/json").with_body("{}")).respond(response.clone());
        assert_eq!((told.status(), json_of(&told)["message"].clone()), (http, json!(error)), "{response:?}");
    }
    let told = plugin.send(call("Get", "application/json").with_body("{}")).respond(good(&[0x0a, 5, b'x']));
    assert_eq!((told.status(), json_of(&told)["code"].clone()), (500, json!("internal")));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let start = |limit| {
        Harness::<connect::Connect>::new(json!({})).limits(move |limits| limits.body = limit).start().unwrap()
    };
    assert_eq!(start(10).send(call("Get", "application/proto").with_body([0; 10])).answer().status(), 413);
    let small = configured(json!({ "max_message": "20B" }));
    let told = small.send(call("Get", "application/proto")).respond(good(&[0x10; 21]));
    assert_eq!(
        json_of(&told)["message"],
        json!("the service's response: a message of 21 bytes is larger than 20 bytes")
    );
}
