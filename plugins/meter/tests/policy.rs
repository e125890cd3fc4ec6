//! What the plugin counts, exchange by exchange.

use meter::Metering;
use sluice_sdk_testing::{
    Aggregation, Exchange, Harness, Measure, Meter, Request, Response, TestPlugin, Value, json,
};

fn harness(config: Value) -> Harness<Metering> {
    Harness::new(config)
        .meter("requests", Aggregation::Count)
        .meter("egress", Aggregation::Sum)
        .meter("time", Meter::new(Aggregation::Sum).decimals(3))
        .meter("cost", Meter::new(Aggregation::Sum).decimals(4))
        .meter(
            "tokens",
            Meter::new(Aggregation::Sum).dimension("model").dimension("method").dimension("kind"),
        )
        .meter("callers", Aggregation::Unique)
        .meter("peak", Aggregation::Max)
        .meter("seats", Aggregation::Latest)
}

fn plugin(config: Value) -> TestPlugin {
    harness(config).start().expect("a configuration that is understood")
}

fn refused(config: Value) -> String {
    harness(config).start().expect_err("a mistake in the configuration").message
}

fn dimensions(exchange: &Exchange<'_>, meter: &str) -> Vec<String> {
    let mut all: Vec<String> =
        exchange.recorded(meter).dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
    all.sort();
    all
}

#[test]
fn an_answered_request_counts_one() {
    let plugin = plugin(json!({ "meters": [{ "meter": "requests" }] }));
    let phases: Vec<_> = plugin.descriptor().phases.iter().map(|phase| phase.name()).collect();
    assert_eq!(phases, ["response"], "nothing else is called");
    for (response, counted) in [
        (Response::new(200), Some(1)),
        (Response::new(404), Some(1)),
        (Response::new(304), Some(1)),
        (Response::new(500), None),
        (Response::new(503), None),
        (Response::new(200).of_step(), Some(1)),
        (Response::new(429).of_step().with_header("content-type", "application/problem+json"), None),
        (Response::new(429).with_header("content-type", "application/problem+json"), Some(1)),
        (Response::new(404).of_gateway(), None),
        (Response::new(502).of_gateway(), None),
    ] {
        let mut exchange = plugin.send(Request::get("/"));
        assert!(exchange.recorded("requests").is_empty(), "not before it is answered");
        let told = exchange.respond(response.clone());
        assert_eq!(exchange.metered("requests"), counted, "{response:?}");
        assert_eq!((told.status(), exchange.failure()), (response.status(), None));
    }
}

#[test]
fn statuses_decide_what_counts() {
    let plugin = plugin(json!({
        "meters": [{ "meter": "requests" }, { "meter": "egress", "value": "one", "statuses": ["5xx", "404"] }],
        "statuses": ["200-399"],
    }));
    for (status, requests, egress) in [
        (200, Some(1), None),
        (399, Some(1), None),
        (404, None, Some(1)),
        (500, None, Some(1)),
        (400, None, None),
    ] {
        let mut exchange = plugin.send(Request::get("/"));
        exchange.respond(Response::new(status));
        assert_eq!(
            (exchange.metered("requests"), exchange.metered("egress")),
            (requests, egress),
            "{status}"
        );
    }
    let mut exchange = plugin.send(Request::get("/"));
    exchange.respond(Response::new(504).of_gateway());
    assert_eq!(exchange.metered("egress"), None, "the gateway's own failures never count");
}

#[test]
fn the_gateway_measures() {
    let plugin = plugin(json!({ "meters": [
        { "meter": "egress", "value": "response_bytes" },
        { "meter": "egress", "value": "request_bytes" },
        { "meter": "time", "value": "duration" },
    ] }));
    let mut exchange = plugin.send(Request::post("/").with_body("body"));
    exchange.respond(Response::new(200).with_body("body"));
    assert_eq!(exchange.recorded("egress").measures, [Measure::RequestBytes, Measure::ResponseBytes]);
    assert_eq!(exchange.recorded("time").measures, [Measure::Duration]);
    let mut exchange = plugin.send(Request::get("/"));
    exchange.respond(Response::new(500));
    assert!(exchange.recorded("egress").is_empty());
}

#[test]
fn headers_and_path_parameters_are_values() {
    let plugin = plugin(json!({ "meters": [
        { "meter": "cost", "value": { "response_header": "x-cost" } },
        { "meter": "tokens", "value": { "request_header": "x-units" } },
        { "meter": "callers", "value": { "request_header": "x-user" } },
        { "meter": "peak", "value": { "path_param": "size" } },
        { "meter": "seats", "value": { "response_header": "x-seats" } },
    ] }));
    let request = || Request::get("/").with_header("x-units", "12").with_header("x-user", "zoë");
    let mut exchange = plugin.send(request().path_param("size", "80"));
    exchange.respond(Response::new(200).with_header("x-cost", "0.00125").with_header("x-seats", " 7 "));
    let recorded = ["cost", "tokens", "peak", "seats"].map(|meter| exchange.metered(meter));
    assert_eq!(recorded, [Some(13), Some(12), Some(80), Some(7)], "0.00125 is rounded to four places");
    assert_eq!(exchange.recorded("callers").subject.as_deref(), Some("zoë"));
    // What is missing or no value is skipped, and nobody fails for it.
    let long = "u".repeat(2000);
    let request = Request::get("/").with_header("x-units", "-3").with_header("x-user", &long);
    let mut exchange = plugin.send(request.path_param("size", "big"));
    exchange.respond(Response::new(200).with_header("x-cost", "free").with_header("x-seats", "1e30"));
    for meter in ["cost", "tokens", "peak", "seats", "callers"] {
        assert!(exchange.recorded(meter).is_empty(), "{meter}");
    }
    assert_eq!((exchange.failure(), exchange.fault()), (None, None));
    // An exchange that does not count leaves no value behind.
    let mut exchange = plugin.send(Request::get("/").with_header("x-units", "3"));
    exchange.respond(Response::new(500).with_header("x-cost", "1"));
    assert_eq!((exchange.metered("tokens"), exchange.metered("cost")), (None, None));
}

#[test]
fn what_is_expected_is_reserved() {
    let config = |expect: Value| json!({ "meters": [{ "meter": "cost", "value": { "response_header": "x-cost" }, "expect": expect }] });
    let expected = |expect: Value, request: Request| {
        let plugin = plugin(config(expect));
        let exchange = plugin.send(request);
        assert!(exchange.is_forwarded());
        exchange.recorded("cost").expected
    };
    let header = || Request::get("/").with_header("x-max", "2.5");
    let said = || json!({ "request_header": "x-max", "default": "0.5" });
    assert_eq!(expected(json!(500), Request::get("/")), Some(5_000_000));
    assert_eq!(expected(json!("0.25"), Request::get("/")), Some(2500));
    assert_eq!(expected(said(), header()), Some(25_000));
    assert_eq!(expected(said(), Request::get("/")), Some(5000));
    assert_eq!(expected(said(), Request::get("/").with_header("x-max", "-1")), Some(5000));
    assert_eq!(expected(json!({ "request_header": "x-max" }), Request::get("/")), None);
    let json_body = |body: Value| Request::post("/").with_json(&body);
    let said = || json!({ "request_json": ["$.max_completion_tokens", "$.max_tokens"], "request_header": "x-max", "default": 7 });
    assert_eq!(expected(said(), json_body(json!({ "max_tokens": 3 }))), Some(30_000));
    assert_eq!(
        expected(said(), json_body(json!({ "max_tokens": 3, "max_completion_tokens": 4 }))),
        Some(40_000)
    );
    assert_eq!(expected(said(), json_body(json!({ "max_tokens": "many" }))), Some(70_000));
    assert_eq!(expected(said(), json_body(json!([1])).with_header("x-max", "1")), Some(10_000));
    let other = Request::post("/").with_header("content-type", "text/plain").with_body("{\"max_tokens\":3}");
    assert_eq!(expected(said(), other), Some(70_000));
    let encoded = json_body(json!({ "max_tokens": 3 })).with_header("content-encoding", "gzip");
    assert_eq!(expected(said(), encoded), Some(70_000));
}

#[test]
fn a_missing_header_counts_as_expected_if_so_configured() {
    let plugin = plugin(json!({ "meters": [{
        "meter": "cost", "value": { "response_header": "x-cost" }, "expect": "0.5", "missing": "expected",
    }] }));
    for (cost, expected) in [(Some("0.0001"), 1), (Some("much"), 5000), (None, 5000)] {
        let mut exchange = plugin.send(Request::get("/"));
        let response = Response::new(200);
        exchange.respond(match cost {
            Some(cost) => response.with_header("x-cost", cost),
            None => response,
        });
        assert_eq!(exchange.metered("cost"), Some(expected), "{cost:?}");
    }
}

#[test]
fn dimensions_come_from_everywhere() {
    let of = |dimensions: Value, request: Request, response: Response| {
        let plugin =
            plugin(json!({ "meters": [{ "meter": "tokens", "value": "one", "dimensions": dimensions }] }));
        let mut exchange = plugin.send(request);
        exchange.respond(response);
        assert_eq!((exchange.failure(), exchange.metered("tokens")), (None, Some(1)));
        dimensions_of(&exchange)
    };
    fn dimensions_of(exchange: &Exchange<'_>) -> Vec<String> {
        dimensions(exchange, "tokens")
    }
    let (get, ok) = (|| Request::get("/"), || Response::new(201));
    assert_eq!(
        of(json!({ "method": "method", "model": "route", "kind": "status" }), get().route("r"), ok()),
        ["kind=2xx", "method=GET", "model=r"]
    );
    assert_eq!(
        of(
            json!({ "method": "host", "model": { "constant": "eu" }, "kind": { "path_param": "id" } }),
            get().host("API.Example:8080").path_param("id", "7"),
            ok()
        ),
        ["kind=7", "method=api.example", "model=eu"]
    );
    let headers = json!({ "model": { "request_header": "x-a" }, "kind": { "response_header": "x-b" } });
    assert_eq!(
        of(headers.clone(), get().with_header("x-a", "1"), ok().with_header("x-b", "2")),
        ["kind=2", "model=1"]
    );
    // Missing, empty, too long, a control character: left out.
    assert!(of(headers.clone(), get(), ok()).is_empty());
    assert!(
        of(headers, get().with_header("x-a", "a".repeat(257)), ok().with_header("x-b", "a\tb")).is_empty()
    );
    let bodies =
        json!({ "model": { "request_json": "$.model" }, "kind": { "response_json": ["$.kind", "$.n"] } });
    assert_eq!(
        of(
            bodies,
            Request::post("/").with_json(&json!({ "model": "m" })),
            ok().with_json(&json!({ "n": 1.5 }))
        ),
        ["kind=1.5", "model=m"]
    );
}

#[test]
fn a_request_that_is_no_answer_is_described_all_the_same() {
    let config =
        json!({ "meters": [{ "meter": "tokens", "value": "one", "dimensions": { "method": "method" } }] });
    let plugin = plugin(config);
    let exchange = plugin.send(Request::post("/"));
    assert_eq!(dimensions(&exchange, "tokens"), ["method=POST"], "what is unanswered may be charged");
}

fn grpc_message(length: u8) -> Vec<u8> {
    let mut message = vec![0, 0, 0, 0, length];
    message.resize(5 + usize::from(length), 1);
    message
}

#[test]
fn grpc_messages_are_counted_in_both_directions() {
    let plugin = plugin(json!({ "meters": [
        { "meter": "requests", "value": "grpc_request_messages" },
        { "meter": "time", "value": "grpc_response_messages" },
    ] }));
    let body: Vec<u8> = [3, 0, 200].into_iter().flat_map(grpc_message).collect();
    let chunks = |size| body.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>();
    for size in [1, 4, 7, 300] {
        let request = Request::post("/a.B/C").with_header("content-type", "application/grpc+proto");
        let mut exchange = plugin.send(request.with_chunks(chunks(size)));
        assert_eq!(exchange.forwarded().body(), body);
        assert!(exchange.recorded("requests").is_empty(), "whether they count is not known yet");
        let response = Response::new(200).with_header("content-type", "application/grpc");
        let told = exchange.respond(response.with_chunks(chunks(size)));
        assert_eq!((told.body(), exchange.failure()), (body.clone(), None));
        assert_eq!((exchange.metered("requests"), exchange.metered("time")), (Some(3), Some(3000)));
    }
    let mut exchange = plugin.send(Request::post("/").with_body(&body));
    exchange.respond(Response::new(200).with_body(&body));
    assert!(exchange.recorded("requests").is_empty() && exchange.recorded("time").is_empty(), "no gRPC");
    let request = Request::post("/").with_header("content-type", "application/grpc");
    let mut exchange = plugin.send(request.with_body(&body));
    exchange.respond(Response::new(503).with_header("content-type", "application/grpc").with_body(&body));
    assert!(exchange.recorded("requests").is_empty() && exchange.recorded("time").is_empty(), "a failure");
}

#[test]
fn messages_are_counted_while_both_bodies_pass() {
    let plugin = plugin(json!({ "meters": [{ "meter": "requests", "value": "grpc_request_messages" }] }));
    for (status, expected) in [(200, [Some(1), Some(3)]), (500, [None, None])] {
        let request = Request::post("/").with_header("content-type", "application/grpc");
        let mut exchange = plugin.send(request.with_body([grpc_message(3), vec![0, 0]].concat()));
        exchange.respond(Response::new(status).with_header("content-type", "application/grpc"));
        assert_eq!(exchange.metered("requests"), expected[0]);
        for piece in [&[0, 0, 1][..], b"x", &grpc_message(0)] {
            assert_eq!(exchange.send_piece(piece), piece);
        }
        assert_eq!((exchange.metered("requests"), exchange.failure()), (expected[1], None));
    }
}

#[test]
fn mistakes_are_told_at_load() {
    let one = |entry: Value| refused(json!({ "meters": [entry] }));
    for (entry, told) in [
        (json!({ "meter": "tokns" }), "there is no meter `tokns`"),
        (json!({ "meter": "tokens" }), "say what it gets, with `value`"),
        (json!({ "meter": "requests", "value": "response_bytes" }), "takes none but `one`"),
        (json!({ "meter": "callers", "value": "one" }), "takes a text"),
        (json!({ "meter": "egress", "value": "client_address" }), "an address is no number"),
        (json!({ "meter": "peak", "value": "grpc_request_messages" }), "wants a meter that counts or sums"),
        (json!({ "meter": "tokens", "value": { "response_json": "usage" } }), "does not begin with `$`"),
        (json!({ "meter": "tokens", "value": { "response_json": "$.a[*]" } }), "neither a member"),
        (json!({ "meter": "tokens", "value": { "response_json": [] } }), "1 to 4 paths"),
        (json!({ "meter": "tokens", "value": "one", "pick": "sum" }), "`pick` is for numbers"),
        (json!({ "meter": "tokens", "value": "one", "missing": "skip" }), "`missing` has no meaning"),
        (
            json!({ "meter": "tokens", "value": { "response_json": "$.a" }, "missing": "expected" }),
            "`expect` may say nothing",
        ),
        (json!({ "meter": "tokens", "value": "one", "expect": {} }), "`expect` is empty"),
        (json!({ "meter": "tokens", "value": "one", "expect": "0.x" }), "no number"),
        (json!({ "meter": "peak", "value": "duration", "expect": 5 }), "nothing can be reserved"),
        (
            json!({ "meter": "tokens", "value": "one", "dimensions": { "colour": "method" } }),
            "no dimension `colour`",
        ),
        (
            json!({ "meter": "tokens", "value": "one", "dimensions": { "kind": { "constant": "" } } }),
            "1 to 256 bytes",
        ),
        (json!({ "meter": "tokens", "value": "one", "statuses": ["ok"] }), "`ok` is no status"),
    ] {
        let message = one(entry.clone());
        assert!(message.contains(told) && message.contains("`meters[0]`"), "{entry}: {message}");
    }
    let json = || json!({ "meter": "tokens", "value": { "response_json": "$.a" } });
    let message = refused(json!({ "meters": [json(), { "meter": "tokens", "value": "one" }] }));
    assert!(message.contains("cannot be mixed"), "{message}");
    let message = refused(json!({ "meters": [
        { "meter": "requests", "value": "grpc_request_messages" },
        { "meter": "egress", "value": { "request_json": "$.n" } },
    ] }));
    assert!(message.contains("two ways of taking"), "{message}");
    let expect = || json!({ "meter": "egress", "value": "one", "expect": 1 });
    assert!(refused(json!({ "meters": [expect(), expect()] })).contains("two `expect`"));
    assert!(!refused(json!({ "meters": [] })).is_empty());
    assert!(refused(json!({ "meters": [json(), json(), json(), json(), json(), json(), json(), json(), json()], "statuses": [] })).contains("`statuses`"));
}
