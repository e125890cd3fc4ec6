//! Which responses are compressed and which are left alone.

use sluice_sdk_testing::{Response, json};

use crate::common::{accepting, decoded, json_response, plugin, text};

#[test]
fn what_must_not_be_changed_is_not() {
    let plugin = plugin(json!({}));
    let body = text(5000);
    let fine = || json_response(&body);
    for response in [
        fine().with_header("content-encoding", "br"),
        fine().with_header("content-encoding", "identity"),
        fine().with_header("cache-control", "public, No-Transform"),
        fine().with_header("content-range", "bytes 0-4999/9000"),
        fine().with_header("content-digest", "sha-256=:AAAA:"),
        fine().with_header("repr-digest", "sha-256=:AAAA:"),
        fine().with_header("content-md5", "AAAA"),
    ] {
        assert_eq!(plugin.send(accepting("gzip")).respond(response.clone()), response);
    }
    for status in [204, 205, 206] {
        let response =
            Response::new(status).with_header("content-type", "text/html").with_header("etag", "\"v1\"");
        assert_eq!(plugin.send(accepting("gzip")).respond(response.clone()), response, "{status}");
    }
    let error = Response::new(500).with_header("content-type", "text/html").with_body(&body);
    let response = plugin.send(accepting("gzip")).respond(error);
    assert_eq!(response.header("content-encoding"), Some("gzip"), "an error is a body as any other");
}

#[test]
fn types_and_lengths_decide() {
    let plugin = plugin(json!({}));
    let send = |content_type: &str, length: usize| {
        let body = text(length);
        let response = Response::new(200)
            .with_header("content-type", content_type)
            .with_header("content-length", length.to_string())
            .with_body(&body);
        plugin.send(accepting("gzip")).respond(response).header("content-encoding").is_some()
    };
    for content_type in [
        "text/html",
        "Text/CSS; charset=utf-8",
        "application/problem+json",
        "application/javascript",
        "application/wasm",
        "application/atom+xml",
        "image/svg+xml",
    ] {
        assert!(send(content_type, 5000), "{content_type}");
    }
    for content_type in ["image/png", "application/octet-stream", "application/gzip", "text/event-stream", ""]
    {
        assert!(!send(content_type, 5000), "{content_type}");
    }
    assert!(!send("text/html", 1023));
    assert!(send("text/html", 1024));
    assert!(send("text/html", 1 << 20));
    assert!(!send("text/html", (1 << 20) + 1));
    let small = crate::common::plugin(json!({ "min_length": "0B", "types": ["a/b"] }));
    let response = Response::new(200).with_header("content-type", "a/b");
    let one = small
        .send(accepting("br"))
        .respond(response.clone().with_header("content-length", "1").with_body("x"));
    assert_eq!((one.header("content-encoding"), decoded(&one)), (Some("br"), b"x".to_vec()));
    let none = response.with_header("content-length", "0");
    assert_eq!(small.send(accepting("br")).respond(none.clone()), none);
}
