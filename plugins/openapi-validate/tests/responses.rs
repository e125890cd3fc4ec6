//! What becomes of responses.

use openapi_validate::OpenApiValidate;
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, Value, json};

const DOCUMENTS: [&str; 2] = [include_str!("data/petstore-3.0.json"), include_str!("data/petstore-3.1.json")];

/// Every test holds for both versions.
fn stores(config: &Value) -> Vec<TestPlugin> {
    let start = |document: &&str| {
        let mut config = config.clone();
        config["document"] = json!(document);
        Harness::<OpenApiValidate>::new(config).start().expect("the configuration is good")
    };
    DOCUMENTS.iter().map(start).collect()
}

#[test]
fn responses_are_left_alone_unless_asked_for() {
    for plugin in stores(&json!({})) {
        let mut exchange = plugin.send(Request::get("/v1/pets/7"));
        let response = exchange.respond(Response::new(418).with_json(&json!("x")));
        assert_eq!((response.status(), exchange.logs()), (418, vec![]));
    }
}

fn wrong_responses() -> Vec<(Request, Response, &'static str)> {
    let list = |response: Response| (Request::get("/v1/pets"), response);
    let total = |status: u16| Response::new(status).with_header("x-total", "1");
    let secret = json!([{ "id": 1, "name": "a", "secret": "s" }]);
    [
        (list(Response::new(200).with_json(&json!([]))), "header `X-Total`: is required"),
        (
            list(Response::new(200).with_header("x-total", "x").with_json(&json!([]))),
            "header `X-Total`: value is not of type \\\"integer\\\"",
        ),
        (
            list(total(200).with_json(&json!([{ "name": "a" }]))),
            "body at /0: \\\"id\\\" is a required property",
        ),
        (list(total(200).with_json(&secret)), "body at /0/secret: is not to be sent this way"),
        (
            list(total(200).with_header("content-type", "text/html").with_body("x")),
            "its media type is not described",
        ),
        (list(total(200).with_body("[]")), "its body has no media type"),
        (
            list(total(200).with_json(&json!([])).with_header("content-encoding", "unheard-of")),
            "its content coding cannot be undone: the content coding `unheard-of` is not supported",
        ),
        (
            list(Response::new(500).with_header("content-type", "application/problem+json").with_body("{}")),
            "body: \\\"title\\\" is a required property",
        ),
    ]
    .map(|((request, response), line)| (request, response, line))
    .into()
}

#[test]
fn wrong_responses_are_logged_or_replaced() {
    for (mode, is_replaced) in [("report", false), ("enforce", true)] {
        for plugin in stores(&json!({ "responses": mode })) {
            for (request, response, line) in wrong_responses() {
                let mut exchange = plugin.send(request);
                let got = exchange.respond(response.clone());
                let expected = format!("response of GET /pets does not follow the document: {line}");
                assert_eq!(exchange.logs(), [("warn", expected.as_str())]);
                if is_replaced {
                    let problem = exchange.answer().problem();
                    assert_eq!((got.status(), problem["type"].as_str()), (502, Some("response-invalid")));
                    assert_eq!(problem["errors"], Value::Null);
                } else {
                    assert_eq!(got, response);
                }
            }
        }
    }
}

#[test]
fn a_response_too_large_to_be_looked_at_passes_a_report() {
    for (mode, line) in [
        (
            "report",
            "response of GET /pets/{petId} is not checked: its body of 1025 bytes is larger than the 1024 bytes of `decoded_size`",
        ),
        (
            "enforce",
            "response of GET /pets/{petId} does not follow the document: body at /name: value is not of type \\\"string\\\"",
        ),
    ] {
        for plugin in stores(&json!({ "responses": mode, "decoded_size": "1KiB" })) {
            let mut exchange = plugin.send(Request::get("/v1/pets/7"));
            let response = Response::new(200).with_json(&json!({ "id": 1, "name": 7 }));
            exchange.respond(response.clone().with_header("content-length", "1025"));
            assert_eq!(exchange.logs(), [("warn", line)]);
            // Of a body that is not there, nothing is said.
            let mut exchange = plugin.send(Request::new("HEAD", "/v1/pets/7"));
            exchange.respond(response.with_body("").with_header("content-length", "1025"));
            assert_eq!(exchange.logs(), []);
        }
    }
}

#[test]
fn responses_that_follow_the_document_pass() {
    for plugin in stores(&json!({ "responses": "enforce" })) {
        let created = json!({ "id": 1, "name": "a" });
        let post = || Request::post("/v1/pets").with_json(&json!({ "name": "a" }));
        for (request, response) in [
            (
                Request::get("/v1/pets"),
                Response::new(200).with_header("x-total", "1").with_json(&json!([created])),
            ),
            (
                Request::new("HEAD", "/v1/pets"),
                Response::new(200)
                    .with_header("x-total", "1")
                    .with_header("content-type", "application/json"),
            ),
            (Request::get("/v1/pets/mine"), Response::new(204)),
            (Request::get("/v1/pets/7"), Response::new(200).with_json(&created)),
            (post(), Response::new(201).with_json(&created)),
            (
                post(),
                Response::new(422)
                    .with_header("content-type", "application/problem+json")
                    .with_body("{\"title\":\"x\"}"),
            ),
            // Neither a status nor a body that the document does not mention is wrong by itself.
            (post(), Response::new(503).with_body("busy")),
            (Request::new("PUT", "/v1/pets/7"), Response::new(200).with_json(&json!(1))),
        ] {
            let mut exchange = plugin.send(request);
            assert_eq!(exchange.respond(response.clone()), response, "{:?}", exchange.logs());
        }
    }
}

#[test]
fn statuses_that_are_not_described_can_be_refused() {
    for plugin in stores(&json!({ "responses": "enforce", "unknown_status": "refuse" })) {
        let mut exchange = plugin.send(Request::get("/v1/pets/7"));
        assert_eq!(exchange.respond(Response::new(404)).status(), 502);
        let line = "response of GET /pets/{petId} does not follow the document: status 404 is not described";
        assert_eq!(exchange.logs(), [("warn", line)]);
    }
}

#[test]
fn its_own_answers_are_not_held_to_the_document() {
    for plugin in stores(&json!({ "responses": "enforce", "unknown_status": "refuse" })) {
        for request in [
            Request::get("/v1/pets/x"),
            Request::get("/nothing"),
            Request::new("PUT", "/v1/pets/7").with_json(&json!({})),
        ] {
            let mut exchange = plugin.send(request);
            let status = exchange.answer().status();
            let own =
                Response::new(status).with_header("content-type", "application/problem+json").with_body("{}");
            assert_eq!(exchange.respond(own.of_step()).status(), status);
            assert_eq!(exchange.logs(), []);
        }
    }
}

/// With a `default` of JSON every answer is described, also those that the upstream has never given.
#[test]
fn only_the_upstream_is_held_to_the_document() {
    let json = json!({ "application/json": { "schema": { "type": "object", "required": ["id"] } } });
    let document = json!({ "openapi": "3.1.0", "paths": { "/a": { "get": {
        "responses": { "default": { "description": "", "content": json } },
    }}}});
    let config = json!({ "document": document, "responses": "enforce", "unknown_status": "refuse" });
    let plugin = Harness::<OpenApiValidate>::new(config).start().unwrap();
    let problem = |status| {
        Response::new(status).with_header("content-type", "application/problem+json").with_body("{}")
    };
    let cached = Response::new(200).with_json(&json!({})).of_step();
    for response in [problem(502).of_gateway(), problem(413).of_gateway(), problem(429).of_step(), cached] {
        let mut exchange = plugin.send(Request::get("/a"));
        assert_eq!(exchange.respond(response.clone()).status(), response.status());
        assert_eq!(exchange.logs(), []);
    }
    for response in [problem(502), Response::new(200).with_json(&json!({}))] {
        let mut exchange = plugin.send(Request::get("/a"));
        assert_eq!(exchange.respond(response).status(), 502);
        assert_eq!(exchange.answer().problem()["type"], "response-invalid");
    }
}
