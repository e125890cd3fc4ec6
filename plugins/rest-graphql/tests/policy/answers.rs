//! What of the upstream's answer the client gets.

use sluice_sdk_testing::{Request, Response, TestPlugin, Value, json};

use crate::common::{data, problem, replaced, route};

fn product(mut more: Value) -> TestPlugin {
    let own = json!({
        "method": "GET", "path": "/p/{id}",
        "query": "query($id: ID!) { product(id: $id) { ...P reviews { edges { node { text } } } } } fragment P on Product { name: title }",
    });
    for (key, value) in own.as_object().expect("a route is an object") {
        more[key] = value.clone();
    }
    route(more)
}

#[track_caller]
fn answered(plugin: &TestPlugin, response: Response) -> Response {
    plugin.send(Request::get("/p/7")).respond(response)
}

const DATA: &str = "{\"product\": {\"name\": \"\\u00e9\",\"price\":1.0, \"reviews\":{\"edges\":[{\"node\":{\"text\":\"a\"}},null,{\"node\":null}]}}}";

#[test]
fn the_result_is_answered_as_it_is_written() {
    for (result, expected) in [
        (json!(null), DATA),
        (json!("product.name"), "\"\\u00e9\""),
        (json!("product.reviews.edges.*.node"), "[{\"text\":\"a\"},null,null]"),
        (json!("product.reviews.edges.*.node.text"), "[\"a\",null,null]"),
    ] {
        let response = answered(&product(json!({ "result": result })), data(DATA));
        assert_eq!((response.status(), response.text().as_str()), (200, expected));
        assert_eq!(response.header("content-type"), Some("application/json"));
    }
    let created = route(
        json!({ "method": "POST", "path": "/p", "query": "mutation { a }", "status": 201, "result": "a" }),
    );
    let response = created.send(Request::post("/p")).respond(data("{\"a\":true}"));
    assert_eq!((response.status(), response.text().as_str(), response.header("etag")), (201, "true", None));
    let dropped =
        route(json!({ "method": "DELETE", "path": "/p", "query": "mutation { a }", "status": 204 }));
    let response = dropped.send(Request::new("DELETE", "/p")).respond(data("{\"a\":true}"));
    assert_eq!((response.status(), response.text().as_str()), (204, ""));
}

#[test]
fn null_is_not_found_or_nothing_or_null() {
    let with = |status: u16| product(json!({ "result": "product.name", "null_status": status }));
    for text in ["{\"product\":null}", "null", "{\"product\":{\"name\":null}}"] {
        problem(&with(404), Request::get("/p/7"), data(text), 404, "result-null");
        let response = answered(&with(200), data(text));
        assert_eq!((response.status(), response.text().as_str()), (200, "null"));
        let response = answered(&with(204), data(text));
        assert_eq!((response.status(), response.text().as_str()), (204, ""));
    }
    for text in ["{}", "{\"product\":{}}", "{\"product\":[]}", "{\"product\":7}"] {
        problem(&with(404), Request::get("/p/7"), data(text), 502, "graphql-response-malformed");
    }
}

#[test]
fn what_a_get_answers_can_be_kept() {
    let plugin = product(json!({ "cache_control": "public, max-age=60" }));
    let upstream = || {
        data(DATA)
            .with_header("cache-control", "no-store")
            .with_header("etag", "\"upstream\"")
            .with_header("vary", "accept")
    };
    let response = answered(&plugin, upstream());
    assert_eq!(response.header("cache-control"), Some("public, max-age=60"));
    let tag = response.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
    for tags in [tag.clone(), format!("\"a\", W/{tag}"), "*".to_owned()] {
        let request = Request::get("/p/7").with_header("if-none-match", &tags);
        let response = plugin.send(request).respond(upstream());
        assert_eq!((response.status(), response.text().as_str()), (304, ""));
        assert_eq!(response.header("etag"), Some(tag.as_str()));
        assert_eq!(response.header("cache-control"), Some("public, max-age=60"));
        assert_eq!(response.header("vary"), Some("accept"));
    }
    let request = Request::get("/p/7").with_header("if-none-match", "\"other\"");
    assert_eq!(plugin.send(request).respond(upstream()).status(), 200);
    let other = answered(&plugin, data("{\"product\":{}}"));
    assert_ne!(other.header("etag"), Some(tag.as_str()));
    let plain = answered(&product(json!({})), data(DATA).with_header("cache-control", "max-age=5"));
    assert_eq!(plain.header("cache-control"), Some("max-age=5"));
    let failed = replaced(
        &plugin,
        Request::get("/p/7"),
        Response::new(200).with_body("{\"errors\":[{\"message\":\"m\"}]}"),
    );
    assert_eq!(failed.header("cache-control"), Some("no-store"));
}

/// A cache in between must not answer one client with what is another's.
#[test]
fn what_headers_and_consumers_decide_is_kept_for_them() {
    let own = |sources: Value, more: Value| {
        let mut own = json!({
            "method": "GET", "path": "/p", "query": "query($t: ID, $l: ID) { a(t: $t, l: $l) }", "result": "a",
        });
        own["variables"] = sources;
        for (key, value) in more.as_object().expect("a route is an object") {
            own[key] = value.clone();
        }
        route(own)
    };
    let headers = own(json!({ "t": "header:x-tenant", "l": "header:accept-language" }), json!({}));
    let upstream =
        || data("{\"a\":1}").with_header("vary", "origin").with_header("cache-control", "max-age=5");
    let vary = |response: &Response| response.header_all("vary").join(",");
    let response = headers.send(Request::get("/p")).respond(upstream());
    assert_eq!(vary(&response), "origin,x-tenant,accept-language");
    assert_eq!(response.header("cache-control"), Some("max-age=5"));
    let request = Request::get("/p").with_header("if-none-match", "*");
    let response = headers.send(request).respond(upstream());
    assert_eq!((response.status(), vary(&response).as_str()), (304, "origin,x-tenant,accept-language"));
    let missing = replaced(&headers, Request::get("/p"), data("{\"a\":null}"));
    assert_eq!(
        (missing.status(), missing.header_all("vary").join(",").as_str()),
        (404, "x-tenant,accept-language")
    );

    let consumer = |more: Value| own(json!({ "t": "consumer" }), more);
    for (more, upstream, expected) in [
        (json!({ "cache_control": "max-age=60" }), "public", "max-age=60, private"),
        (json!({ "cache_control": "private, max-age=60" }), "public", "max-age=60, private"),
        (json!({}), "Public, max-age=5, S-MaxAge=9", "max-age=5, private"),
        (json!({}), "private=\"a, b\"", "no-store"),
        (json!({}), "", "private"),
    ] {
        let response = data("{\"a\":1}")
            .with_header("cache-control", upstream)
            .with_header("cdn-cache-control", "max-age=60");
        let response = consumer(more).send(Request::get("/p")).respond(response);
        assert_eq!(response.header("cdn-cache-control"), None);
        assert_eq!(response.header("cache-control"), Some(expected), "{upstream}");
    }
    let missing = replaced(&consumer(json!({})), Request::get("/p"), data("{\"a\":null}"));
    assert_eq!(missing.header("cache-control"), Some("private"));
}

#[test]
fn an_answer_without_a_body_keeps_its_head() {
    let plugin = route(json!({
        "method": "GET", "path": "/p", "query": "query($t: ID) { a(t: $t) }", "variables": { "t": "header:x-tenant" },
        "result": "a", "null_status": 204, "cache_control": "max-age=60",
    }));
    let upstream = data("{\"a\":null}").with_header("set-cookie", "a=b").with_header("content-length", "9");
    let answer = replaced(&plugin, Request::get("/p"), upstream);
    assert_eq!(answer.status(), 204);
    assert_eq!(
        ["cache-control", "vary", "set-cookie", "content-type"].map(|name| answer.header(name)),
        [Some("max-age=60"), Some("x-tenant"), Some("a=b"), None]
    );
}

#[test]
fn what_is_no_answer_of_graphql_is_the_upstreams_failure() {
    let plugin = product(json!({}));
    let html =
        |status: u16| Response::new(status).with_header("content-type", "text/html").with_body("<html>");
    for (status, told, kind) in [
        (200, 502, "graphql-response-malformed"),
        (500, 502, "graphql-response-malformed"),
        (404, 502, "graphql-response-malformed"),
        (401, 401, "graphql-upstream-refused"),
        (403, 403, "graphql-upstream-refused"),
        (429, 429, "graphql-upstream-refused"),
        (503, 503, "graphql-upstream-refused"),
    ] {
        problem(&plugin, Request::get("/p/7"), html(status), told, kind);
    }
    let busy = replaced(&plugin, Request::get("/p/7"), html(429).with_header("retry-after", "7"));
    assert_eq!(busy.header("retry-after"), Some("7"));
    for body in [
        "",
        "[]",
        "{}",
        "{\"data\":{}",
        "{\"data\":{}}x",
        "{\"errors\":7}",
        "{\"errors\":[]}",
        "{\"data\":{\"a\":tru}}",
    ] {
        problem(
            &plugin,
            Request::get("/p/7"),
            Response::new(200).with_body(body),
            502,
            "graphql-response-malformed",
        );
    }
    problem(
        &plugin,
        Request::get("/p/7"),
        data("{}").with_header("content-encoding", "gzip"),
        502,
        "graphql-response-malformed",
    );
    problem(&plugin, Request::get("/p/7"), Response::new(204), 502, "graphql-response-malformed");
}

#[test]
fn what_steps_and_the_gateway_refuse_is_left_alone() {
    let plugin = product(json!({}));
    let refusal =
        Response::new(429).with_header("content-type", "application/problem+json").with_body("{}").of_step();
    let response = answered(&plugin, refusal);
    assert_eq!((response.status(), response.text().as_str()), (429, "{}"));
    assert_eq!(answered(&plugin, Response::new(504).of_gateway()).status(), 504);
}
