//! What the policy lets through and what it answers.

use api_key::ApiKey;
use sluice_sdk_testing::{Consumer, Harness, Request, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    Harness::<ApiKey>::new(config)
        .consumer(Consumer::new("acme").key("k-acme").custom_id("crm-17").group("gold").group("eu"))
        .consumer(Consumer::new("bolt").key("k-bolt").expiring_key("k-old", 1_000))
        .start()
        .expect("the configuration is good")
}

#[test]
fn a_known_key_makes_its_consumer_known() {
    let plugin = plugin(json!({}));
    let exchange = plugin.send(Request::get("/orders?page=2").with_header("X-Api-Key", "k-acme"));
    assert_eq!(exchange.consumer(), Some("acme"));
    let request = exchange.forwarded();
    assert_eq!(request.header("x-consumer-username"), Some("acme"));
    assert_eq!(request.header("x-consumer-custom-id"), Some("crm-17"));
    assert_eq!(request.header("x-consumer-groups"), Some("gold,eu"));
    assert_eq!(request.header("x-api-key"), None, "the upstream does not see the key");
    assert_eq!(request.query(), Some("page=2"));
}

#[test]
fn a_missing_unknown_or_expired_key_is_refused() {
    let plugin = plugin(json!({ "realm": "orders" }));
    for (key, kind) in
        [(None, "missing"), (Some(""), "missing"), (Some("k-none"), "unknown"), (Some("k-old"), "unknown")]
    {
        let request = key.map_or(Request::get("/"), |key| Request::get("/").with_header("x-api-key", key));
        let exchange = plugin.send(request);
        let answer = exchange.answer();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.header("www-authenticate"), Some("Key realm=\"orders\""));
        assert_eq!(answer.problem()["type"], format!("api-key-{kind}"));
        assert_eq!(exchange.consumer(), None);
    }
}

#[test]
fn the_client_cannot_pretend_to_be_a_consumer() {
    let plugin = plugin(json!({}));
    let request = Request::get("/")
        .with_header("x-api-key", "k-bolt")
        .with_header("x-consumer-username", "acme")
        .with_header("x-consumer-groups", "gold")
        .with_header("x-consumer-anything", "1")
        .with_header("x-consumption", "stays");
    let exchange = plugin.send(request);
    let request = exchange.forwarded();
    assert_eq!(request.header_all("x-consumer-username"), ["bolt"]);
    assert_eq!(request.header("x-consumer-groups"), None);
    assert_eq!(request.header("x-consumer-anything"), None);
    assert_eq!(request.header("x-consumption"), Some("stays"));
}

#[test]
fn a_key_may_come_by_query_or_cookie_where_configured() {
    let plugin = plugin(json!({ "query": "api_key", "cookie": "key" }));
    let by_query = plugin.send(Request::get("/a?x=1&api_key=k%2Dacme"));
    assert_eq!((by_query.consumer(), by_query.forwarded().query()), (Some("acme"), Some("x=1")));
    let by_cookie = plugin.send(Request::get("/a?x=1").with_header("cookie", "a=1; key=k-bolt; b=2"));
    assert_eq!(
        (by_cookie.consumer(), by_cookie.forwarded().header("cookie")),
        (Some("bolt"), Some("a=1; b=2"))
    );
    let alone = plugin.send(Request::get("/a?api_key=k-acme").with_header("cookie", "key="));
    assert_eq!((alone.forwarded().query(), alone.forwarded().header("cookie")), (None, None));
}

#[test]
fn two_keys_are_one_too_many() {
    let plugin = plugin(json!({ "query": "api_key" }));
    let twice = Request::get("/").with_header("x-api-key", "k-acme").with_header("x-api-key", "k-bolt");
    let apart = Request::get("/?api_key=k-acme").with_header("x-api-key", "k-bolt");
    for request in [twice, apart] {
        let exchange = plugin.send(request);
        assert_eq!(exchange.answer().problem()["type"], "api-key-ambiguous");
    }
}

#[test]
fn a_key_stays_if_it_is_not_hidden() {
    let plugin = plugin(json!({ "header": "Authorization-Key", "hide": false }));
    let exchange = plugin.send(Request::get("/").with_header("authorization-key", "k-acme"));
    assert_eq!(exchange.forwarded().header("authorization-key"), Some("k-acme"));
}

#[test]
fn a_bad_configuration_is_refused() {
    for config in [
        json!({ "heeder": "x" }),
        json!({ "header": "x y" }),
        json!({ "hide": "yes" }),
        json!({ "query": "" }),
        json!({ "realm": "a\"b" }),
        json!({ "realm": "a\nb" }),
    ] {
        assert!(Harness::<ApiKey>::new(config.clone()).start().is_err(), "{config}");
    }
}
