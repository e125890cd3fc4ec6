//! The older fields, and the shadow in which nothing is told.

mod common;

use std::time::Duration;

use common::{admits, plugin};
use sluice_sdk_testing::{Request, Response, json};

const OLD: [&str; 6] = [
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

#[test]
fn kong_users_find_their_fields() {
    let plugin = plugin(json!({ "second": 5, "minute": 10, "hour": 1000, "compat": "kong" }));
    plugin.advance(Duration::from_millis(13_000));
    let response = plugin.send(Request::get("/")).respond(Response::new(200));
    for (name, value) in [
        ("x-ratelimit-limit-second", "5"),
        ("x-ratelimit-remaining-second", "4"),
        ("x-ratelimit-limit-minute", "10"),
        ("x-ratelimit-remaining-minute", "9"),
        ("x-ratelimit-limit-hour", "1000"),
        ("x-ratelimit-remaining-hour", "999"),
        ("ratelimit-limit", "5"),
        ("ratelimit-remaining", "4"),
        ("ratelimit-reset", "1"),
        ("ratelimit-policy", "\"second\";q=5;w=1, \"minute\";q=10;w=60, \"hour\";q=1000;w=3600"),
        ("ratelimit", "\"second\";r=4;t=1, \"minute\";r=9;t=47, \"hour\";r=999;t=3587"),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    assert_eq!(response.header("x-ratelimit-limit-day"), None);
    for _ in 0..2 {
        for _ in 0..4 {
            assert!(admits(&plugin, Request::get("/")));
        }
        plugin.advance(Duration::from_secs(1));
    }
    assert!(admits(&plugin, Request::get("/")));
    let answer = plugin.send(Request::get("/")).answer();
    assert_eq!(answer.status(), 429);
    for (name, value) in [
        ("retry-after", "45"),
        ("x-ratelimit-remaining-second", "4"),
        ("x-ratelimit-remaining-minute", "0"),
        ("x-ratelimit-remaining-hour", "990"),
        ("ratelimit-limit", "10"),
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", "45"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

#[test]
fn the_fields_of_the_third_draft_are_of_the_nearest_limit() {
    for (compat, names) in [("draft-03", &OLD[..3]), ("x", &OLD[3..])] {
        let plugin = plugin(json!({
            "compat": compat,
            "limits": [{ "q": 100, "w": "1m" }, { "q": 7, "w": "1h" }, { "q": 7, "w": "1m", "name": "b" }],
            "concurrency": { "q": 1 },
        }));
        let response =
            plugin.send(Request::get("/")).respond(Response::new(200).with_header(names[0], "old"));
        let told: Vec<_> = names.iter().map(|name| response.header_all(name)).collect();
        assert_eq!(told, [["7"], ["6"], ["515"]], "{compat}");
        let others: Vec<_> = OLD
            .iter()
            .filter(|name| !names.contains(name))
            .filter_map(|name| response.header(name))
            .collect();
        assert!(others.is_empty(), "{compat}");
    }
}

#[test]
fn another_limit_of_the_chain_keeps_its_say() {
    let plugin = plugin(json!({ "minute": 2 }));
    let told = Response::new(200).with_header("ratelimit", "\"upstream\";r=1");
    let response = plugin.send(Request::get("/")).respond(told);
    assert_eq!(response.header_all("ratelimit"), ["\"upstream\";r=1", "\"minute\";r=1;t=60"]);
}

#[test]
fn a_refusal_may_be_a_503() {
    let plugin = plugin(json!({ "minute": 1, "status": 503 }));
    assert!(admits(&plugin, Request::get("/")));
    let answer = plugin.send(Request::get("/")).answer();
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("60")));
    assert_eq!(answer.problem()["title"], "Request cannot be satisfied as assigned quota has been exceeded");
}

#[test]
fn in_the_shadow_everything_passes_and_the_log_tells() {
    let plugin = plugin(json!({ "minute": 2, "concurrency": { "q": 5 }, "shadow": true, "compat": "kong" }));
    let mut lines = Vec::new();
    for _ in 0..5 {
        let mut exchange = plugin.send(Request::get("/"));
        assert!(exchange.is_forwarded());
        let response = exchange.respond(Response::new(200));
        for name in OLD.iter().chain(&["ratelimit", "ratelimit-policy", "x-ratelimit-limit-minute"]) {
            assert_eq!(response.header(name), None, "{name}");
        }
        lines.extend(exchange.logs().iter().map(|(level, line)| format!("{level} {line}")));
    }
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("info shadow: a request over the limit `minute` (2 in 1m) is let through"));
    plugin.advance(Duration::from_secs(10));
    assert_eq!(plugin.send(Request::get("/")).logs().len(), 1, "once in ten seconds");
    plugin.advance(Duration::from_secs(50));
    assert!(plugin.send(Request::get("/")).logs().is_empty(), "within the limit again");
}

#[test]
fn the_shadow_refuses_nothing_at_all() {
    let plugin = plugin(json!({
        "minute": 2, "shadow": true, "key": "header:x-a", "missing": "deny", "cost": { "header": "x-cost", "max": 2 },
    }));
    let bad_cost = Request::get("/").with_header("x-a", "a").with_header("x-cost", "none");
    let exchange = plugin.send(Request::get("/"));
    assert_eq!((exchange.is_forwarded(), exchange.logs().len()), (true, 1));
    assert!(admits(&plugin, bad_cost));
    assert!(admits(&plugin, Request::get("/").with_header("x-a", "x".repeat(201))));
}
