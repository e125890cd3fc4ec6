//! Documents as a whole: what follows them passes.

use openapi_validate::OpenApiValidate;
use sluice_sdk_testing::{Harness, Request, Response, Value, json};

use crate::common::{DOCUMENTS, errors, stores, with};

const GITHUB: &str = include_str!("../data/github-issues.json");

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
