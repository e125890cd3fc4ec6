//! Which identifiers requests and responses carry.

use request_id::RequestId;
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, Value, json};

const TRACE: &str = "00-7c1e0a95d2f84b6390ab5ef4c8d12760-b3d9027e51ac684f-01";

fn plugin(config: Value) -> TestPlugin {
    Harness::<RequestId>::new(config).start().expect("the configuration is good")
}

fn id_of(plugin: &TestPlugin, request: Request) -> String {
    let exchange = plugin.send(request);
    let ids = exchange.forwarded().header_all("x-correlation-id");
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids[0].to_owned()
}

#[test]
fn by_default_the_gateways_own_id_stands_under_another_name() {
    let plugin = plugin(json!({}));
    let request = Request::get("/").request_id("r1").with_header("x-correlation-id", "of-the-client");
    let mut exchange = plugin.send(request);
    assert_eq!(exchange.forwarded().header_all("x-correlation-id"), ["r1"]);
    let response = exchange.respond(Response::new(200).with_header("x-correlation-id", "of-the-upstream"));
    assert_eq!(response.header_all("x-correlation-id"), ["r1"]);
}

#[test]
fn identifiers_have_the_form_that_was_asked_for() {
    for (format, shape) in [
        ("uuid-v4", "________-____-4___-v___-____________"),
        ("uuid-v7", "________-____-7___-v___-____________"),
        ("ulid", "__________________________"),
    ] {
        let plugin = plugin(json!({ "format": format, "prefix": "gw-" }));
        let first = id_of(&plugin, Request::get("/"));
        let second = id_of(&plugin, Request::get("/"));
        assert_ne!(first, second);
        for id in [first, second] {
            let id = id.strip_prefix("gw-").unwrap();
            assert_eq!(id.len(), shape.len(), "{id}");
            for (got, wanted) in id.chars().zip(shape.chars()) {
                match wanted {
                    '_' if format == "ulid" => {
                        assert!(got.is_ascii_digit() || got.is_ascii_uppercase(), "{id}")
                    }
                    '_' => assert!(matches!(got, '0'..='9' | 'a'..='f'), "{id}"),
                    'v' => assert!(matches!(got, '8' | '9' | 'a' | 'b'), "{id}"),
                    _ => assert_eq!(got, wanted, "{id}"),
                }
            }
        }
    }
}

#[test]
fn identifiers_that_carry_the_time_carry_it_first() {
    // 2022-02-22T19:22:22Z, as in RFC 9562 appendix A.6.
    let at = |format: &str| {
        let plugin =
            Harness::<RequestId>::new(json!({ "format": format })).at(1_645_557_742_000).start().unwrap();
        id_of(&plugin, Request::get("/"))
    };
    assert!(at("uuid-v7").starts_with("017f22e2-79b0-7"), "{}", at("uuid-v7"));
    assert!(at("ulid").starts_with("01FWHE4YDG"), "{}", at("ulid"));
}

#[test]
fn a_clients_id_is_kept_only_where_that_is_wanted_and_only_if_well_formed() {
    let kept = plugin(json!({ "accept": "always", "prefix": "gw-" }));
    let sent = |values: &[&str]| {
        values.iter().fold(Request::get("/").request_id("r1"), |request, value| {
            request.with_header("x-correlation-id", value)
        })
    };
    assert_eq!(id_of(&kept, sent(&["abc-1"])), "abc-1");
    for bad in [&["a b"][..], &[""], &["a", "b"], &["a,b"], &["\u{fc}"], &[&*"x".repeat(129)], &[]] {
        assert_eq!(id_of(&kept, sent(bad)), "gw-r1", "{bad:?}");
    }
    assert_eq!(id_of(&plugin(json!({})), sent(&["abc-1"])), "r1");
}

#[test]
fn a_failure_of_the_gateway_has_it_too() {
    let plugin = plugin(json!({}));
    for response in [Response::new(502).of_gateway(), Response::new(429).of_step()] {
        let mut exchange = plugin.send(Request::get("/"));
        let sent = exchange.forwarded().header("x-correlation-id").map(str::to_owned);
        assert!(sent.is_some());
        assert_eq!(exchange.respond(response).header("x-correlation-id"), sent.as_deref());
    }
}

#[test]
fn the_response_can_go_without() {
    let plugin = plugin(json!({ "respond": false, "header": "X-Trace" }));
    let mut exchange = plugin.send(Request::get("/"));
    assert!(exchange.forwarded().header("x-trace").is_some());
    assert_eq!(exchange.respond(Response::new(200)).header("x-trace"), None);
}

#[test]
fn without_trace_the_trace_headers_pass() {
    let plugin = plugin(json!({}));
    let exchange =
        plugin.send(Request::get("/").with_header("traceparent", "x").with_header("tracestate", "a=1"));
    let request = exchange.forwarded();
    assert_eq!((request.header("traceparent"), request.header("tracestate")), (Some("x"), Some("a=1")));
    assert_eq!(plugin.send(Request::get("/")).forwarded().header("traceparent"), None);
}

/// The `traceparent` that goes on, taken apart, and `tracestate`.
fn traced(trace: Value, sent: &[&str]) -> (Vec<String>, Option<String>) {
    let plugin = plugin(json!({ "trace": trace }));
    let request = Request::get("/").with_header("tracestate", "a=1");
    let request = sent.iter().fold(request, |request, value| request.with_header("traceparent", value));
    let exchange = plugin.send(request);
    let request = exchange.forwarded();
    let all = request.header_all("traceparent");
    assert_eq!(all.len(), 1, "{all:?}");
    let fields: Vec<String> = all[0].split('-').map(str::to_owned).collect();
    (fields, request.header("tracestate").map(str::to_owned))
}

#[test]
fn a_trace_begins_where_none_can_be_continued() {
    for (trace, sent) in [
        (json!({}), &[][..]),
        (json!({}), &[TRACE]),
        (json!({ "accept": "always" }), &[]),
        (json!({ "accept": "always" }), &[TRACE, TRACE]),
        (json!({ "accept": "always" }), &["00-00000000000000000000000000000000-b3d9027e51ac684f-01"]),
        (
            json!({ "accept": "always", "parent": "new" }),
            &["00-7c1e0a95d2f84b6390ab5ef4c8d12760-0000000000000000-01"],
        ),
    ] {
        let (fields, state) = traced(trace.clone(), sent);
        let lengths: Vec<_> = fields.iter().map(String::len).collect();
        assert_eq!(lengths, [2, 32, 16, 2], "{trace} {sent:?}: {fields:?}");
        assert_eq!((&*fields[0], &*fields[3]), ("00", "01"));
        assert!(fields[1] != "7c1e0a95d2f84b6390ab5ef4c8d12760" && fields[1] != "0".repeat(32));
        assert_ne!(fields[2], "0".repeat(16));
        // State without a trace to belong to is discarded.
        assert_eq!(state, None);
    }
    assert_eq!(traced(json!({ "sampled": 0 }), &[]).0[3], "00");
}

#[test]
fn a_trusted_trace_is_continued() {
    let (fields, state) = traced(json!({ "accept": "always" }), &[TRACE]);
    assert_eq!((fields.join("-").as_str(), state.as_deref()), (TRACE, Some("a=1")));
    let (fields, state) = traced(json!({ "accept": "always", "parent": "new", "sampled": 0 }), &[TRACE]);
    assert_eq!(
        (&*fields[1], &*fields[3], state.as_deref()),
        ("7c1e0a95d2f84b6390ab5ef4c8d12760", "01", Some("a=1"))
    );
    assert_ne!(fields[2], "b3d9027e51ac684f");
    // What a later version adds is not passed on with a new parent: this is version 00.
    let later = TRACE.replacen("00", "cc", 1) + "-more";
    assert_eq!(traced(json!({ "accept": "always" }), &[&later]).0.join("-"), later);
    let (fields, _) = traced(json!({ "accept": "always", "parent": "new" }), &[&later]);
    assert_eq!((fields.len(), &*fields[0]), (4, "00"));
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    for name in
        ["Connection", "content-length", "Keep-Alive", "TE", "trailer", "Transfer-Encoding", "upgrade"]
    {
        let refused = Harness::<RequestId>::new(json!({ "header": name })).start().unwrap_err();
        let reason = format!("`header`: `{}` belongs to the gateway", name.to_ascii_lowercase());
        assert!(refused.message.contains(&reason), "{name}: {refused}");
    }
    for (config, reason) in [
        (json!({ "header": "X-Request-Id" }), "`header`: the gateway sets `x-request-id` itself"),
        (json!({ "header": "traceparent" }), "`header`: `traceparent` already means something else"),
        (json!({ "header": "x y" }), ""),
        (json!({ "prefix": "a b" }), ""),
        (json!({ "prefix": "x".repeat(33) }), ""),
        (json!({ "format": "guid" }), ""),
        (json!({ "trace": { "sampled": 101 } }), ""),
        (json!({ "trace": { "sample": 1 } }), ""),
    ] {
        let refused = Harness::<RequestId>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
