//! Requests of several units, units that only the response tells, and requests at once.

mod common;

use std::time::Duration;

use common::{admits, plugin};
use proptest::prelude::{any, proptest};
use proptest::{collection, prop_assert_eq};
use sluice_sdk::prelude::{Outcome, Phase};
use sluice_sdk_testing::{Exchange, Request, Response, TestPlugin, json};

/// An exchange that took `ms` altogether.
fn after(ms: u64) -> Outcome {
    Outcome {
        status: 200,
        finished: true,
        request_bytes: 0,
        response_bytes: 0,
        duration_us: ms * 1000,
        upstream_us: 0,
    }
}

/// What the response says is left.
fn left(plugin: &TestPlugin) -> u64 {
    let mut exchange = plugin.send(Request::new("OPTIONS", "/").with_header("x-cost", "1"));
    let field = exchange.respond(Response::new(200));
    let field = field.header("ratelimit").expect("the limits are told").to_owned();
    let (_, rest) = field.split_once("r=").expect("it tells what is left");
    let digits = rest.split(';').next().unwrap_or_default();
    digits.parse().expect("it is a number")
}

fn used(units: &str) -> Response {
    Response::new(200).with_header("x-units", units)
}

#[test]
fn requests_cost_what_a_header_says() {
    let plugin = plugin(json!({ "minute": 100, "cost": { "header": "x-cost", "default": 10, "max": 50 } }));
    assert!(admits(&plugin, Request::get("/").with_header("x-cost", "20")));
    assert!(admits(&plugin, Request::get("/")));
    assert!(admits(&plugin, Request::get("/").with_header("x-cost", "999999999999999999999")));
    assert_eq!(left(&plugin), 19);
    assert!(!admits(&plugin, Request::get("/").with_header("x-cost", "20")));
    assert!(admits(&plugin, Request::get("/").with_header("x-cost", "0")), "at least one");
    assert_eq!(left(&plugin), 17);
    let answer = plugin.send(Request::get("/").with_header("x-cost", "-5")).answer();
    assert_eq!((answer.status(), &answer.problem()["type"]), (400, &json!("rate-limit-cost-invalid")));
}

#[test]
fn requests_cost_by_method() {
    let cost = json!({ "methods": { "POST": 5, "HEAD": 0 }, "default": 2 });
    let plugin = plugin(json!({ "minute": 9, "cost": cost }));
    assert!(admits(&plugin, Request::post("/")));
    assert!(admits(&plugin, Request::get("/")));
    assert!(!admits(&plugin, Request::post("/")));
    assert!(admits(&plugin, Request::get("/")));
    assert!(!admits(&plugin, Request::get("/")));
    assert!(admits(&plugin, Request::new("HEAD", "/")), "free");
}

#[test]
fn the_difference_is_settled_when_the_response_tells_it() {
    for algorithm in ["gcra", "sliding-window", "fixed-window"] {
        let config = json!({
            "algorithm": algorithm,
            "limits": [{ "q": 1000, "w": "1d" }],
            "cost": { "methods": { "OPTIONS": 0 }, "default": 100 },
            "settle": { "response_header": "x-units", "hide": true },
        });
        let plugin = plugin(config);
        assert_eq!(plugin.descriptor().phases, [Phase::Request, Phase::Response, Phase::Complete]);

        let mut less = plugin.send(Request::get("/"));
        assert_eq!(left(&plugin), 900, "{algorithm}");
        assert_eq!(less.respond(used("30")).header("x-units"), None, "hidden");
        assert_eq!(left(&plugin), 900, "{algorithm}: given back in the end");
        less.complete(after(20));
        assert_eq!(left(&plugin), 970, "{algorithm}");

        let mut more = plugin.send(Request::get("/"));
        more.respond(used("250"));
        assert_eq!(left(&plugin), 720, "{algorithm}: taken at once");
        more.complete(after(20));
        assert_eq!(left(&plugin), 720, "{algorithm}: and only once");

        let mut beyond = plugin.send(Request::get("/"));
        beyond.respond(used("2000"));
        beyond.complete(after(20));
        assert!(!admits(&plugin, Request::get("/")), "{algorithm}");
        assert!(!admits(&plugin, Request::new("OPTIONS", "/")), "{algorithm}: not even for nothing");
    }
}

#[test]
fn without_a_word_of_the_response_the_estimate_stands() {
    let config = || {
        json!({
            "limits": [{ "q": 1000, "w": "1d", "algorithm": "fixed-window" }],
            "cost": { "methods": { "OPTIONS": 0 }, "default": 100 },
            "settle": { "response_header": "x-units" },
        })
    };
    for response in [Some(Response::new(502)), Some(used("unknown")), Some(used("")), Some(used("-3")), None]
    {
        let plugin = plugin(config());
        let mut exchange = plugin.send(Request::get("/"));
        if let Some(response) = response {
            exchange.respond(response);
        }
        exchange.complete(Outcome { finished: false, ..after(10) });
        assert_eq!(left(&plugin), 900);
    }
    // Aborted after the head: what it told is settled.
    let plugin = plugin(config());
    let mut exchange = plugin.send(Request::get("/"));
    exchange.respond(used("1"));
    exchange.complete(Outcome { finished: false, ..after(10) });
    assert_eq!(left(&plugin), 999);
}

#[test]
fn what_no_longer_counts_is_not_given_back() {
    for (algorithm, expected) in [("gcra", 1000), ("sliding-window", 500), ("fixed-window", 1000)] {
        let plugin = plugin(json!({
            "limits": [{ "q": 1000, "w": "10s", "algorithm": algorithm }],
            "cost": { "methods": { "OPTIONS": 0, "PUT": 500 }, "default": 1000 },
            "settle": { "response_header": "x-units" },
        }));
        let mut old = plugin.send(Request::get("/"));
        plugin.advance(Duration::from_secs(10));
        let before = left(&plugin);
        old.respond(used("0"));
        old.complete(after(10_000));
        assert_eq!(left(&plugin), before, "{algorithm}");
        plugin.advance(Duration::from_secs(5));
        assert_eq!(left(&plugin), expected, "{algorithm}");
    }
}

#[test]
fn of_a_bucket_that_leaks_only_the_rest_is_given_back() {
    let plugin = plugin(json!({
        "limits": [{ "q": 1000, "w": "100s" }],
        "cost": { "methods": { "OPTIONS": 0, "PUT": 500 }, "default": 300 },
        "settle": { "response_header": "x-units" },
    }));
    // 300 leak in 30 s. After 20 s a hundred of them are left, less a rounding that is never for the client.
    let mut old = plugin.send(Request::get("/"));
    plugin.advance(Duration::from_secs(20));
    assert!(admits(&plugin, Request::new("PUT", "/")));
    assert_eq!(left(&plugin), 400);
    old.respond(used("0"));
    old.complete(after(20_000));
    assert_eq!(left(&plugin), 499);
}

fn opened(plugin: &TestPlugin) -> Option<Exchange<'_>> {
    let exchange = plugin.send(Request::get("/"));
    exchange.is_forwarded().then_some(exchange)
}

#[test]
fn a_place_is_held_until_the_exchange_is_complete() {
    let plugin = plugin(json!({ "concurrency": { "q": 2 } }));
    // All have the same request id: a client may choose it, and must gain nothing by that.
    let (mut first, mut second) = (opened(&plugin).unwrap(), opened(&plugin).unwrap());
    let answer = plugin.send(Request::get("/")).answer();
    assert_eq!((answer.status(), answer.header("retry-after")), (429, Some("1")));
    assert_eq!(answer.problem()["type"], "concurrency-exceeded");
    assert_eq!(answer.problem()["violated-policies"], json!(["concurrency"]));
    assert_eq!(
        (answer.header("ratelimit-policy"), answer.header("ratelimit")),
        (Some("\"concurrency\";q=2;qu=\"concurrent-requests\""), Some("\"concurrency\";r=0"))
    );
    let response = second.respond(Response::new(200));
    assert_eq!(response.header("ratelimit"), Some("\"concurrency\";r=0"));
    assert!(!admits(&plugin, Request::get("/")), "a response is not the end");
    second.complete(after(5));
    let mut third = opened(&plugin).unwrap();
    assert!(!admits(&plugin, Request::get("/")));
    first.complete(Outcome { finished: false, status: 0, ..after(5) });
    third.complete(after(5));
    assert!(opened(&plugin).is_some() && opened(&plugin).is_some());
    assert!(opened(&plugin).is_none());
}

#[test]
fn a_refused_request_holds_no_place_and_a_full_house_charges_no_limit() {
    let plugin = plugin(json!({ "minute": 3, "concurrency": { "q": 2 } }));
    let (mut one, two) = (opened(&plugin).unwrap(), opened(&plugin).unwrap());
    for _ in 0..5 {
        assert!(!admits(&plugin, Request::get("/")));
    }
    one.complete(after(1));
    let mut three = opened(&plugin).expect("the minute has one left");
    three.complete(after(1));
    let answer = plugin.send(Request::get("/")).answer();
    assert_eq!(answer.problem()["violated-policies"], json!(["minute"]));
    plugin.advance(Duration::from_secs(60));
    assert!(opened(&plugin).is_some(), "one place is held, and none by those that were refused");
    drop(two);
}

#[test]
fn a_place_whose_end_was_missed_is_free_again_after_the_hold() {
    let plugin = plugin(json!({ "concurrency": { "q": 1, "hold": "10s" } }));
    let lost = opened(&plugin).unwrap();
    plugin.advance(Duration::from_millis(9_999));
    assert!(opened(&plugin).is_none());
    plugin.advance(Duration::from_secs(4));
    let mut next = opened(&plugin).expect("a third longer at most");
    let mut lost = lost;
    lost.complete(after(14_000));
    assert!(opened(&plugin).is_none(), "the place is the other's now");
    next.complete(after(1));
    assert!(opened(&plugin).is_some());
}

proptest! {
    #[test]
    fn what_is_settled_is_what_was_used(
        requests in collection::vec((1_u64..50, 0_u64..100, any::<bool>()), 1..30),
    ) {
        let plugin = plugin(json!({
            "limits": [{ "q": 1_000_000, "w": "365d", "algorithm": "fixed-window" }],
            "cost": { "header": "x-cost", "max": 50 },
            "settle": { "response_header": "x-units" },
        }));
        let mut sum = 0;
        for (estimate, units, tells) in requests {
            let mut exchange = plugin.send(Request::get("/").with_header("x-cost", estimate.to_string()));
            exchange.respond(if tells { used(&units.to_string()) } else { Response::new(200) });
            exchange.complete(after(1));
            sum += if tells { units } else { estimate };
        }
        prop_assert_eq!(left(&plugin), 1_000_000 - sum - 1);
    }

    #[test]
    fn never_more_than_the_quota_are_on_their_way(
        quota in 1_usize..5,
        steps in collection::vec(any::<(bool, u8)>(), 1..60),
    ) {
        let plugin = plugin(json!({ "concurrency": { "q": quota } }));
        let mut open: Vec<Exchange<'_>> = Vec::new();
        for (begins, which) in steps {
            if begins || open.is_empty() {
                let exchange = opened(&plugin);
                prop_assert_eq!(exchange.is_some(), open.len() < quota);
                open.extend(exchange);
            } else {
                let mut ended = open.swap_remove(usize::from(which) % open.len());
                ended.complete(after(1));
            }
        }
    }
}
