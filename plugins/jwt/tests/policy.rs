//! What the policy lets through, what the upstream is told, and what is answered.

mod common;

use common::{DATA, bearer, by_algorithm, config, pem, refusal, special, start, world};
use jwt::Jwt;
use sluice_sdk_testing::{Harness, Request, TestPlugin, Value, json};

fn good() -> &'static str {
    by_algorithm("ES256")
}

#[track_caller]
fn assert_refused(plugin: &TestPlugin, request: Request, status: u16, kind: &str) {
    let exchange = plugin.send(request);
    let answer = refusal(&exchange);
    assert_eq!((answer.0, answer.1.as_str()), (status, kind));
    assert_eq!(exchange.consumer(), None);
}

#[test]
fn a_good_token_makes_its_consumer_known() {
    let plugin = start(config(&json!({})));
    let request =
        bearer(good()).with_header("x-consumer-username", "root").with_header("x-anonymous-consumer", "true");
    let exchange = plugin.send(request);
    assert_eq!(exchange.consumer(), Some("acme"));
    let request = exchange.forwarded();
    assert_eq!(request.header_all("x-consumer-username"), ["acme"]);
    assert_eq!(request.header("x-consumer-groups"), Some("gold"));
    assert_eq!(request.header("x-credential-identifier"), Some("alice"));
    assert_eq!(request.header("x-anonymous-consumer"), None);
    assert_eq!(request.header("authorization"), None, "the upstream does not see the token");
}

#[test]
fn without_a_token_the_challenge_names_no_error() {
    let plugin = start(config(&json!({ "realm": "orders", "required_scopes": ["read"] })));
    let basic = Request::get("/").with_header("authorization", "Basic YTpi");
    let empty = Request::get("/").with_header("authorization", "Bearer ");
    for request in [Request::get("/"), basic, empty] {
        let exchange = plugin.send(request);
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.problem()["type"].as_str()), (401, Some("token-missing")));
        assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="orders""#));
    }
}

#[test]
fn a_token_that_ran_out_says_so_in_the_challenge() {
    let plugin = start(config(&json!({})));
    plugin.advance(std::time::Duration::from_secs(3600 + 29));
    assert!(plugin.send(bearer(good())).is_forwarded());
    plugin.advance(std::time::Duration::from_secs(1));
    let exchange = plugin.send(bearer(good()));
    let wanted = r#"Bearer realm="api", error="invalid_token", error_description="the token has expired""#;
    assert_eq!(exchange.answer().header("www-authenticate"), Some(wanted));
    assert_eq!(refusal(&exchange).1, "token-expired");
}

#[test]
fn leeway_and_lifetime_are_the_operators() {
    let strict = start(config(&json!({ "leeway": "0s", "max_lifetime": "61m" })));
    assert!(strict.send(bearer(good())).is_forwarded());
    for name in
        ["exp passed within the leeway", "nbf to come within the leeway", "iat to come within the leeway"]
    {
        assert!(!strict.send(bearer(DATA["accepted"][name].as_str().unwrap())).is_forwarded(), "{name}");
    }
    let brief = start(config(&json!({ "max_lifetime": "60m" })));
    assert_eq!(refusal(&brief.send(bearer(good()))).2, "the token is valid for too long");
    let endless = start(config(&json!({ "require_exp": false })));
    assert!(endless.send(bearer(special("no exp"))).is_forwarded());
    assert!(endless.send(bearer(good())).is_forwarded());
}

#[test]
fn a_token_is_taken_from_where_it_is_wanted_and_away_from_there() {
    let plugin = start(config(
        &json!({ "from": { "header": "X-Token", "query": "access_token", "cookie": "session" } }),
    ));
    let token = good();
    let by_header = Request::get("/a?x=1").with_header("x-token", token);
    let by_query = Request::get(&format!("/a?x=1&access_token={token}"));
    let by_cookie = Request::get("/a?x=1").with_header("cookie", format!("a=1; session=\"{token}\"; b=2"));
    for request in [by_header, by_query, by_cookie] {
        let exchange = plugin.send(request);
        assert_eq!((exchange.consumer(), exchange.forwarded().query()), (Some("acme"), Some("x=1")));
        assert_eq!(exchange.forwarded().header("x-token"), None);
        assert!(exchange.forwarded().header("cookie").is_none_or(|cookies| cookies == "a=1; b=2"));
    }
    let scheme = Request::get("/").with_header("x-token", format!("Bearer {token}"));
    assert_refused(&plugin, scheme, 401, "token-invalid");
    let elsewhere = plugin.send(bearer(token));
    assert_eq!(refusal(&elsewhere).1, "token-missing", "what is not named is not looked at");
    let kept = start(config(&json!({ "hide": false })));
    let authorization = format!("bearer {token}");
    let exchange = kept.send(Request::get("/").with_header("authorization", &authorization));
    assert_eq!(exchange.forwarded().header("authorization"), Some(authorization.as_str()));
}

#[test]
fn two_tokens_are_one_too_many() {
    let places =
        json!({ "from": { "header": "authorization", "query": "t", "cookie": "t" }, "anonymous": "guest" });
    let plugin = start(config(&places));
    let token = good();
    for request in [
        bearer(token).with_header("authorization", format!("Bearer {token}")),
        bearer(token).with_header("authorization", "Basic YTpi"),
        Request::get("/")
            .with_header("authorization", "Basic YTpi")
            .with_header("authorization", format!("Bearer {token}")),
        bearer(token).with_header("cookie", format!("t={token}")),
        Request::get(&format!("/?t={token}&t=x")),
        Request::get(&format!("/?t={token}")).with_header("cookie", "t=x"),
        Request::get("/").with_header("cookie", format!("t={token}; a=b; t=x")),
        Request::get("/").with_header("cookie", format!("t={token}")).with_header("cookie", "t=x"),
    ] {
        let exchange = plugin.send(request);
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.problem()["type"].as_str()), (400, Some("token-ambiguous")));
        let wanted = r#"Bearer realm="api", error="invalid_request", error_description="more than one token was sent""#;
        assert_eq!(answer.header("www-authenticate"), Some(wanted));
    }
}

#[test]
fn scopes_are_required_and_handed_on() {
    let plugin = start(config(&json!({ "required_scopes": ["read", "write"] })));
    for name in ["full", "scp"] {
        assert!(plugin.send(bearer(special(name))).is_forwarded(), "{name}");
    }
    let exchange = plugin.send(bearer(special("no scope")));
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.problem()["type"].as_str()), (403, Some("insufficient-scope")));
    let wanted = concat!(
        r#"Bearer realm="api", error="insufficient_scope", "#,
        r#"error_description="the token does not permit this", scope="read write""#
    );
    assert_eq!(answer.header("www-authenticate"), Some(wanted));
    let roles = start(config(&json!({ "required_scopes": ["writer"], "scopes": "roles" })));
    assert!(roles.send(bearer(special("full"))).is_forwarded());
    assert_refused(&roles, bearer(good()), 403, "insufficient-scope");
}

#[test]
fn claims_can_be_required() {
    for (changes, is_let_in) in [
        (json!({ "required_claims": ["jti", "/realm/tier"] }), true),
        (json!({ "required_claims": ["nothing"] }), false),
        (json!({ "required_claims": ["/realm/nothing"] }), false),
        (
            json!({ "claims": { "tenant": 42, "admin": false, "/realm/a~1b": 7, "roles": ["owner", "writer"] } }),
            true,
        ),
        (json!({ "claims": { "/realm/tier": ["silver", "gold"] } }), true),
        (json!({ "claims": { "/realm/tier": "silver" } }), false),
        (json!({ "claims": { "tenant": "42" } }), false),
        (json!({ "claims": { "nothing": false } }), false),
    ] {
        let plugin = start(config(&changes));
        let exchange = plugin.send(bearer(special("full")));
        assert_eq!(exchange.is_forwarded(), is_let_in, "{changes}: {:?}", exchange.decision());
    }
}

#[test]
fn the_type_can_be_required() {
    let access = DATA["accepted"]["typ at+jwt"].as_str().unwrap();
    let untyped = DATA["accepted"]["no kid"].as_str().unwrap();
    let logout = DATA["refused"]["typ of a logout token"]["token"].as_str().unwrap();
    for (changes, wanted) in [
        (json!({}), [true, true, true, false]),
        (json!({ "token_type": "at+jwt" }), [true, false, false, false]),
        (json!({ "token_type": "JWT" }), [false, true, false, false]),
        (json!({ "token_type": "any" }), [true, true, true, true]),
    ] {
        let plugin = start(config(&changes));
        let let_in = [access, good(), untyped, logout].map(|token| plugin.send(bearer(token)).is_forwarded());
        assert_eq!(let_in, wanted, "{changes}");
    }
}

#[test]
fn claims_reach_the_upstream_and_nobody_else_can_send_them() {
    let headers = json!({
        "X-User-Email": "email", "x-roles": "roles", "x-tier": "/realm/tier", "x-tenant": "tenant", "x-admin": "admin", "x-none": "nothing",
    });
    let plugin = start(config(&json!({ "claims_to_headers": headers, "anonymous": "guest" })));
    let spoofed = |request: Request| {
        ["x-user-email", "x-roles", "x-tier", "x-tenant", "x-admin", "x-none"]
            .iter()
            .fold(request, |request, name| request.with_header(name, "spoofed").with_header(name, "again"))
    };
    let exchange = plugin.send(spoofed(bearer(special("full"))));
    let request = exchange.forwarded();
    for (name, value) in [
        ("x-user-email", vec!["alice@example.com"]),
        ("x-roles", vec!["reader,writer"]),
        ("x-tier", vec!["gold"]),
        ("x-tenant", vec!["42"]),
        ("x-admin", vec!["false"]),
        ("x-none", vec![]),
    ] {
        assert_eq!(request.header_all(name), value, "{name}");
    }
    let anonymous = plugin.send(spoofed(Request::get("/")));
    assert!(
        ["x-user-email", "x-roles", "x-admin"]
            .iter()
            .all(|name| anonymous.forwarded().header(name).is_none())
    );
    for name in ["header injection", "comma in a role"] {
        let exchange = plugin.send(bearer(special(name)));
        assert_eq!(refusal(&exchange).2, "a claim cannot be told to the upstream", "{name}");
    }
    // A claim that is an object has no text.
    let object = start(config(&json!({ "claims_to_headers": { "x-realm": "realm" } })));
    assert_refused(&object, bearer(special("full")), 401, "token-invalid");
}

#[test]
fn a_token_that_is_bound_to_a_key_wants_it() {
    let plugin = start(config(&json!({ "keys": { "secret": "shared" } })));
    let shown = |name| bearer(special(name)).certificate(b"not really DER");
    assert!(plugin.send(shown("bound to a certificate")).is_forwarded());
    for (request, detail) in [
        (bearer(special("bound to a certificate")), "the token is bound to a certificate that was not shown"),
        (shown("bound to another certificate"), "the token is bound to another certificate"),
        (shown("bound to a DPoP key"), "the token is bound to a key that was not shown"),
    ] {
        let exchange = plugin.send(request);
        assert_eq!(refusal(&exchange), (401, "token-invalid".to_owned(), detail.to_owned()));
    }
}

#[test]
fn consumers_are_found_by_what_the_operator_says() {
    for (consumer, token, found) in [
        (json!({}), good(), Some("acme")),
        (json!({ "claim": "sub", "by": "name" }), special("bob"), Some("bob")),
        (json!({ "claim": "tenant", "by": "custom-id" }), special("full"), Some("acme")),
        (json!({ "claim": "/realm/tier" }), special("full"), None),
        (json!({ "claim": "roles", "by": "name" }), special("full"), None),
        (json!({}), special("bob"), None),
        (json!({}), special("nobody"), None),
    ] {
        let plugin = start(config(&json!({ "consumer": consumer })));
        let exchange = plugin.send(bearer(token).with_header("x-consumer-username", "root"));
        assert_eq!(exchange.consumer(), found, "{consumer}");
        assert_eq!(exchange.forwarded().header("x-consumer-username"), found, "{consumer}");
    }
    let plugin = start(config(&json!({ "consumer": { "required": true } })));
    assert!(plugin.send(bearer(good())).is_forwarded());
    assert_refused(&plugin, bearer(special("nobody")), 403, "consumer-unknown");
}

#[test]
fn only_a_request_without_a_token_is_anonymous() {
    let plugin = start(config(&json!({ "anonymous": "guest" })));
    let exchange = plugin.send(Request::get("/"));
    assert_eq!(
        (exchange.consumer(), exchange.forwarded().header("x-anonymous-consumer")),
        (Some("guest"), Some("true"))
    );
    assert_refused(&plugin, bearer("x"), 401, "token-invalid");
    assert_refused(&plugin, bearer(b"\xff"), 401, "token-invalid");
    let tab = Request::get("/").with_header("authorization", "Bearer\tx");
    assert_refused(&plugin, tab, 401, "token-invalid");
    for entry in DATA["refused"].as_object().unwrap().values() {
        assert!(!plugin.send(bearer(entry["token"].as_str().unwrap())).is_forwarded());
    }
}

#[test]
fn a_key_that_is_not_known_is_not_ours_to_answer_for() {
    let plugin = start(config(&json!({ "keys": { "jwks": "another's" } })));
    assert_eq!(refusal(&plugin.send(bearer(good()))).2, "the token is signed with a key that is not known");
}

#[test]
fn a_key_set_that_was_not_granted_lets_nobody_in() {
    match world(config(&json!({ "keys": { "jwks": "unheard-of" } }))).start() {
        Err(refused) => assert!(refused.message.contains("unheard-of"), "{refused}"),
        Ok(plugin) => assert!(plugin.send(bearer(good())).failure().is_some()),
    }
}

#[test]
fn the_claims_are_left_for_later_steps() {
    let plugin = start(config(&json!({})));
    let send = |taken: usize| plugin.send(bearer(good()).value("other", &Value::String("x".repeat(taken))));
    assert!(send(60_000).is_forwarded());
    // There is no room for the claims: that is nothing the client could do anything about.
    let full = send(65_400);
    assert!(full.failure().is_some_and(|message| message.contains("context value")), "{:?}", full.decision());
}

#[test]
fn several_names_of_one_issuer_share_its_keys() {
    let plugin = start(config(&json!({ "issuer": ["https://issuer.example", "https://second.example"] })));
    for token in [good(), special("second issuer")] {
        assert!(plugin.send(bearer(token)).is_forwarded());
    }
}

#[test]
fn a_bad_configuration_is_refused() {
    let es256 = json!({ "public": [pem("p256")] });
    for (changes, wanted) in [
        (json!({ "issuer": null }), "`issuer` is missing"),
        (json!({ "issuer": [] }), ""),
        (json!({ "issuer": "a\nb" }), "control"),
        (json!({ "audiences": null }), "`audiences` is missing"),
        (json!({ "audiences": [] }), ""),
        (json!({ "audiences": "everyone" }), ""),
        (json!({ "keys": null }), "`keys` is missing"),
        (json!({ "keys": { "jwks": "login", "secret": "shared" } }), ""),
        (json!({ "keys": {} }), ""),
        (json!({ "keys": { "public": [] } }), ""),
        (json!({ "keys": { "public": ["hello"] } }), "`keys.public[0]`"),
        (json!({ "keys": { "public": [pem("rsa"), r#"{"kty":"oct","k":"AAAA"}"#] } }), "`keys.public[1]`"),
        (json!({ "keys": { "public": [r#"{"kty":"EC","d":"AAAA"}"#] } }), "private"),
        (json!({ "keys": { "secret": "unheard-of" } }), "`keys.secret`"),
        (json!({ "algorithms": [] }), "empty"),
        (json!({ "algorithms": ["none"] }), ""),
        (json!({ "algorithms": ["HS256"] }), "no key of `keys` is for HS256"),
        (json!({ "keys": es256, "algorithms": ["ES256", "HS256"] }), "no key of `keys` is for HS256"),
        (json!({ "keys": es256, "algorithms": ["RS256"] }), "no key of `keys` is for RS256"),
        (json!({ "keys": { "secret": "shared" }, "algorithms": ["RS256"] }), "no key of `keys` is for RS256"),
        (json!({ "issuers": [{ "issuer": "x", "keys": es256 }] }), "two ways"),
        (
            json!({ "issuer": null, "issuers": [{ "issuer": "x", "keys": es256 }] }),
            "`keys` belongs to `issuer`",
        ),
        (
            json!({ "issuer": null, "keys": null, "issuers": [{ "issuer": "x", "keys": es256 }, { "issuer": ["y", "x"], "keys": es256 }] }),
            "twice",
        ),
        (
            json!({ "issuer": null, "keys": null, "audiences": null, "issuers": [{ "issuer": "x", "keys": es256 }] }),
            "`issuers[0].audiences` is missing",
        ),
        (json!({ "leeway": "6m" }), "`leeway`"),
        (json!({ "max_lifetime": "0s" }), "`max_lifetime`"),
        (json!({ "max_lifetime": "1h", "require_exp": false }), "`require_exp`"),
        (json!({ "token_type": "logout+jwt" }), ""),
        (json!({ "from": {} }), "`from`"),
        (json!({ "from": { "query": "" } }), "`from.query`"),
        (json!({ "from": { "cookie": "a b" } }), "`from.cookie`"),
        (json!({ "from": { "header": "cookie" } }), "`from.header`"),
        (json!({ "required_claims": [""] }), ""),
        (json!({ "required_claims": ["/a~2"] }), ""),
        (json!({ "claims": { "a": {} } }), ""),
        (json!({ "claims": { "a": [] } }), ""),
        (json!({ "required_scopes": ["a b"] }), "`required_scopes`"),
        (json!({ "claims_to_headers": { "authorization": "sub" } }), "where the token is"),
        (json!({ "claims_to_headers": { "content-length": "sub" } }), "already means"),
        (json!({ "claims_to_headers": { "X-Consumer-Id": "sub" } }), "already means"),
        (json!({ "realm": "a\"b" }), ""),
        (json!({ "realm": "" }), ""),
        (json!({ "anonymous": "unheard-of" }), "unheard-of"),
        (json!({ "anonymous": "" }), "`anonymous`"),
        (json!({ "keyz": {} }), ""),
    ] {
        let mut config = config(&changes);
        config.as_object_mut().unwrap().retain(|_, value: &mut Value| !value.is_null());
        let refused = world(config).start().expect_err(&changes.to_string());
        assert!(wanted.is_empty() || refused.message.contains(wanted), "{changes}: {refused}");
    }
    assert!(Harness::<Jwt>::new(json!({})).start().is_err());
}
