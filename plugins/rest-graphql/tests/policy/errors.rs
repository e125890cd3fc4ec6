//! Errors that the upstream tells.

use sluice_sdk_testing::{Request, Response, TestPlugin, Value, json};

use crate::common::{plugin, problem};

fn cart(route: Value, rules: Value) -> TestPlugin {
    let mut own = json!({ "method": "GET", "path": "/cart", "query": "{ cart { items { price } } }", "result": "cart" });
    for (key, value) in route.as_object().expect("a route is an object") {
        own[key] = value.clone();
    }
    plugin(json!({ "routes": [own], "errors": rules }))
}

#[track_caller]
fn answered(plugin: &TestPlugin, body: Value) -> Response {
    plugin.send(Request::get("/cart")).respond(Response::new(200).with_json(&body))
}

#[track_caller]
fn failed(plugin: &TestPlugin, body: Value, status: u16, kind: &str) -> Value {
    problem(plugin, Request::get("/cart"), Response::new(200).with_json(&body), status, kind)
}

fn error(message: &str, code: &str, path: Value) -> Value {
    json!({ "message": message, "path": path, "extensions": { "code": code, "stacktrace": ["secret"] } })
}

#[test]
fn codes_have_statuses() {
    let plugin = cart(json!({}), json!([]));
    for (code, status) in [
        ("BAD_USER_INPUT", 400),
        ("UNAUTHENTICATED", 401),
        ("FORBIDDEN", 403),
        ("NOT_FOUND", 404),
        ("CONFLICT", 409),
        ("RATE_LIMITED", 429),
        ("SERVICE_UNAVAILABLE", 503),
        ("INTERNAL_SERVER_ERROR", 502),
        ("GRAPHQL_VALIDATION_FAILED", 502),
    ] {
        let body = json!({ "errors": [error("why", code, json!(["cart", "items", 0]))], "data": null });
        let told = failed(&plugin, body, status, "graphql-error");
        let expected = if status < 500 {
            ("why", json!([{ "message": "why", "code": code, "path": ["cart", "items", 0] }]))
        } else {
            ("the upstream failed", json!([{ "message": "the upstream failed" }]))
        };
        assert_eq!((told["detail"].as_str(), &told["errors"]), (Some(expected.0), &expected.1));
    }
}

#[test]
fn errors_of_any_form_are_understood() {
    let plugin = cart(json!({}), json!([]));
    for body in [
        json!({ "errors": [{}] }),
        json!({ "errors": [{ "message": "m", "extensions": { "code": 7 } }], "data": { "cart": null } }),
        json!({ "errors": [{ "message": "m", "path": null, "extensions": null }] }),
    ] {
        failed(&plugin, body, 502, "graphql-error");
    }
    let many = vec![error("m", "NOT_FOUND", json!([])); 30];
    let told = failed(&plugin, json!({ "errors": many }), 404, "graphql-error");
    assert_eq!(told["errors"].as_array().unwrap().len(), 20);
}

#[test]
fn the_operators_rules_come_first() {
    let plugin = cart(
        json!({ "errors": [
            { "code": "OUT_OF_STOCK", "status": 409, "kind": "out-of-stock", "detail": "sold" },
            { "path": "cart.items.*.price", "status": 422 },
        ] }),
        json!([{ "code": "OUT_OF_STOCK", "status": 410 }, { "code": "NOT_FOUND", "path": "cart", "status": 500 }]),
    );
    let body = |code: &str, path: Value| json!({ "errors": [error("m", code, path)] });
    let told = failed(&plugin, body("OUT_OF_STOCK", json!([])), 409, "out-of-stock");
    assert_eq!(told["detail"], "sold");
    failed(&plugin, body("X", json!(["cart", "items", 3, "price"])), 422, "graphql-error");
    failed(&plugin, body("X", json!(["cart", "items", 3, "price", "sum"])), 422, "graphql-error");
    failed(&plugin, body("X", json!(["cart", "items", 3])), 502, "graphql-error");
    failed(&plugin, body("NOT_FOUND", json!(["cart"])), 500, "graphql-error");
    failed(&plugin, body("NOT_FOUND", json!(["other"])), 404, "graphql-error");
}

#[test]
fn a_part_of_the_data_is_answered_only_if_that_is_wanted() {
    let body = |cart: Value| json!({ "data": { "cart": cart }, "errors": [error("m", "NOT_FOUND", json!(["cart", "items"]))] });
    let rest = json!({ "items": null });
    failed(&cart(json!({}), json!([])), body(rest.clone()), 404, "graphql-error");
    let accepts = cart(json!({ "partial": "accept", "cache_control": "max-age=60" }), json!([]));
    let response = answered(&accepts, body(rest.clone()));
    assert_eq!((response.status(), response.text()), (200, rest.to_string()));
    assert_eq!(
        (response.header("graphql-errors"), response.header("cache-control")),
        (Some("1"), Some("no-store"))
    );
    assert_eq!(response.header("etag"), None);
    failed(&accepts, body(json!(null)), 404, "graphql-error");
}
