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
    let twice = plugin.send(Request::get("/a").with_header("cookie", "key=; key=k-bolt; b=2"));
    assert_eq!((twice.consumer(), twice.forwarded().header("cookie")), (Some("bolt"), Some("b=2")));
    let alone = plugin.send(Request::get("/a?api_key=k-acme").with_header("cookie", "key="));
    assert_eq!((alone.forwarded().query(), alone.forwarded().header("cookie")), (None, None));
}

#[test]
fn two_keys_are_one_too_many() {
    let plugin = plugin(json!({ "query": "api_key", "cookie": "key" }));
    let twice = Request::get("/").with_header("x-api-key", "k-acme").with_header("x-api-key", "k-bolt");
    let apart = Request::get("/?api_key=k-acme").with_header("x-api-key", "k-bolt");
    let cookies = Request::get("/").with_header("cookie", "key=k-acme; key=k-bolt");
    let headers = Request::get("/").with_header("cookie", "key=k-acme").with_header("cookie", "key=k-bolt");
    for request in [twice, apart, cookies, headers] {
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

#[test]
fn a_key_may_be_in_one_of_several_places() {
    let plugin = plugin(json!({ "header": ["x-api-key", "apikey"], "query": ["key", "apikey"] }));
    for request in [
        Request::get("/").with_header("apikey", "k-acme"),
        Request::get("/?apikey=k-acme"),
        Request::get("/?a=1&key=k-acme"),
    ] {
        assert_eq!(plugin.send(request).consumer(), Some("acme"));
    }
    for request in [
        Request::get("/?key=k-bolt").with_header("apikey", "k-acme"),
        Request::get("/?key=k-acme&key=k-acme"),
    ] {
        assert_eq!(plugin.send(request).answer().problem()["type"], "api-key-ambiguous");
    }
}

#[test]
fn the_upstream_learns_which_credential_it_was() {
    let consumer = Consumer::new("acme").id("4711").named_key("laptop", "k-1").key("k-2");
    let plugin = Harness::<ApiKey>::new(json!({})).consumer(consumer).start().unwrap();
    let exchange = plugin.send(Request::get("/").with_header("x-api-key", "k-1"));
    assert_eq!(exchange.forwarded().header("x-consumer-id"), Some("4711"));
    assert_eq!(exchange.forwarded().header("x-credential-identifier"), Some("laptop"));
    let exchange = plugin.send(Request::get("/").with_header("x-api-key", "k-2"));
    let credential = exchange.forwarded().header("x-credential-identifier").unwrap();
    assert!(
        credential.len() == 8 && !credential.contains("k-2"),
        "of the digest, not of the key: {credential}"
    );
}

#[test]
fn who_shows_nothing_may_be_let_in_as_somebody() {
    let world = Harness::<ApiKey>::new(json!({ "anonymous": "guest" }));
    let plugin =
        world.consumer(Consumer::new("guest")).consumer(Consumer::new("acme").key("k")).start().unwrap();
    let exchange = plugin.send(Request::get("/").with_header("x-consumer-groups", "admin"));
    assert_eq!(exchange.consumer(), Some("guest"));
    assert_eq!(exchange.forwarded().header("x-anonymous-consumer"), Some("true"));
    assert_eq!(exchange.forwarded().header("x-consumer-groups"), None);
    let known = plugin
        .send(Request::get("/").with_header("x-api-key", "k").with_header("x-anonymous-consumer", "true"));
    assert_eq!(known.forwarded().header("x-anonymous-consumer"), None);
    let wrong = plugin.send(Request::get("/").with_header("x-api-key", "wrong"));
    assert_eq!(wrong.answer().status(), 401, "a wrong key is not no key");
    let nobody = Harness::<ApiKey>::new(json!({ "anonymous": "nobody" })).start().unwrap_err();
    assert!(nobody.message.contains("nobody"), "{nobody}");
}
