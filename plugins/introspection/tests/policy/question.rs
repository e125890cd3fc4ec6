//! What the server is asked, and as whom.

use sluice_sdk_testing::json;

use crate::common::{active, answered, shown};

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
