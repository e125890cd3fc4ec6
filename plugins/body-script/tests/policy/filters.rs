//! Filters of jq: what they know, what they put out, and which bodies they are for.

use sluice_sdk_testing::{Request, Response, json};

use crate::common::{answered, plugin, posted};

#[test]
fn a_filter_transforms_the_request() {
    let plugin = plugin(json!({ "request": { "jq": "{id, total: (.items | map(.price) | add)}" } }));
    let request = posted(r#"{"id":7,"items":[{"price":1.5},{"price":2}],"secret":1}"#)
        .with_header("content-digest", "sha-256=:x:")
        .with_header("content-encoding", "identity");
    let exchange = plugin.send(request);
    let request = exchange.forwarded();
    assert_eq!(request.text(), r#"{"id":7,"total":3.5}"#);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!((request.header("content-digest"), request.header("content-encoding")), (None, None));
}

#[test]
fn a_filter_knows_the_request() {
    let filter = "$request | [.method, .path, .query, .headers[\"x-a\"], .consumer, .request_id, .route]";
    let plugin = plugin(json!({ "request": { "jq": filter }, "response": { "jq": filter } }));
    let request =
        posted("1").request_id("r1").route("orders").with_header("x-a", "1").with_header("x-a", "2");
    let mut exchange = plugin.send(request);
    let expected = r#"["POST","/orders",{"page":"2","tag":"a b"},"1, 2",null,"r1","orders"]"#;
    assert_eq!(exchange.forwarded().text(), expected);
    assert_eq!(exchange.respond(Response::new(200).with_json(&json!(1))).text(), expected);
}

#[test]
fn outputs_become_a_body() {
    for (outputs, filter, body, content_type) in [
        ("one", ".[0]", "1", "application/json"),
        ("array", ".[]", "[1,\"a\"]", "application/json"),
        ("array", "empty", "[]", "application/json"),
        ("lines", ".[]", "1\n\"a\"\n", "application/x-ndjson"),
        ("text", "map(tostring) | @csv", "\"1\",\"a\"", "text/plain; charset=utf-8"),
    ] {
        let plugin = plugin(json!({ "request": { "jq": filter, "outputs": outputs } }));
        let exchange = plugin.send(posted(r#"[1,"a"]"#));
        assert_eq!(exchange.forwarded().text(), body, "{outputs}");
        assert_eq!(exchange.forwarded().header("content-type"), Some(content_type), "{outputs}");
    }
    for (outputs, filter, reason) in [
        ("one", "empty", "the script failed: there is no output"),
        ("one", "1, 2", "the script failed: there is more than one output"),
        ("text", "1", "the script failed: the output is no string but number (1)"),
        ("lines", "1, error(\"no\")", "the script failed: no"),
        ("array", "1, .a", "the script failed: Cannot index array with string (\"a\")"),
    ] {
        let config = json!({ "request": { "jq": filter, "outputs": outputs }, "expose_errors": true });
        assert_eq!(answered(config, posted("[]")), (422, "body-script-failed".to_owned(), reason.to_owned()));
    }
}

#[test]
fn only_some_bodies_are_transformed() {
    let plugin = plugin(json!({ "request": { "jq": "1", "when": "$request.headers[\"x-a\"] == \"1\"" } }));
    let body = |request: Request| plugin.send(request).forwarded().text();
    assert_eq!(body(posted("[]").with_header("x-a", "1")), "1");
    assert_eq!(body(posted("[]").with_header("x-a", "2")), "[]");
    let other = Request::post("/").with_header("x-a", "1").with_header("content-type", "text/plain");
    assert_eq!(body(other.clone().with_body("{")), "{");
    assert_eq!(body(Request::post("/").with_header("x-a", "1").with_body("{")), "{");
    assert_eq!(body(posted("").with_header("x-a", "1")), "");
    // What does not apply is not decoded either.
    assert_eq!(body(posted("\u{1f}").with_header("content-encoding", "gzip")), "\u{1f}");
}

#[test]
fn a_text_may_be_the_input() {
    let config = json!({ "request": { "jq": "split(\",\")", "input": "text", "types": ["text/*"] } });
    let request = |body: &[u8]| Request::post("/").with_header("content-type", "text/csv").with_body(body);
    assert_eq!(plugin(config.clone()).send(request(b"a,b")).forwarded().text(), r#"["a","b"]"#);
    assert_eq!(answered(config, request(b"\xff")).1, "body-not-text");
}

#[test]
fn the_reason_is_told_only_if_asked() {
    let request = || posted(r#"{"secret":"s3cret"}"#);
    let quiet = answered(json!({ "request": { "jq": "error(.secret)" } }), request());
    assert_eq!(quiet.2, "the body cannot be transformed");
    let loud = answered(json!({ "request": { "jq": "error(.secret)" }, "expose_errors": true }), request());
    assert_eq!(loud.2, "the script failed: s3cret");
}

#[test]
fn numbers_pass_as_they_were_written() {
    let plugin = plugin(json!({ "request": { "jq": "{a: ., b: .[0]}" } }));
    let numbers = "[18446744073709551616,1.0,1.10,1e400,-0,0.1,1E+2,123456789012345678901234567890.5]";
    let exchange = plugin.send(posted(numbers));
    assert_eq!(exchange.forwarded().text(), format!("{{\"a\":{numbers},\"b\":18446744073709551616}}"));
}
