//! Bodies with a coding, and bodies that are too much.

mod common;

use sluice_sdk_coding::{Coding, encode};
use sluice_sdk_testing::{Request, Response, json};

use common::{errors, refused, stores};

#[test]
fn a_body_that_would_take_too_much_memory_is_refused() {
    for plugin in stores(&json!({ "body_memory": "64KiB" })) {
        let children: Vec<_> = (0..2_000).map(|_| json!({})).collect();
        let body = json!({ "name": "a", "children": children });
        refused(&plugin.send(Request::post("/v1/pets").with_json(&body)), 413, "body-too-complex");
        let form = "a&".repeat(1_000);
        let request =
            Request::post("/v1/pets").with_header("content-type", "application/x-www-form-urlencoded");
        refused(&plugin.send(request.with_body(form)), 413, "body-too-complex");
    }
}

#[test]
fn a_refusal_for_a_size_names_the_bound() {
    let config = json!({ "decoded_size": "1KiB", "body_memory": "4KiB" });
    for plugin in stores(&config) {
        let large = encoded(Coding::Gzip, "gzip", &"a".repeat(2_000));
        let problem = refused(&plugin.send(large), 413, "body-too-large");
        let detail = "without its coding, the body is larger than the 1024 bytes of `decoded_size`";
        assert_eq!(problem["detail"], detail);
        let many = json!({ "name": "a", "children": vec![json!({}); 500] });
        let problem =
            refused(&plugin.send(Request::post("/v1/pets").with_json(&many)), 413, "body-too-complex");
        assert_eq!(
            problem["detail"],
            "the values of the body take more than the 4096 bytes of `body_memory`"
        );
    }
    for plugin in stores(&json!({ "decoded_size": "1KiB", "body_memory": "4KiB", "mode": "report" })) {
        let large = plugin.send(encoded(Coding::Gzip, "gzip", &"a".repeat(2_000)));
        assert!(
            large.logs()[0].1.ends_with("larger than the 1024 bytes of `decoded_size`"),
            "{:?}",
            large.logs()
        );
    }
}

/// What a body may be without a coding is the gateway's to bound.
#[test]
fn a_plain_body_may_be_larger_than_a_decoded_one() {
    for plugin in stores(&json!({ "decoded_size": "1KiB" })) {
        for coding in [None, Some("identity"), Some("")] {
            let children: Vec<_> = (0..200).map(|at| json!({ "name": format!("b{at}") })).collect();
            let body = json!({ "name": "a", "children": children });
            let mut request = Request::post("/v1/pets").with_json(&body);
            if let Some(coding) = coding {
                request = request.with_header("content-encoding", coding);
            }
            let exchange = plugin.send(request);
            assert!(exchange.is_forwarded(), "{:?}", exchange.decision());
        }
    }
}

fn encoded(coding: Coding, name: &str, text: &str) -> Request {
    let body = encode(coding, 1, text.as_bytes()).expect("the coding is there");
    let request = Request::post("/v1/pets").with_header("content-type", "application/json");
    request.with_header("content-encoding", name).with_body(body)
}

#[test]
fn codings_are_undone_to_look_into_a_body() {
    for plugin in stores(&json!({ "decoded_size": "1KiB", "responses": "report" })) {
        for (coding, name) in [(Coding::Gzip, "gzip"), (Coding::Brotli, "br"), (Coding::Zstd, "zstd")] {
            let good = encoded(coding, name, "{\"name\":\"a\"}");
            assert_eq!(plugin.send(good.clone()).forwarded().body(), good.body());
            let found = errors(&plugin.send(encoded(coding, name, "{\"name\":7}")));
            assert_eq!(found, ["body - /name: value is not of type \"string\""]);
            let bomb = format!("\"{}\"", "a".repeat(100_000));
            refused(&plugin.send(encoded(coding, name, &bomb)), 413, "body-too-large");
            let broken = Request::post("/v1/pets").with_header("content-type", "application/json");
            let broken = broken.with_header("content-encoding", name).with_body("{\"name\":\"a\"}");
            assert_eq!(errors(&plugin.send(broken)), [format!("body - : the body is not valid `{name}`")]);
            let mut exchange = plugin.send(Request::get("/v1/pets/7"));
            let response = Response::new(200).with_header("content-type", "application/json");
            let body = encode(coding, 1, b"{}").expect("the coding is there");
            exchange.respond(response.with_header("content-encoding", name).with_body(body));
            assert!(exchange.logs()[0].1.contains("is a required property"), "{:?}", exchange.logs());
        }
    }
}

#[test]
fn a_deep_body_is_checked_to_its_bottom_or_refused() {
    let deep = |levels: usize, bottom: &str| {
        format!("{}{bottom}{}", "{\"name\":\"a\",\"parent\":".repeat(levels), "}".repeat(levels))
    };
    for plugin in stores(&json!({})) {
        let send = |body: String| {
            plugin.send(
                Request::post("/v1/pets").with_header("content-type", "application/json").with_body(body),
            )
        };
        assert!(send(deep(120, "{\"name\":\"a\"}")).is_forwarded());
        assert!(errors(&send(deep(120, "{\"name\":7}")))[0].ends_with("value is not of type \"string\""));
        assert!(errors(&send(deep(10_000, "{}")))[0].contains("recursion limit exceeded"));
    }
}
