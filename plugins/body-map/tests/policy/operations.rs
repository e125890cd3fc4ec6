//! What each operation makes of a document.

use sluice_sdk_testing::json;

use crate::common::{becomes, operations, post, refused};

#[test]
fn what_is_not_touched_keeps_its_text() {
    let plugin = operations(json!([{ "set": { "at": "/seen", "value": true } }]));
    becomes(
        &plugin,
        "{\"z\": 1.0, \"big\": 12345678901234567890.10, \"a\": [1e2, -0]}",
        "{\"z\":1.0,\"big\":12345678901234567890.10,\"a\":[1e2,-0],\"seen\":true}",
    );
}

#[test]
fn patches_apply_as_a_whole() {
    let plugin = operations(json!([{ "patch": [
        { "op": "test", "path": "/version", "value": 1 },
        { "op": "replace", "path": "/version", "value": 2 },
        { "op": "add", "path": "/items/-", "value": { "sku": "gift" } },
        { "op": "remove", "path": "/debug" },
    ]}]));
    becomes(&plugin, r#"{"version":1.0,"items":[],"debug":{}}"#, r#"{"version":2,"items":[{"sku":"gift"}]}"#);
    let exchange = plugin.send(post(r#"{"version":3,"items":[],"debug":{}}"#));
    let answer = exchange.answer();
    refused(
        &answer,
        422,
        "body-mismatch",
        "request.operations[0].patch: operation 0 (`test`): `/version` has another value",
    );
    assert_eq!(answer.problem()["operation"], json!("request.operations[0].patch"));
}

#[test]
fn merges_may_be_written_as_text_to_have_null() {
    let plugin = operations(json!([{ "merge": r#"{"b":null,"c":{"d":1.50}}"# }, { "merge": { "e": "f" } }]));
    becomes(&plugin, r#"{"a":1,"b":2}"#, r#"{"a":1,"c":{"d":1.50},"e":"f"}"#);
}

#[test]
fn documents_are_made_of_what_paths_select() {
    let body = r#"{"order":{"id":7},"items":[{"id":1,"n":2},{"id":3,"n":0}]}"#;
    for (operation, expected) in [
        (json!({ "pick": { "path": "$.items[*].id", "into": "list" } }), "[1,3]"),
        (json!({ "pick": { "path": "$.items[*].id", "into": "first" } }), "1"),
        (json!({ "pick": { "path": "$.items[?@.n > 1]" } }), r#"{"id":1,"n":2}"#),
        (json!({ "pick": "$.order" }), r#"{"id":7}"#),
        (json!({ "pick": { "path": "$.none", "into": "list" } }), "[]"),
        (json!({ "pick": { "path": "$.none", "optional": true } }), body),
        (
            json!({ "build": {
                "id": "$.order.id",
                "lines": { "path": "$.items[*].id", "into": "list" },
                "note": { "path": "$.note", "optional": true },
            }}),
            r#"{"id":7,"lines":[1,3]}"#,
        ),
    ] {
        becomes(&operations(json!([operation])), body, expected);
    }
    for (operation, detail) in [
        (json!({ "pick": "$.none" }), "request.operations[0].pick: `$.none` selects nothing"),
        (json!({ "pick": "$.items[*]" }), "`$.items[*]` selects 2 values, not one"),
        (json!({ "build": { "a": "$.none" } }), "`$.none` selects nothing"),
    ] {
        let plugin = operations(json!([operation]));
        refused(&plugin.send(post(body)).answer(), 422, "body-mismatch", detail);
    }
}

#[test]
fn values_move_and_are_copied() {
    for (operation, body, expected) in [
        (
            json!({ "move": { "from": "/a/b", "to": "/x/y" } }),
            r#"{"a":{"b":1},"c":2}"#,
            r#"{"a":{},"c":2,"x":{"y":1}}"#,
        ),
        (json!({ "move": { "from": "/a", "to": "/a/inner" } }), r#"{"a":1}"#, r#"{"a":{"inner":1}}"#),
        (
            json!({ "move": { "from": "$.items[?@.main]", "to": "/main" } }),
            r#"{"items":[{"n":1},{"main":1}]}"#,
            r#"{"items":[{"n":1}],"main":{"main":1}}"#,
        ),
        (
            json!({ "copy": { "from": "/a", "to": "/list/-" } }),
            r#"{"a":1.0,"list":[0]}"#,
            r#"{"a":1.0,"list":[0,1.0]}"#,
        ),
        (json!({ "copy": { "from": "", "to": "/self" } }), r#"{"a":1}"#, r#"{"a":1,"self":{"a":1}}"#),
        (json!({ "copy": { "from": "/none", "to": "/x", "optional": true } }), "{}", "{}"),
    ] {
        becomes(&operations(json!([operation])), body, expected);
    }
    for (operation, detail) in [
        (json!({ "move": { "from": "/none", "to": "/x" } }), "there is nothing at `/none`"),
        (json!({ "copy": { "from": "$.l[*]", "to": "/x" } }), "selects 2 values, not one"),
        (json!({ "copy": { "from": "/l", "to": "/l/9" } }), "there is no place for `/l/9` in its array"),
        (json!({ "copy": { "from": "/l", "to": "/s/x" } }), "what should hold `/s/x` is a string"),
    ] {
        let plugin = operations(json!([operation]));
        refused(&plugin.send(post(r#"{"l":[1,2],"s":""}"#)).answer(), 422, "body-mismatch", detail);
    }
}

#[test]
fn values_disappear_wherever_they_are() {
    let plugin = operations(json!([{ "remove": ["$..ssn", "$.items[?@.hidden == true]", "/debug"] }]));
    becomes(
        &plugin,
        r#"{"ssn":{"ssn":1},"items":[{"hidden":true,"ssn":2},{"ssn":3,"n":1},{"hidden":true}],"debug":0}"#,
        r#"{"items":[{"n":1}]}"#,
    );
    refused(&plugin.send(post("{}")).answer(), 422, "body-mismatch", "there is nothing at `/debug`");
}

#[test]
fn members_get_other_names_in_their_place() {
    let plugin = operations(json!([{ "rename": { "path": "$.items[*].sku", "to": "code" } }]));
    becomes(
        &plugin,
        r#"{"items":[{"sku":1,"n":2},{"code":"old","sku":3}]}"#,
        r#"{"items":[{"code":1,"n":2},{"code":3}]}"#,
    );
    refused(&plugin.send(post("{}")).answer(), 422, "body-mismatch", "selects nothing");
    let several = operations(json!([{ "rename": { "path": "$[*]", "to": "x" } }]));
    refused(&several.send(post(r#"{"a":1,"b":2}"#)).answer(), 422, "body-mismatch", "several members");
    refused(&several.send(post("[1]")).answer(), 422, "body-mismatch", "an item of an array has no name");
}
