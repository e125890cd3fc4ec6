//! Configurations that are refused.

use openapi_validate::OpenApiValidate;
use sluice_sdk_testing::{Harness, Value, json};

use crate::common::DOCUMENTS;

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let path = |operation: Value| json!({ "document": { "openapi": "3.0.3", "paths": { "/a/{b}": { "post": operation } } } });
    let parameter = |parameter: Value| path(json!({ "parameters": [parameter] }));
    for (config, reason) in [
        (json!({}), ""),
        (json!({ "document": 7 }), ""),
        (json!({ "document": "openapi: 3.0.0" }), "`document`: the document is not JSON"),
        (json!({ "document": { "openapi": "3.2.0" } }), "`document`: the document is of OpenAPI 3.2.0"),
        (json!({ "document": DOCUMENTS[0], "base_path": "v1" }), ""),
        (json!({ "document": DOCUMENTS[0], "body_memory": "1KiB" }), "`body_memory` is less than 4KiB"),
        (json!({ "document": DOCUMENTS[0], "responses": "yes" }), ""),
        (
            json!({ "document": { "openapi": "3.1.0", "servers": [{ "url": "https://a.example/{v}" }] } }),
            "#/servers/0: the path of `https://a.example/{v}` has a variable",
        ),
        (
            json!({ "document": { "openapi": "3.1.0", "paths": { "/{a}": { "get": {} }, "/{b}": { "put": {}, "get": {} } } } }),
            "is identical to another",
        ),
        (
            parameter(json!({ "name": "x", "in": "body" })),
            "#/paths/~1a~1{b}/post/parameters/0: `in` is `body`",
        ),
        (parameter(json!({ "name": "x", "in": "path" })), "path `/a/{b}` has no `{x}`"),
        (
            parameter(json!({ "name": "x", "in": "query", "style": "label" })),
            "parameters/0: this style does not go",
        ),
        (parameter(json!({ "name": "x", "in": "query", "style": "own" })), "there is no style `own`"),
        (parameter(json!({ "$ref": "#/components/parameters/X" })), "nothing at `#/components/parameters/X`"),
        (path(json!({ "requestBody": {} })), "requestBody: `content` is missing"),
        (path(json!({ "requestBody": { "content": { "json": {} } } })), "this is no media type"),
        (
            path(
                json!({ "requestBody": { "content": { "a/json": { "schema": { "pattern": "(?<=a)" } } } } }),
            ),
            "#/paths/~1a~1{b}/post/requestBody/content/a~1json/schema/pattern: ",
        ),
    ] {
        let refused = Harness::<OpenApiValidate>::new(config.clone()).start();
        let refused = refused.err().unwrap_or_else(|| panic!("{config} is accepted"));
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
