//! What the head of a response says of its body, also without one.

use sluice_sdk_testing::{Request, Response, json};

use crate::common::{accepting, json_response, plugin, text};

#[test]
fn the_head_tells_what_has_changed() {
    let plugin = plugin(json!({}));
    let body = text(5000);
    let response = plugin.send(accepting("gzip")).respond(
        json_response(&body)
            .with_header("etag", "\"v1\"")
            .with_header("accept-ranges", "bytes")
            .with_header("vary", "Origin")
            .with_header("vary", "accept-language, Cookie"),
    );
    assert_eq!(response.header("etag"), Some("W/\"v1\""));
    assert_eq!(response.header("accept-ranges"), None);
    assert_eq!(response.header_all("vary"), ["Origin, accept-language, Cookie, Accept-Encoding"]);
    for (etag, after) in [("W/\"v1\"", Some("W/\"v1\"")), ("v1", None)] {
        let response = plugin.send(accepting("gzip")).respond(json_response(&body).with_header("etag", etag));
        assert_eq!(response.header("etag"), after);
    }
    for told in ["*", "Origin, accept-encoding", "Accept-Encoding"] {
        let response = plugin.send(accepting("gzip")).respond(json_response(&body).with_header("vary", told));
        assert_eq!(response.header_all("vary"), [told]);
    }
    // Nothing but `Vary` for a client that takes it as it is.
    let plain = json_response(&body).with_header("etag", "\"v1\"").with_header("accept-ranges", "bytes");
    let response = plugin.send(Request::get("/")).respond(plain.clone());
    assert_eq!(response, plain.with_header("vary", "Accept-Encoding"));
}

#[test]
fn what_has_no_body_tells_what_the_body_would() {
    let plugin = plugin(json!({}));
    let check = |request: &Request, response: &Response, etag: &str, vary: Option<&str>| {
        let passed = plugin.send(request.clone()).respond(response.clone());
        let what = format!("{request:?} {response:?}");
        assert_eq!((passed.header("etag"), passed.header("vary")), (Some(etag), vary), "{what}");
        passed
    };
    let (weak, strong, vary) = ("W/\"v1\"", "\"v1\"", Some("Accept-Encoding"));
    let head = |accepted: &str| Request::new("HEAD", "/").with_header("accept-encoding", accepted);
    let whole = |kind: &str, length: &str| {
        let whole = Response::new(200).with_header("etag", strong).with_header("accept-ranges", "bytes");
        whole.with_header("content-type", kind).with_header("content-length", length)
    };
    let told = check(&head("gzip"), &whole("text/html", "5000"), weak, vary);
    assert_eq!((told.header("content-encoding"), told.header("accept-ranges")), (Some("gzip"), None));
    let told = check(&head("identity"), &whole("text/html", "5000"), strong, vary);
    assert_eq!((told.header("content-encoding"), told.header("accept-ranges")), (None, Some("bytes")));
    check(&head("gzip"), &whole("image/png", "5000"), strong, None);
    check(&head("gzip"), &whole("text/html", "5"), strong, None);
    check(&head("gzip"), &whole("text/html", "5000").with_header("content-encoding", "br"), strong, None);

    // It does not say what it stands for, but the client may: by the tag under which it has it.
    let fresh = || Response::new(304).with_header("etag", strong);
    let known = |accepted, tags| accepting(accepted).with_header("if-none-match", tags);
    let told = check(&accepting("gzip"), &fresh(), weak, vary);
    assert_eq!(told.header("content-encoding"), None, "it is not the body's");
    check(&known("gzip", "\"x\", W/\"v1\""), &fresh(), weak, vary);
    check(&known("gzip", "*"), &fresh(), weak, vary);
    check(&known("gzip", "\"x\", \"v1\""), &fresh(), strong, vary);
    check(&known("gzip", "\"v1\", W/\"v1\""), &fresh(), weak, vary);
    check(&known("identity", "W/\"v1\""), &fresh(), strong, vary);
    check(&accepting("gzip"), &fresh().with_header("content-length", "0"), weak, vary);
    check(&accepting("gzip"), &fresh().with_header("content-type", "text/css"), weak, vary);
    check(&accepting("gzip"), &fresh().with_header("content-type", "image/png"), strong, None);
    check(&accepting("gzip"), &fresh().with_header("content-encoding", "br"), strong, None);
    check(&accepting("gzip"), &fresh().with_header("cache-control", "no-transform"), strong, None);
    check(&accepting("gzip"), &fresh().with_header("vary", "Origin"), weak, Some("Origin, Accept-Encoding"));
}
