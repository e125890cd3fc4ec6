//! Configurations that are refused.

use body_map::BodyMap;
use sluice_sdk_testing::{Harness, Value, json};

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let one = |operation: Value| json!({ "request": { "operations": [operation] } });
    for (config, reason) in [
        (json!({}), "there is nothing to do"),
        (json!({ "request": { "operations": [] } }), "`request.operations` is empty"),
        (one(json!({ "remove": "a" })), "request.operations[0].remove: `a` begins neither with `/`"),
        (one(json!({ "remove": "$" })), "request.operations[0].remove: `$` is the whole document"),
        (
            one(json!({ "pick": "$.a[" })),
            "request.operations[0].pick: `$.a[` is not a JSONPath, at character 5",
        ),
        (one(json!({ "build": { "x": "@" } })), "request.operations[0].build: x: `@` is not a JSONPath"),
        (one(json!({ "patch": [{ "op": "tset" }] })), "request.operations[0].patch: operation 0: "),
        (one(json!({ "merge": "{" })), "request.operations[0].merge: the text is not JSON: "),
        (
            one(json!({ "move": { "from": "/a", "to": "b" } })),
            "request.operations[0].move: `to`: `b` is not a JSON Pointer",
        ),
        (one(json!({ "rename": { "path": "", "to": "b" } })), "request.operations[0].rename: `path`: "),
        (
            one(json!({ "set": { "at": "/a", "value": ["{requestid}"] } })),
            "request.operations[0].set: `{requestid}`: there is no variable",
        ),
        (
            one(json!({ "set": { "at": "/a", "value": "{status}" } })),
            "request.operations[0].set: `{status}`: `{status}` is known only where",
        ),
        (one(json!({ "set": { "at": "/a" } })), "give either `value` or `json`"),
        (
            json!({ "request": { "operations": [{ "remove": "/a" }, "form_to_json"] } }),
            "request.operations[1].form_to_json: a form can only be read first",
        ),
        (
            json!({ "request": { "operations": ["json_to_form", { "remove": "/a" }] } }),
            "can only be written last",
        ),
        (
            json!({ "request": { "operations": ["form_to_json"], "types": ["a/b"] } }),
            "`request.types` has no meaning",
        ),
        (
            json!({ "request": { "operations": [{ "remove": "/a" }], "types": ["json"] } }),
            "request.types: `json` is neither",
        ),
        (
            json!({ "request": { "operations": [{ "remove": "/a" }], "max_size": "1GiB" } }),
            "`request.max_size` lies between",
        ),
        (
            json!({ "request": { "operations": [{ "remove": "/a" }] }, "response_statuses": ["2xx"] }),
            "has no meaning without `response`",
        ),
        (
            json!({ "response": { "operations": [{ "remove": "/a" }] }, "response_statuses": ["7xx"] }),
            "response_statuses: `7xx` is neither",
        ),
        (one(json!({ "remov": "/a" })), ""),
        (one(json!({ "pick": { "path": "$", "int": "list" } })), ""),
    ] {
        let refused = Harness::<BodyMap>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
