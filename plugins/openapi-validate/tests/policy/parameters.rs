//! Parameters: of the path, the query, the headers and the cookies.

use sluice_sdk_testing::{Request, json};

use crate::common::{errors, stores, with};

#[test]
fn parameters_are_checked_and_all_errors_named() {
    for plugin in stores(&json!({ "unknown_query": "refuse" })) {
        let request = Request::get(
            "/v1/pets?limit=0&tags=a&tags=waytoolong&ids=1|x&filter[color]=green&filter[x]=1&where=1&more=1",
        )
        .with_header("x-trace", "7")
        .with_header("cookie", "session=short");
        assert_eq!(
            errors(&plugin.send(request)),
            [
                "query limit : value is less than the minimum of 1",
                "query tags /1: value is longer than 8 characters",
                "query ids /1: value is not of type \"integer\"",
                "query filter /color: value is not one of \"red\" or \"blue\"",
                "query filter : Additional properties are not allowed ('x' was unexpected)",
                "query where : value is not of type \"object\"",
                "cookie session : value is shorter than 8 characters",
                "header X-Trace : value is not a \"uuid\"",
                "query more : there is no such parameter",
            ]
        );
    }
}

#[test]
fn path_parameters_are_checked() {
    for plugin in stores(&json!({})) {
        for (id, message) in [
            ("0", "value is less than the minimum of 1"),
            ("x", "value is not of type \"integer\""),
            ("1%2F2", "value is not of type \"integer\""),
            ("9223372036854775808", "value is greater than the maximum of 9223372036854775807"),
            ("%ff", "is not UTF-8 once its percent-encoding is undone"),
        ] {
            let found = errors(&plugin.send(Request::get(&format!("/v1/pets/{id}"))));
            assert_eq!(found, [format!("path petId : {message}")]);
        }
    }
}

#[test]
fn a_key_in_the_query_is_no_unknown_parameter() {
    let document = json!({
        "openapi": "3.1.0",
        "security": [{ "query": [] }],
        "paths": {
            "/a": { "get": {} },
            "/own": { "get": { "security": [{ "other": [], "header": [] }, { "missing": [] }] } },
            "/open": { "get": { "security": [] } },
        },
        "components": { "securitySchemes": {
            "query": { "$ref": "#/components/securitySchemes/real" },
            "real": { "type": "apiKey", "in": "query", "name": "api_key" },
            "other": { "type": "apiKey", "in": "query", "name": "key" },
            "header": { "type": "apiKey", "in": "header", "name": "x-key" },
            "x-note": "ours",
        }},
    });
    let plugin = with(&document.to_string(), json!({ "unknown_query": "refuse" }));
    for target in ["/a?api_key=1", "/own?key=1", "/open"] {
        let exchange = plugin.send(Request::get(target));
        assert!(exchange.is_forwarded(), "{target}: {:?}", exchange.decision());
    }
    for target in ["/a?key=1", "/own?api_key=1", "/own?x-key=1", "/open?api_key=1"] {
        let name = target.split(['?', '=']).nth(1).unwrap();
        let expected = format!("query {name} : there is no such parameter");
        assert_eq!(errors(&plugin.send(Request::get(target))), [expected]);
    }
}
