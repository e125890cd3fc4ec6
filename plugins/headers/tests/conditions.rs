//! Rules that apply under conditions.

use headers::HeaderRules;
use sluice_sdk_testing::{Consumer, Harness, Request, Response, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    let harness = Harness::<HeaderRules>::new(config).consumer(Consumer::new("acme").group("gold"));
    harness.start().expect("the configuration is good")
}

/// Whether a set of rules with these conditions applies to a request.
fn applies(when: &Value, request: Request) -> bool {
    let plugin = plugin(json!({ "rules": [{ "when": when, "request": { "set": { "x-fits": "1" } } }] }));
    plugin.send(request).forwarded().header("x-fits").is_some()
}

#[test]
fn every_condition_on_the_request_counts() {
    let get = || Request::get("/?a=1&a=2&b").with_header("x-a", "1").with_header("x-a", "2");
    for (when, fits) in [
        (json!({}), true),
        (json!({ "methods": ["GET", "HEAD"] }), true),
        (json!({ "methods": ["POST"] }), false),
        (json!({ "headers": { "X-A": true } }), true),
        (json!({ "headers": { "x-a": false } }), false),
        (json!({ "headers": { "x-b": false } }), true),
        (json!({ "headers": { "x-a": "2" } }), true),
        (json!({ "headers": { "x-a": ["3", "1"] } }), true),
        (json!({ "headers": { "x-a": "1, 2" } }), false),
        (json!({ "query": { "a": "2", "b": true, "c": false } }), true),
        (json!({ "query": { "a": "2", "b": "1" } }), false),
        (json!({ "methods": ["GET"], "headers": { "x-a": "9" } }), false),
        (json!({ "consumers": ["acme"] }), false),
        (json!({ "groups": ["gold"] }), false),
    ] {
        assert_eq!(applies(&when, get()), fits, "{when}");
    }
    for (when, fits) in [
        (json!({ "consumers": ["acme"] }), true),
        (json!({ "consumers": ["other"] }), false),
        (json!({ "groups": ["silver", "gold"] }), true),
        (json!({ "groups": ["silver"], "consumers": ["acme"] }), false),
    ] {
        assert_eq!(applies(&when, get().consumer("acme")), fits, "{when}");
    }
}

#[test]
fn responses_are_told_apart_by_status_and_headers() {
    for (when, status, fits) in [
        (json!({ "status": "5xx" }), 503, true),
        (json!({ "status": "5xx" }), 404, false),
        (json!({ "status": [404, "5xx"] }), 404, true),
        (json!({ "status": 404 }), 405, false),
        (json!({ "response_headers": { "content-type": "text/plain" } }), 200, true),
        (json!({ "response_headers": { "content-type": false } }), 200, false),
        (json!({ "status": 200, "methods": ["POST"] }), 200, false),
        (json!({ "status": 200, "methods": ["GET"] }), 200, true),
    ] {
        let config = json!({ "rules": [{ "when": when, "response": { "set": { "x-fits": "{status}" } } }] });
        let plugin = plugin(config);
        let mut exchange = plugin.send(Request::get("/"));
        let response = exchange.respond(Response::new(status).with_header("content-type", "text/plain"));
        assert_eq!(response.header("x-fits"), fits.then(|| status.to_string()).as_deref(), "{when} {status}");
    }
}

#[test]
fn conditions_look_at_the_request_as_it_came() {
    let plugin = plugin(json!({
        "request": { "set": { "x-tier": "none" }, "remove": ["x-key"] },
        "rules": [
            { "when": { "headers": { "x-key": true } }, "request": { "set": { "x-tier": "{header:x-key}" } } },
            { "when": { "headers": { "x-tier": true } }, "request": { "set": { "x-late": "1" } } },
            { "when": { "headers": { "x-key": true } }, "response": { "set": { "x-keyed": "1" } } },
        ],
    }));
    let mut exchange = plugin.send(Request::get("/").with_header("x-key", "gold"));
    let forwarded = exchange.forwarded();
    assert_eq!((forwarded.header("x-tier"), forwarded.header("x-late")), (Some("gold"), None));
    assert_eq!(exchange.respond(Response::new(200)).header("x-keyed"), Some("1"));
    let mut exchange = plugin.send(Request::get("/"));
    assert_eq!(exchange.forwarded().header("x-tier"), Some("none"));
    assert_eq!(exchange.respond(Response::new(200)).header("x-keyed"), None);
}

#[test]
fn phases_without_rules_cost_nothing() {
    let phases =
        |config| plugin(config).descriptor().phases.iter().map(|phase| phase.name()).collect::<Vec<_>>();
    assert_eq!(phases(json!({ "request": { "add_prefix": "/v2" } })), ["request"]);
    let only = json!({ "rules": [{ "when": { "status": "5xx" }, "response": { "remove": ["server"] } }] });
    assert_eq!(phases(only), ["response"]);
    let back = json!({ "rules": [{ "when": { "methods": ["GET"] }, "response": { "remove": ["server"] } }] });
    assert_eq!(phases(back), ["request", "response"]);
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let set = |when: Value| json!({ "rules": [{ "when": when, "request": { "set": { "x-a": "1" } } }] });
    let path = |path: &str| json!({ "request": { "path": path } });
    for (config, reason) in [
        (json!({ "rules": [] }), "there is nothing to do"),
        (json!({ "rules": [{ "when": { "methods": ["GET"] } }] }), "rules[0]: there is nothing to do"),
        (set(json!({ "status": "5xx" })), "rules[0].when: a condition on the response comes too late"),
        (set(json!({ "headers": { "x-b": [] } })), "rules[0].when: x-b: there is no value"),
        (json!({ "rules": [{ "when": { "status": "6xx" }, "response": { "remove": ["a"] } }] }), ""),
        (json!({ "rules": [{ "when": { "status": 99 }, "response": { "remove": ["a"] } }] }), ""),
        (json!({ "request": { "set": { "x-a": "{status}" } } }), "request.set.x-a: `{status}` is known only"),
        (
            json!({ "request": { "query": { "set": { "a": "" } } } }),
            "request.query.set.a: the value is empty",
        ),
        (json!({ "request": { "query": { "remove": [""] } } }), "request.query: a parameter's name is empty"),
        (json!({ "request": { "method": "TRACE" } }), "request.method: `TRACE` cannot be sent"),
        (path("v2/{param:id}"), "request.path: a path begins with `/`"),
        (path("/v2/../{param:id}"), "request.path: `/v2/../x` has a segment"),
        (path("/v2 /{param:id}"), "is not a path"),
        (path("/v2?{param:id}"), "is not a path"),
        (path("/{id}"), "there is no variable `{id}`"),
        (json!({ "request": { "path": "/a", "add_prefix": "/b" } }), "`path` replaces the whole path"),
        (json!({ "request": { "strip_prefix": "api" } }), "request.strip_prefix: a path begins with `/`"),
        (json!({ "request": { "add_prefix": "/" } }), "request.add_prefix: `/` is no prefix"),
        (json!({ "response": { "query": {} } }), ""),
    ] {
        let refused = Harness::<HeaderRules>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
