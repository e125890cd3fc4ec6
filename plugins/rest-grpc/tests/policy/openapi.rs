//! The OpenAPI document.

use rest_grpc::RestGrpc;
use sluice_sdk_testing::{Harness, TestPlugin, Value, json};

use crate::common::{get, plugin, set};

fn document(mut config: Value) -> Value {
    config["openapi"] = json!("/openapi.json");
    told(&plugin(config))
}

/// As the plugin tells it.
fn told(plugin: &TestPlugin) -> Value {
    let exchange = plugin.send(get("/openapi.json"));
    assert_eq!(
        (exchange.answer().status(), exchange.answer().header("content-type")),
        (200, Some("application/json"))
    );
    serde_json::from_str(&exchange.answer().text()).expect("a document")
}

/// Every reference in a document.
fn references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" => found.push(text),
                    member => references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn it_describes_the_methods() {
    let document = document(json!({ "services": ["shop.v1.Books"], "base_path": "/api" }));
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["tags"], json!([{ "name": "shop.v1.Books", "description": "Sells books." }]));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.keys().all(|path| path.starts_with("/api/v1/")));
    let book = &document["paths"]["/api/v1/shelves/{name_1}/books/{name_2}"];
    assert_eq!(book["get"]["operationId"], "shop.v1.Books_GetBook");
    assert_eq!(book["get"]["summary"], "Tells about a book.");
    assert_eq!(book["get"]["description"], "Tells about a book.\n\nBy its name.");
    assert_eq!(
        book["get"]["parameters"],
        json!([
            { "name": "name_1", "in": "path", "required": true, "schema": { "type": "string" }, "description": "Which one." },
            { "name": "name_2", "in": "path", "required": true, "schema": { "type": "string" }, "description": "Which one." },
            { "name": "readMask", "in": "query", "schema": { "type": "string" } },
        ])
    );
    // The same path with other names of its parameters is the same path.
    assert_eq!(book["patch"]["operationId"], "shop.v1.Books_UpdateBook");
    assert_eq!(book["patch"]["parameters"][0]["name"], "name_1");
    assert!(book["delete"].is_object());
    let reference = json!({ "schema": { "$ref": "#/components/schemas/shop.v1.Book" } });
    assert_eq!(book["patch"]["requestBody"]["content"]["application/json"], reference);
    let list = &document["paths"]["/api/v1/shelves/{parent}/books"]["get"]["parameters"];
    let names: Vec<_> =
        list.as_array().unwrap().iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "parent",
            "pageSize",
            "pageToken",
            "filter.author",
            "filter.minPages",
            "filter.since",
            "filter.title",
            "filter.isbn",
            "filter.years",
            "genres"
        ]
    );
    let watch =
        &document["paths"]["/api/v1/shelves/{parent}/books:watch"]["get"]["responses"]["200"]["content"];
    assert_eq!(watch["application/x-ndjson"], reference);
    assert_eq!(watch["application/json"]["schema"]["type"], "array");
    let any = &document["paths"]["/api/v1/any/{name}"];
    assert_eq!(any["put"]["operationId"], "shop.v1.Books_GetBook_3_put");
    let archive = &document["paths"]["/api/v1/shelves/{name}:archive"]["post"]["parameters"][0];
    assert_eq!(archive["description"], "It may have slashes in it.");
}

#[test]
fn it_describes_the_messages() {
    let document = document(json!({}));
    let schemas = &document["components"]["schemas"];
    let book = &schemas["shop.v1.Book"];
    assert_eq!(book["description"], "A book.");
    assert_eq!(book["properties"]["title"], json!({ "type": "string", "description": "What stands on it." }));
    assert_eq!(book["properties"]["pages"], json!({ "type": "string", "format": "int64" }));
    assert_eq!(book["properties"]["genre"]["enum"], json!(["GENRE_UNSPECIFIED", "NOVEL", "POETRY"]));
    assert_eq!(
        book["properties"]["published"],
        json!({ "type": "string", "format": "date-time", "readOnly": true })
    );
    assert_eq!(book["properties"]["labels"]["additionalProperties"], json!({ "type": "string" }));
    assert_eq!(book["properties"]["old"]["deprecated"], true);
    // A message that has itself within it.
    assert_eq!(
        schemas["shop.v1.Everything.Nested"]["properties"]["nested"],
        json!({ "$ref": "#/components/schemas/shop.v1.Everything.Nested" })
    );
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 30);
    for reference in found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    let options = json!({ "json": { "field_names": "proto", "enums": "number" }, "errors": "problem" });
    let document = self::document(options);
    let everything = &document["components"]["schemas"]["shop.v1.Everything"]["properties"];
    assert_eq!(everything["a_genre"]["enum"], json!([0, 1, 2]));
    let failure = &document["components"]["responses"]["Failure"]["content"];
    assert_eq!(failure.as_object().unwrap().keys().collect::<Vec<_>>(), ["application/problem+json"]);
}

#[test]
fn it_is_served_to_get_only() {
    let plugin = plugin(json!({ "openapi": "/openapi.json" }));
    assert_eq!(plugin.send(sluice_sdk_testing::Request::post("/openapi.json")).answer().status(), 404);
}

fn of_set(set: &[u8]) -> Harness<RestGrpc> {
    let config = json!({ "descriptors": "asset:set", "openapi": "/openapi.json" });
    Harness::new(config).asset("set", set)
}

#[test]
fn a_document_that_cannot_be_answered_is_refused() {
    let fields = |count: usize| (0..count).map(|at| format!("{at:0>200}")).collect::<Vec<_>>();
    let small = of_set(&set(&fields(1_000), &[(4, "/a")])).start().expect("a document that is short enough");
    // A query has no more.
    assert_eq!(told(&small)["paths"]["/a"]["post"]["parameters"].as_array().unwrap().len(), 1_000);
    let refused = of_set(&set(&fields(5_000), &[(4, "/a")])).start().expect_err("one that is too long");
    assert!(refused.message.contains("`openapi`: the document is longer than 1 MiB"), "{}", refused.message);
}

/// A step does not know its `limits.body` when it is configured.
#[test]
fn a_document_that_may_not_be_answered_is_a_problem() {
    let served = |most: usize| {
        let config = json!({ "openapi": "/openapi.json" });
        let plugin = crate::common::harness(config).limits(|limits| limits.body = most).start().unwrap();
        let exchange = plugin.send(get("/openapi.json"));
        assert_eq!((exchange.failure(), exchange.fault()), (None, None));
        let answer = exchange.answer();
        (answer.status(), answer.problem()["type"].clone(), answer.text().len())
    };
    let (status, kind, length) = served(1 << 20);
    assert_eq!((status, kind), (200, Value::Null));
    assert_eq!(served(length), (200, Value::Null, length));
    assert_eq!(served(length - 1), (500, json!("openapi-too-large"), 0));
}

#[test]
fn a_message_within_itself_is_told_once() {
    let document = document(json!({ "services": ["shop.v1.Books"] }));
    let parameters = document["paths"]["/v1/echo"]["get"]["parameters"].as_array().unwrap();
    let nested: Vec<_> = parameters
        .iter()
        .filter_map(|parameter| parameter["name"].as_str())
        .filter(|name| name.starts_with("nested"))
        .collect();
    assert_eq!(nested, ["nested.text"]);
}

#[test]
fn paths_that_differ_in_names_only_are_one() {
    let set = set(&["x".to_owned(), "y".to_owned()], &[(2, "/a/{x}"), (4, "/a/{y=**}")]);
    let document = told(&of_set(&set).start().expect("a set"));
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/a/{x}"]);
    assert_eq!(paths["/a/{x}"]["post"]["operationId"], "t.S_M1");
}

#[test]
fn what_a_query_says_in_json_is_content() {
    let document = document(json!({ "services": ["shop.v1.Books"] }));
    let parameters = document["paths"]["/v1/echo"]["get"]["parameters"].as_array().unwrap();
    for (name, schema) in
        [("struct", json!({ "type": "object" })), ("value", json!({})), ("list", json!({ "type": "array" }))]
    {
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name).expect("a parameter");
        let content = json!({ "application/json": { "schema": schema } });
        assert_eq!(*parameter, json!({ "name": name, "in": "query", "content": content }));
    }
}

#[test]
fn what_the_path_says_is_not_of_the_body() {
    let document = document(json!({ "services": ["shop.v1.Books"] }));
    let archive = &document["paths"]["/v1/shelves/{name}:archive"]["post"]["requestBody"]["content"];
    let schema = &archive["application/json"]["schema"];
    assert_eq!(schema["properties"], json!({ "reason": { "type": "string" } }));
    assert_eq!(schema["required"], Value::Null);
}
