//! What is refused, what the client sees of it, and what is none of the plugin's business.

use sluice_sdk_testing::{Request, Response, json};

use crate::common::{call, configured, grpc, json_of, plain, plugin, problem_type, shown};

#[test]
fn what_is_wrong_with_a_head_is_told() {
    let plugin = plugin();
    let proto = || call("Get", "application/proto");
    for (request, status, kind, code) in [
        (
            proto().with_header("connect-protocol-version", "2"),
            400,
            "connect-version-unsupported",
            "invalid_argument",
        ),
        (proto().with_header("connect-timeout-ms", "5s"), 400, "connect-timeout-invalid", "invalid_argument"),
        (
            proto().with_header("connect-timeout-ms", "10000000000"),
            400,
            "connect-timeout-invalid",
            "invalid_argument",
        ),
        (
            proto().with_header("content-encoding", "br"),
            501,
            "connect-compression-unsupported",
            "unimplemented",
        ),
        (
            proto().with_header("content-encoding", "gzip").with_body("not gzip"),
            400,
            "connect-malformed",
            "invalid_argument",
        ),
        (
            call("Lend", "application/json").with_header("connect-protocol-version", "1").with_body("{}"),
            501,
            "connect-method-unknown",
            "unimplemented",
        ),
        (call("Get", "application/json").with_body("{"), 400, "connect-message-invalid", "invalid_argument"),
        (call("Get", "application/json"), 400, "connect-message-invalid", "invalid_argument"),
        (
            call("Get", "application/json").with_body(r#"{"copies":"many"}"#),
            400,
            "connect-message-invalid",
            "invalid_argument",
        ),
    ] {
        let mut exchange = plugin.send(request.clone());
        assert_eq!(problem_type(&exchange), (status, json!(kind)), "{request:?}");
        let detail = exchange.answer().problem()["detail"].clone();
        let told = shown(&mut exchange);
        assert_eq!((told.status(), told.header("content-type")), (status, Some("application/json")));
        assert_eq!(json_of(&told), json!({ "code": code, "message": detail }), "{request:?}");
    }
    let deep = [r#"{"title":"#.repeat(200), "1".to_owned()].concat();
    assert_eq!(plugin.send(call("Get", "application/json").with_body(deep)).answer().status(), 400);
}

#[test]
fn codecs_that_are_not_known_are_415() {
    let with = plugin();
    let without = plain(json!({}));
    let sure = |content_type| call("Get", content_type).with_header("connect-protocol-version", "1");
    for (plugin, request) in [
        (&with, call("Chat", "application/connect+xml")),
        (&with, sure("application/xml")),
        (&with, call("List", "application/proto")),
        (&with, call("Get", "application/connect+proto")),
        (&without, call("Chat", "application/connect+json")),
        (&without, sure("application/json")),
    ] {
        let exchange = plugin.send(request.clone());
        assert_eq!(problem_type(&exchange), (415, json!("connect-codec-unsupported")), "{request:?}");
        assert!(exchange.answer().header("accept-post").unwrap().starts_with("application/proto"));
    }
}

#[test]
fn the_version_may_be_wanted() {
    let plugin = configured(json!({ "require_protocol_version": true, "get": ["shop.v1.Books/*"] }));
    let missing = (400, json!("connect-version-missing"));
    assert_eq!(problem_type(&plugin.send(call("Get", "application/proto"))), missing);
    assert_eq!(problem_type(&plugin.send(call("Chat", "application/connect+proto"))), missing);
    let get = |query: &str| Request::get(&format!("/shop.v1.Books/Get?{query}"));
    assert_eq!(problem_type(&plugin.send(get("encoding=proto&message="))), missing);
    assert!(plugin.send(get("connect=v1&encoding=proto&message=")).is_forwarded());
    let told = call("Get", "application/proto").with_header("connect-protocol-version", "1");
    assert!(plugin.send(told).is_forwarded());
}

#[test]
fn unknown_fields_may_be_refused() {
    let plugin = configured(json!({ "unknown_fields": "refuse" }));
    let exchange = plugin.send(call("Get", "application/json").with_body(r#"{"titel":"Momo"}"#));
    assert_eq!(problem_type(&exchange), (400, json!("connect-message-invalid")));
    assert!(exchange.answer().problem()["detail"].as_str().unwrap().contains("titel"));
}

#[test]
fn refusals_of_steps_and_of_the_gateway_are_connects_errors() {
    let plugin = plugin();
    let problem =
        |status| Response::new(status).with_header("content-type", "application/problem+json").of_step();
    for (response, http, error) in [
        (
            problem(401).with_header("www-authenticate", "Bearer").with_body(r#"{"detail":"who?"}"#),
            401,
            json!({ "code": "unauthenticated", "message": "who?" }),
        ),
        (
            problem(413).with_body(r#"{"title":"Content Too Large"}"#),
            413,
            json!({ "code": "resource_exhausted", "message": "Content Too Large" }),
        ),
        (problem(403).with_body("no JSON"), 403, json!({ "code": "permission_denied" })),
        (
            Response::new(504).of_gateway(),
            504,
            json!({ "code": "deadline_exceeded", "message": "the gateway answered with 504" }),
        ),
        (Response::new(302).of_step(), 500, json!({ "code": "unknown", "message": "answered with 302" })),
    ] {
        let told = plugin.send(call("Get", "application/proto")).respond(response.clone());
        assert_eq!(
            (told.status(), told.header("content-type")),
            (http, Some("application/json")),
            "{response:?}"
        );
        assert_eq!(json_of(&told), error);
        assert_eq!(told.header("www-authenticate"), response.header("www-authenticate"));
    }
}

#[test]
fn everything_else_passes_untouched() {
    for plugin in [plugin(), plain(json!({}))] {
        for request in [
            Request::new("OPTIONS", "/shop.v1.Books/Get").with_header("origin", "https://shop.example"),
            Request::post("/books").with_json(&json!({ "title": "Momo" })),
            call("Get", "application/grpc").with_body("not even frames"),
            call("Get", "application/grpc-web+proto").with_body("x"),
            Request::post("/").with_header("content-type", "text/plain").with_body("x"),
            Request::new("PUT", "/shop.v1.Books/Get").with_header("content-type", "application/proto"),
            Request::get("/books?page=2"),
        ] {
            let mut exchange = plugin.send(request.clone());
            assert_eq!(exchange.forwarded(), &request);
            let response =
                grpc().with_header("grpc-status", "5").with_body("x").with_trailer("grpc-status", "0");
            assert_eq!(exchange.respond(response.clone()), response);
        }
    }
    let request = call("Get", "application/json").with_body("{}");
    assert_eq!(
        plain(json!({})).send(request.clone()).forwarded(),
        &request,
        "without descriptors it is only JSON"
    );
}
