//! Who is admitted and who is not.

use ip_filter::IpFilter;
use sluice_sdk_testing::{Harness, Request, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    Harness::<IpFilter>::new(config).start().expect("the configuration is good")
}

fn admits(plugin: &TestPlugin, address: &str) -> bool {
    plugin.send(Request::get("/").client(address)).is_forwarded()
}

#[test]
fn allow_alone_refuses_all_others() {
    let plugin = plugin(json!({ "allow": ["192.0.2.0/24", "2001:db8::/32"] }));
    for (address, admitted) in [
        ("192.0.2.0", true),
        ("192.0.2.255", true),
        ("192.0.3.0", false),
        ("192.0.1.255", false),
        ("::ffff:192.0.2.7", true),
        ("2001:db8:ffff::1", true),
        ("2001:db9::", false),
        ("::192.0.2.7", false),
    ] {
        assert_eq!(admits(&plugin, address), admitted, "{address}");
    }
}

#[test]
fn deny_alone_admits_all_others() {
    let plugin = plugin(json!({ "deny": ["192.0.2.0/24", "::ffff:198.51.100.7"] }));
    for (address, admitted) in
        [("192.0.2.9", false), ("198.51.100.7", false), ("198.51.100.8", true), ("2001:db8::1", true)]
    {
        assert_eq!(admits(&plugin, address), admitted, "{address}");
    }
}

#[test]
fn deny_wins_whatever_is_more_specific() {
    let plugin =
        plugin(json!({ "allow": ["10.0.0.0/8", "192.0.2.7"], "deny": ["10.1.0.0/16", "192.0.2.0/24"] }));
    for (address, admitted) in
        [("10.2.0.1", true), ("10.1.0.1", false), ("192.0.2.7", false), ("203.0.113.1", false)]
    {
        assert_eq!(admits(&plugin, address), admitted, "{address}");
    }
}

#[test]
fn a_refusal_tells_nothing_of_the_lists() {
    let plugin = plugin(json!({ "deny": ["192.0.2.0/24"] }));
    let answer = plugin.send(Request::get("/").client("192.0.2.1")).answer();
    assert_eq!((answer.status(), answer.problem()["type"].as_str()), (403, Some("address-denied")));
    assert!(!answer.problem().to_string().contains("192.0.2"));
}

#[test]
fn a_refusal_can_look_like_a_path_that_does_not_exist() {
    let plugin = plugin(json!({ "deny": ["192.0.2.0/24"], "status": 404 }));
    let answer = plugin.send(Request::get("/").client("192.0.2.1").request_id("r1")).answer();
    assert_eq!((answer.status(), answer.problem()), (404, Value::Null));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let document: Value = serde_json::from_str(&answer.text()).unwrap();
    let expected = json!({
        "type": "urn:sluice:problem:no-route", "title": "Not Found", "status": 404,
        "detail": "no route matches this request", "request_id": "r1",
    });
    assert_eq!(document, expected);
}

#[test]
fn a_dry_run_refuses_nobody_and_says_who_it_would_be() {
    let plugin = plugin(json!({ "allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"], "dry_run": true }));
    for (address, logged) in [
        ("10.1.0.1", Some("10.1.0.1 would be refused: it is in `deny`")),
        ("192.0.2.1", Some("192.0.2.1 would be refused: it is not in `allow`")),
        ("10.2.0.1", None),
    ] {
        let exchange = plugin.send(Request::get("/").client(address));
        assert!(exchange.is_forwarded(), "{address}");
        let expected: Vec<_> = logged.into_iter().map(|line| ("warn", line)).collect();
        assert_eq!(exchange.logs(), expected);
    }
}

#[test]
fn the_largest_lists_are_read_in_time() {
    let allow: Vec<_> = (0..20_000).map(|n| format!("2001:db8:abcd:ef01:{n:x}:ffff:ffff:0/112")).collect();
    let deny: Vec<_> = (0..20_000).map(|n| format!("2001:db8:abcd:ef01:{n:x}:ffff:ffff:8000/113")).collect();
    let plugin = plugin(json!({ "allow": allow, "deny": deny }));
    assert!(admits(&plugin, "2001:db8:abcd:ef01:4e1f:ffff:ffff:7fff"));
    assert!(!admits(&plugin, "2001:db8:abcd:ef01:4e1f:ffff:ffff:8000"));
    assert!(!admits(&plugin, "2001:db8:abcd:ef01:4e20:ffff:ffff:7fff"));
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let many: Vec<_> = (0..=20_000).map(|_| "10.0.0.1").collect();
    for (config, reason) in [
        (json!({}), "there is nothing to do"),
        (
            json!({ "deny": ["10.1.2.3/8"] }),
            "`deny`: `10.1.2.3/8` has bits set behind its prefix: write `10.0.0.0/8`",
        ),
        (json!({ "allow": ["10.0.0.0/33"] }), "`allow`: `10.0.0.0/33`: a prefix is a number up to 32"),
        (json!({ "allow": [] }), ""),
        (json!({ "allow": many }), ""),
        (json!({ "deny": ["10.0.0.1"], "status": 401 }), ""),
        (json!({ "deny": ["localhost"] }), ""),
        (json!({ "block": ["10.0.0.1"] }), ""),
    ] {
        let refused = Harness::<IpFilter>::new(config).start().unwrap_err();
        assert!(refused.message.contains(reason), "{reason}: {refused}");
    }
}
