//! What is read as JSON or as a form, and what passes or is refused instead.

use sluice_sdk_testing::{Request, json};

use crate::common::{becomes, operations, plugin, post, refused};

#[test]
fn malformed_json_is_refused_with_its_place() {
    let plugin = operations(json!([{ "remove": "$.a" }]));
    for (body, kind, detail) in [
        ("{\n \"a\": tru }", "body-not-json", "a value is missing at line 2, column 7"),
        ("{\"a\":1,\"\\u0061\":2}", "body-duplicate-member", "the member `a` occurs twice at line 1"),
        ("\u{feff}", "body-not-json", "a value is missing"),
    ] {
        refused(&plugin.send(post(body)).answer(), 400, kind, detail);
    }
    let deep = "[".repeat(200);
    refused(&plugin.send(post(&deep)).answer(), 413, "body-too-complex", "more than 128 arrays and objects");
    let both = post("{}").with_header("content-type", "text/plain");
    refused(&plugin.send(both).answer(), 400, "content-type-ambiguous", "several");
}

#[test]
fn other_bodies_pass_or_are_refused() {
    let rules =
        |require| json!({ "request": { "operations": [{ "remove": "/a" }], "require_json": require } });
    let text = || Request::post("/").with_header("content-type", "text/plain").with_body("hello");
    let lenient = plugin(rules(false));
    assert_eq!(lenient.send(text()).forwarded().text(), "hello");
    assert_eq!(lenient.send(Request::post("/").with_body("hello")).forwarded().text(), "hello");
    let strict = plugin(rules(true));
    refused(&strict.send(text()).answer(), 415, "media-type-unsupported", "application/json, +json");
    refused(&strict.send(Request::post("/").with_body("{}")).answer(), 415, "media-type-unsupported", "");
    assert!(strict.send(Request::get("/")).is_forwarded(), "no body is of no type");
    assert!(strict.send(Request::get("/").with_header("content-type", "application/json")).is_forwarded());
    let own = plugin(json!({ "request": { "operations": [{ "remove": "/a" }], "types": ["text/json"] } }));
    let request =
        Request::post("/").with_header("content-type", "Text/JSON; charset=utf-8").with_body("{\"a\":1}");
    assert_eq!(own.send(request).forwarded().text(), "{}");
}

#[test]
fn a_mismatch_may_pass_without_any_of_the_operations() {
    let plugin = plugin(json!({ "request": {
        "operations": [{ "set": { "at": "/seen", "value": true } }, { "remove": "/a" }],
        "on_mismatch": "pass",
    }}));
    becomes(&plugin, "{ \"b\" : 1.0 }", "{ \"b\" : 1.0 }");
    becomes(&plugin, "{\"a\":1}", "{\"seen\":true}");
    refused(&plugin.send(post("{")).answer(), 400, "body-not-json", "");
}

#[test]
fn forms_become_json_and_json_becomes_forms() {
    let read = operations(json!(["form_to_json", { "rename": { "path": "/a[b]", "to": "ab" } }]));
    let form = |body: &str| {
        Request::post("/").with_header("content-type", "application/x-www-form-urlencoded").with_body(body)
    };
    let exchange = read.send(form("a[b]=1&tag=x&tag=y+z%21"));
    let request = exchange.forwarded();
    assert_eq!(request.text(), r#"{"ab":"1","tag":["x","y z!"]}"#);
    assert_eq!(request.header_all("content-type"), ["application/json"]);
    refused(&read.send(form("a=%ff")).answer(), 400, "body-not-form", "the value of field 1");
    assert_eq!(read.send(post("{}")).forwarded().text(), "{}", "it is no form");

    let write = operations(json!([{ "remove": "$.x" }, "json_to_form"]));
    let exchange = write.send(post(r#"{"a":[1,"b c"],"x":0}"#));
    let request = exchange.forwarded();
    assert_eq!(request.text(), "a=1&a=b+c");
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    refused(
        &write.send(post(r#"{"a":{}}"#)).answer(),
        422,
        "body-mismatch",
        "request.operations[1].json_to_form: a form cannot hold an object",
    );
}

#[test]
fn a_coded_body_is_not_guessed_at() {
    let plugin = operations(json!([{ "remove": "$.a" }]));
    let coded = |coding: &str| plugin.send(post("{}").with_header("content-encoding", coding));
    refused(&coded("compress").answer(), 415, "content-coding-unsupported", "`compress`");
    refused(&coded("gzip").answer(), 400, "content-coding-malformed", "`gzip`");
    let identity = coded("Identity");
    assert_eq!(identity.forwarded().header("content-encoding"), None);
}
