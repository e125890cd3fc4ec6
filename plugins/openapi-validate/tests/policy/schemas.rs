//! What a schema finds in a body, what is told of it, and what can be asked of it besides.

use sluice_sdk_testing::{Request, TestPlugin, Value, json};

use crate::common::{DOCUMENTS, errors, refused, stores, with};

fn body_errors(plugin: &TestPlugin, body: &Value) -> Vec<String> {
    errors(&plugin.send(Request::post("/v1/pets").with_json(body)))
}

#[test]
fn a_body_is_checked_and_all_errors_named() {
    for plugin in stores(&json!({})) {
        let body = json!({
            "name": "", "tag": 1, "price": 0, "born": "2021-02-29", "a/b~c": "no", "x": 1,
            "children": [{}, { "name": "secret value!", "children": [{ "name": "a" }, { "name": "a" }] }],
            "body": { "type": "cat", "barks": true }, "kind": "cow",
        });
        let mut found = body_errors(&plugin, &body);
        found.sort();
        assert_eq!(
            found,
            [
                "body - /a~1b~0c: value is not of type \"boolean\"",
                "body - /body: value is not valid under any of the schemas listed in the 'oneOf' keyword",
                "body - /born: value is not a \"date\"",
                "body - /children/0: \"name\" is a required property",
                "body - /children/1/children: value has non-unique elements",
                "body - /children/1/name: value does not match \"^\\p{L}[\\p{L}\\w -]*$\"",
                "body - /kind: value is not one of \"cat\", \"dog\" or null",
                "body - /name: value does not match \"^\\p{L}[\\p{L}\\w -]*$\"",
                "body - /name: value is shorter than 1 character",
                "body - /price: value is less than or equal to the minimum of 0",
                "body - /tag: value is not of types \"null\", \"string\"",
                "body - : Additional properties are not allowed ('x' was unexpected)",
            ]
        );
        let exchange = plugin.send(Request::post("/v1/pets").with_json(&body));
        assert!(!exchange.answer().problem().to_string().contains("secret value!"));
    }
}

#[test]
fn an_error_says_which_schema_it_is_about() {
    for plugin in stores(&json!({})) {
        let body = json!({ "name": "a", "parent": { "name": 1 } });
        let exchange = plugin.send(Request::post("/v1/pets").with_json(&body));
        let problem = refused(&exchange, 400, "request-invalid");
        let expected = json!([{
            "in": "body",
            "pointer": "/parent/name",
            "message": "value is not of type \"string\"",
            "schema_pointer": "#/components/schemas/Pet/properties/name/type",
        }]);
        assert_eq!(problem["errors"], expected);
    }
}

#[test]
fn errors_are_bounded_in_number_and_length() {
    for plugin in stores(&json!({})) {
        let pets: Vec<_> = (0..100).map(|_| json!({ "name": 7 })).collect();
        assert_eq!(body_errors(&plugin, &json!({ "name": "a", "children": pets })).len(), 20);
        // Of a large body the first error alone.
        let pets: Vec<_> = (0..3_000).map(|at| json!({ "name": 7, "price": at })).collect();
        assert_eq!(body_errors(&plugin, &json!({ "name": "a", "children": pets })).len(), 1);
        let long = "x".repeat(100_000);
        let found = body_errors(&plugin, &json!({ "name": "a", long.as_str(): 1 }));
        assert!(found.len() == 1 && found[0].len() < 300, "{found:?}");
        let query = format!("/v1/pets?{}", (0..50).map(|at| format!("{at}=1&")).collect::<String>());
        let strict = with(DOCUMENTS[0], json!({ "unknown_query": "refuse" }));
        assert_eq!(errors(&strict.send(Request::get(&query))).len(), 20);
        assert!(plugin.send(Request::get(&query)).is_forwarded());
    }
}

#[test]
fn what_is_read_only_can_be_refused() {
    for plugin in stores(&json!({ "read_only": "refuse" })) {
        assert!(plugin.send(Request::post("/v1/pets").with_json(&json!({ "name": "a" }))).is_forwarded());
        let found = body_errors(&plugin, &json!({ "name": "a", "id": 1 }));
        assert_eq!(found, ["body - /id: is not to be sent this way"]);
    }
}

#[test]
fn formats_can_be_left_alone() {
    for plugin in stores(&json!({ "formats": false })) {
        assert!(plugin.send(Request::get("/v1/pets").with_header("x-trace", "7")).is_forwarded());
        assert!(
            plugin
                .send(Request::post("/v1/pets").with_json(&json!({ "name": "a", "born": "x" })))
                .is_forwarded()
        );
    }
}
