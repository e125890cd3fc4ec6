//! What requests and responses are told, by a document of OpenAPI 3.0 and of 3.1.

mod common;

use openapi_validate::OpenApiValidate;
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, Value, json};

use common::{DOCUMENTS, errors, refused, stores, with};

const GITHUB: &str = include_str!("data/github-issues.json");

fn body_errors(plugin: &TestPlugin, body: &Value) -> Vec<String> {
    errors(&plugin.send(Request::post("/v1/pets").with_json(body)))
}

#[test]
fn what_follows_the_document_passes() {
    for plugin in stores(&json!({ "unknown_query": "refuse" })) {
        for request in [
            Request::get("/v1/pets"),
            Request::get("/v1/pets?limit=100&tags=a&tags=b&ids=1%7C2|3&filter[color]=red&filter%5Bage%5D=3"),
            Request::get("/v1/pets?where=%7B%22near%22:1%7D")
                .with_header("cookie", "a=b; session=0123456789"),
            Request::get("/v1/pets").with_header("x-trace", "2f1e4fc0-81fd-4a51-9a4e-8d3f5d9a3c11"),
            Request::new("HEAD", "/v1/pets"),
            Request::get("/v1/pets/mine"),
            Request::get("/v1/pets/7"),
            Request::new("DELETE", "/v1/pets/7"),
            Request::new("PUT", "/v1/pets/7"),
            Request::post("/v1/pets")
                .with_json(&json!({ "name": "Zoë", "tag": null, "kind": null, "price": 0.5 })),
            Request::post("/v1/pets")
                .with_json(&json!({ "name": "a", "secret": "s", "id": 3, "born": "2020-02-29" })),
            Request::post("/v1/pets")
                .with_json(&json!({ "name": "a", "body": { "type": "cat", "lives": 7 } })),
            Request::post("/v1/pets")
                .with_json(&json!({ "name": "a", "parent": { "name": "b", "children": [] } })),
            Request::post("/v1/pets")
                .with_header("content-type", "Application/JSON; charset=utf-8")
                .with_body("{\"name\":\"a\"}"),
            Request::post("/v1/pets")
                .with_header("content-type", "application/x-www-form-urlencoded")
                .with_body("name=a+b&age=3&tags=x,y&owner=%7B%22id%22%3A1%7D"),
            Request::post("/v1/pets")
                .with_header("content-type", "multipart/form-data; boundary=x")
                .with_body("anything"),
            Request::post("/v1/pets").with_header("content-type", "text/plain").with_body("0123456789"),
            Request::new("PUT", "/v1/pets/7")
                .with_header("content-type", "application/octet-stream")
                .with_body([0xff]),
        ] {
            let exchange = plugin.send(request.clone());
            assert!(exchange.is_forwarded(), "{request:?}: {:?}", exchange.decision());
            assert_eq!(exchange.forwarded().body(), request.body());
        }
    }
}

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
fn a_body_must_be_there_and_readable() {
    for plugin in stores(&json!({})) {
        let send = |media: &str, body: &[u8]| {
            plugin.send(Request::post("/v1/pets").with_header("content-type", media).with_body(body))
        };
        assert_eq!(errors(&plugin.send(Request::post("/v1/pets"))), ["body - : is required"]);
        for (media, body, message) in [
            (
                "application/json",
                &b"{\"name\": \"a\""[..],
                "is not JSON that has one meaning: EOF while parsing an object at line 1 column 12",
            ),
            (
                "application/json",
                b"{\"name\":\"a\",\"name\":1}",
                "is not JSON that has one meaning: a name occurs twice in an object at line 1 column 18",
            ),
            ("application/merge-patch+json", b"[]", "value is not of type \"object\""),
            ("text/plain", b"01234567890", "value is longer than 10 characters"),
            ("text/plain", b"\xff", "is not UTF-8"),
            ("application/x-www-form-urlencoded", b"\xff", "is not a form"),
            ("application/x-www-form-urlencoded", b"age=1", "\"name\" is a required property"),
        ] {
            assert_eq!(errors(&send(media, body)), [format!("body - : {message}")], "{media}");
        }
        for (body, place) in [
            ("name=a&age=x", "/age: value is not of type \"integer\""),
            ("name=a&name=b", "/name: is given more than once"),
            ("name=a&owner=%7B%7D", "/owner: \"id\" is a required property"),
            ("name=a&owner=x", "/owner: is not JSON that has one meaning: expected value at line 1 column 1"),
        ] {
            assert_eq!(
                errors(&send("application/x-www-form-urlencoded", body.as_bytes())),
                [format!("body - {place}")]
            );
        }
    }
}

#[test]
fn media_types_and_codings_that_are_not_known_are_refused() {
    for plugin in stores(&json!({})) {
        let accept = "application/json, application/merge-patch+json, application/x-www-form-urlencoded, multipart/form-data, text/plain";
        for request in [
            Request::post("/v1/pets").with_header("content-type", "application/xml").with_body("<a/>"),
            Request::post("/v1/pets").with_header("content-type", "json").with_body("{}"),
            Request::post("/v1/pets").with_body("{}"),
            Request::post("/v1/pets")
                .with_json(&json!({ "name": "a" }))
                .with_header("content-type", "text/plain"),
        ] {
            let exchange = plugin.send(request);
            refused(&exchange, 415, "media-type-unknown");
            let mut accepted: Vec<_> =
                exchange.answer().header("accept").unwrap().split(", ").map(str::to_owned).collect();
            accepted.sort();
            assert_eq!(accepted.join(", "), accept);
        }
        let request = Request::post("/v1/pets").with_json(&json!({ "name": "a" }));
        refused(
            &plugin.send(request.clone().with_header("content-encoding", "unheard-of")),
            415,
            "content-coding-unknown",
        );
        assert!(plugin.send(request.with_header("content-encoding", "identity")).is_forwarded());
    }
}

#[test]
fn a_plain_text_is_what_the_schema_expects() {
    let document = json!({ "openapi": "3.1.0", "paths": { "/n": { "post": { "requestBody": { "content": {
        "text/plain": { "schema": { "type": "integer" } },
    }}}}, "/b": { "post": { "requestBody": { "content": {
        "*/*": { "schema": { "oneOf": [{ "type": "boolean" }, { "type": "string", "minLength": 5 }] } },
    }}}}, "/s": { "post": { "requestBody": { "content": {
        "text/*": { "schema": { "type": ["integer", "string"], "maximum": 9 } },
    }}}}}});
    let plugin = with(&document.to_string(), json!({}));
    let send = |path: &str, body: &str| {
        plugin.send(Request::post(path).with_header("content-type", "text/plain").with_body(body))
    };
    for (path, body) in
        [("/n", "7"), ("/b", "true"), ("/b", "truest"), ("/s", "7"), ("/s", "77"), ("/s", "x")]
    {
        let exchange = send(path, body);
        assert!(exchange.is_forwarded(), "{path} {body}: {:?}", exchange.decision());
    }
    assert_eq!(errors(&send("/n", "x")), ["body - : value is not of type \"integer\""]);
    assert_eq!(errors(&send("/b", "x")).len(), 1);
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

#[test]
fn in_report_mode_everything_passes_and_the_log_tells() {
    for plugin in stores(&json!({ "mode": "report" })) {
        for (request, line) in [
            (
                Request::get("/v1/pets?limit=0"),
                "request GET /pets does not follow the document: query `limit`: value is less than the minimum of 1",
            ),
            (Request::get("/nothing"), "request does not follow the document: its path is not described"),
            (
                Request::new("PATCH", "/v1/pets"),
                "request does not follow the document: its method is not described",
            ),
            (
                Request::post("/v1/pets").with_body("x").with_header("content-type", "a/b"),
                "request POST /pets does not follow the document: its media type is not described",
            ),
            (
                Request::post("/v1/pets").with_json(&json!({ "name": 7, "\n\u{1b}": 1 })),
                "request POST /pets does not follow the document: body at /name: value is not of type \\\"string\\\"; body: Additional properties are not allowed (\\'\\n\\u{1b}\\' was unexpected)",
            ),
        ] {
            let exchange = plugin.send(request);
            assert!(exchange.is_forwarded(), "{line}");
            assert_eq!(exchange.logs(), [("warn", line)]);
        }
        assert_eq!(plugin.send(Request::get("/v1/pets")).logs(), []);
    }
}

/// The gateway would refuse what it cannot hold, and a report refuses nothing.
#[test]
fn in_report_mode_a_body_too_large_to_be_looked_at_passes() {
    for plugin in stores(&json!({ "mode": "report", "decoded_size": "1KiB" })) {
        let post = |length: &str| {
            let request = Request::post("/v1/pets").with_json(&json!({ "name": 7 }));
            plugin.send(request.with_header("content-length", length))
        };
        let line = "request POST /pets is not checked: its body of 1025 bytes is larger than the 1024 bytes of `decoded_size`";
        assert_eq!(post("1025").logs(), [("warn", line)]);
        assert!(post("1024").logs()[0].1.contains("/name"));
        assert!(post("x").logs()[0].1.contains("/name"));
    }
    for plugin in stores(&json!({ "decoded_size": "1KiB" })) {
        let request = Request::post("/v1/pets").with_json(&json!({ "name": 7 }));
        refused(&plugin.send(request.with_header("content-length", "1025")), 400, "request-invalid");
    }
}

#[test]
fn a_larger_document_works() {
    let plugin = with(GITHUB, json!({ "responses": "report", "unknown_query": "refuse" }));
    let issues = "/repos/octo/cat/issues";
    assert!(
        plugin.send(Request::get(&format!("{issues}?state=closed&per_page=100&labels=a,b"))).is_forwarded()
    );
    let found = errors(&plugin.send(Request::get(&format!("{issues}?state=done&per_page=x"))));
    assert_eq!(
        found,
        [
            "query state : value is not one of \"open\", \"closed\" or \"all\"",
            "query per_page : value is not of type \"integer\"",
        ]
    );
    let send = |body: &Value| plugin.send(Request::post(issues).with_json(body));
    assert!(
        send(&json!({ "title": 7, "labels": ["a", { "name": "b", "color": null }], "milestone": null }))
            .is_forwarded()
    );
    assert_eq!(
        errors(&send(&json!({ "labels": "a" }))),
        ["body - : \"title\" is a required property", "body - /labels: value is not of type \"array\"",]
    );
    let mut exchange = plugin.send(Request::get(&format!("{issues}/7")));
    exchange.respond(Response::new(200).with_json(&json!({ "id": 1 })));
    assert!(exchange.logs()[0].1.contains("is a required property"), "{:?}", exchange.logs());
}

#[test]
fn the_document_may_be_a_table() {
    let document: Value = serde_json_of(DOCUMENTS[1]);
    let plugin = Harness::<OpenApiValidate>::new(json!({ "document": document })).start().unwrap();
    assert!(plugin.send(Request::get("/v1/pets")).is_forwarded());
}

fn serde_json_of(text: &str) -> Value {
    text.parse().expect("the test's document is JSON")
}

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
