//! What passes, and how what is too large is refused.

use proptest::prelude::*;
use size_limit::SizeLimit;
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    Harness::<SizeLimit>::new(config).start().expect("the configuration is good")
}

#[test]
fn a_stated_length_decides_before_the_body_comes() {
    let plugin = plugin(json!({ "request": "10B" }));
    let at_most = Request::post("/").with_header("content-length", "10").with_body("0123456789");
    assert_eq!(plugin.send(at_most).forwarded().text(), "0123456789");

    let exchange = plugin.send(Request::post("/").with_header("content-length", "11"));
    assert_eq!(exchange.answer().status(), 413);
    let problem = exchange.answer().problem();
    assert_eq!((&problem["type"], &problem["limit"]), (&json!("request-too-large"), &json!(10)));
}

#[test]
fn a_body_without_length_is_counted_as_it_passes() {
    let plugin = plugin(json!({ "request": "10B" }));
    let fits = Request::post("/").with_chunks(["01234", "56789"]);
    assert_eq!(plugin.send(fits).forwarded().text(), "0123456789");

    let exchange = plugin.send(Request::post("/").with_chunks(["01234", "56789", "x", "never seen"]));
    assert_eq!(
        (exchange.answer().status(), &exchange.answer().problem()["type"]),
        (413, &json!("request-too-large"))
    );
}

#[test]
fn exchanges_are_counted_apart() {
    let plugin = plugin(json!({ "request": "10B" }));
    for _ in 0..3 {
        assert!(plugin.send(Request::post("/").with_chunks(["01234", "5678"])).is_forwarded());
    }
}

#[test]
fn a_request_without_body_passes_any_limit() {
    let plugin = plugin(json!({ "request": "0B" }));
    assert!(plugin.send(Request::get("/")).is_forwarded());
    assert!(plugin.send(Request::post("/").with_header("content-length", "0")).is_forwarded());
    assert!(!plugin.send(Request::post("/").with_chunks(["x"])).is_forwarded());
}

#[test]
fn a_response_that_says_it_is_too_large_is_a_bad_gateway() {
    let plugin = plugin(json!({ "response": "4B" }));
    let mut exchange = plugin.send(Request::get("/"));
    let refused = exchange.respond(Response::new(200).with_header("content-length", "5").with_body("01234"));
    assert_eq!(refused.status(), 502);
    assert_eq!(exchange.answer().problem()["type"], "response-too-large");

    let passed = plugin
        .send(Request::get("/"))
        .respond(Response::new(200).with_header("content-length", "4").with_body("0123"));
    assert_eq!((passed.status(), passed.text()), (200, "0123".to_owned()));
}

#[test]
fn a_streamed_response_is_cut_off() {
    let plugin = plugin(json!({ "response": "4B" }));
    let mut exchange = plugin.send(Request::get("/"));
    let cut = exchange.respond(Response::new(200).with_chunks(["012", "34", "56"]));
    assert_eq!((cut.text().as_str(), cut.is_cut_off()), ("012", true));
    assert!(exchange.failure().is_some_and(|reason| reason.contains("larger than 4 bytes")));

    let mut exchange = plugin.send(Request::get("/"));
    assert_eq!(exchange.respond(Response::new(200).with_chunks(["012", "3"])).text(), "0123");
    assert_eq!(exchange.failure(), None);
}

#[test]
fn a_response_without_body_may_state_any_length() {
    let plugin = plugin(json!({ "response": "4B" }));
    let stated = |status| Response::new(status).with_header("content-length", "1000");
    assert_eq!(plugin.send(Request::new("HEAD", "/")).respond(stated(200)).status(), 200);
    assert_eq!(plugin.send(Request::get("/")).respond(stated(304)).status(), 304);
}

#[test]
fn targets_and_headers_are_measured() {
    let limited = plugin(json!({ "uri": "8B" }));
    assert!(limited.send(Request::get("/abc?d=1")).is_forwarded());
    let exchange = limited.send(Request::get("/abc?d=12"));
    assert_eq!(
        (exchange.answer().status(), &exchange.answer().problem()["type"]),
        (414, &json!("uri-too-long"))
    );

    // `host: api.example` and 4 for the field, then `a: b` and 4.
    let limited = plugin(json!({ "headers": "25B" }));
    assert!(limited.send(Request::get("/").with_header("a", "b")).is_forwarded());
    let exchange = limited.send(Request::get("/").with_header("a", "bc"));
    assert_eq!(exchange.answer().status(), 431);
    assert_eq!(exchange.answer().problem()["type"], "request-headers-too-large");
}

#[test]
fn phases_without_a_limit_cost_nothing() {
    let phases =
        |config| plugin(config).descriptor().phases.iter().map(|phase| phase.name()).collect::<Vec<_>>();
    assert_eq!(phases(json!({ "uri": "1KiB" })), ["request"]);
    assert_eq!(phases(json!({ "request": "1MiB" })), ["request", "request_chunk"]);
    assert_eq!(phases(json!({ "response": "1MiB" })), ["response", "response_chunk"]);
}

#[test]
fn a_bad_configuration_is_refused() {
    for (config, reason) in [
        (json!({}), "there is nothing to limit"),
        (json!({ "uri": "0B" }), "`uri`"),
        (json!({ "headers": "0B" }), "`headers`"),
        (json!({ "request": "1" }), ""),
        (json!({ "requests": "1B" }), ""),
    ] {
        let refused = Harness::<SizeLimit>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}

/// However a body is cut into chunks, its whole length decides.
#[test]
fn the_cut_of_the_chunks_does_not_matter() {
    let plugin = plugin(json!({ "request": "40B" }));
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(lengths in prop::collection::vec(0_usize..20, 0..8))| {
        let chunks: Vec<_> = lengths.iter().map(|length| "x".repeat(*length)).collect();
        let passes = lengths.iter().sum::<usize>() <= 40;
        prop_assert_eq!(plugin.send(Request::post("/").with_chunks(chunks)).is_forwarded(), passes);
    });
}
