//! What a response that is rewritten says of its body: its tag, its ranges, its digest, its type.

use sluice_sdk_testing::{Request, Response, json};

use crate::common::plugin;

fn tagged(status: u16, content_type: &str) -> Response {
    let response = Response::new(status)
        .with_header("etag", "\"a\"")
        .with_header("accept-ranges", "bytes")
        .with_header("repr-digest", "sha-256=:AA==:");
    if content_type.is_empty() { response } else { response.with_header("content-type", content_type) }
}

fn tags(response: &Response) -> [Option<&str>; 3] {
    ["etag", "accept-ranges", "repr-digest"].map(|name| response.header(name))
}

const WEAK: [Option<&str>; 3] = [Some("W/\"a\""), None, None];
const KEPT: [Option<&str>; 3] = [Some("\"a\""), Some("bytes"), Some("sha-256=:AA==:")];

#[test]
fn a_rewritten_response_has_another_tag_and_no_ranges() {
    let plugin = plugin(json!({ "response": { "operations": [{ "remove": "$..internal" }] } }));
    let get = |response: Response| plugin.send(Request::get("/")).respond(response);
    assert_eq!(tags(&get(tagged(200, "application/json").with_body("{}"))), WEAK);
    assert_eq!(tags(&get(tagged(200, "text/plain").with_body("{}"))), KEPT);
    assert_eq!(tags(&get(tagged(200, "application/json"))), KEPT, "nothing is rewritten");
    for (etag, made) in [("W/\"a\"", Some("W/\"a\"")), ("a", None)] {
        let response = Response::new(200).with_json(&json!({})).with_header("etag", etag);
        assert_eq!(get(response).header("etag"), made);
    }
}

/// `HEAD` and 304 tell of the body that `GET` brings.
#[test]
fn a_head_without_its_body_tells_of_the_rewritten_one() {
    let plugin = plugin(json!({
        "response": { "operations": ["form_to_json"] },
        "response_statuses": ["200"],
    }));
    let form = "application/x-www-form-urlencoded";
    let head = |response: Response| plugin.send(Request::new("HEAD", "/")).respond(response);
    let rewritten = head(tagged(200, form).with_header("content-length", "7"));
    assert_eq!((tags(&rewritten), rewritten.header("content-type")), (WEAK, Some("application/json")));
    for kept in [
        tagged(200, "text/plain"),
        tagged(200, ""),
        tagged(404, form),
        tagged(200, form).with_header("content-length", "0"),
        tagged(200, form).of_gateway(),
    ] {
        assert_eq!(tags(&head(kept)), KEPT);
    }
    let get = |response: Response| plugin.send(Request::get("/")).respond(response);
    let typed = get(tagged(304, form));
    assert_eq!((tags(&typed), typed.header("content-type")), (WEAK, Some("application/json")));
    // It need not say the type: then it may be what was rewritten.
    let untyped = get(tagged(304, ""));
    assert_eq!((tags(&untyped), untyped.header("content-type")), (WEAK, None));
    assert_eq!(tags(&get(tagged(304, "text/plain"))), KEPT);
}
