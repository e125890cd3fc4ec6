//! Which route serves a request, and what the upstream gets.

use sluice_sdk_testing::{Request, json};

use crate::common::{plugin, refused};

#[test]
fn the_upstream_is_asked_the_operation() {
    let query = "query Me { me { id } } query You { you { id } }";
    let plugin = plugin(json!({ "endpoint": "/api/graphql", "routes": [
        { "method": "GET", "path": "/me", "query": query, "operation": "Me" },
    ] }));
    let request =
        Request::get("/me?utm=x").with_header("if-none-match", "\"x\"").with_header("range", "bytes=0-1");
    let exchange =
        plugin.send(request.with_header("authorization", "Bearer a").with_header("accept", "text/html"));
    let sent = exchange.forwarded();
    assert_eq!((sent.method(), sent.path(), sent.query()), ("POST", "/api/graphql", None));
    let expected = json!({ "query": query, "operationName": "Me", "variables": {} });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&sent.text()).unwrap(), expected);
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!(sent.header("accept"), Some("application/graphql-response+json, application/json;q=0.9"));
    assert_eq!(sent.header("accept-encoding"), Some("identity"));
    assert_eq!(sent.header("authorization"), Some("Bearer a"));
    assert_eq!((sent.header("if-none-match"), sent.header("range")), (None, None));
}

#[test]
fn literal_comes_before_named() {
    let with = |path: &str, name: &str| json!({ "method": "GET", "path": path, "query": format!("query {name}($a: ID) {{ {name}(a: $a) }}") });
    let plugin = plugin(json!({ "routes": [
        with("/p/{a}", "Named"), with("/p/mine", "Mine"), with("/{a}/mine", "Late"), with("/p/{a}/b", "Deep"),
    ] }));
    for (path, name) in [
        ("/p/mine", "Mine"),
        ("/p/m%69ne", "Mine"),
        ("/p/7", "Named"),
        ("/p/a%2Fb", "Named"),
        ("/q/mine", "Late"),
        ("/p/mine/b", "Deep"),
    ] {
        let sent = plugin.send(Request::get(path)).forwarded().text();
        assert!(sent.contains(&format!("\"operationName\":\"{name}\"")), "{path}: {sent}");
    }
    for path in ["/p", "/p/", "/p/7/", "/p/%ff", "/"] {
        refused(&plugin.send(Request::get(path)).answer(), 404, "route-unknown");
    }
}

#[test]
fn methods_are_told() {
    let plugin = plugin(json!({ "routes": [
        { "method": "GET", "path": "/p/{id}", "query": "query($id: ID!) { p(id: $id) }" },
        { "method": "DELETE", "path": "/p/{id}", "query": "mutation($id: ID!) { drop(id: $id) }" },
    ] }));
    assert_eq!(plugin.send(Request::new("HEAD", "/p/7")).forwarded().method(), "POST");
    assert!(plugin.send(Request::new("DELETE", "/p/7")).forwarded().text().contains("drop"));
    let exchange = plugin.send(Request::new("PUT", "/p/7"));
    refused(&exchange.answer(), 405, "method-unknown");
    assert_eq!(exchange.answer().header("allow"), Some("GET, DELETE, HEAD"));
}

#[test]
fn what_no_route_matches_may_pass() {
    let plugin =
        plugin(json!({ "unmatched": "pass", "routes": [{ "method": "GET", "path": "/a", "query": "{a}" }] }));
    let mut exchange = plugin.send(Request::post("/graphql").with_body("as it is"));
    assert_eq!(
        (exchange.forwarded().path(), exchange.forwarded().text()),
        ("/graphql", "as it is".to_owned())
    );
    let response = sluice_sdk_testing::Response::new(200).with_body("as it is");
    assert_eq!(exchange.respond(response).text(), "as it is");
}
