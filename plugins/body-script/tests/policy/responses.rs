//! Responses: what a filter knows of them, which are transformed, and what they say of their body.

use sluice_sdk_testing::{Request, Response, json};

use crate::common::{plugin, posted};

#[test]
fn a_response_knows_its_status_and_headers() {
    let plugin = plugin(json!({ "response": { "jq": "{status: $status, etag: $headers.etag, body: .}" } }));
    let mut exchange = plugin.send(Request::get("/").with_header("range", "bytes=0-1"));
    assert_eq!(exchange.forwarded().header("range"), None);
    let response = Response::new(404)
        .with_header("etag", "\"a\"")
        .with_header("accept-ranges", "bytes")
        .with_header("content-type", "application/problem+json; charset=utf-8")
        .with_body("[1]");
    let response = exchange.respond(response);
    assert_eq!(response.text(), r#"{"status":404,"etag":"\"a\"","body":[1]}"#);
    assert_eq!((response.header("etag"), response.header("accept-ranges")), (Some("W/\"a\""), None));
}

#[test]
fn a_refusal_of_its_own_is_no_response_to_transform() {
    let config = json!({ "request": { "jq": "." }, "response": { "jq": ".a.b.c" } });
    let plugin = plugin(config);
    let mut exchange = plugin.send(posted("{"));
    let refusal = exchange.answer();
    assert_eq!(refusal.status(), 400);
    let problem = Response::new(400).with_header("content-type", "application/problem+json");
    let problem = problem.with_body(refusal.problem().to_string());
    let passed = exchange.respond(problem.clone().of_step());
    assert!(passed.text().contains("body-not-json"), "{}", passed.text());
    // What refuses further on, and what fails, is no response to transform either.
    let get = |response: Response| plugin.send(posted("{}")).respond(response).text();
    assert_eq!(get(problem.clone().of_step()), problem.text());
    assert_eq!(get(problem.clone().of_gateway()), problem.text());
    assert_eq!(get(problem), "null", "the upstream's are JSON like any other");
    // What a cache has kept is the upstream's, though a step answers with it.
    assert_eq!(get(Response::new(200).with_json(&json!({})).of_step()), "null");
}

fn tagged(status: u16, content_type: &str) -> Response {
    let response = Response::new(status)
        .with_header("etag", "\"a\"")
        .with_header("accept-ranges", "bytes")
        .with_header("repr-digest", "sha-256=:AA==:");
    if content_type.is_empty() { response } else { response.with_header("content-type", content_type) }
}

/// `HEAD` and 304 tell of the body that `GET` brings.
#[test]
fn a_head_without_its_body_tells_of_the_transformed_one() {
    let script = json!({ "jq": ".a", "outputs": "text", "when": "$status == 200" });
    let plugin = plugin(json!({ "response": script }));
    let tags = |response: &Response| {
        let found = ["etag", "accept-ranges", "repr-digest", "content-type"];
        found.map(|name| response.header(name).map(str::to_owned))
    };
    let weak = |content_type: Option<&str>| {
        [Some("W/\"a\"".to_owned()), None, None, content_type.map(str::to_owned)]
    };
    let text = Some("text/plain; charset=utf-8");
    let head = |response: Response| plugin.send(Request::new("HEAD", "/")).respond(response);
    let get = |response: Response| plugin.send(Request::get("/")).respond(response);
    let json = "application/json";
    assert_eq!(tags(&get(tagged(200, json).with_body("{\"a\":\"b\"}"))), weak(text));
    assert_eq!(tags(&head(tagged(200, json).with_header("content-length", "9"))), weak(text));
    assert_eq!(tags(&get(tagged(304, json))), weak(text));
    assert_eq!(tags(&get(tagged(304, ""))), weak(None), "it may be what was transformed");
    for kept in [
        tagged(200, "text/html"),
        tagged(404, json),
        tagged(200, json).with_header("content-length", "0"),
        tagged(200, json).of_gateway(),
        tagged(200, "application/problem+json").of_step(),
    ] {
        assert_eq!(tags(&head(kept.clone())), tags(&kept));
    }
    let html = tagged(304, "text/html");
    assert_eq!(tags(&get(html.clone())), tags(&html));
}

#[test]
fn a_response_that_cannot_be_transformed_is_a_bad_gateway() {
    let plugin = plugin(json!({ "response": { "jq": ".a.b" } }));
    for (body, kind) in [("{", "body-not-json"), ("[1]", "body-script-failed")] {
        let mut exchange = plugin.send(Request::get("/"));
        let _ = exchange
            .respond(Response::new(200).with_header("content-type", "application/json").with_body(body));
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.problem()["type"].as_str()), (502, Some(kind)), "{body}");
        assert_eq!(exchange.logs().len(), 1, "{body}");
    }
}
