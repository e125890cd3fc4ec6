//! Whom the policy counts together, when it refuses, and what it tells.

use std::time::Duration;

use rate_limit::RateLimit;
use sluice_sdk::prelude::Phase;
use sluice_sdk_testing::{Consumer, Harness, Request, Response, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    let world =
        Harness::<RateLimit>::new(config).consumer(Consumer::new("acme")).consumer(Consumer::new("bolt"));
    world.start().expect("the configuration is good")
}

fn admits(plugin: &TestPlugin, request: Request) -> bool {
    plugin.send(request).is_forwarded()
}

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
fn counters_belong_to_the_key() {
    let one = json!([{ "q": 1, "w": "1m" }]);
    let by_ip = plugin(json!({ "limits": one }));
    assert!(admits(&by_ip, Request::get("/").client("192.0.2.1")));
    assert!(admits(&by_ip, Request::get("/").client("192.0.2.2")));
    assert!(!admits(&by_ip, Request::get("/").client("::ffff:192.0.2.1")), "the same address");
    assert!(admits(&by_ip, Request::get("/").client("2001:db8:1:2::1")));
    assert!(!admits(&by_ip, Request::get("/").client("2001:db8:1:2:ffff::9")), "the same /64");
    assert!(admits(&by_ip, Request::get("/").client("2001:db8:1:3::1")));

    let by_consumer = plugin(json!({ "key": "consumer", "limits": one }));
    assert!(admits(&by_consumer, Request::get("/").consumer("acme").client("192.0.2.1")));
    assert!(!admits(&by_consumer, Request::get("/").consumer("acme").client("192.0.2.2")));
    assert!(admits(&by_consumer, Request::get("/").consumer("bolt")));

    let by_both = plugin(json!({ "key": ["consumer", "route"], "limits": one }));
    assert!(admits(&by_both, Request::get("/").consumer("acme").route("a")));
    assert!(admits(&by_both, Request::get("/").consumer("acme").route("b")));
    assert!(!admits(&by_both, Request::get("/").consumer("acme").route("a")));
}

#[test]
fn a_header_cannot_reach_into_another_counter() {
    let plugin = plugin(json!({ "key": ["header:x-a", "header:x-b"], "limits": [{ "q": 1, "w": "1m" }] }));
    let request = |a: &str, b: &str| Request::get("/").with_header("x-a", a).with_header("x-b", b);
    assert!(admits(&plugin, request("ab", "c")));
    assert!(admits(&plugin, request("a", "bc")));
    assert!(!admits(&plugin, request("ab", "c")));
    assert_eq!(plugin.send(request(&"x".repeat(201), "c")).answer().status(), 400);
}

#[test]
fn without_the_key_the_address_counts_unless_said_otherwise() {
    let config =
        |missing: &str| json!({ "key": "consumer", "missing": missing, "limits": [{ "q": 1, "w": "1m" }] });
    let by_ip = plugin(config("ip"));
    assert!(admits(&by_ip, Request::get("/")));
    assert!(!admits(&by_ip, Request::get("/")));
    assert!(admits(&by_ip, Request::get("/").client("192.0.2.9")));
    let free = plugin(config("allow"));
    assert!((0..3).all(|_| admits(&free, Request::get("/"))));
    let answer = plugin(config("deny")).send(Request::get("/")).answer();
    assert_eq!((answer.status(), &answer.problem()["type"]), (403, &json!("rate-limit-key-missing")));
}

#[test]
fn a_bad_configuration_is_refused() {
    for (config, reason) in [
        (json!({}), ""),
        (json!({ "limits": [] }), ""),
        (json!({ "limits": vec![json!({ "q": 1, "w": "1m" }); 9] }), ""),
        (json!({ "limits": [{ "q": 0, "w": "1m" }] }), ""),
        (json!({ "limits": [{ "q": 1, "w": "1 minute" }] }), ""),
        (json!({ "limits": [{ "q": 1, "w": "0s" }] }), "at least"),
        (json!({ "limits": [{ "q": 1, "w": "60s" }, { "q": 2, "w": "1m" }] }), "two limits are called `1m`"),
        (json!({ "key": "customer", "limits": [{ "q": 1, "w": "1m" }] }), ""),
        (json!({ "key": [], "limits": [{ "q": 1, "w": "1m" }] }), ""),
        (json!({ "limit": [], "limits": [{ "q": 1, "w": "1m" }] }), "limit"),
    ] {
        let refused = Harness::<RateLimit>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
