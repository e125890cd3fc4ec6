//! Where a token is taken from, and what is none.

use sluice_sdk_testing::{Request, json};

use crate::common::{active, answered, shown};

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
