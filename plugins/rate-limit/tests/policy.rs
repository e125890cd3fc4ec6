//! When the policy refuses, and what it tells.

mod common;

use std::time::Duration;

use common::{admits, plugin};
use rate_limit::RateLimit;
use sluice_sdk::prelude::Phase;
use sluice_sdk_testing::{Consumer, Harness, Request, Response, json};

#[test]
fn exactly_the_quota_passes_and_then_a_steady_rate() {
    let plugin = plugin(json!({ "limits": [{ "q": 3, "w": "1m" }] }));
    let passed = (0..10).filter(|_| admits(&plugin, Request::get("/"))).count();
    assert_eq!(passed, 3);
    plugin.advance(Duration::from_secs(19));
    assert!(!admits(&plugin, Request::get("/")));
    plugin.advance(Duration::from_secs(1));
    assert!(admits(&plugin, Request::get("/")));
    assert!(!admits(&plugin, Request::get("/")));
}

#[test]
fn a_sliding_window_forgets_little_by_little() {
    let plugin = plugin(json!({ "algorithm": "sliding-window", "limits": [{ "q": 4, "w": "10s" }] }));
    let passed = (0..10).filter(|_| admits(&plugin, Request::get("/"))).count();
    assert_eq!(passed, 4);
    plugin.advance(Duration::from_secs(10));
    assert!(!admits(&plugin, Request::get("/")), "all of the last window still counts");
    plugin.advance(Duration::from_millis(2_500));
    assert!(admits(&plugin, Request::get("/")), "a quarter of it does not");
    assert!(!admits(&plugin, Request::get("/")));
}

#[test]
fn fixed_windows_begin_at_whole_multiples() {
    // 2026-01-01T00:00:00Z is one.
    let plugin = plugin(json!({ "minute": 3 }));
    plugin.advance(Duration::from_secs(59));
    assert_eq!((0..5).filter(|_| admits(&plugin, Request::get("/"))).count(), 3);
    plugin.advance(Duration::from_secs(1));
    assert_eq!((0..5).filter(|_| admits(&plugin, Request::get("/"))).count(), 3);
    let answer = plugin.send(Request::get("/")).answer();
    assert_eq!((answer.status(), answer.header("retry-after")), (429, Some("60")));
}

#[test]
fn of_a_thousand_in_a_row_a_hundred_pass() {
    for algorithm in ["gcra", "sliding-window", "fixed-window"] {
        let plugin = plugin(json!({
            "algorithm": algorithm,
            "limits": [{ "q": 100, "w": "1h" }, { "q": 150, "w": "1d", "algorithm": "fixed-window" }],
        }));
        let passed = (0..1000).filter(|_| admits(&plugin, Request::get("/"))).count();
        assert_eq!(passed, 100, "{algorithm}");
    }
}

#[test]
fn each_limit_may_count_in_its_own_way() {
    let plugin = plugin(json!({ "limits": [
        { "q": 2, "w": "10s" },
        { "q": 3, "w": "1m", "algorithm": "fixed-window" },
    ] }));
    let passed = |count| (0..count).filter(|_| admits(&plugin, Request::get("/"))).count();
    assert_eq!(passed(5), 2);
    plugin.advance(Duration::from_secs(10));
    assert_eq!(passed(5), 1, "the minute has 3");
    plugin.advance(Duration::from_secs(50));
    assert_eq!(passed(5), 2);
}

#[test]
fn a_group_has_limits_of_its_own() {
    let world = Harness::<RateLimit>::new(json!({
        "key": "consumer",
        "limits": [{ "q": 1, "w": "1m" }],
        "limits_by": { "groups": { "gold": [{ "q": 3, "w": "1m" }], "free": [{ "q": 2, "w": "1m" }], "staff": [] } },
    }));
    let plugin = world
        .consumer(Consumer::new("acme").group("others").group("gold").group("free"))
        .consumer(Consumer::new("bolt").group("staff"))
        .consumer(Consumer::new("cara"))
        .start()
        .unwrap();
    let passed =
        |consumer: &str| (0..9).filter(|_| admits(&plugin, Request::get("/").consumer(consumer))).count();
    assert_eq!([passed("acme"), passed("bolt"), passed("cara")], [3, 9, 1]);
    assert_eq!((0..9).filter(|_| admits(&plugin, Request::get("/"))).count(), 1, "nobody in particular");
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let plugin =
        plugin(json!({ "limits": [{ "q": 2, "w": "1m" }, { "q": 100, "w": "1h", "name": "hourly" }] }));
    for _ in 0..2 {
        assert!(admits(&plugin, Request::get("/")));
    }
    let mut exchange = plugin.send(Request::get("/"));
    let answer = exchange.answer();
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert_eq!(answer.header("ratelimit-policy"), Some("\"1m\";q=2;w=60, \"hourly\";q=100;w=3600"));
    assert_eq!(answer.header("ratelimit"), Some("\"1m\";r=0;t=30, \"hourly\";r=98;t=30"));
    let problem = answer.problem();
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(problem["violated-policies"], json!(["1m"]));
    // The refusal itself passes the response phase, which has nothing to add.
    let response = exchange.respond(Response::new(429).with_header("ratelimit", "told"));
    assert_eq!(response.header_all("ratelimit"), ["told"]);
}

#[test]
fn a_response_tells_what_is_left() {
    let plugin = plugin(json!({ "limits": [{ "q": 10, "w": "1m" }] }));
    let mut exchange = plugin.send(Request::get("/"));
    let response = exchange.respond(Response::new(200));
    assert_eq!(response.header("ratelimit-policy"), Some("\"1m\";q=10;w=60"));
    assert_eq!(response.header("ratelimit"), Some("\"1m\";r=9;t=6"));
}

#[test]
fn nothing_is_told_where_it_is_not_wanted() {
    let plugin = plugin(json!({ "headers": false, "limits": [{ "q": 1, "w": "1m" }] }));
    assert_eq!(plugin.descriptor().phases, [Phase::Request], "nothing to say in the response");
    let response = plugin.send(Request::get("/")).respond(Response::new(200));
    assert_eq!((response.header("ratelimit-policy"), response.header("ratelimit")), (None, None));
    let answer = plugin.send(Request::get("/")).answer();
    assert_eq!((answer.header("ratelimit"), answer.header("retry-after")), (None, Some("60")));
}

#[test]
fn a_request_over_one_limit_is_charged_to_none() {
    let plugin = plugin(json!({ "limits": [{ "q": 1, "w": "1s" }, { "q": 3, "w": "1h" }] }));
    assert!(admits(&plugin, Request::get("/")));
    for _ in 0..10 {
        assert!(!admits(&plugin, Request::get("/")));
    }
    plugin.advance(Duration::from_secs(1));
    assert!(admits(&plugin, Request::get("/")), "the refused ones did not use up the hour");
    plugin.advance(Duration::from_secs(1));
    assert!(admits(&plugin, Request::get("/")));
    plugin.advance(Duration::from_secs(1));
    let answer = plugin.send(Request::get("/")).answer();
    assert_eq!(answer.problem()["violated-policies"], json!(["1h"]));
}

#[test]
fn a_bad_configuration_is_refused() {
    for (config, reason) in [
        (json!({}), "there is no limit"),
        (json!({ "limits": [] }), "there is no limit"),
        (json!({ "limits": vec![json!({ "q": 1, "w": "1m" }); 9] }), ""),
        (json!({ "limits": [{ "q": 0, "w": "1m" }] }), ""),
        (json!({ "limits": [{ "q": 1, "w": "1 minute" }] }), ""),
        (json!({ "limits": [{ "q": 1, "w": "0s" }] }), "at least"),
        (json!({ "limits": [{ "q": 1, "w": "60s" }, { "q": 2, "w": "1m" }] }), "two limits are called `1m`"),
        (json!({ "key": "customer", "limits": [{ "q": 1, "w": "1m" }] }), ""),
        (json!({ "key": [], "limits": [{ "q": 1, "w": "1m" }] }), ""),
        (json!({ "key": "claim:", "limits": [{ "q": 1, "w": "1m" }] }), ""),
        (json!({ "key": format!("query:{}", "x".repeat(49)), "limits": [{ "q": 1, "w": "1m" }] }), ""),
        (json!({ "minute": 0 }), ""),
        (
            json!({ "minute": 5, "limits": [{ "q": 1, "w": "1m", "name": "minute" }] }),
            "two limits are called `minute`",
        ),
        (json!({ "minute": 5, "policy": "redis" }), "[store] counters"),
        (json!({ "minute": 5, "status": 403 }), ""),
        (json!({ "minute": 5, "ipv6_prefix": 129 }), ""),
        (json!({ "minute": 5, "compat": "kong", "headers": false }), "`compat`"),
        (json!({ "minute": 5, "cost": 6 }), "a `cost` of 6 never fits into the limit `minute` of 5"),
        (json!({ "minute": 5, "cost": { "header": "x-cost", "max": 6 } }), "never fits"),
        (json!({ "minute": 5, "cost": { "header": "x-cost", "default": 3, "max": 2 } }), "`cost.default`"),
        (json!({ "minute": 5, "cost": { "methods": {} } }), "`cost.methods`"),
        (json!({ "minute": 5, "cost": { "methods": { "post": 2 } } }), "capitals"),
        (json!({ "concurrency": { "q": 1, "hold": "0s" } }), "`hold`"),
        (json!({ "concurrency": { "q": 1 }, "settle": { "response_header": "x-units" } }), "`settle`"),
        (json!({ "limits_by": { "groups": {} }, "minute": 1 }), "groups"),
        (
            json!({ "limits_by": { "groups": { "gold": [{ "q": 2, "w": "1m" }] } }, "cost": 3 }),
            "never fits into the limit `1m` of 2",
        ),
        (json!({ "limit": [], "limits": [{ "q": 1, "w": "1m" }] }), "limit"),
    ] {
        let refused = Harness::<RateLimit>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
