//! What a body is by its media type, and bodies that cannot be read.

use sluice_sdk_testing::{Request, json};

use crate::common::{errors, refused, stores, with};

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
