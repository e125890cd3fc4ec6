//! Which responses are transformed, and whose fault it is that one does not suit.

use sluice_sdk_testing::{Request, Response, Value, json};

use crate::common::{plugin, post, refused};

#[test]
fn a_response_knows_the_request() {
    let plugin = plugin(json!({ "response": { "operations": [
        { "set": { "at": "/trace", "value": "{header:x-trace} {path}" } },
        { "remove": "$..internal" },
    ]}}));
    let request = Request::get("/a")
        .with_header("x-trace", "t1")
        .with_header("range", "bytes=0-5")
        .with_header("accept-encoding", "br, gzip");
    let mut exchange = plugin.send(request);
    assert_eq!(exchange.forwarded().header("range"), None, "a part could not be transformed");
    assert_eq!(exchange.forwarded().header_all("accept-encoding"), ["identity"]);
    let response = Response::new(200)
        .with_header("content-digest", "sha-256=:AA==:")
        .with_header("content-type", "application/hal+json")
        .with_body(r#"{"a":{"internal":1}}"#);
    let response = exchange.respond(response);
    assert_eq!(response.text(), r#"{"a":{},"trace":"t1 /a"}"#);
    assert_eq!(response.header("content-digest"), None);
    assert_eq!(response.header("content-type"), Some("application/hal+json"));
}

#[test]
fn a_response_that_does_not_suit_is_the_upstreams_fault() {
    let plugin = plugin(json!({ "response": { "operations": [{ "remove": "/a" }] } }));
    let json = "application/json";
    for (response, kind) in [
        (Response::new(200).with_header("content-type", json).with_body("{]"), "body-not-json"),
        (Response::new(200).with_header("content-type", json).with_body("{}"), "body-mismatch"),
        (Response::new(206).with_header("content-type", json).with_body("{"), "content-partial"),
        (
            Response::new(200).with_header("content-type", json).with_header("content-type", "text/html"),
            "content-type-ambiguous",
        ),
        (
            Response::new(200).with_header("content-type", json).with_body("{\"a\":1,\"a\":2}"),
            "body-duplicate-member",
        ),
    ] {
        let mut exchange = plugin.send(Request::get("/"));
        assert_eq!(exchange.respond(response).status(), 502, "{kind}");
        refused(&exchange.answer(), 502, kind, "of the upstream's response: ");
    }
}

#[test]
fn only_responses_of_the_statuses_are_meant() {
    let plugin = plugin(json!({
        "response": { "operations": [{ "pick": "$.data" }] },
        "response_statuses": ["2xx"],
    }));
    let answered = |status, body: &Value| {
        plugin.send(Request::get("/")).respond(Response::new(status).with_json(body)).text()
    };
    assert_eq!(answered(201, &json!({ "data": 1 })), "1");
    assert_eq!(answered(404, &json!({ "error": 1 })), r#"{"error":1}"#);
}

#[test]
fn the_steps_own_answer_is_no_upstreams_response() {
    let plugin = plugin(json!({
        "request": { "operations": [{ "remove": "/a" }] },
        "response": { "operations": [{ "pick": "$.data" }] },
    }));
    let mut exchange = plugin.send(post("{}"));
    assert_eq!(exchange.answer().status(), 422);
    let own = Response::new(422).with_header("content-type", "application/problem+json").with_body("{}");
    assert_eq!(exchange.respond(own.of_step()).status(), 422);
}

#[test]
fn refusals_of_steps_and_failures_of_the_gateway_pass() {
    for types in [Value::Null, json!(["+json", "application/json"])] {
        let mut rules = json!({ "operations": [{ "pick": "$.detail" }], "require_json": true });
        if !types.is_null() {
            rules["types"] = types;
        }
        let plugin = plugin(json!({ "response": rules }));
        let text = |response| plugin.send(Request::get("/")).respond(response).text();
        let document = r#"{"detail":"no"}"#;
        let problem = || {
            let problem = Response::new(429).with_header("content-type", "Application/Problem+json; x=y");
            problem.with_body(document)
        };
        assert_eq!(text(problem().of_step()), document);
        assert_eq!(text(problem().of_gateway()), document);
        assert_eq!(text(problem()), "\"no\"", "the upstream's are JSON like any other");
        // What a cache has kept is the upstream's, though a step answers with it.
        let kept = Response::new(200).with_header("content-type", "application/json").with_body(document);
        assert_eq!(text(kept.of_step()), "\"no\"");
    }
}
