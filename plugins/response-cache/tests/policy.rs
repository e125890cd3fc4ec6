//! What is kept, for whom, and what is said about it.

mod common;

use common::{fetch, hit, is_hit, ok, plugin, seconds};
use response_cache::ResponseCache;
use sluice_sdk_testing::{Harness, Request, Response, json};

fn get() -> Request {
    Request::get("/a")
}

#[test]
fn a_fresh_response_is_answered_until_it_is_stale() {
    let plugin = plugin(json!({ "status_header": "x-cache" }));
    let first = fetch(&plugin, get(), ok("max-age=60"));
    assert_eq!(
        (first.header("x-cache"), first.header("cache-status")),
        (Some("miss"), Some("sluice; fwd=uri-miss"))
    );
    plugin.advance(seconds(59));
    let answer = hit(&plugin, get());
    assert_eq!((answer.status(), answer.text()), (200, "hello".to_owned()));
    assert_eq!((answer.header("age"), answer.header("content-type")), (Some("59"), Some("text/plain")));
    assert_eq!(
        (answer.header("x-cache"), answer.header("cache-status")),
        (Some("hit"), Some("sluice; hit; ttl=1"))
    );
    plugin.advance(seconds(1));
    assert!(!is_hit(&plugin, get()));
}

#[test]
fn a_head_is_answered_from_a_get_but_keeps_nothing() {
    let plugin = plugin(json!({}));
    let head = || Request::new("HEAD", "/a");
    assert!(!is_hit(&plugin, head()));
    fetch(&plugin, head(), Response::new(200).with_header("cache-control", "max-age=60"));
    assert!(!is_hit(&plugin, get()), "a HEAD has no body to keep");
    fetch(&plugin, get(), ok("max-age=60"));
    assert_eq!(hit(&plugin, head()).status(), 200);
}

#[test]
fn what_is_not_a_plain_request_passes_by() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("max-age=60"));
    for (name, value) in [
        ("range", "bytes=0-1"),
        ("if-range", "\"a\""),
        ("if-match", "\"a\""),
        ("if-unmodified-since", "Thu, 01 Jan 2026 00:00:00 GMT"),
        ("cache-control", "no-store"),
    ] {
        let passed = fetch(&plugin, get().with_header(name, value), Response::new(200));
        assert_eq!(passed.header("cache-status"), Some("sluice; fwd=bypass"), "{name}");
    }
    // Of a body in pieces nobody says the length.
    for with_body in [get().with_body("x"), get().with_chunks(["x", "y"])] {
        let passed = fetch(&plugin, with_body, ok("max-age=60").with_body("of the body"));
        assert_eq!(passed.header("cache-status"), Some("sluice; fwd=bypass"));
    }
    assert!(is_hit(&plugin, get()), "nothing of that has changed what is stored");
}

#[test]
fn uris_are_told_apart() {
    let plugin = plugin(json!({ "ignore_query": ["utm"], "sort_query": true }));
    fetch(&plugin, Request::get("/a?x=1&utm=7&y=2"), ok("max-age=60"));
    assert!(is_hit(&plugin, Request::get("/a?y=2&x=1&utm=8")));
    assert!(is_hit(&plugin, Request::get("/a?x=1&y=2").host("API.example")));
    for other in ["/a?x=1&y=3", "/a?x=1", "/a", "/b?x=1&y=2", "/a?x=1&x=1&y=2"] {
        assert!(!is_hit(&plugin, Request::get(other)), "{other}");
    }
    assert!(!is_hit(&plugin, Request::get("/a?x=1&y=2").host("other.example")));
    assert!(!is_hit(&plugin, Request::get("/a?x=1&y=2").https()));
    assert!(!is_hit(&plugin, Request::get("/a?x=1&y=2").route("another")), "it may lead elsewhere");
    fetch(&plugin, Request::get("/c?utm=1&utm=2"), ok("max-age=60"));
    assert!(is_hit(&plugin, Request::get("/c")) && is_hit(&plugin, Request::get("/c?utm")));
}

#[test]
fn hosts_are_told_apart_as_the_upstream_sees_them() {
    let plugin = plugin(json!({}));
    // The authority is what the client asked for; an earlier step has changed the field.
    let changed = || get().with_header("host", "tenant.example");
    fetch(&plugin, changed(), ok("max-age=60"));
    assert!(is_hit(&plugin, changed()));
    assert!(!is_hit(&plugin, get()));
    fetch(&plugin, Request::post("/a"), Response::new(200));
    assert!(!is_hit(&plugin, changed()), "a change is one for every host");
}

#[test]
fn the_query_counts_byte_for_byte_unless_configured() {
    let plugin = plugin(json!({}));
    fetch(&plugin, Request::get("/a?x=1&y=2"), ok("max-age=60"));
    assert!(is_hit(&plugin, Request::get("/a?x=1&y=2")));
    assert!(!is_hit(&plugin, Request::get("/a?y=2&x=1")));
}

#[test]
fn what_must_not_be_kept_is_not() {
    let stored = |config, response| {
        let plugin = plugin(config);
        fetch(&plugin, get(), response);
        is_hit(&plugin, get())
    };
    let cookie = || ok("max-age=60").with_header("set-cookie", "a=b");
    for (response, kept) in [
        (ok("max-age=60"), true),
        (ok("s-maxage=60"), true),
        (ok("max-age=60, no-store"), false),
        (ok("max-age=60, no-store, must-understand"), true),
        (ok("max-age=60, private"), false),
        (ok("max-age=60, private=\"x-a\""), true),
        (ok("max-age=60, no-cache"), false),
        (ok("max-age=60, no-cache=\"x-a\""), true),
        (ok("max-age=60, private=\"x-a"), false),
        (ok("max-age=60, private =\"x-a\""), false),
        (ok("max-age=60, no-cache=\"a\"b\""), false),
        (ok("max-age=60, ext=\"a, no-store"), false),
        (ok("max-age=60").with_header("cache-control", b"private, ext=\"\xff\""), false),
        (ok("max-age=60").with_header("vary", "*"), false),
        (ok("max-age=60, s-maxage=0"), false),
        (ok("public"), false),
        (cookie(), false),
        (Response::new(200).with_header("expires", "Thu, 01 Jan 2026 01:00:00 GMT"), true),
        (Response::new(200).with_header("expires", "0"), false),
        (Response::new(204).with_header("cache-control", "max-age=60"), true),
        (Response::new(404).with_header("cache-control", "max-age=60"), true),
        (Response::new(500).with_header("cache-control", "max-age=60"), false),
        (Response::new(206).with_header("cache-control", "max-age=60"), false),
    ] {
        let what = format!("{response:?}");
        assert_eq!(stored(json!({}), response), kept, "{what}");
    }
    assert!(stored(json!({ "default_ttl": "1m" }), Response::new(200).with_body("x")));
    assert!(!stored(json!({ "default_ttl": "1m" }), ok("max-age=0")));
    assert!(!stored(
        json!({ "statuses": [200] }),
        Response::new(404).with_header("cache-control", "max-age=60")
    ));
    assert!(stored(json!({ "strip_set_cookie": true }), cookie()));
}

#[test]
fn fields_of_one_exchange_are_not_kept() {
    let plugin = plugin(json!({ "strip_set_cookie": true, "status_header": "x-cache" }));
    let response = ok("max-age=60, private=\"x-private\", no-cache=\"x-volatile\"")
        .with_header("set-cookie", "a=b")
        .with_header("connection", "x-hop")
        .with_header("x-hop", "1")
        .with_header("x-private", "1")
        .with_header("x-volatile", "1")
        .with_header("x-kept", "1")
        .with_header("x-cache", "of the upstream")
        .with_header("age", "7");
    let first = fetch(&plugin, get(), response);
    assert_eq!(first.header("set-cookie"), Some("a=b"), "the first client gets it all");
    let answer = hit(&plugin, get());
    for name in ["set-cookie", "connection", "x-hop", "x-private", "x-volatile"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!((answer.header("x-kept"), answer.header_all("x-cache")), (Some("1"), vec!["hit"]));
    assert_eq!(answer.header_all("age"), ["7"]);
}

#[test]
fn the_operators_bounds_hold() {
    let plugin = plugin(json!({ "max_ttl": "10s", "max_body": "5B" }));
    fetch(&plugin, get(), ok("max-age=3600"));
    plugin.advance(seconds(9));
    assert!(is_hit(&plugin, get()));
    plugin.advance(seconds(1));
    assert!(!is_hit(&plugin, get()));
    let large = fetch(&plugin, Request::get("/b"), ok("max-age=60").with_chunks(["hel", "lo!"]));
    assert_eq!(large.text(), "hello!", "what is too large passes untouched");
    assert!(!is_hit(&plugin, Request::get("/b")));
    let stated = fetch(
        &plugin,
        Request::get("/c"),
        ok("max-age=60").with_header("content-length", "6").with_body("hello!"),
    );
    assert_eq!(stated.text(), "hello!");
    assert!(!is_hit(&plugin, Request::get("/c")));
    fetch(&plugin, Request::get("/d"), ok("max-age=60").with_chunks(["he", "", "llo"]));
    assert_eq!(hit(&plugin, Request::get("/d")).text(), "hello");
}

#[test]
fn a_value_that_the_store_does_not_take_breaks_nothing() {
    let plugin = plugin(json!({ "max_body": "1MiB" }));
    let body = "x".repeat(100 << 10);
    let passed = fetch(&plugin, get(), ok("max-age=60").with_body(&body));
    assert_eq!(passed.text().len(), body.len());
    assert!(!is_hit(&plugin, get()));
}

#[test]
fn what_is_for_one_person_is_for_nobody_else() {
    let authorized = || get().with_header("authorization", "Bearer 1");
    for (control, shared) in [
        ("max-age=60", false),
        ("max-age=60, public", true),
        ("s-maxage=60", true),
        ("max-age=60, must-revalidate", true),
    ] {
        for request in [authorized(), get().consumer("acme")] {
            let plugin = plugin(json!({}));
            fetch(&plugin, request.clone(), ok(control));
            assert_eq!(is_hit(&plugin, get()), shared, "{control}");
            fetch_or_hit(&plugin, get(), control);
            assert_eq!(is_hit(&plugin, request), shared, "{control}: nor is it served to a person");
        }
    }
}

fn fetch_or_hit(plugin: &sluice_sdk_testing::TestPlugin, request: Request, control: &str) {
    let mut exchange = plugin.send(request);
    if exchange.is_forwarded() {
        exchange.respond(ok(control));
    }
}

#[test]
fn a_key_with_the_consumer_keeps_people_apart() {
    let plugin = plugin(json!({ "key": ["consumer", "header:x-tier", "cookie:lang"] }));
    let ask = |consumer, tier: &str, lang: &str| {
        get().consumer(consumer).with_header("x-tier", tier).with_header("cookie", format!("lang={lang}"))
    };
    fetch(&plugin, ask("acme", "1", "de"), ok("max-age=60"));
    assert!(is_hit(&plugin, ask("acme", "1", "de")));
    assert!(!is_hit(&plugin, ask("other", "1", "de")));
    assert!(!is_hit(&plugin, ask("acme", "2", "de")));
    assert!(!is_hit(&plugin, ask("acme", "1", "en")));
    assert!(!is_hit(&plugin, ask("acme", "1", "de; lang=en")), "the upstream may read another one");
    assert!(!is_hit(&plugin, get()));
    // Changing it changes it for everyone.
    fetch(&plugin, Request::post("/a").consumer("other"), Response::new(200));
    assert!(!is_hit(&plugin, ask("acme", "1", "de")));
}

#[test]
fn whoever_asks_has_to_be_in_the_key() {
    let recognised = |others| json!({ "name": "jwt", "anonymous": false, "others": others });
    // A person whose credential an earlier step has taken away, and who is no consumer.
    let nobodys = || get().value("auth.method", &recognised(true));
    // A person behind an application.
    let behind = || get().consumer("acme").value("auth.method", &recognised(true));
    let own = || get().value("auth.method", &json!({ "name": "of a plugin", "anonymous": false }));
    let guest = || get().consumer("acme").value("auth.method", &json!({ "name": "jwt", "anonymous": true }));
    let consumer = || get().consumer("acme").value("auth.method", &recognised(false));
    let with_token = |request: Request| request.with_header("authorization", "Bearer 1");
    let token = "header:authorization";
    for (key, request, is_kept) in [
        (json!([]), nobodys(), false),
        (json!(["consumer", token]), nobodys(), false),
        (json!(["consumer", token]), with_token(nobodys()), false),
        (json!([]), own(), false),
        (json!(["consumer"]), behind(), false),
        (json!(["consumer"]), consumer(), true),
        (json!([]), consumer(), false),
        (json!(["consumer"]), guest(), true),
        (json!([]), guest(), false),
        (json!(["consumer"]), with_token(consumer()), false),
        (json!([token]), with_token(consumer()), false),
        (json!(["consumer", token]), with_token(consumer()), true),
        (json!([token]), with_token(get()), true),
    ] {
        let kept = |control| {
            let plugin = plugin(json!({ "key": key }));
            fetch(&plugin, request.clone(), ok(control));
            is_hit(&plugin, request.clone())
        };
        assert_eq!(kept("max-age=60"), is_kept, "{key} {request:?}");
        assert!(kept("max-age=60, public"), "{key} {request:?}");
    }
}

#[test]
fn a_change_makes_what_is_stored_obsolete() {
    for (method, status, gone) in [
        ("POST", 200, true),
        ("PUT", 204, true),
        ("DELETE", 303, true),
        ("PURGE", 200, true),
        ("POST", 400, false),
        ("POST", 500, false),
        ("OPTIONS", 200, false),
    ] {
        let plugin = plugin(json!({}));
        fetch(&plugin, get(), ok("max-age=60").with_header("vary", "x-a"));
        let passed = fetch(&plugin, Request::new(method, "/a"), Response::new(status));
        assert_eq!(passed.header("cache-status"), Some("sluice; fwd=method"));
        assert_eq!(is_hit(&plugin, get()), !gone, "{method} {status}");
        // What is stored now does not bring back what was stored before.
        fetch(&plugin, get().with_header("x-a", "1"), ok("max-age=60").with_header("vary", "x-a"));
        assert_eq!(is_hit(&plugin, get()), !gone, "{method} {status}");
    }
    let plugin = plugin(json!({}));
    fetch(&plugin, Request::get("/b"), ok("max-age=60"));
    fetch(&plugin, Request::get("/c?d"), ok("max-age=60"));
    fetch(&plugin, Request::get("/e"), ok("max-age=60"));
    let created = Response::new(201)
        .with_header("location", "http://api.example/b")
        .with_header("content-location", "/c?d#e");
    fetch(&plugin, Request::post("/a"), created);
    fetch(&plugin, Request::post("/a"), Response::new(201).with_header("location", "http://evil.example/e"));
    assert!(!is_hit(&plugin, Request::get("/b")) && !is_hit(&plugin, Request::get("/c?d")));
    assert!(is_hit(&plugin, Request::get("/e")));
}

#[test]
fn clients_say_what_they_take() {
    let ask = |control: &str| get().with_header("cache-control", control);
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("max-age=60"));
    plugin.advance(seconds(30));
    for (control, taken) in [
        ("max-age=30", true),
        ("max-age=29", false),
        ("min-fresh=30", true),
        ("min-fresh=31", false),
        ("no-cache", false),
    ] {
        assert_eq!(is_hit(&plugin, ask(control)), taken, "{control}");
    }
    assert!(!is_hit(&plugin, get().with_header("pragma", "no-cache")));
    assert!(is_hit(&plugin, ask("x").with_header("pragma", "no-cache")), "`Cache-Control` stands above it");
    let missing = plugin.send(Request::get("/b").with_header("cache-control", "only-if-cached")).answer();
    assert_eq!((missing.status(), &missing.problem()["type"]), (504, &json!("not-cached")));
    assert_eq!(hit(&plugin, ask("only-if-cached")).status(), 200);
}

#[test]
fn clients_are_not_asked_if_the_operator_says_so() {
    let plugin = plugin(json!({ "ignore_request_directives": true }));
    fetch(&plugin, get().with_header("cache-control", "no-store"), ok("max-age=60"));
    assert!(is_hit(&plugin, get().with_header("cache-control", "no-cache")));
}

#[test]
fn a_client_that_has_it_already_gets_304() {
    let plugin = plugin(json!({}));
    let response = ok("max-age=60")
        .with_header("etag", "\"a\"")
        .with_header("last-modified", "Wed, 31 Dec 2025 00:00:00 GMT");
    fetch(&plugin, get(), response);
    for (name, value, status) in [
        ("if-none-match", "\"a\"", 304),
        ("if-none-match", "W/\"a\"", 304),
        ("if-none-match", "\"b\", \"a\"", 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"b\"", 200),
        ("if-none-match", "\"b,\\\"a\"", 200),
        ("if-modified-since", "Wed, 31 Dec 2025 00:00:00 GMT", 304),
        ("if-modified-since", "Tue, 30 Dec 2025 00:00:00 GMT", 200),
        ("if-modified-since", "yesterday", 200),
    ] {
        let answer = hit(&plugin, get().with_header(name, value));
        assert_eq!(answer.status(), status, "{name}: {value}");
        let is_whole = answer.text() == "hello" && answer.header("content-type").is_some();
        assert_eq!(is_whole, status == 200, "{name}: {value}");
        assert_eq!(answer.header("etag"), Some("\"a\""));
    }
    // The tag decides where both are given (RFC 9110 section 13.1.3).
    let both = get()
        .with_header("if-none-match", "\"b\"")
        .with_header("if-modified-since", "Wed, 31 Dec 2025 00:00:00 GMT");
    assert_eq!(hit(&plugin, both).status(), 200);
}

#[test]
fn a_bad_configuration_is_refused() {
    for (config, reason) in [
        (json!({ "max_body": "2MiB" }), "`max_body` is at most 1MiB"),
        (json!({ "max_ttl": "0s" }), "`max_ttl`"),
        (json!({ "statuses": [] }), "`statuses` is empty"),
        (json!({ "statuses": [206] }), "`statuses`: 206 is not one of"),
        (json!({ "key": ["client"] }), "`key`: `client` is no part"),
        (json!({ "key": ["header:x y"] }), "`key`: `x y` is not a header name"),
        (json!({ "wait": "61s" }), "`wait`"),
        (json!({ "lease": "0s" }), "`lease`"),
        (json!({ "name": "a b" }), "`name`: `a b` is not a token"),
        (json!({ "ttl": "1s" }), ""),
    ] {
        let refused = Harness::<ResponseCache>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
