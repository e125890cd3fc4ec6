//! What cannot be read is refused, and so is what is too much; nothing is cut off.

use body_script::BodyScript;
use sluice_sdk_coding::Coding;
use sluice_sdk_testing::{Harness, Request, Response, json};

use crate::common::{answered, plugin, posted};

#[test]
fn what_cannot_be_read_is_refused() {
    let config = json!({ "request": { "jq": ".", "max_values": 10 } });
    for (body, status, kind) in [
        ("{", 400, "body-not-json"),
        ("[1,]", 400, "body-not-json"),
        ("{} {}", 400, "body-not-json"),
        ("NaN", 400, "body-not-json"),
        ("# comment\n1", 400, "body-not-json"),
        ("[1,2,3,4,5,6,7,8,9,10]", 413, "body-too-complex"),
    ] {
        assert_eq!(answered(config.clone(), posted(body)).0, status, "{body}");
        assert_eq!(answered(config.clone(), posted(body)).1, kind, "{body}");
    }
    let deep = json!({ "request": { "jq": "." } });
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(plugin(deep.clone()).send(posted(&nested(128))).forwarded().text(), nested(128));
    assert_eq!(answered(deep.clone(), posted(&nested(129))).2, "the body is nested deeper than 128 levels");
}

#[test]
fn a_coded_body_is_decoded_within_its_bound() {
    let plugin = plugin(json!({ "request": { "jq": ".a", "max_size": "64KiB" } }));
    let send = |coding: &str, body: Vec<u8>| {
        plugin.send(posted("").with_body(body).with_header("content-encoding", coding))
    };
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        let encoded = |text: &str| sluice_sdk_coding::encode(coding, 5, text.as_bytes()).unwrap();
        let exchange = send(coding.name(), encoded(r#"{"a":[1.0]}"#));
        assert_eq!(exchange.forwarded().text(), "[1.0]");
        assert_eq!(exchange.forwarded().header("content-encoding"), None);
        let largest = format!("{{\"a\":\"{}\"}}", "x".repeat((64 << 10) - 8));
        assert_eq!(send(coding.name(), encoded(&largest)).forwarded().text().len(), (64 << 10) - 6);
        for (coding, body, status, kind) in [
            (coding.name(), encoded(&(largest + " ")), 413, "body-too-large"),
            (coding.name(), b"{}".to_vec(), 400, "content-coding-malformed"),
            ("x-unknown", b"{}".to_vec(), 415, "content-coding-unsupported"),
        ] {
            let answer = send(coding, body).answer();
            assert_eq!((answer.status(), answer.problem()["type"].as_str()), (status, Some(kind)));
            assert_eq!(answer.header("accept-encoding").is_some(), status == 415);
        }
    }
    let large = format!("[{}]", "1,".repeat(64 << 10));
    assert_eq!(send("identity", large.into_bytes()).answer().status(), 413);
}

#[test]
fn what_the_head_lets_pass_is_neither_waited_for_nor_bounded() {
    let large = "[1]".repeat(100);
    let when = "$request.headers[\"x-a\"] == \"1\"";
    let config = json!({
        "request": { "jq": "1", "when": when },
        "response": { "jq": "1", "when": "$status < 300" },
    });
    let plugin = Harness::<BodyScript>::new(config).limits(|limits| limits.body = 50).start().unwrap();
    let text = Request::post("/").with_header("content-type", "text/plain").with_header("x-a", "1");
    for request in [text.with_body(large.as_str()), posted(&large)] {
        let exchange = plugin.send(request);
        assert_eq!(exchange.forwarded().text(), large);
        assert_eq!(exchange.forwarded().header("accept-encoding"), Some("identity"));
    }
    for (status, content_type) in [(200, "text/plain"), (500, "application/json")] {
        let response = Response::new(status).with_header("content-type", content_type);
        let mut exchange = plugin.send(Request::get("/"));
        assert_eq!(exchange.respond(response.with_body(large.as_str())).text(), large);
    }
}

#[test]
fn a_body_past_the_limit_is_an_answer_and_never_cut() {
    let config = json!({ "request": { "jq": "\"x\" * 100" } });
    let plugin = Harness::<BodyScript>::new(config).limits(|limits| limits.body = 50).start().unwrap();
    let answer = plugin.send(posted("1")).answer();
    assert_eq!((answer.status(), answer.problem()["type"].as_str()), (413, Some("body-too-large")));
    assert!(answer.problem()["detail"].as_str().unwrap().contains("`limits.body`"));
}

#[test]
fn a_request_that_is_too_large_to_be_remembered_is_refused() {
    let plugin = plugin(json!({ "response": { "jq": "$request.headers" } }));
    let exchange = plugin.send(Request::get("/").with_header("x-a", "\"".repeat(40_000)));
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.problem()["type"].as_str()), (431, Some("headers-too-large")));
}
