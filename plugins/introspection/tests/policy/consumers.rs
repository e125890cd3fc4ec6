//! Whose token it is, what the upstream is told of him, and who comes without one.

use sluice_sdk_testing::{Consumer, Request, json};

use crate::common::{active, answered, said, shown, with, world};

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
