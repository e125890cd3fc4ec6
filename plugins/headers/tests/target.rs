//! What the rules do to query, path and method, and that values stay where they were put.

use headers::HeaderRules;
use proptest::prelude::*;
use sluice_sdk_testing::{Consumer, Harness, Request, Response, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    let consumer = Consumer::new("acme").id("c-1").group("gold").group("beta").named_key("k-1", "secret");
    Harness::<HeaderRules>::new(config).consumer(consumer).start().expect("the configuration is good")
}

fn request(rules: &Value, request: Request) -> Request {
    plugin(json!({ "request": rules })).send(request).forwarded().clone()
}

#[test]
fn query_rules_apply_in_their_order() {
    let rules = json!({ "query": {
        "remove": ["debug"],
        "rename": { "old": "new" },
        "replace": { "there": "replaced", "absent": "replaced" },
        "set": { "set": "{method}" },
        "add": { "there": "added", "added": "{param:id}" },
        "append": { "list": "two" },
    }});
    let sent = Request::get("/o/a%26b?keep=%41&debug=1&old=x&new=y&there=1&set=1&list=one&set=2")
        .path_param("id", "a%26b");
    let expected = "keep=%41&new=x&there=replaced&set=GET&list=one&added=a%26b&list=two";
    assert_eq!(request(&rules, sent).query(), Some(expected));
    assert_eq!(request(&json!({ "query": { "remove": ["a"] } }), Request::get("/?a=1")).query(), None);
}

#[test]
fn a_path_is_written_from_parts() {
    let rules = json!({ "path": "/v2/{param:id}/{consumer}/{path_after:2}" });
    let sent = Request::get("/orders/a%2Fb/items/7?x=1").path_param("id", "a%2Fb").consumer("acme");
    let forwarded = request(&rules, sent);
    assert_eq!((forwarded.path(), forwarded.query()), ("/v2/a%2Fb/acme/items/7", Some("x=1")));
    let all = request(&json!({ "path": "/v2{path}" }), Request::get("/a/b"));
    assert_eq!(all.path(), "/v2/a/b");
    let moved = request(&json!({ "strip_prefix": "/api", "add_prefix": "/v2" }), Request::get("/api/a%20b"));
    assert_eq!(moved.path(), "/v2/a%20b");
}

#[test]
fn a_path_that_cannot_be_written_is_refused() {
    let plugin = plugin(json!({ "request": { "path": "/v2/{param:id}/x" } }));
    for id in ["..", ".", "%2e%2E", ".%2e", ""] {
        let answer = plugin.send(Request::get("/orders").path_param("id", id)).answer();
        assert_eq!(
            (answer.status(), &answer.problem()["type"]),
            (400, &json!("path-not-rewritable")),
            "{id}"
        );
    }
    assert_eq!(plugin.send(Request::get("/orders")).answer().status(), 400, "without the part");
}

/// Too long for the gateway, or for what a step may write in one call.
#[test]
fn a_target_that_would_be_too_long_is_refused() {
    let slashes = "/".repeat(30 << 10);
    for (rules, value, kind, bound) in [
        (json!({ "path": "/v2/{header:x-a}" }), slashes.clone(), "path-not-rewritable", "`limits.headers`"),
        (json!({ "path": "/v2/{header:x-a}" }), "x".repeat(65_531), "path-not-rewritable", "65534 bytes"),
        (
            json!({ "query": { "set": { "a": "{header:x-a}" } } }),
            slashes,
            "query-not-rewritable",
            "`limits.headers`",
        ),
        (
            json!({ "query": { "set": { "a": "{header:x-a}" } } }),
            "x".repeat(65_531),
            "query-not-rewritable",
            "65534 bytes",
        ),
    ] {
        let plugin = plugin(json!({ "request": rules }));
        let answer = plugin.send(Request::get("/").with_header("x-a", value)).answer();
        let problem = answer.problem();
        assert_eq!((answer.status(), problem["type"].as_str()), (400, Some(kind)), "{rules}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(bound)), "{problem}");
    }
    let prefixed = plugin(json!({ "request": { "add_prefix": "/v2" } }));
    let long = format!("/{}", "x".repeat(65_532));
    assert_eq!(prefixed.send(Request::get(&long)).answer().status(), 400);
    let longest = plugin(json!({ "request": { "path": "/v2/{header:x-a}" } }));
    let request = Request::get("/").with_header("x-a", "x".repeat(65_530));
    assert_eq!(longest.send(request).forwarded().path().len(), 65_534);
}

#[test]
fn headers_that_would_be_too_large_are_refused() {
    let twice = json!({ "set": { "x-b": "{header:x-a}{header:x-a}" } });
    let request = || Request::get("/").with_header("x-a", "x".repeat(33 << 10));
    let too_large = |answer: sluice_sdk_testing::Answer, status: u16| {
        let problem = answer.problem();
        assert_eq!(
            (answer.status(), problem["type"].as_str()),
            (status, Some("headers-too-large")),
            "{problem}"
        );
    };
    too_large(plugin(json!({ "request": twice })).send(request()).answer(), 431);
    let response = plugin(json!({ "response": twice }));
    let mut exchange = response.send(request());
    assert!(exchange.is_forwarded());
    assert_eq!(exchange.respond(Response::new(200)).status(), 502);
    too_large(exchange.answer(), 502);
    let remembered = response.send(Request::get("/").with_header("x-a", "x".repeat(64 << 10)));
    too_large(remembered.answer(), 431);
}

#[test]
fn a_request_has_a_host_whatever_happens_to_it() {
    let set = plugin(json!({ "request": { "set": { "host": "{header:x-to}" } } }));
    let exchange = set.send(Request::get("/").with_header("x-to", "b.example"));
    assert_eq!(exchange.forwarded().header_all("host"), ["b.example"]);
    let answer = set.send(Request::get("/")).answer();
    assert_eq!((answer.status(), answer.problem()["type"].as_str()), (400, Some("host-not-rewritable")));
    for rules in [
        json!({ "remove": ["Host"] }),
        json!({ "rename": { "host": "x-host" } }),
        json!({ "rename": { "x-host": "host" } }),
        json!({ "add": { "host": "a" } }),
        json!({ "append": { "host": "a" } }),
    ] {
        let refused = Harness::<HeaderRules>::new(json!({ "request": rules })).start().unwrap_err();
        assert!(refused.message.contains("`host` of a request can be set"), "{rules}: {refused}");
    }
    let response = json!({ "response": { "set": { "host": "a" } } });
    assert!(Harness::<HeaderRules>::new(response).start().is_err());
}

#[test]
fn the_method_is_changed() {
    assert_eq!(request(&json!({ "method": "POST" }), Request::get("/")).method(), "POST");
}

#[test]
fn the_new_variables_are_filled_in() {
    let rules = json!({ "set": {
        "x-all": "{query:q}|{param:id}|{cookie:sid}|{consumer_id}|{groups}|{claim:sub}|{claim:/realm/roles}|{path_after:1}",
    }});
    let sent = Request::get("/o/7?q=a+b")
        .path_param("id", "7%20x")
        .with_header("cookie", "a=1")
        .with_header("cookie", "sid=s-1")
        .consumer("acme")
        .value("auth.claims", &json!({ "sub": "u-1", "realm": { "roles": ["r1", "r2"] } }));
    let expected = "a b|7 x|s-1|c-1|gold,beta|u-1|r1,r2|7";
    assert_eq!(request(&rules, sent).header("x-all"), Some(expected));
}

#[test]
fn the_status_is_known_in_responses_only() {
    let plugin = plugin(json!({ "response": { "set": { "x-status": "{status} {cookie:sid}" } } }));
    let mut exchange = plugin.send(Request::get("/").with_header("cookie", "sid=s-1"));
    assert_eq!(exchange.respond(Response::new(404)).header("x-status"), Some("404 s-1"));
}

#[test]
fn a_line_end_in_a_value_stays_in_the_value() {
    let rules = json!({ "set": { "x-q": "{query:q}" }, "query": { "set": { "p": "{query:q}" } } });
    let forwarded = request(&rules, Request::get("/?q=a%0d%0ax-evil:%201%26admin=1"));
    assert_eq!(forwarded.header("x-q"), Some("a%0D%0Ax-evil: 1&admin=1"));
    assert_eq!(forwarded.header("x-evil"), None);
    assert_eq!(forwarded.query(), Some("q=a%0d%0ax-evil:%201%26admin=1&p=a%0D%0Ax-evil%3A%201%26admin%3D1"));
}

/// Whatever a client sends, it becomes one segment, one parameter and one header, and never a failure.
#[test]
fn values_stay_in_their_places() {
    let plugin = plugin(json!({ "request": {
        "set": { "x-value": "v{query:q}v" },
        "path": "/a/{query:q}/b",
        "query": { "set": { "p": "{query:q}" } },
    }}));
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(value in "\\PC{1,12}|[ -~\\r\\n\\t/?#&=%.]{1,12}")| {
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let exchange = plugin.send(Request::get(&format!("/?q={encoded}&z=1")));
        if value == "." || value == ".." {
            prop_assert_eq!(exchange.answer().status(), 400);
            return Ok(());
        }
        let forwarded = exchange.forwarded();
        prop_assert_eq!(forwarded.path().split('/').count(), 4, "{}", forwarded.path());
        let query = forwarded.query().unwrap_or_default().to_owned();
        prop_assert_eq!(query.split('&').count(), 3, "{}", query);
        prop_assert!(forwarded.header("x-value").is_some());
    });
}
