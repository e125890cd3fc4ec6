//! Which operation a request is: its path and its method.

use sluice_sdk_testing::{Request, json};

use crate::common::{DOCUMENTS, errors, refused, stores, with};

#[test]
fn paths_and_methods_that_are_not_described_are_refused() {
    for plugin in stores(&json!({})) {
        for path in
            ["/v1/nothing", "/pets", "/v1", "/v1/pets/", "/v1/pets/7/8", "/v1/pets/..", "/v10/pets", "/"]
        {
            refused(&plugin.send(Request::get(path)), 404, "operation-unknown");
        }
        for (method, path, allow) in [
            ("PATCH", "/v1/pets", "GET, HEAD, POST"),
            ("get", "/v1/pets", "GET, HEAD, POST"),
            ("DELETE", "/v1/pets/mine", "GET, HEAD"),
            ("POST", "/v1/pets/7", "DELETE, GET, HEAD, PUT"),
        ] {
            let exchange = plugin.send(Request::new(method, path));
            refused(&exchange, 405, "method-unknown");
            assert_eq!(exchange.answer().header("allow"), Some(allow));
        }
    }
}

#[test]
fn the_base_path_can_be_another() {
    let plugin = with(DOCUMENTS[0], json!({ "base_path": "/store/" }));
    assert!(plugin.send(Request::get("/store/pets")).is_forwarded());
    refused(&plugin.send(Request::get("/v1/pets")), 404, "operation-unknown");
    let plugin = with(DOCUMENTS[0], json!({ "base_path": "/" }));
    assert!(plugin.send(Request::get("/pets")).is_forwarded());
}

#[test]
fn identical_templates_share_a_path_with_different_methods() {
    let parameter = |name: &str| json!([{ "name": name, "in": "path", "schema": { "type": "integer" } }]);
    let document = json!({ "openapi": "3.1.0", "paths": {
        "/a/{b}": { "get": { "parameters": parameter("b") } },
        "/a/{c}": { "delete": { "parameters": parameter("c") } },
    }});
    let plugin = with(&document.to_string(), json!({}));
    for (method, name) in [("GET", "b"), ("DELETE", "c")] {
        assert!(plugin.send(Request::new(method, "/a/7")).is_forwarded());
        let found = errors(&plugin.send(Request::new(method, "/a/x")));
        assert_eq!(found, [format!("path {name} : value is not of type \"integer\"")]);
    }
    let exchange = plugin.send(Request::post("/a/7"));
    refused(&exchange, 405, "method-unknown");
    assert_eq!(exchange.answer().header("allow"), Some("DELETE, GET, HEAD"));
}
