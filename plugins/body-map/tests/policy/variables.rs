//! Values with variables, and what is remembered of a request for them.

use body_map::BodyMap;
use sluice_sdk_testing::{Consumer, Harness, Request, json};

use crate::common::{operations, plugin, post, refused};

#[test]
fn values_are_set_with_variables() {
    let plugin = operations(json!([
        { "set": { "at": "/meta/by", "value": "{consumer}" } },
        { "set": { "at": "/meta/trace", "value": ["{request_id}", "{{}} {header:x-in}", 1] } },
        { "set": { "at": "/meta/none", "json": "null" } },
    ]));
    let request = || post("{}").request_id("r1").with_header("x-in", "\"in\"");
    let exchange = plugin.send(request().consumer("acme"));
    let expected = r#"{"meta":{"by":"acme","trace":["r1","{} \"in\"",1],"none":null}}"#;
    assert_eq!(exchange.forwarded().text(), expected);
    let nobody = plugin.send(request().with_header("x-by", "acme"));
    assert!(nobody.forwarded().text().starts_with(r#"{"meta":{"by":null,"#), "nobody is not an empty name");
}

#[test]
fn the_variables_are_those_of_the_plugin_headers() {
    let text = "{claim:sub}|{cookie:sid}|{param:id}|{query:q}|{groups}|{consumer_id}|{path_after:1}";
    let config = json!({ "request": { "operations": [{ "set": { "at": "/v", "value": text } }] } });
    let acme = Consumer::new("acme").id("c-1").group("gold").group("beta");
    let plugin = Harness::<BodyMap>::new(config).consumer(acme).start().unwrap();
    let request = Request::post("/o/7?q=a+b")
        .with_json(&json!({}))
        .path_param("id", "7%20x")
        .with_header("cookie", "sid=s-1")
        .consumer("acme")
        .value("auth.claims", &json!({ "sub": "u-1" }));
    let exchange = plugin.send(request);
    assert_eq!(exchange.forwarded().text(), r#"{"v":"u-1|s-1|7 x|a b|gold,beta|c-1|7"}"#);
}

#[test]
fn headers_that_are_too_large_to_be_remembered_are_refused() {
    let plugin = plugin(json!({ "response": { "operations": [
        { "set": { "at": "/a", "value": "{header:x-a}" } },
    ]}}));
    let answer = plugin.send(Request::get("/").with_header("x-a", "x".repeat(64 << 10))).answer();
    refused(&answer, 431, "headers-too-large", "64 KiB");
}
