//! Which coding a response gets.

use sluice_sdk_testing::{Request, json};

use crate::common::{accepting, decoded, json_response, plugin, text};

#[test]
fn a_response_is_compressed_as_the_client_likes_it_best() {
    let plugin = plugin(json!({}));
    let body = text(20_000);
    for (accepted, coding) in [
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip, deflate, br", Some("br")),
        ("gzip", Some("gzip")),
        ("br;q=0.5, gzip", Some("gzip")),
        ("x-gzip", Some("gzip")),
        ("*", Some("zstd")),
        ("deflate", None),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0", None),
        ("", None),
    ] {
        let response = plugin.send(accepting(accepted)).respond(json_response(&body));
        assert_eq!(response.header("content-encoding"), coding, "{accepted}");
        assert_eq!(
            response.header("vary"),
            Some("Accept-Encoding"),
            "{accepted}: also if it is not compressed"
        );
        assert_eq!(decoded(&response), body, "{accepted}");
        assert_eq!(response.body().len() < body.len() / 2, coding.is_some(), "{accepted}");
    }
    let response = plugin.send(Request::get("/")).respond(json_response(&body));
    assert_eq!(
        (response.header("content-encoding"), response.header("vary")),
        (None, Some("Accept-Encoding"))
    );
}

#[test]
fn the_operators_order_and_levels_count() {
    let body = text(50_000);
    let plugin = plugin(json!({ "codings": ["gzip", "br"], "level": { "gzip": 9 } }));
    let response = plugin.send(accepting("zstd, br, gzip")).respond(json_response(&body));
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    let fast = crate::common::plugin(json!({ "codings": ["gzip"], "level": { "gzip": 1 } }));
    let larger = fast.send(accepting("gzip")).respond(json_response(&body));
    assert!(larger.body().len() > response.body().len());
    let response = plugin.send(accepting("zstd")).respond(json_response(&body));
    assert_eq!(response.header("content-encoding"), None, "it is not offered");
}
