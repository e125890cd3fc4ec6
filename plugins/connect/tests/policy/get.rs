//! Calls whose message is in the query.

use sluice_sdk_coding::{Coding, encode};
use sluice_sdk_grpc::frame;
use sluice_sdk_testing::{Request, json};

use crate::common::{book, configured, good, json_of, plain, plugin, problem_type};

fn get(method: &str, query: &str) -> Request {
    Request::get(&format!("/shop.v1.Books/{method}?{query}"))
}

#[test]
fn a_get_becomes_a_call() {
    let plugin = plugin();
    let gzipped = encode(Coding::Gzip, 6, &book("Momo", 7)).unwrap();
    let gzipped = data_encoding::BASE64URL.encode(&gzipped).replace('=', "%3D");
    for query in [
        "message=%7B%22title%22%3A%22Momo%22%2C%22copies%22%3A7%7D&encoding=json&connect=v1",
        "encoding=json&message=%7B%22title%22:%22Momo%22,%22copies%22:%227%22%7D&other=1",
        "connect=v1&encoding=proto&base64=1&message=CgRNb21vEAc",
        "connect=v1&encoding=proto&base64=1&message=CgRNb21vEAc%3D",
        &format!("connect=v1&base64=1&compression=gzip&encoding=proto&message={gzipped}"),
    ] {
        let mut exchange = plugin.send(get("Get", query).with_header("connect-timeout-ms", "20"));
        let seen = exchange.forwarded();
        assert_eq!(
            (seen.method(), seen.path(), seen.query()),
            ("POST", "/shop.v1.Books/Get", None),
            "{query}"
        );
        assert_eq!(
            (seen.body(), seen.header("grpc-timeout")),
            (frame(0, &book("Momo", 7)), Some("20000000n"))
        );
        let response = exchange.respond(good(&book("Momo", 1)));
        let kind = if query.contains("json") { "application/json" } else { "application/proto" };
        assert_eq!((response.status(), response.header("content-type")), (200, Some(kind)));
    }
    let empty = plugin.send(get("Get", "connect=v1&encoding=proto&message="));
    assert_eq!(empty.forwarded().body(), frame(0, b""));
}

#[test]
fn only_methods_without_side_effects_are_called_so() {
    let query = "connect=v1&encoding=proto&base64=1&message=";
    let refused = (405, json!("connect-get-not-allowed"));
    let plugin = plugin();
    let exchange = plugin.send(get("Delete", query));
    assert_eq!((problem_type(&exchange), exchange.answer().header("allow")), (refused.clone(), Some("POST")));
    assert_eq!(
        problem_type(&plain(json!({})).send(get("Get", query))),
        refused,
        "nothing says that it has none"
    );
    assert!(plain(json!({ "get": ["shop.v1.Books/Get"] })).send(get("Get", query)).is_forwarded());
    assert!(configured(json!({ "get": ["shop.v1.Books/*"] })).send(get("Delete", query)).is_forwarded());
}

#[test]
fn what_is_wrong_in_a_query_is_told() {
    let plugin = plugin();
    for (query, status, kind) in [
        ("connect=v1&encoding=proto", 400, "connect-malformed"),
        ("connect=v1&encoding=xml&message=a", 415, "connect-codec-unsupported"),
        ("connect=v1&message=a", 415, "connect-codec-unsupported"),
        ("connect=v2&encoding=json&message=%7B%7D", 400, "connect-version-unsupported"),
        ("connect=v1&encoding=proto&base64=1&message=%20", 400, "connect-malformed"),
        ("connect=v1&encoding=proto&base64=1&message=+/+/", 400, "connect-malformed"),
        ("connect=v1&encoding=proto&message=%ff", 400, "connect-malformed"),
        ("connect=v1&encoding=json&message=%7B", 400, "connect-message-invalid"),
        (
            "connect=v1&encoding=proto&compression=br&base64=1&message=AA",
            501,
            "connect-compression-unsupported",
        ),
        ("connect=v1&encoding=proto&compression=gzip&base64=1&message=AAAA", 400, "connect-malformed"),
    ] {
        assert_eq!(problem_type(&plugin.send(get("Get", query))), (status, json!(kind)), "{query}");
    }
    // Every other GET is none of its business.
    for query in ["", "message=a", "encoding=json", "connect=v2"] {
        let request = get("Get", query);
        assert_eq!(plugin.send(request.clone()).forwarded(), &request);
    }
    // Also one that looks like a call, to a path that is no method's or in a coding that is none.
    for query in ["/send?message=hello&encoding=utf-8", "/send?message=hello&encoding=proto"] {
        let request = Request::get(query);
        assert_eq!(plugin.send(request.clone()).forwarded(), &request);
    }
    // Who may not call it so is told what is allowed, also by the answer that the client gets.
    let mut refused = plugin.send(get("Delete", "connect=v1&encoding=proto&message="));
    let told = refused.answer().header("allow").map(str::to_owned);
    assert_eq!(told.as_deref(), Some("POST"));
    let answer = sluice_sdk_testing::Response::new(405)
        .with_header("content-type", "application/problem+json")
        .with_header("allow", "POST")
        .of_step();
    assert_eq!(refused.respond(answer.with_body("{}")).header("allow"), Some("POST"));
}

#[test]
fn a_cached_answer_of_a_step_passes() {
    let plugin = plugin();
    let mut exchange = plugin.send(get("Get", "connect=v1&encoding=json&message=%7B%7D"));
    let cached = sluice_sdk_testing::Response::new(200).with_json(&json!({ "title": "Momo" })).of_step();
    assert_eq!(json_of(&exchange.respond(cached)), json!({ "title": "Momo" }));
}
