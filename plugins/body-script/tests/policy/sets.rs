//! What a filter sets besides the body.

use body_script::BodyScript;
use sluice_sdk_testing::{Harness, Request, Response, Value, json};

use crate::common::{answered, plugin, posted};

#[test]
fn a_filter_may_set_more_than_the_body() {
    let plugin = plugin(json!({
        "request": { "jq": ".data", "sets": {
            "method": ".method", "path": "\"/v2\" + $request.path", "query": "\"id=\\(.id)\"",
            "headers": "{\"X-Id\": .id, \"x-list\": [\"a\", 1], \"x-old\": null}",
        } },
        "response": { "jq": ".", "sets": { "status": "if .error then 409 else $status end" } },
    }));
    let request = posted(r#"{"method":"PUT","id":7,"data":[1]}"#).with_header("x-old", "1");
    let mut exchange = plugin.send(request);
    let request = exchange.forwarded();
    assert_eq!((request.method(), request.path(), request.query()), ("PUT", "/v2/orders", Some("id=7")));
    assert_eq!((request.header("x-id"), request.header("x-old")), (Some("7"), None));
    assert_eq!((request.header_all("x-list"), request.text()), (vec!["a", "1"], "[1]".to_owned()));
    assert_eq!(exchange.respond(Response::new(200).with_json(&json!({ "error": "x" }))).status(), 409);
}

#[test]
fn what_cannot_be_set_is_a_failure() {
    for (sets, reason) in [
        (json!({ "path": "\"x\"" }), "sets.path: not a path"),
        (json!({ "path": "\"/a?b\"" }), "sets.path: not a path"),
        (json!({ "query": "\"a b\"" }), "sets.query: not a query"),
        (json!({ "path": "\"/a<b\"" }), "sets.path: not a path"),
        (json!({ "path": "\"/a>b\"" }), "sets.path: not a path"),
        (json!({ "path": "\"/a`b\"" }), "sets.path: not a path"),
        (
            json!({ "path": "\"/orders/\" + \"../admin\"" }),
            "sets.path: not a path without segments `.` and `..`",
        ),
        (
            json!({ "path": "\"/orders/%2E%2e/admin\"" }),
            "sets.path: not a path without segments `.` and `..`",
        ),
        (json!({ "path": "\"/.\"" }), "sets.path: not a path without segments `.` and `..`"),
        (json!({ "query": "\"a<b\"" }), "sets.query: not a query"),
        (json!({ "query": "\"a>b\"" }), "sets.query: not a query"),
        (json!({ "query": "\"a\\\"b\"" }), "sets.query: not a query"),
        (json!({ "query": "\"a#b\"" }), "sets.query: not a query"),
        (json!({ "method": "\"A B\"" }), "sets.method: not a method"),
        (json!({ "method": "\"CONNECT\"" }), "sets.method: not a method that can be sent"),
        (json!({ "method": "\"TRACE\"" }), "sets.method: not a method that can be sent"),
        (json!({ "headers": "1" }), "sets.headers: not an object"),
        (
            json!({ "headers": "{\"x-a\": \"b\\r\\nc: d\"}" }),
            "sets.headers: `x-a` would have a value that no header has",
        ),
        (
            json!({ "headers": "{\"Content-Length\": 1}" }),
            "sets.headers: `Content-Length` belongs to the gateway",
        ),
        (json!({ "headers": "{\"x-a\": {}}" }), "sets.headers: `x-a` would have a value that is no text"),
        (json!({ "headers": "empty" }), "sets.headers: there is no output"),
    ] {
        let config = json!({ "request": { "jq": ".", "sets": sets }, "expose_errors": true });
        let (status, kind, detail) = answered(config, posted("[]"));
        assert_eq!((status, kind.as_str()), (422, "body-script-failed"), "{sets}");
        assert!(detail.contains(reason), "{sets}: {detail}");
    }
}

/// Each value is good, but the gateway takes no more than so much.
#[test]
fn what_is_too_much_to_be_set_is_a_failure_that_names_the_bound() {
    let plugin = |config: Value, limit| {
        Harness::<BodyScript>::new(config).limits(|limits| limits.headers = limit).start().unwrap()
    };
    let path = "`sets.path` comes to more than 65534 bytes of path and query together";
    let query = "`sets.query` comes to more than 65534 bytes of path and query together";
    for (sets, limit, detail) in [
        (json!({ "path": "\"/\" + \"x\" * 65511" }), 80_000, path),
        (json!({ "query": "\"x\" * 65527" }), 80_000, query),
        (
            json!({ "path": "\"/\" + \"x\" * 50" }),
            70,
            "`sets.path` comes to more than this step's `limits.headers`",
        ),
        (
            json!({ "method": "\"X\" * 50" }),
            70,
            "`sets.method` comes to more than this step's `limits.headers`",
        ),
        (
            json!({ "headers": "{\"x-a\": (\"x\" * 40), \"x-b\": (\"x\" * 40)}" }),
            100,
            "`sets.headers` comes to more than this step's `limits.headers`, or 1,000 headers",
        ),
    ] {
        let plugin = plugin(json!({ "request": { "jq": ".", "sets": sets } }), limit);
        let answer = plugin.send(posted("[]")).answer();
        let problem = answer.problem();
        assert_eq!((answer.status(), problem["type"].as_str()), (422, Some("body-script-failed")));
        assert_eq!(problem["detail"].as_str(), Some(detail), "{sets}");
    }
    let longest =
        plugin(json!({ "request": { "jq": ".", "sets": { "path": "\"/\" + \"x\" * 65510" } } }), 80_000);
    assert_eq!(longest.send(posted("[]")).forwarded().path().len(), 65_511);
    let sets = json!({ "headers": "{\"x-a\": (\"x\" * 100)}" });
    let answered = plugin(json!({ "response": { "jq": ".", "sets": sets } }), 100);
    let mut exchange = answered.send(Request::get("/"));
    assert_eq!(exchange.respond(Response::new(200).with_json(&json!(1))).status(), 502);
    assert_eq!(exchange.answer().problem()["type"], "body-script-failed");
}
