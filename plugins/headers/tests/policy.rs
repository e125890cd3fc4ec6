//! What the rules do to requests and responses.

use headers::HeaderRules;
use sluice_sdk_testing::{Consumer, Harness, Request, Response, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    Harness::<HeaderRules>::new(config)
        .consumer(Consumer::new("acme"))
        .start()
        .expect("the configuration is good")
}

#[test]
fn rules_apply_in_their_order() {
    let plugin = plugin(json!({ "request": {
        "remove": ["X-Debug"],
        "rename": { "x-old": "x-new" },
        "replace": { "x-there": "replaced", "x-absent": "replaced" },
        "set": { "x-set": "set" },
        "add": { "x-there": "added", "x-added": "added" },
        "append": { "x-list": "three" },
    }}));
    let request = Request::get("/")
        .with_header("x-debug", "1")
        .with_header("x-old", "a")
        .with_header("x-old", "b")
        .with_header("x-new", "of the client")
        .with_header("x-there", "1")
        .with_header("x-set", "1")
        .with_header("x-set", "2")
        .with_header("x-list", "one")
        .with_header("x-list", "two");
    let exchange = plugin.send(request);
    let request = exchange.forwarded();
    assert_eq!(request.header("x-debug"), None);
    assert_eq!(request.header("x-old"), None);
    assert_eq!(request.header_all("x-new"), ["a", "b"]);
    assert_eq!(request.header_all("x-there"), ["replaced"]);
    assert_eq!(request.header("x-absent"), None);
    assert_eq!(request.header_all("x-set"), ["set"]);
    assert_eq!(request.header("x-added"), Some("added"));
    assert_eq!(request.header_all("x-list"), ["one", "two", "three"]);
}

#[test]
fn variables_are_filled_in() {
    let plugin = plugin(json!({ "request": { "set": {
        "x-all": "{method} {scheme}://{host}{path} {client_address} {request_id} {route} {consumer} {header:x-in} {{}}",
    }}}));
    let request = Request::post("/orders/7?x=1")
        .host("api.example:8443")
        .https()
        .client("2001:db8::1")
        .request_id("r1")
        .route("orders")
        .consumer("acme")
        .with_header("x-in", "in");
    let exchange = plugin.send(request);
    let expected = "POST https://api.example/orders/7 2001:db8::1 r1 orders acme in {}";
    assert_eq!(exchange.forwarded().header("x-all"), Some(expected));
}

#[test]
fn the_clients_word_does_not_stand_where_the_gateways_is_missing() {
    let plugin = plugin(json!({ "request": {
        "set": { "x-user": "{consumer}" },
        "replace": { "x-who": "{consumer}" },
        "add": { "x-new": "{consumer}" },
    }}));
    let exchange =
        plugin.send(Request::get("/").with_header("x-user", "admin").with_header("x-who", "admin"));
    let request = exchange.forwarded();
    assert_eq!(
        (request.header("x-user"), request.header("x-who"), request.header("x-new")),
        (None, None, None)
    );
}

#[test]
fn a_value_may_refer_to_a_header_that_a_rule_removes() {
    let plugin = plugin(json!({ "request": { "remove": ["x-a"], "set": { "x-b": "was {header:x-a}" } } }));
    let exchange = plugin.send(Request::get("/").with_header("x-a", "1"));
    let request = exchange.forwarded();
    assert_eq!((request.header("x-a"), request.header("x-b")), (None, Some("was 1")));
}

#[test]
fn responses_have_rules_too_and_know_the_request() {
    let plugin = plugin(json!({
        "request": { "remove": ["x-trace"] },
        "response": {
            "remove": ["server", "x-powered-by"],
            "set": { "x-trace": "{header:x-trace}", "x-route": "{route} {method} {path}" },
        },
    }));
    let mut exchange = plugin.send(Request::get("/a").route("r").with_header("x-trace", "t-1"));
    let response =
        exchange.respond(Response::new(200).with_header("server", "x").with_header("x-powered-by", "y"));
    assert_eq!((response.header("server"), response.header("x-powered-by")), (None, None));
    assert_eq!(response.header("x-trace"), Some("t-1"));
    assert_eq!(response.header("x-route"), Some("r GET /a"));
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    for (config, reason) in [
        (json!({}), "there is nothing to do"),
        (
            json!({ "request": { "set": { "x-a": "{requestid}" } } }),
            "request.set.x-a: there is no variable `{requestid}`",
        ),
        (
            json!({ "response": { "append": { "content-length": "1" } } }),
            "response.append.content-length: `content-length` belongs",
        ),
        (
            json!({ "request": { "remove": ["Connection"] } }),
            "request.remove: `connection` belongs to the gateway",
        ),
        (
            json!({ "request": { "set": { "x-a": "a\r\nb: c" } } }),
            "request.set.x-a: `a\\r\\nb: c` is not a header value",
        ),
        (
            json!({ "request": { "set": { "x-a": " {path}" } } }),
            "request.set.x-a: ` x` is not a header value",
        ),
        (json!({ "request": { "set": { "x-a": "" } } }), "request.set.x-a: the value is empty"),
        (json!({ "request": { "add": { "x y": "1" } } }), ""),
        (json!({ "request": { "addd": {} } }), ""),
    ] {
        let refused = Harness::<HeaderRules>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
