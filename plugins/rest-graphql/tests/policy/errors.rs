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
        json!({ "errors": [7, "e", null, []] }),
        json!({ "errors": [{ "message": 7, "path": [null], "extensions": "x" }] }),
        json!({ "errors": [{ "message": { "m": 1 }, "path": "cart", "extensions": [{}] }] }),
    ] {
        failed(&plugin, body, 502, "graphql-error");
    }
    // What is odd beside it does not hide what is not.
    let odd = json!({ "message": ["m"], "path": [-1], "locations": 7, "extensions": { "code": "NOT_FOUND", "x": [{}] } });
    let told = failed(&plugin, json!({ "errors": [odd] }), 404, "graphql-error");
    assert_eq!(told["errors"], json!([{ "message": "", "code": "NOT_FOUND" }]));
    let long = error("m", "NOT_FOUND", json!(vec![1; 100_000]));
    let told = failed(&plugin, json!({ "errors": [long] }), 404, "graphql-error");
    assert_eq!(told["errors"], json!([{ "message": "m", "code": "NOT_FOUND" }]));
    let many = vec![error("m", "NOT_FOUND", json!([])); 30];
    let told = failed(&plugin, json!({ "errors": many }), 404, "graphql-error");
    assert_eq!(told["errors"].as_array().unwrap().len(), 20);
}

#[test]
fn errors_are_counted_and_not_kept() {
    let plugin = cart(json!({ "partial": "accept" }), json!([]));
    let body = json!({ "data": { "cart": 1 }, "errors": vec![json!({ "message": "m" }); 50_000] });
    let response = answered(&plugin, body);
    assert_eq!((response.status(), response.header("graphql-errors")), (200, Some("50000")));
}

#[test]
fn the_responses_status_counts_where_nothing_else_says_what_an_error_is() {
    let plugin = cart(json!({}), json!([{ "code": "QUOTA", "status": 402 }]));
    let answered = |status: u16, code: &str, expected: u16| {
        let body = json!({ "errors": [error("secret", code, json!(["cart"]))] });
        let response = Response::new(status).with_json(&body).with_header("retry-after", "7");
        let mut exchange = plugin.send(Request::get("/cart"));
        exchange.respond(response);
        assert_eq!(exchange.answer().header("retry-after"), Some("7"));
        crate::common::refused(&exchange.answer(), expected, "graphql-error")
    };
    for (status, expected, detail) in [
        (401, 401, "the upstream refused"),
        (403, 403, "the upstream refused"),
        (429, 429, "the upstream refused"),
        (503, 503, "the upstream failed"),
        (400, 502, "the upstream failed"),
        (500, 502, "the upstream failed"),
    ] {
        let told = answered(status, "INTERNAL", expected);
        assert_eq!(
            (told["detail"].as_str(), &told["errors"]),
            (Some(detail), &json!([{ "message": detail }]))
        );
    }
    answered(401, "NOT_FOUND", 404);
    answered(429, "QUOTA", 402);
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
