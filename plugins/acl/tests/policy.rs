//! Who may and who may not.

use acl::Acl;
use sluice_sdk_testing::{Consumer, Harness, Request, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    Harness::<Acl>::new(config)
        .consumer(Consumer::new("acme").group("gold").group("eu"))
        .consumer(Consumer::new("bolt").group("free"))
        .start()
        .expect("the configuration is good")
}

fn may(plugin: &TestPlugin, request: Request) -> bool {
    let exchange = plugin.send(request);
    if !exchange.is_forwarded() {
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.problem()["type"].as_str()), (403, Some("not-permitted")));
    }
    exchange.is_forwarded()
}

fn by(consumer: &str) -> Request {
    Request::get("/").consumer(consumer)
}

#[test]
fn groups_and_consumers_are_allowed_and_nobody_else() {
    let groups = plugin(json!({ "allow": [{ "groups": ["gold", "silver"] }] }));
    assert!(may(&groups, by("acme")) && !may(&groups, by("bolt")) && !may(&groups, Request::get("/")));
    let names = plugin(json!({ "allow": [{ "consumers": ["bolt"] }] }));
    assert!(may(&names, by("bolt")) && !may(&names, by("acme")) && !may(&names, Request::get("/")));
    let both = plugin(json!({ "allow": [{ "consumers": ["bolt"] }, { "groups": ["eu"] }] }));
    assert!(may(&both, by("bolt")) && may(&both, by("acme")));
}

#[test]
fn what_is_denied_is_denied_whatever_is_allowed() {
    let free = plugin(json!({ "deny": [{ "groups": ["free"] }] }));
    assert!(may(&free, by("acme")) && !may(&free, by("bolt")) && may(&free, Request::get("/")));
    let acme = plugin(
        json!({ "allow": [{ "groups": ["gold"] }], "deny": [{ "consumers": ["acme"], "methods": ["POST"] }] }),
    );
    assert!(may(&acme, by("acme")) && !may(&acme, Request::post("/").consumer("acme")));
}

#[test]
fn scopes_are_needed_all_and_told() {
    let plugin = plugin(json!({ "allow": [{ "scopes": ["read", "orders:write"] }] }));
    let with = |scopes: Value| Request::get("/").value("auth.scopes", &scopes);
    assert!(may(&plugin, with(json!(["orders:write", "other", "read"]))));
    assert!(!may(&plugin, with(json!(["read"]))) && !may(&plugin, Request::get("/")));
    let answer = plugin.send(with(json!(["read"]))).answer();
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"read orders:write\"";
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
}

#[test]
fn claims_are_compared_by_value_and_type() {
    let plugin = plugin(
        json!({ "allow": [{ "claims": { "tier": ["gold", "silver"], "/org/level": 3, "staff": true } }] }),
    );
    let with = |claims: Value| Request::get("/").value("auth.claims", &claims);
    assert!(may(&plugin, with(json!({ "tier": "gold", "org": { "level": 3 }, "staff": true }))));
    assert!(may(&plugin, with(json!({ "tier": ["x", "silver"], "org": { "level": 3 }, "staff": true }))));
    for claims in [
        json!({}),
        json!({ "tier": "bronze", "org": { "level": 3 }, "staff": true }),
        json!({ "tier": "gold", "org": { "level": "3" }, "staff": true }),
        json!({ "tier": "gold", "org": { "level": 4 }, "staff": true }),
        json!({ "tier": "gold", "org": 3, "staff": true }),
        json!({ "tier": "gold", "/org/level": 3, "staff": true }),
        json!({ "tier": "gold", "org": { "level": 3 }, "staff": "true" }),
        json!({ "tier": [["gold"]], "org": { "level": 3 }, "staff": true }),
        json!({ "tier": { "gold": 1 }, "org": { "level": 3 }, "staff": true }),
    ] {
        assert!(!may(&plugin, with(claims.clone())), "{claims}");
    }
}

#[test]
fn a_rule_that_says_nothing_is_refused() {
    for config in [
        json!({}),
        json!({ "allow": [] }),
        json!({ "allow": [{}] }),
        json!({ "deny": [{}] }),
        json!({ "allow": [{ "scopes": ["two words"] }] }),
        json!({ "allow": [{ "scopes": [""] }] }),
        json!({ "allow": [{ "claims": { "tier": [] } }] }),
        json!({ "allow": [{ "claims": { "": "gold" } }] }),
        json!({ "allow": [{ "claims": { "/org~2": "gold" } }] }),
        json!({ "allow": [{ "group": ["gold"] }] }),
    ] {
        assert!(Harness::<Acl>::new(config.clone()).start().is_err(), "{config}");
    }
}
