//! What the policy asks, lets through and answers.

use std::time::Duration;

use introspection::Introspection;
use sluice_sdk_testing::{Consumer, Harness, Request, Response, TestPlugin, Value, json};

/// Where the harness's clock begins: 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600;

fn config(more: Value) -> Value {
    let mut config = json!({ "upstream": "login", "client_id": "gateway", "client_secret": "s3cret" });
    merge(&mut config, &more);
    config
}

fn merge(into: &mut Value, more: &Value) {
    let members = into.as_object_mut().into_iter().flat_map(|into| more.as_object().map(|more| (into, more)));
    members.for_each(|(into, more)| into.extend(more.clone()));
}

fn world(more: Value) -> Harness<Introspection> {
    Harness::new(config(more))
}

fn answered(more: Value, answer: Value) -> TestPlugin {
    said(world(more), answer).start().expect("the configuration is good")
}

fn said(world: Harness<Introspection>, answer: Value) -> Harness<Introspection> {
    world.fetch("login", "POST", "/introspect", Response::new(200).with_json(&answer))
}

fn shown(token: &str) -> Request {
    Request::get("/orders").with_header("authorization", format!("Bearer {token}"))
}

fn active() -> Value {
    json!({ "active": true, "sub": "4711", "iss": "https://login.example", "scope": "read write", "username": "jdoe",
        "client_id": "app", "aud": ["api", "other"], "token_type": "Bearer", "exp": NOW + 3600 })
}

fn with(changes: Value) -> Value {
    let mut answer = active();
    merge(&mut answer, &changes);
    answer
}

#[test]
fn an_active_token_is_let_in_and_hidden() {
    let plugin = answered(json!({}), active());
    let exchange = plugin.send(shown("tok").with_header("x-consumer-username", "root"));
    let request = exchange.forwarded();
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.header("x-consumer-username"), None, "nobody says who he is himself");
    let [sent] = exchange.fetched() else { panic!("{:?}", exchange.fetched()) };
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/introspect"));
    assert_eq!(sent.body.to_text(), "token=tok&token_type_hint=access_token");
    let header = |name: &str| {
        sent.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.to_text())
            .unwrap_or_default()
    };
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(header("accept"), "application/json");
    // gateway:s3cret
    assert_eq!(header("authorization"), "Basic Z2F0ZXdheTpzM2NyZXQ=");
}

#[test]
fn the_gateway_says_who_it_is_as_configured() {
    for (more, body, authorization) in [
        (
            json!({ "client_authentication": "post", "client_secret": "a&b", "token_type_hint": "" }),
            "token=t&client_id=gateway&client_secret=a%26b",
            None,
        ),
        (json!({ "client_secret": null }), "token=t&token_type_hint=access_token&client_id=gateway", None),
        (
            json!({ "client_id": null, "client_secret": null, "credential": "Bearer xyz" }),
            "token=t&token_type_hint=access_token",
            Some("Bearer xyz"),
        ),
    ] {
        let plugin = answered(more, active());
        let exchange = plugin.send(shown("t"));
        let sent = &exchange.fetched()[0];
        assert_eq!(sent.body.to_text(), body);
        let header =
            sent.headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.to_text());
        assert_eq!(header.as_deref(), authorization);
    }
}

#[test]
fn a_token_cannot_add_to_the_form() {
    let plugin = answered(json!({}), active());
    let exchange = plugin.send(shown("a&client_id=root+%20"));
    assert_eq!(
        exchange.fetched()[0].body.to_text(),
        "token=a%26client_id%3Droot%2B%2520&token_type_hint=access_token"
    );
}

#[test]
fn what_is_no_token_is_refused_unasked() {
    let plugin = answered(json!({ "realm": "orders" }), active());
    let bearer = |value: &[u8]| Request::get("/").with_header("authorization", [b"Bearer ", value].concat());
    for (request, status, kind, challenge) in [
        (Request::get("/"), 401, "token-missing", "Bearer realm=\"orders\""),
        (bearer(b""), 401, "token-missing", "Bearer realm=\"orders\""),
        (
            Request::get("/").with_header("authorization", "Basic YTpi"),
            401,
            "token-missing",
            "Bearer realm=\"orders\"",
        ),
        (
            bearer("é".as_bytes()),
            401,
            "token-invalid",
            "Bearer realm=\"orders\", error=\"invalid_token\", error_description=\"the token has characters that no token has\"",
        ),
        (
            shown(&"a".repeat(8193)),
            401,
            "token-invalid",
            "Bearer realm=\"orders\", error=\"invalid_token\", error_description=\"the token is longer than 8192 bytes\"",
        ),
        (
            shown("a").with_header("authorization", "Basic YTpi"),
            400,
            "token-ambiguous",
            "Bearer realm=\"orders\", error=\"invalid_request\", error_description=\"more than one token was sent\"",
        ),
    ] {
        let exchange = plugin.send(request);
        let answer = exchange.answer();
        assert_eq!((answer.status(), &answer.problem()["type"]), (status, &json!(kind)));
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
        assert!(exchange.fetched().is_empty());
    }
}

#[test]
fn what_the_server_says_is_checked() {
    let wants = json!({
        "issuers": "https://login.example", "audiences": ["api"], "clients": ["app", "web"], "token_types": "bearer",
        "required_scopes": ["read"],
    });
    for (answer, expected) in [
        (json!({ "active": false }), Some((401, "token-inactive"))),
        (active(), None),
        (with(json!({ "aud": "api" })), None),
        (with(json!({ "exp": NOW - 29 })), None),
        (with(json!({ "exp": NOW - 30 })), Some((401, "token-expired"))),
        (with(json!({ "nbf": NOW + 30 })), None),
        (with(json!({ "nbf": NOW + 31 })), Some((401, "token-not-yet-valid"))),
        (with(json!({ "exp": NOW - 30, "aud": "other" })), Some((401, "token-invalid"))),
        (with(json!({ "exp": "tomorrow" })), Some((401, "token-invalid"))),
        (with(json!({ "iss": "https://else.example" })), Some((401, "token-invalid"))),
        (with(json!({ "iss": null })), Some((401, "token-invalid"))),
        (with(json!({ "aud": "apis" })), Some((401, "token-invalid"))),
        (with(json!({ "aud": [["api"]] })), Some((401, "token-invalid"))),
        (with(json!({ "aud": ["api", 7] })), Some((401, "token-invalid"))),
        (with(json!({ "client_id": "cli" })), Some((401, "token-invalid"))),
        (with(json!({ "token_type": "mac" })), Some((401, "token-invalid"))),
        (
            with(json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } })),
            Some((401, "token-invalid")),
        ),
        (with(json!({ "scope": "reader write" })), Some((403, "insufficient-scope"))),
    ] {
        let plugin = answered(wants.clone(), answer.clone());
        let exchange = plugin.send(shown("t"));
        match expected {
            None => assert!(exchange.is_forwarded(), "{answer}"),
            Some((status, kind)) => {
                let given = exchange.answer();
                assert_eq!((given.status(), &given.problem()["type"]), (status, &json!(kind)), "{answer}");
                let error = if status == 403 { "insufficient_scope" } else { "invalid_token" };
                assert!(given.header("www-authenticate").unwrap().contains(error));
            }
        }
    }
}

#[test]
fn a_server_that_cannot_be_asked_lets_nobody_in() {
    let answers = [
        Response::new(401),
        Response::new(403),
        Response::new(500),
        Response::new(204),
        Response::new(302).with_header("location", "/elsewhere"),
        Response::new(200).with_body("<html>"),
        Response::new(200).with_json(&json!({ "active": "true" })),
        Response::new(200).with_json(&json!({ "active": true, "x": "y".repeat(16 << 10) })),
    ];
    let worlds =
        answers.into_iter().map(|answer| world(json!({})).fetch("login", "POST", "/introspect", answer));
    let silent = [
        world(json!({})).fetch_unavailable("login", "POST", "/introspect"),
        world(json!({})).fetch_timeout("login", "POST", "/introspect"),
    ];
    for world in worlds.chain(silent) {
        let plugin = world.start().unwrap();
        for _ in 0..2 {
            let exchange = plugin.send(shown("t-0123456789"));
            let answer = exchange.answer();
            assert_eq!(
                (answer.status(), &answer.problem()["type"]),
                (503, &json!("introspection-unavailable"))
            );
            assert_eq!(answer.header("retry-after"), Some("5"));
            assert_eq!(exchange.fetched().len(), 1, "a failure is not kept");
            let [("error", line)] = exchange.logs()[..] else { panic!("{:?}", exchange.logs()) };
            assert!(!line.contains("t-0123456789") && !line.contains("s3cret"), "{line}");
        }
    }
}

#[test]
fn an_answer_is_kept_for_a_time() {
    let plugin = said(said(world(json!({})), active()), json!({ "active": false })).start().unwrap();
    assert_eq!(plugin.send(shown("t")).fetched().len(), 1);
    plugin.advance(Duration::from_millis(59_999));
    let again = plugin.send(shown("t"));
    assert!(again.is_forwarded() && again.fetched().is_empty());
    drop(again);
    plugin.advance(Duration::from_millis(1));
    let revoked = plugin.send(shown("t"));
    assert_eq!((revoked.answer().status(), revoked.fetched().len()), (401, 1));
    drop(revoked);
    plugin.advance(Duration::from_millis(9_999));
    assert!(plugin.send(shown("t")).fetched().is_empty());
    plugin.advance(Duration::from_millis(1));
    assert_eq!(plugin.send(shown("t")).fetched().len(), 1);
    assert_eq!(plugin.send(shown("other")).fetched().len(), 1, "each token is its own");
}

#[test]
fn an_answer_is_kept_no_longer_than_the_token_lasts() {
    let plugin = answered(json!({ "leeway": "0s" }), with(json!({ "exp": NOW + 10 })));
    assert!(plugin.send(shown("t")).is_forwarded());
    plugin.advance(Duration::from_millis(9_999));
    assert!(plugin.send(shown("t")).fetched().is_empty());
    plugin.advance(Duration::from_millis(1));
    let over = plugin.send(shown("t"));
    assert_eq!((&over.answer().problem()["type"], over.fetched().len()), (&json!("token-expired"), 1));
}

#[test]
fn nothing_is_kept_where_nothing_shall_be() {
    let plugin = answered(json!({ "cache": "0s", "negative_cache": "0s" }), active());
    for _ in 0..3 {
        assert_eq!(plugin.send(shown("t")).fetched().len(), 1);
    }
    let plugin =
        said(said(world(json!({ "cache": "0s" })), active()), json!({ "active": false })).start().unwrap();
    for (fetched, status) in [(1, None), (1, Some(401)), (0, Some(401))] {
        let exchange = plugin.send(shown("t"));
        assert_eq!(exchange.fetched().len(), fetched);
        assert_eq!((!exchange.is_forwarded()).then(|| exchange.answer().status()), status);
    }
    let plugin = said(world(json!({ "negative_cache": "0s" })), json!({ "active": false })).start().unwrap();
    for _ in 0..3 {
        assert_eq!(plugin.send(shown("t")).fetched().len(), 1, "a lead is given up");
    }
}

#[test]
fn an_old_answer_serves_where_the_operator_wants_it() {
    let down = |world: Harness<Introspection>| world.fetch_unavailable("login", "POST", "/introspect");
    let plugin = down(said(world(json!({ "stale_if_error": "5m" })), active())).start().unwrap();
    assert!(plugin.send(shown("t")).is_forwarded());
    plugin.advance(Duration::from_secs(359));
    let exchange = plugin.send(shown("t"));
    assert!(exchange.is_forwarded() && exchange.fetched().len() == 1 && !exchange.logs().is_empty());
    drop(exchange);
    assert_eq!(plugin.send(shown("other")).answer().status(), 503);
    plugin.advance(Duration::from_secs(1));
    assert_eq!(plugin.send(shown("t")).answer().status(), 503);

    // Once revoked it stays so.
    let world = said(said(world(json!({ "stale_if_error": "5m" })), active()), json!({ "active": false }));
    let plugin = down(world).start().unwrap();
    assert!(plugin.send(shown("t")).is_forwarded());
    plugin.advance(Duration::from_secs(60));
    assert_eq!(plugin.send(shown("t")).answer().status(), 401);
    plugin.advance(Duration::from_secs(10));
    assert_eq!(plugin.send(shown("t")).answer().status(), 503);
}

#[test]
fn an_old_answer_does_not_outlive_its_token() {
    let world =
        said(world(json!({ "stale_if_error": "1h", "leeway": "0s" })), with(json!({ "exp": NOW + 100 })));
    let plugin = world.fetch_timeout("login", "POST", "/introspect").start().unwrap();
    assert!(plugin.send(shown("t")).is_forwarded());
    plugin.advance(Duration::from_secs(99));
    assert!(plugin.send(shown("t")).is_forwarded());
    plugin.advance(Duration::from_secs(1));
    assert_eq!(plugin.send(shown("t")).answer().problem()["type"], "token-expired");
}

#[test]
fn consumers_are_found_by_what_is_configured() {
    let acme =
        || Consumer::new("acme").custom_id("jdoe").token(Some("https://login.example"), "4711").group("gold");
    for (consumer, found) in [
        (json!({}), Some("acme")),
        (json!({ "claim": "username", "by": "custom-id" }), Some("acme")),
        (json!({ "claim": "client_id", "by": "name" }), Some("app")),
        (json!({ "claim": "client_id" }), None),
    ] {
        let world = world(json!({ "consumer": consumer })).consumer(acme()).consumer(Consumer::new("app"));
        let plugin = said(world, active()).start().unwrap();
        let exchange = plugin.send(shown("t"));
        assert_eq!(exchange.consumer(), found, "{consumer}");
        assert_eq!(exchange.forwarded().header("x-consumer-username"), found);
    }
    let plugin = answered(json!({ "consumer": { "required": true } }), active());
    let exchange = plugin.send(shown("t"));
    assert_eq!(
        (exchange.answer().status(), &exchange.answer().problem()["type"]),
        (403, &json!("consumer-unknown"))
    );
}

#[test]
fn claims_reach_the_upstream_and_nobody_else_says_them() {
    let headers = json!({ "claims_to_headers": { "x-user": "username", "x-aud": "aud", "x-role": "/realm/role" },
        "anonymous": "guest" });
    let plugin = said(world(headers).consumer(Consumer::new("guest")), active()).start().unwrap();
    let request = || shown("t").with_header("x-user", "root").with_header("x-role", "admin");
    let exchange = plugin.send(request());
    let forwarded = exchange.forwarded();
    assert_eq!(forwarded.header_all("x-user"), ["jdoe"]);
    assert_eq!(forwarded.header("x-aud"), Some("api,other"));
    assert_eq!(forwarded.header("x-role"), None);
    let nobody = plugin
        .send(Request::get("/").with_header("x-user", "root").with_header("x-consumer-groups", "admin"));
    assert_eq!(nobody.consumer(), Some("guest"));
    assert_eq!(nobody.forwarded().header("x-anonymous-consumer"), Some("true"));
    assert_eq!(
        (nobody.forwarded().header("x-user"), nobody.forwarded().header("x-consumer-groups")),
        (None, None)
    );
    let bad = answered(
        json!({ "claims_to_headers": { "x-user": "username" } }),
        with(json!({ "username": "a\r\nb: c" })),
    );
    assert_eq!(bad.send(shown("t")).answer().status(), 401);
}

#[test]
fn a_wrong_token_is_not_no_token() {
    let world = world(json!({ "anonymous": "guest" })).consumer(Consumer::new("guest"));
    let plugin = said(world, json!({ "active": false })).start().unwrap();
    assert_eq!(plugin.send(shown("t")).answer().status(), 401);
}

#[test]
fn a_token_that_is_bound_to_a_certificate_wants_it() {
    // The SHA-256 of "not really DER", which nobody parses here.
    let bound = with(json!({ "cnf": { "x5t#S256": "THUMBPRINT" } }));
    let thumbprint = "R2W5kOJzI22JQYZk1Rg3ufDQdmt7oSnGmKPLIiXrnMY";
    let right = with(json!({ "cnf": { "x5t#S256": thumbprint } }));
    let certificate = |request: Request| request.certificate(b"not really DER");
    assert!(answered(json!({}), right.clone()).send(certificate(shown("t"))).is_forwarded());
    assert_eq!(answered(json!({}), right).send(shown("t")).answer().status(), 401);
    assert_eq!(answered(json!({}), bound).send(certificate(shown("t"))).answer().status(), 401);
}

#[test]
fn the_token_may_come_in_a_header_of_its_own() {
    let plugin = answered(json!({ "header": "x-token", "hide": false }), active());
    let exchange =
        plugin.send(Request::get("/").with_header("x-token", "abc").with_header("authorization", "Basic x"));
    assert_eq!(exchange.forwarded().header("x-token"), Some("abc"));
    let two = plugin.send(Request::get("/").with_header("x-token", "abc").with_header("x-token", "def"));
    assert_eq!(two.answer().status(), 400);
    let one = plugin.send(Request::get("/").with_header("x-token", "").with_header("x-token", "abc"));
    assert!(one.is_forwarded(), "an empty one is no token");
}

/// Without a word, it is the schema that refuses.
#[test]
fn a_bad_configuration_is_refused() {
    for (more, word) in [
        (json!({ "path": "introspect" }), "path"),
        (json!({ "upstream": "" }), "upstream"),
        (json!({ "client_id": null }), "client_id"),
        (json!({ "client_id": null, "client_secret": null }), "client_id"),
        (json!({ "client_secret": "" }), "client_secret"),
        (json!({ "credential": "Bearer x" }), "credential"),
        (json!({ "timeout": "0s" }), "timeout"),
        (json!({ "timeout": "31s" }), "timeout"),
        (json!({ "cache": "2h" }), "cache"),
        (json!({ "cache": "0s", "stale_if_error": "1m" }), "stale_if_error"),
        (json!({ "leeway": "6m" }), "leeway"),
        (json!({ "audiences": "" }), "audiences"),
        (json!({ "required_scopes": ["a b"] }), "required_scopes"),
        (json!({ "claims_to_headers": { "Authorization": "sub" } }), "authorization"),
        (json!({ "claims_to_headers": { "x-consumer-id": "sub" } }), "x-consumer-id"),
        (json!({ "header": "cookie" }), "header"),
        (json!({ "realm": "a\"b" }), ""),
        (json!({ "anonymous": "nobody" }), "nobody"),
        (json!({ "anonymous": "" }), "anonymous"),
        (json!({ "cashe": "1s" }), ""),
    ] {
        let refused = world(more.clone()).start().expect_err(&more.to_string());
        assert!(refused.message.contains(word), "{more}: {refused}");
        assert!(!refused.message.contains("s3cret"));
    }
}
