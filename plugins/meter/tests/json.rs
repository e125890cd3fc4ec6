//! Values out of responses that pass: documents, lines, events, and what becomes of those that are cut off.

use meter::Metering;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sluice_sdk::prelude::Phase;
use sluice_sdk_testing::{Aggregation, Harness, Meter, Request, Response, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    Harness::<Metering>::new(config)
        .meter("tokens", Meter::new(Aggregation::Sum).dimension("model"))
        .meter("cost", Meter::new(Aggregation::Sum).decimals(6))
        .meter("peak", Aggregation::Max)
        .meter("callers", Aggregation::Unique)
        .start()
        .expect("a configuration that is understood")
}

fn tokens(value: Value) -> TestPlugin {
    plugin(json!({ "meters": [{ "meter": "tokens", "value": value }] }))
}

/// What is recorded of a response with this type and body, cut into pieces.
fn metered(plugin: &TestPlugin, meter: &str, content_type: &str, body: &str, size: usize) -> Option<i64> {
    let mut exchange = plugin.send(Request::post("/"));
    let response = Response::new(200).with_header("content-type", content_type);
    let told = exchange.respond(response.with_chunks(body.as_bytes().chunks(size)));
    assert_eq!((told.text(), exchange.failure(), exchange.fault()), (body.to_owned(), None, None));
    exchange.metered(meter)
}

/// The stream of `chat.completions` with `stream_options.include_usage`.
const OPENAI: &str = include_str!("data/openai.txt");
/// The stream of `messages`.
const ANTHROPIC: &str = include_str!("data/anthropic.txt");
/// The stream of Ollama's `chat`.
const OLLAMA: &str = include_str!("data/ollama.ndjson");

#[test]
fn a_document_is_read_as_it_passes() {
    let plugin = tokens(json!({ "response_json": "$.usage.total_tokens" }));
    let phases: Vec<_> = plugin.descriptor().phases.clone();
    assert_eq!(phases, [Phase::Request, Phase::Response, Phase::ResponseChunk]);
    let padding = "x".repeat(100_000);
    let body = json!({ "a": padding, "usage": { "total_tokens": 29 }, "b": [[{ "usage": 1 }]] }).to_string();
    for size in [9, 1000, 1 << 20] {
        assert_eq!(metered(&plugin, "tokens", "application/json", &body, size), Some(29));
    }
    for (content_type, body, expected) in [
        ("text/html", "{\"usage\":{\"total_tokens\":5}}", None),
        ("application/vnd.api+json; v=1", "{\"usage\":{\"total_tokens\":\"5\"}}", Some(5)),
        ("application/json", "{\"usage\":{\"total_tokens\":-5}}", None),
        ("application/json", "{\"usage\":{\"total_tokens\":1e99}}", None),
        ("application/json", "{\"usage\":{\"total_tokens\":0}}", Some(0)),
        ("application/json", "{\"usage\":{\"total_tokens\":null}}", None),
        ("application/json", "{\"usage\":{\"total_tokens\":true}}", None),
        ("application/json", "", None),
    ] {
        assert_eq!(metered(&plugin, "tokens", content_type, body, 3), expected, "{content_type} {body}");
    }
}

#[test]
fn responses_that_cannot_be_read_are_asked_for_otherwise_and_skipped() {
    let plugin = tokens(json!({ "response_json": "$.n" }));
    let exchange = plugin.send(Request::get("/").with_header("accept-encoding", "br, gzip"));
    assert_eq!(exchange.forwarded().header_all("accept-encoding"), ["identity"]);
    let part = Request::get("/").with_header("range", "bytes=0-").with_header("if-range", "\"a\"");
    let exchange = plugin.send(part);
    assert_eq!((exchange.forwarded().header("range"), exchange.forwarded().header("if-range")), (None, None));
    let json = || Response::new(200).with_header("content-type", "application/json").with_body("{\"n\":5}");
    let part = Response::new(206).with_header("content-type", "application/json").with_body("{\"n\":5}");
    for (method, response, expected) in [
        ("GET", json(), Some(5)),
        ("GET", json().with_header("content-encoding", "identity"), Some(5)),
        ("GET", json().with_header("content-encoding", "gzip"), None),
        ("GET", part, None),
        ("HEAD", json(), None),
    ] {
        let mut exchange = plugin.send(Request::new(method, "/"));
        exchange.respond(response.clone());
        assert_eq!(exchange.metered("tokens"), expected, "{response:?}");
    }
}

/// As the README has it.
fn openai() -> TestPlugin {
    plugin(json!({ "meters": [{
        "meter": "tokens",
        "value": { "response_json": "$.usage.total_tokens" },
        "expect": { "request_json": ["$.max_completion_tokens", "$.max_tokens"], "default": 500 },
        "missing": "expected",
        "dimensions": { "model": { "response_json": "$.model" } },
    }] }))
}

#[test]
fn openai_tells_usage_in_its_last_event() {
    let plugin = openai();
    for size in [1, 10, 4096] {
        assert_eq!(metered(&plugin, "tokens", "text/event-stream", OPENAI, size), Some(15));
    }
    let events = || Response::new(200).with_header("content-type", "text/event-stream; charset=utf-8");
    let request = || Request::post("/").with_json(&json!({ "max_tokens": 100, "stream": true }));
    let mut exchange = plugin.send(request());
    assert_eq!(exchange.recorded("tokens").expected, Some(100));
    exchange.respond(events().with_body(OPENAI));
    let recorded = exchange.recorded("tokens");
    assert_eq!(recorded.dimensions, [("model".to_owned(), "gpt-4o-mini-2024-07-18".to_owned())]);
    assert_eq!(recorded.value, Some(15));
    // A client that did not ask for it, and one that hangs up.
    let unasked = OPENAI.replace("\"usage\":{\"prompt", "\"used\":{\"prompt");
    let mut exchange = plugin.send(request());
    exchange.respond(events().with_body(&unasked));
    assert_eq!(exchange.metered("tokens"), Some(100));
    let mut exchange = plugin.send(request());
    exchange.respond(events().with_body(&OPENAI[..OPENAI.len() / 2]).cut_off());
    assert_eq!(exchange.metered("tokens"), Some(100));
}

#[test]
fn anthropic_tells_input_first_and_output_as_it_grows() {
    let plugin = plugin(json!({ "meters": [
        { "meter": "tokens", "value": { "response_json": ["$.message.usage.input_tokens", "$.usage.input_tokens"] } },
        {
            "meter": "tokens",
            "value": { "response_json": "$.usage.output_tokens" },
            "expect": { "request_json": "$.max_tokens", "default": 500 },
            "missing": "expected",
            "dimensions": { "model": { "response_json": ["$.message.model", "$.model"] } },
        },
    ] }));
    for size in [1, 33, 4096] {
        assert_eq!(metered(&plugin, "tokens", "text/event-stream", ANTHROPIC, size), Some(25 + 15));
    }
    let whole = "{\"usage\":{\"input_tokens\":7,\"output_tokens\":5}}";
    assert_eq!(metered(&plugin, "tokens", "application/json", whole, 8), Some(12));
    let mut exchange = plugin.send(Request::post("/").with_json(&json!({ "max_tokens": 64 })));
    let response = Response::new(200).with_header("content-type", "text/event-stream").with_body(ANTHROPIC);
    exchange.respond(response.cut_off());
    assert_eq!(exchange.metered("tokens"), Some(25 + 64), "it was cut off");
    let model = &exchange.recorded("tokens").dimensions;
    assert_eq!(*model, [("model".to_owned(), "claude-x".to_owned())]);
}

#[test]
fn ollama_tells_counts_in_its_last_line() {
    let plugin = tokens(json!({ "response_json": "$.eval_count" }));
    for size in [1, 50, 4096] {
        assert_eq!(metered(&plugin, "tokens", "application/x-ndjson", OLLAMA, size), Some(298));
    }
}

#[test]
fn of_many_values_one_is_picked() {
    let body = "{\"n\":0.5}\n{\"n\":7}\n{}\n{\"n\":\"many\"}\n{\"n\":0.25}\n";
    for (meter, pick, expected) in [
        ("cost", "last", 250_000),
        ("cost", "sum", 7_750_000),
        ("cost", "max", 7_000_000),
        ("peak", "last", 0),
        ("peak", "max", 7),
    ] {
        let plugin = plugin(
            json!({ "meters": [{ "meter": meter, "value": { "response_json": "$.n" }, "pick": pick }] }),
        );
        for size in [1, 7, 4096] {
            let found = metered(&plugin, meter, "application/jsonl", body, size);
            assert_eq!(found, Some(expected), "{meter} {pick}, in pieces of {size}");
        }
    }
    let plugin =
        plugin(json!({ "meters": [{ "meter": "callers", "value": { "response_json": "$.user" } }] }));
    let mut exchange = plugin.send(Request::get("/"));
    exchange.respond(Response::new(200).with_json(&json!({ "user": "zo\u{eb}" })));
    assert_eq!(exchange.recorded("callers").subject.as_deref(), Some("zoë"));
}

#[test]
fn what_is_missing_counts_as_expected_if_so_configured() {
    let plugin = plugin(json!({ "meters": [{
        "meter": "tokens",
        "value": { "response_json": "$.n" },
        "expect": { "request_json": "$.max", "default": 500 },
        "missing": "expected",
    }] }));
    let respond = |request: Request, response: Response| {
        let mut exchange = plugin.send(request);
        exchange.respond(response);
        assert_eq!(exchange.failure(), None);
        exchange.metered("tokens")
    };
    let json = |body: Value| Response::new(200).with_json(&body);
    let max = || Request::post("/").with_json(&json!({ "max": 20 }));
    assert_eq!(respond(max(), json(json!({ "n": 3 }))), Some(3), "found");
    assert_eq!(respond(max(), json(json!({ "n": 30 }))), Some(30), "more than was expected");
    assert_eq!(respond(max(), json(json!({}))), Some(20));
    assert_eq!(respond(Request::get("/"), json(json!({}))), Some(500));
    assert_eq!(respond(max(), Response::new(200).with_body("text")), Some(20));
    assert_eq!(respond(max(), Response::new(500)), None, "it does not count at all");
}

#[test]
fn a_stream_that_is_cut_off_counts_what_it_told_or_what_was_expected() {
    let events =
        |count: usize| -> String { (1..=count).map(|n| format!("data: {{\"n\":{}}}\n\n", n * 10)).collect() };
    let cut = |missing: &str, body: String| {
        let plugin = plugin(json!({ "meters": [{
            "meter": "tokens", "value": { "response_json": "$.n" }, "expect": 35, "missing": missing,
        }] }));
        let response = Response::new(200).with_header("content-type", "text/event-stream").cut_off();
        let mut exchange = plugin.send(Request::post("/"));
        exchange.respond(response.with_chunks(body.as_bytes().chunks(7)));
        exchange.metered("tokens")
    };
    assert_eq!(cut("skip", String::new()), None);
    assert_eq!(cut("skip", events(2)), Some(20));
    assert_eq!(cut("expected", String::new()), Some(35));
    assert_eq!(
        cut("expected", events(2)),
        Some(35),
        "who hangs up before the last event pays what was expected"
    );
    assert_eq!(cut("expected", events(5)), Some(50));
}

#[test]
fn values_of_requests_wait_for_the_response() {
    let plugin = plugin(json!({ "meters": [
        { "meter": "tokens", "value": { "request_json": "$.n" }, "expect": { "request_json": "$.n" } },
    ] }));
    let phases: Vec<_> = plugin.descriptor().phases.clone();
    assert_eq!(phases, [Phase::Request, Phase::RequestBody, Phase::Response]);
    let mut exchange = plugin.send(Request::post("/").with_json(&json!({ "n": 12 })));
    assert_eq!((exchange.metered("tokens"), exchange.recorded("tokens").expected), (None, Some(12)));
    exchange.respond(Response::new(200));
    assert_eq!(exchange.metered("tokens"), Some(12));
}

/// However a stream is cut, the same is recorded.
#[test]
fn pieces_do_not_matter() {
    for pick in ["last", "sum", "max"] {
        let plugin = plugin(json!({ "meters": [
            {
                "meter": "tokens",
                "value": { "response_json": "$.n" },
                "pick": pick,
                "missing": "expected",
                "expect": { "request_header": "x-max", "default": 0 },
            },
            { "meter": "tokens", "value": { "response_json": "$.m" } },
        ] }));
        let strategy = (prop::collection::vec(0_u32..100, 1..8), 1_usize..40, 0_u32..200);
        let same = |(values, size, expected): (Vec<u32>, usize, u32)| {
            let event = |value: &u32| format!("data: {{\"n\":{value},\"m\":{}}}\n\n", 100 - value);
            let events: String = values.iter().map(event).collect();
            let last = *values.last().expect("there is one at least");
            let picked = match pick {
                "last" => last,
                "sum" => values.iter().sum(),
                _ => values.iter().copied().max().expect("there is one at least"),
            };
            let mut exchange = plugin.send(Request::post("/").with_header("x-max", expected.to_string()));
            let response = Response::new(200).with_header("content-type", "text/event-stream");
            exchange.respond(response.with_chunks(events.as_bytes().chunks(size)));
            prop_assert_eq!(exchange.metered("tokens"), Some(i64::from(picked + 100 - last)));
            Ok(())
        };
        TestRunner::default().run(&strategy, same).expect("the same is recorded");
    }
}
