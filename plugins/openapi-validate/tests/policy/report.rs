//! The mode that lets everything pass and tells it to the log.

use sluice_sdk_testing::{Request, json};

use crate::common::{refused, stores};

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
