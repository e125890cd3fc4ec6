//! Configurations that are refused, among them filters that would reach outside.

use body_script::BodyScript;
use sluice_sdk_testing::{Harness, json};

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    for (config, reason) in [
        (json!({}), "there is nothing to do"),
        (json!({ "request": {} }), "request: give either `jq` or `template`"),
        (json!({ "request": { "jq": ".", "template": "" } }), "request: give either `jq` or `template`"),
        (
            json!({ "request": { "jq": ".a |\n  foo(1)" } }),
            "request: jq: line 2, column 3: there is no filter `foo/1`",
        ),
        (
            json!({ "request": { "jq": "$status" } }),
            "request: jq: line 1, column 1: there is no variable `$status`",
        ),
        (json!({ "response": { "jq": "if . then" } }), "response: jq: line 1, column 10: expected"),
        (
            json!({ "response": { "jq": "\"é\" + (" } }),
            "response: jq: line 1, column 8: expected closing parenthesis",
        ),
        (
            json!({ "request": { "jq": "import \"a\" as a; ." } }),
            "request: jq: line 1, column 1: there are no modules",
        ),
        (
            json!({ "request": { "jq": ".", "when": "now" } }),
            "request: when: line 1, column 1: there is no filter `now/0`",
        ),
        (
            json!({ "request": { "jq": ".", "sets": { "path": "env" } } }),
            "request: sets: path: line 1, column 1",
        ),
        (json!({ "request": { "jq": ".", "sets": { "status": "1" } } }), "request: sets.status: not here"),
        (json!({ "response": { "jq": ".", "sets": { "path": "1" } } }), "response: sets.path: not here"),
        (json!({ "request": { "template": "{% if %}" } }), "request: template: line 1"),
        (
            json!({ "request": { "template": "", "outputs": "lines" } }),
            "request: outputs: a template has but one output",
        ),
        (
            json!({ "request": { "jq": ".", "types": ["json"] } }),
            "request: types: `json` is not a media type",
        ),
        (json!({ "request": { "jq": ".", "types": [] } }), "request: types: there are none"),
        // By the schema, in words of the host's.
        (json!({ "request": { "jq": ".", "max_values": 0 } }), ""),
        (json!({ "request": { "jq": ".", "max_size": "65MiB" } }), "request: max_size: not between"),
        (json!({ "request": { "jq": ".", "jqq": 1 } }), ""),
    ] {
        let refused = Harness::<BodyScript>::new(config.clone()).start().expect_err(&config.to_string());
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}

#[test]
fn nothing_reaches_outside() {
    for name in [
        "env",
        "$ENV",
        "now",
        "input",
        "inputs",
        "debug",
        "debug(1)",
        "stderr",
        "input_filename",
        "halt",
        "halt_error",
        "localtime",
        "strflocaltime(\"%Y\")",
        "get_search_list",
        "$__prog_args",
        "input_line_number",
    ] {
        let config = json!({ "request": { "jq": name } });
        let refused = Harness::<BodyScript>::new(config).start().expect_err(name);
        assert!(refused.message.contains("there is no"), "{name}: {refused}");
    }
}
