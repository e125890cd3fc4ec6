//! Limits that a consumer's plan brings.

use std::time::Duration;

use rate_limit::RateLimit;
use sluice_sdk_testing::{Consumer, Harness, Request, Response, TestPlugin, Value, json};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn plugin(config: Value) -> TestPlugin {
    Harness::<RateLimit>::new(config)
        .consumer(Consumer::new("acme").plan("pro", &[(3, MINUTE), (5, HOUR)]))
        .consumer(Consumer::new("bolt").plan("pro", &[(3, MINUTE), (5, HOUR)]).group("gold"))
        .consumer(Consumer::new("free").plan("free", &[]))
        .consumer(Consumer::new("gold").plan("free", &[]).group("gold"))
        .consumer(Consumer::new("none"))
        .consumer(Consumer::new("odd").plan("odd", &[(2, MINUTE), (1, MINUTE), (2, MINUTE)]))
        .consumer(
            Consumer::new("many")
                .plan("many", &[1_u32, 2, 3, 4, 5, 6, 7, 8, 9].map(|n| (u64::from(n), MINUTE * n))),
        )
        .start()
        .expect("a configuration that is understood")
}

/// How many of ten pass.
fn passed(plugin: &TestPlugin, request: impl Fn() -> Request) -> usize {
    (0..10).filter(|_| plugin.send(request()).is_forwarded()).count()
}

#[test]
fn a_plan_brings_its_limits() {
    let plugin = plugin(json!({
        "plan": true,
        "limits": [{ "q": 2, "w": "1m" }],
        "limits_by": { "groups": { "gold": [{ "q": 4, "w": "1m" }] } },
    }));
    let of = |name: &str| passed(&plugin, || Request::get("/").consumer(name));
    assert_eq!((of("acme"), of("bolt")), (3, 3), "each for itself, though they come from one address");
    assert_eq!(of("gold"), 4, "the plan has none, the group has");
    assert_eq!((of("free"), of("none")), (2, 2));
    assert_eq!(passed(&plugin, || Request::get("/")), 2, "nobody known, by address");
    assert_eq!(passed(&plugin, || Request::get("/").client("192.0.2.9")), 2);
    plugin.advance(MINUTE);
    assert_eq!(of("acme"), 2, "the hour's limit");
}

#[test]
fn without_the_option_plans_do_not_matter() {
    let plugin = plugin(json!({ "limits": [{ "q": 2, "w": "1m" }], "key": "consumer" }));
    assert_eq!(passed(&plugin, || Request::get("/").consumer("acme")), 2);
}

#[test]
fn a_plan_alone_is_enough() {
    let plugin = plugin(json!({ "plan": true }));
    assert_eq!(passed(&plugin, || Request::get("/").consumer("acme")), 3);
    assert_eq!(passed(&plugin, || Request::get("/").consumer("free")), 10);
    assert_eq!(passed(&plugin, || Request::get("/")), 10);
}

#[test]
fn clients_are_told_their_plans_limits() {
    let plugin = plugin(json!({ "plan": true, "concurrency": { "q": 8 } }));
    let mut exchange = plugin.send(Request::get("/").consumer("acme"));
    let told = exchange.respond(Response::new(200));
    assert_eq!(
        told.header("ratelimit-policy"),
        Some("\"1m\";q=3;w=60, \"1h\";q=5;w=3600, \"concurrency\";q=8;qu=\"concurrent-requests\"")
    );
    assert!(told.header("ratelimit").is_some_and(|field| field.starts_with("\"1m\";r=2;")));
    // Two limits in one window have two names, and the same one twice is one.
    let mut exchange = plugin.send(Request::get("/").consumer("odd"));
    let told = exchange.respond(Response::new(200));
    assert!(
        told.header("ratelimit-policy")
            .is_some_and(|field| field.starts_with("\"1m\";q=2;w=60, \"1m-1\";q=1;w=60, \"con"))
    );
    let failed = plugin.send(Request::get("/").consumer("many"));
    assert!(
        failed.failure().is_some_and(|why| why.contains("the rate limits of a plan: there are more than 8"))
    );
}

#[test]
fn units_are_settled_with_the_plans_limits() {
    let config = json!({ "plan": true, "cost": 2, "settle": { "response_header": "x-units" } });
    let plugin = Harness::<RateLimit>::new(config)
        .consumer(Consumer::new("acme").plan("pro", &[(10, MINUTE)]))
        .start()
        .expect("a configuration that is understood");
    let send = || plugin.send(Request::get("/").consumer("acme"));
    let mut exchange = send();
    exchange.respond(Response::new(200).with_header("x-units", "9"));
    assert_eq!(exchange.failure(), None);
    assert!(!send().is_forwarded(), "one is left of ten");
    plugin.advance(Duration::from_secs(6));
    assert!(send().is_forwarded());
}
