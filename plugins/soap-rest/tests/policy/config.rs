//! Configurations that are refused, each with its key.

use sluice_sdk_testing::{Harness, Value, json};
use soap_rest::SoapRest;

use crate::common::config;

#[track_caller]
fn refused(config: Value, reason: &str) {
    let refused = Harness::<SoapRest>::new(config.clone()).start().expect_err(reason);
    assert!(refused.message.contains(reason), "{reason}: {refused}");
}

#[test]
fn a_bad_service_is_refused() {
    for (serve, more, reason) in [
        ("soap", json!({ "operations": {} }), "`operations` is empty"),
        ("soap", json!({ "endpoint": "/x" }), "`endpoint` has no meaning with `serve = \"soap\"`"),
        ("rest", json!({ "endpoint": null }), "`endpoint` is missing"),
        ("rest", json!({ "endpoint": "x" }), "`endpoint` is not a path"),
        ("rest", json!({ "wsdl": "<a/>" }), "`wsdl` and `understood` have no meaning"),
        ("soap", json!({ "namespaces": { "soap": "urn:x" } }), "`namespaces.soap`: the prefix is taken"),
        ("soap", json!({ "namespaces": { "tns": "urn:x" } }), "`namespaces.tns`"),
        ("soap", json!({ "namespaces": { "1": "urn:x" } }), "`namespaces.1`: the prefix is not a name"),
        ("soap", json!({ "understood": ["x:y"] }), "understood: `x:y`: `namespaces` has no `x`"),
        ("soap", json!({ "max_size": "1GiB" }), "`max_size` lies between"),
        ("soap", json!({ "max_depth": 200 }), "`max_depth` lies between"),
        ("soap", json!({ "max_values": 1 }), "`max_values` lies between"),
        ("soap", json!({ "faults": [{ "status": 200 }] }), "`faults[0].status` lies between"),
        (
            "soap",
            json!({ "faults": [{ "status": 400, "fields": [] }] }),
            "`faults[0].fields` has no meaning without `detail`",
        ),
        ("soap", json!({ "faults": [{ "status": 400, "subcode": "q:x" }] }), "faults[0].subcode: `q:x`"),
        ("rest", json!({ "faults": [{ "status": 400 }] }), "`faults[0]` needs `code`, `subcode` or `detail`"),
        ("grpc", json!({}), ""),
        ("soap", json!({ "serves": "soap" }), ""),
    ] {
        refused(config(serve, more), reason);
    }
}

#[test]
fn a_bad_operation_is_refused() {
    for (operation, reason) in [
        (json!({ "rest": "/a" }), "operations.Op.rest: write `METHOD /path`"),
        (json!({ "rest": "HEAD /a" }), "operations.Op.rest: `HEAD` is none of GET"),
        (json!({ "rest": "GET a" }), "operations.Op.rest: `a` does not begin with `/`"),
        (json!({ "rest": "GET /{a}{b}" }), "operations.Op.rest: `/{a}{b}`: there can be one"),
        (json!({ "rest": "GET /a", "status": 404 }), "`operations.Op.status` lies between"),
        (json!({ "rest": "GET /a", "request": "a b" }), "operations.Op.request: `a b` is not a name"),
        (json!({ "rest": "GET /a", "response": "x:a" }), "operations.Op.response: `x:a`"),
        (json!({ "rest": "GET /a", "action": "\n" }), "`operations.Op.action`"),
        (json!({ "rest": "GET /a", "query": { "q": "a..b" } }), "operations.Op.query.q: `a..b`"),
        (
            json!({ "rest": "GET /{a}", "query": { "q": "a" } }),
            "operations.Op: `a` stands in more than one of",
        ),
        (json!({ "rest": "GET /a", "headers": { "host": "a" } }), "`operations.Op.headers.host`"),
        (
            json!({ "rest": "GET /a", "response_headers": { "content-length": "a" } }),
            "`operations.Op.response_headers.content-length`",
        ),
        (
            json!({ "rest": "GET /a", "response_headers": { "x-a": "a" }, "output": ["b"] }),
            "`operations.Op.response_headers`: `output` has no field `a`",
        ),
        (
            json!({ "rest": "GET /a", "response_headers": { "x-a": "a" }, "output": [{ "json": "a", "type": "any" }] }),
            "`operations.Op.response_headers`: `a` is no text",
        ),
        (
            json!({ "rest": "GET /a", "response_headers": { "x-a": "a", "x-b": "a" } }),
            "`operations.Op.response_headers`: `a` stands in more than one header",
        ),
        (
            json!({ "rest": "GET /a", "response_headers": { "x-a": "." } }),
            "`operations.Op.response_headers`: `.` is all of the output",
        ),
        (json!({ "rest": "GET /a", "input": ["b"] }), "operations.Op.input: `b` stands nowhere in REST"),
        (json!({ "rest": "GET /{a}", "input": [] }), "operations.Op: `input` has no field `a`"),
        (
            json!({ "rest": "GET /{a}", "input": [{ "json": "a", "list": true }] }),
            "`a` is a list and cannot stand in the path",
        ),
        (json!({ "rest": "GET /{a}", "input": [{ "json": "a", "type": "any" }] }), "`a` is no text"),
        (json!({ "rest": "PUT /a", "body": "x.", "input": [] }), "operations.Op.body: `x.`"),
        (
            json!({ "rest": "PUT /a", "input": [], "input_template": "" }),
            "`operations.Op.input` and `operations.Op.input_template`",
        ),
        (json!({ "rest": "PUT /a", "input_template": "\n{{ x" }), "operations.Op.input_template: line 2"),
    ] {
        refused(config("soap", json!({ "operations": { "Op": operation } })), reason);
    }
    let same = json!({ "A": { "rest": "GET /a/{x}" }, "B": { "rest": "GET /a/{y}" } });
    refused(config("rest", json!({ "operations": same })), "`A` and `B` have the same method and path");
    let same = json!({ "A": { "rest": "GET /a", "request": "X" }, "B": { "rest": "GET /b", "request": "X", "action": "b" } });
    refused(config("soap", json!({ "operations": same })), "two operations have the element `X`");
}

#[test]
fn a_bad_field_is_refused() {
    for (fields, reason) in [
        (json!(["a..b"]), "input[0].json: `a..b`"),
        (json!(["a", "a"]), "input[1].json: `a` and `a` cannot both be there"),
        (json!(["a.b", { "json": "a", "type": "any" }]), "input[1].json: `a` and `a.b`"),
        (json!([{ "json": "." }]), "input[0].xml has to be given where `json` is `.`"),
        (json!([{ "json": "a", "xml": "q:b" }]), "input[0].xml: `q:b`: `namespaces` has no `q`"),
        (json!([{ "json": "a", "xml": "@b/c" }]), "input[0].xml: `@b/c`: an attribute stands last"),
        (json!([{ "json": "a", "xml": "@b", "list": true }]), "input[0].xml: an attribute is a single text"),
        (json!([{ "json": "a", "xml": "@b", "nillable": true }]), "`operations.Op.input[0].nillable`"),
        (json!([{ "json": "a", "xml": ".", "list": true }]), "input[0].xml: `.` is a single text"),
        (
            json!([{ "json": "a", "xml": "X" }, { "json": "b", "xml": "X" }]),
            "input[1].xml: the element is declared twice",
        ),
        (
            json!([{ "json": "a", "xml": "@x" }, { "json": "b", "xml": "@x" }]),
            "input[1].xml: the attribute is declared twice",
        ),
        (
            json!([{ "json": "a", "xml": "X", "list": true }, { "json": "b", "xml": "X/Y" }]),
            "input[1].xml: `tns:X` is a value by itself",
        ),
        (
            json!([{ "json": "a", "type": "string", "fields": [] }]),
            "`operations.Op.input[0].type` has no meaning beside `fields`",
        ),
        (
            json!([{ "json": "a", "list": true, "default": "x" }]),
            "`operations.Op.input[0].default` is for single texts",
        ),
        (
            json!([{ "json": "a", "type": "integer", "default": "x" }]),
            "`operations.Op.input[0].default`: it is a string",
        ),
        (
            json!([{ "json": "a", "fields": [{ "json": "b", "xml": "1" }] }]),
            "input[0].fields[0].xml: `1` is not a name",
        ),
        (json!([{ "jsn": "a" }]), ""),
        (json!([{ "json": "a", "type": "int" }]), ""),
    ] {
        refused(
            config("soap", json!({ "operations": { "Op": { "rest": "PUT /a", "input": fields } } })),
            reason,
        );
    }
}

/// What is named twice could be written once only, or read as either.
#[test]
fn what_is_named_twice_is_refused() {
    let both = [json!({ "json": "a", "xml": "X" }), json!({ "json": "b", "xml": "tns:X" })];
    let list = json!({ "json": "b", "xml": "X", "list": true });
    let within = json!({ "json": "a.b", "xml": "Y" });
    for (operation, reason) in [
        (json!({ "header": both }), "operations.Op.header[1].xml: the element is declared twice"),
        (json!({ "header": [both[0], list] }), "operations.Op.header[1].xml: the element is declared twice"),
        (json!({ "input": [both[0], list] }), "operations.Op.input[1].xml: the element is declared twice"),
        (
            json!({ "input": [both[0]], "header": [json!({ "json": "a", "xml": "Y" })] }),
            "operations.Op.header: `a` and `a` of `input` cannot both be there",
        ),
        (
            json!({ "input": [both[0]], "header": [within] }),
            "operations.Op.header: `a.b` and `a` of `input` cannot both be there",
        ),
        (json!({ "headers": { "x-a": "a", "X-A": "b" } }), "the header `x-a` is there twice"),
        (json!({ "response_headers": { "x-a": "a", "X-A": "b" } }), "the header `x-a` is there twice"),
    ] {
        let mut operation = operation;
        operation["rest"] = json!("PUT /a");
        refused(config("soap", json!({ "operations": { "Op": operation } })), reason);
    }
}
