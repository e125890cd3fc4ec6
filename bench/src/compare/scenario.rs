//! The list of scenarios: what each shows, what is sent, what a peer is asked to do.

use super::keys;
use super::load::Request;

/// A section of the results: cases that belong together.
pub(crate) struct Scenario {
    /// What `--only` calls it, and its section.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What is done, for those who read the figures.
    pub(crate) about: &'static str,
    /// The peer that ratios are against.
    pub(crate) base: &'static str,
    pub(crate) cases: Vec<Case>,
}

/// One row of peers.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The peers' file of this name, without its ending.
    pub(crate) template: &'static str,
    /// What fills `@STEPS@` and `@ROUTES@`.
    pub(crate) steps: usize,
    pub(crate) routes: usize,
    /// So many distinct plugins that do nothing, each on a route of its own; and who shares their instances.
    pub(crate) plugins: usize,
    pub(crate) isolation: &'static str,
    /// Further marks of the template, and the lines that stand for them.
    pub(crate) marks: Vec<(&'static str, String)>,
    /// Whether compiled code is kept for this case alone.
    pub(crate) own_code: bool,
    pub(crate) check: Check,
    pub(crate) requests: Vec<Request>,
    pub(crate) load: Load,
    /// Whether latency is measured at a fixed rate too.
    pub(crate) paced: bool,
    /// Whether it is part of `--quick`.
    pub(crate) quick: bool,
}

/// Which generator.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Load {
    Wrk,
    H2load,
}

/// What a peer has to do before its figures are believed.
#[derive(Clone, Copy)]
pub(crate) enum Check {
    /// The answer comes from the origin.
    Proxies,
    /// 401 without a key or with an unknown one, a header on either side with a known one.
    Policy,
    /// The origin sees the body without one field and with another.
    Json,
    /// 401 without a token or with a forged one.
    Jwt,
    /// The answer is the one that a gRPC service gave, in JSON.
    Transcoded,
    /// All routes lead somewhere, other paths nowhere.
    Routes,
}

impl Case {
    /// A case of one request, in a loop.
    pub(crate) fn new(name: impl Into<String>, template: &'static str, requests: Vec<Request>) -> Self {
        Self {
            name: name.into(),
            template,
            steps: 0,
            routes: 0,
            plugins: 0,
            isolation: "shared",
            marks: Vec::new(),
            own_code: false,
            check: Check::Proxies,
            requests,
            load: Load::Wrk,
            paced: false,
            quick: true,
        }
    }
}

/// All of them, in the order of the report.
pub(crate) fn all() -> Vec<Scenario> {
    vec![plain(), policy(), chain(), json(), jwt(), h2(), transcode(), routes()]
}

fn plain() -> Scenario {
    let case = |name, path, small| Case {
        paced: small,
        quick: small,
        ..Case::new(name, "plain", vec![Request::get(path)])
    };
    Scenario {
        name: "plain",
        title: "Plain proxy",
        about: "GET, keep-alive on both sides, no policies.",
        base: "nginx",
        cases: vec![case("128 B", "/128", true), case("10 KiB", "/10k", false), case("1 MiB", "/1m", false)],
    }
}

fn policy() -> Scenario {
    let requests = keys::all().map(|key| Request::get("/128").header("x-api-key", key)).collect();
    Scenario {
        name: "policy",
        title: "API key, token bucket, a header on each side",
        about: "A key among 1,000 in turn, a token bucket per key that limits nobody, one header added to the request \
            and one to the response. Sluice: three Wasm steps.",
        base: "nginx+Lua",
        cases: vec![Case { check: Check::Policy, paced: true, ..Case::new("128 B", "policy", requests) }],
    }
}

fn chain() -> Scenario {
    let cases = [0, 1, 5, 20].map(|steps| Case {
        steps,
        quick: steps == 5,
        ..Case::new(format!("{steps} steps"), "chain", vec![Request::get("/128")])
    });
    Scenario {
        name: "chain",
        title: "Chains of steps that do nothing",
        about: "Every step is called for the request and for the response.",
        base: "nginx+Lua",
        cases: cases.into(),
    }
}

fn json() -> Scenario {
    let case = Case {
        check: Check::Json,
        paced: true,
        ..Case::new("1 KiB", "json", vec![Request::post("/json", crate::origin::document())])
    };
    Scenario {
        name: "json",
        title: "Rewriting a JSON body",
        about: "POST of a JSON document that is buffered, parsed, and sent on with one field more and one less.",
        base: "nginx+Lua",
        cases: vec![case],
    }
}

fn jwt() -> Scenario {
    // The token is made when the scenario starts: see `super::jwt`.
    let case = Case {
        check: Check::Jwt,
        paced: true,
        ..Case::new("RS256, 2048 bits", "jwt", vec![Request::get("/128")])
    };
    Scenario {
        name: "jwt",
        title: "JWT",
        about: "A bearer token whose signature (RS256) and expiry are checked for every request; nothing is cached.",
        base: "HAProxy",
        cases: vec![case],
    }
}

fn h2() -> Scenario {
    Scenario {
        name: "h2",
        title: "HTTP/2 in",
        about: "Prior knowledge, 8 connections of 8 streams each; HTTP/1.1 to the origin.",
        base: "nginx",
        cases: vec![Case { load: Load::H2load, ..Case::new("128 B", "h2", vec![Request::get("/128")]) }],
    }
}

fn transcode() -> Scenario {
    let case = |name: &str, request| Case {
        check: Check::Transcoded,
        ..Case::new(name, "transcode", vec![request])
    };
    Scenario {
        name: "transcode",
        title: "JSON to gRPC",
        about: "HTTP/1.1 and JSON from clients, gRPC over HTTP/2 to the origin, by the `google.api.http` rules of \
            `examples/protocol-translation/library.proto`. A call that answers a message of five fields; one that is answered \
            with the message of 1.5 KiB of JSON that it sent, of most types that there are; one that is answered with 1,000 \
            messages of a number each, a line for each. Envoy: its native `grpc_json_transcoder`. Sluice: the plugin `rest-grpc`.",
        base: "Envoy",
        cases: vec![
            Case { paced: true, ..case("GET, 1 message", Request::get("/v1/shelves/1/books/2")) },
            Case { paced: true, ..case("POST of 1.5 KiB", Request::post("/v1/echo", everything())) },
            Case { quick: false, ..case("1,000 messages", Request::get("/v1/count?to=1000")) },
        ],
    }
}

/// A message of most types that there are, and of some like them within it, as both sides write it.
pub(crate) fn everything() -> String {
    let children = (0..6).map(|number| {
        serde_json::json!({
            "anInt32": number + 1, "aString": format!("child {number}"), "ints": [1, 2, 3],
            "counts": { "a": "1" }, "timestamp": "2026-11-23T12:00:00.123456789Z"
        })
    });
    serde_json::json!({
        "aDouble": 1.5, "anInt32": -1, "anInt64": "-9223372036854775808", "aUint64": "18446744073709551615", "aBool": true,
        "aString": "text with \"quotes\" and \u{e9}", "aBytes": "AP/+AP/+AP/+", "aBinding": "CLOTH",
        "ints": (0..32).map(|number| number * 1_000).collect::<Vec<_>>(),
        "children": children.collect::<Vec<_>>(), "counts": { "a": "1", "b": "2" }, "duration": "1.500s",
        "object": { "a": [1, null, "x", { "b": true }] }, "wrappedString": "wrapped"
    })
    .to_string()
}

/// The path of a route and of what lies under it.
pub(crate) fn route_path(number: usize) -> String {
    format!("/v1/things{number}/17/parts")
}

fn routes() -> Scenario {
    let cases = [10, 1_000, 100_000].map(|routes| {
        // Visits all of them (of very many, 10,000), in no order that a cache could guess.
        let visited = routes.min(10_000);
        let requests = (0..visited)
            .map(|turn| Request::get(route_path(turn * 7919 % visited * (routes / visited))))
            .collect();
        Case {
            routes,
            check: Check::Routes,
            quick: routes == 1_000,
            ..Case::new(format!("{routes} routes"), "routes", requests)
        }
    });
    Scenario {
        name: "routes",
        title: "Routes",
        about: "Routes by a path's prefix, all to the same origin; up to 10,000 of them are visited in turn.",
        base: "nginx",
        cases: cases.into(),
    }
}
