//! Stale responses: validated, or used while the upstream fails.

mod common;

use common::{OUTCOME, fetch, hit, is_hit, ok, plugin, seconds};
use proptest::prelude::*;
use sluice_sdk_testing::{Request, Response, TestPlugin, json};

const CHANGED: &str = "Wed, 31 Dec 2025 00:00:00 GMT";

fn get() -> Request {
    Request::get("/a")
}

#[test]
fn a_stale_response_is_validated_and_serves_again() {
    let plugin = plugin(json!({ "status_header": "x-cache" }));
    fetch(
        &plugin,
        get(),
        ok("max-age=10").with_header("etag", "\"a\"").with_header("last-modified", CHANGED),
    );
    plugin.advance(seconds(20));
    let mut exchange = plugin.send(get().with_header("if-none-match", "\"b\""));
    let sent = exchange.forwarded();
    assert_eq!(sent.header_all("if-none-match"), ["\"a\""], "the cache's own condition");
    assert_eq!(sent.header("if-modified-since"), Some(CHANGED));
    let news = Response::new(304).with_header("cache-control", "max-age=30").with_header("x-new", "1");
    let response = exchange.respond(news);
    assert_eq!((response.status(), response.text()), (200, "hello".to_owned()));
    assert_eq!((response.header("x-cache"), response.header("age")), (Some("revalidated"), Some("0")));
    assert_eq!(response.header("cache-status"), Some("sluice; fwd=stale; fwd-status=304; ttl=30"));
    exchange.complete(OUTCOME);
    plugin.advance(seconds(29));
    let answer = hit(&plugin, get());
    assert_eq!((answer.text(), answer.header("x-new")), ("hello".to_owned(), Some("1")));
}

#[test]
fn a_client_whose_own_condition_holds_gets_304() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("no-cache").with_header("etag", "\"a\""));
    let mut exchange = plugin.send(get().with_header("if-none-match", "\"a\""));
    assert!(exchange.is_forwarded(), "`no-cache` is validated each time");
    assert_eq!(exchange.respond(Response::new(304)).status(), 304);
}

#[test]
fn a_new_response_takes_the_place_of_the_stale_one() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("max-age=10").with_header("etag", "\"a\""));
    plugin.advance(seconds(20));
    let news = ok("max-age=10").with_header("etag", "\"b\"").with_body("news");
    assert_eq!(fetch(&plugin, get(), news).text(), "news");
    assert_eq!(hit(&plugin, get()).text(), "news");
    plugin.advance(seconds(20));
    fetch(&plugin, get(), ok("no-store"));
    let exchange = plugin.send(get());
    assert_eq!(exchange.forwarded().header("if-none-match"), None, "what was stored is gone");
}

#[test]
fn a_304_that_forbids_to_keep_the_response_ends_it() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("max-age=10").with_header("etag", "\"a\""));
    plugin.advance(seconds(20));
    let served = fetch(&plugin, get(), Response::new(304).with_header("cache-control", "no-store"));
    assert_eq!((served.status(), served.text()), (200, "hello".to_owned()));
    assert_eq!(plugin.send(get()).forwarded().header("if-none-match"), None);
}

#[test]
fn cookies_of_a_304_are_for_the_client_who_asked() {
    for config in [json!({}), json!({ "strip_set_cookie": true })] {
        let plugin = plugin(config);
        fetch(&plugin, get(), ok("max-age=10").with_header("etag", "\"a\""));
        plugin.advance(seconds(20));
        let news = Response::new(304)
            .with_header("cache-control", "max-age=10")
            .with_header("set-cookie", "a=1")
            .with_header("set-cookie", "b=2");
        let response = fetch(&plugin, get(), news);
        assert_eq!((response.status(), response.text()), (200, "hello".to_owned()));
        assert_eq!(response.header_all("set-cookie"), ["a=1", "b=2"]);
        let next = hit(&plugin, get());
        assert_eq!((next.header("set-cookie"), next.header("age")), (None, Some("0")));
    }
}

#[test]
fn a_304_with_another_tag_is_no_word_on_what_is_stored() {
    for (stored, named, is_same) in [
        ("\"a\"", "\"a\"", true),
        ("\"a\"", "W/\"a\"", true),
        ("W/\"a\"", "\"a\"", true),
        ("\"a\"", "\"b\"", false),
        ("W/\"a\"", "\"b\"", false),
        ("\"a\"", "W/\"b\"", false),
    ] {
        let plugin = plugin(json!({}));
        fetch(&plugin, get(), ok("max-age=10").with_header("etag", stored));
        plugin.advance(seconds(20));
        let news = Response::new(304)
            .with_header("cache-control", "max-age=30")
            .with_header("etag", named)
            .with_header("set-cookie", "a=1");
        let response = fetch(&plugin, get(), news);
        assert_eq!((response.status(), response.text()), (200, "hello".to_owned()));
        assert_eq!(response.header("set-cookie"), Some("a=1"));
        assert_eq!(response.header_all("etag"), [stored], "{named}: the body is not renamed");
        assert_eq!(response.header("cache-control"), Some(if is_same { "max-age=30" } else { "max-age=10" }));
        let next = plugin.send(get());
        assert_eq!(!next.is_forwarded(), is_same, "{stored} {named}");
        if !is_same {
            let told = "sluice; fwd=stale; fwd-status=304; ttl=-10; detail=other-etag";
            assert_eq!(response.header("cache-status"), Some(told));
            assert_eq!(next.forwarded().header("if-none-match"), None, "it is gone");
        }
    }
}

#[test]
fn a_client_that_has_what_the_304_names_is_told_so() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("max-age=10").with_header("etag", "\"a\""));
    plugin.advance(seconds(20));
    let news = Response::new(304).with_header("etag", "\"b\"").with_header("set-cookie", "a=1");
    let response = fetch(&plugin, get().with_header("if-none-match", "\"b\""), news);
    assert_eq!((response.status(), response.header("etag")), (304, Some("\"b\"")));
    assert_eq!(response.header("set-cookie"), Some("a=1"));
    assert_eq!(plugin.send(get()).forwarded().header("if-none-match"), None);
}

#[test]
fn a_tag_that_only_the_304_has_does_not_name_the_body() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("max-age=10").with_header("last-modified", CHANGED));
    plugin.advance(seconds(20));
    let news = Response::new(304).with_header("cache-control", "max-age=10").with_header("etag", "\"b\"");
    assert_eq!(fetch(&plugin, get(), news).header("etag"), None);
    assert_eq!(hit(&plugin, get()).header("etag"), None);
}

#[test]
fn what_answers_one_client_alone_leaves_what_is_stored() {
    for (status, is_gone) in [
        (400, false),
        (401, false),
        (403, false),
        (405, false),
        (412, false),
        (429, false),
        (431, false),
        (500, false),
        (503, false),
        (505, false),
        (404, true),
        (410, true),
        (200, true),
        (302, true),
    ] {
        let plugin = plugin(json!({}));
        fetch(&plugin, get(), ok("max-age=10").with_header("etag", "\"a\""));
        plugin.advance(seconds(20));
        assert_eq!(fetch(&plugin, get().with_header("x-odd", "1"), Response::new(status)).status(), status);
        let asked = plugin.send(get()).forwarded().header("if-none-match").is_none();
        assert_eq!(asked, is_gone, "{status}");
    }
}

#[test]
fn what_is_not_the_upstreams_leaves_what_is_stored() {
    for (response, is_gone) in [
        (Response::new(302), true),
        (Response::new(302).of_step(), false),
        (Response::new(404).of_step(), false),
        (Response::new(404).of_gateway(), false),
    ] {
        let plugin = plugin(json!({}));
        let what = format!("{response:?}");
        fetch(&plugin, get(), ok("max-age=10").with_header("etag", "\"a\""));
        plugin.advance(seconds(20));
        fetch(&plugin, get(), response);
        assert_eq!(plugin.send(get()).forwarded().header("if-none-match").is_none(), is_gone, "{what}");
    }
}

#[test]
fn what_a_person_gets_leaves_what_is_for_everyone() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("public, max-age=10").with_header("etag", "\"a\""));
    plugin.advance(seconds(20));
    let person = get().with_header("authorization", "Bearer 1");
    fetch(&plugin, person, ok("private").with_header("etag", "\"b\""));
    assert_eq!(plugin.send(get()).forwarded().header("if-none-match"), Some("\"a\""));
}

#[test]
fn a_body_that_cannot_be_kept_ends_the_one_before() {
    let plugin = plugin(json!({ "max_body": "5B" }));
    fetch(&plugin, get(), ok("max-age=10").with_header("etag", "\"a\""));
    plugin.advance(seconds(20));
    fetch(&plugin, get(), ok("max-age=10").with_chunks(["too", "long"]));
    assert_eq!(plugin.send(get()).forwarded().header("if-none-match"), None);
}

#[test]
fn without_a_validator_nothing_is_asked() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("max-age=10"));
    plugin.advance(seconds(20));
    let exchange = plugin.send(get().with_header("if-none-match", "\"of the client\""));
    assert_eq!(exchange.forwarded().header("if-none-match"), Some("\"of the client\""));
}

#[test]
fn a_stale_response_serves_while_the_upstream_fails() {
    for (config, control, status, serves) in [
        (json!({}), "max-age=10, stale-if-error=60", 503, true),
        (json!({}), "max-age=10, stale-if-error=60", 502, true),
        (json!({}), "max-age=10, stale-if-error=60", 404, false),
        (json!({}), "max-age=10, stale-if-error=5", 503, false),
        (json!({}), "max-age=10", 503, false),
        (json!({ "stale_if_error": "1m" }), "max-age=10", 500, true),
        (json!({ "stale_if_error": "1m" }), "max-age=10, must-revalidate", 500, false),
        (json!({ "stale_if_error": "1m" }), "s-maxage=10", 500, false),
        (json!({ "stale_if_error": "1m" }), "max-age=10, no-cache", 500, false),
    ] {
        let plugin = plugin(config);
        // With a validator it is kept in any case: whether it serves is another question.
        fetch(&plugin, get(), ok(control).with_header("etag", "\"a\""));
        plugin.advance(seconds(20));
        let response = fetch(&plugin, get(), Response::new(status));
        assert_eq!(response.status(), if serves { 200 } else { status }, "{control} {status}");
        if serves {
            let told = format!("sluice; fwd=stale; fwd-status={status}; ttl=-10; detail=stale-if-error");
            assert_eq!(
                (response.text(), response.header("cache-status")),
                ("hello".to_owned(), Some(&*told))
            );
            assert!(!is_hit(&plugin, get()), "the next one asks again");
        }
    }
}

#[test]
fn a_stale_response_serves_clients_that_take_it() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("max-age=10").with_header("etag", "\"a\""));
    plugin.advance(seconds(20));
    let ask = |control: &str| get().with_header("cache-control", control);
    assert!(is_hit(&plugin, ask("max-stale=10")) && is_hit(&plugin, ask("max-stale")));
    assert!(!is_hit(&plugin, ask("max-stale=9")));
}

#[test]
fn what_must_be_validated_does_not_serve_stale() {
    for control in ["max-age=10, must-revalidate", "s-maxage=10", "max-age=10, proxy-revalidate", "no-cache"]
    {
        let plugin = plugin(json!({ "stale_while_revalidate": "1m", "stale_if_error": "1m" }));
        fetch(&plugin, get(), ok(control).with_header("etag", "\"a\""));
        plugin.advance(seconds(20));
        let leader = plugin.send(get());
        assert!(leader.is_forwarded());
        assert!(!is_hit(&plugin, get()), "{control}: nor while somebody validates it");
        assert!(
            !is_hit(&plugin, get().with_header("cache-control", "max-stale")),
            "{control}: nor on demand"
        );
    }
}

/// Whatever `Vary` says from response to response, nobody gets what was made for a request that differs in a field that
/// the response depends on.
#[test]
fn vary_never_serves_a_wrong_variant() {
    let plugin = plugin(json!({}));
    let cases = std::cell::Cell::new(0);
    let step = (0_u8..3, 0_u8..3, 0_u8..3, 0_u8..8, 0_u8..10);
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in prop::collection::vec(step, 1..40))| {
        cases.set(cases.get() + 1);
        // Nothing from another case is found.
        check_variants(&plugin, &format!("/{}", cases.get()), &steps)?;
    });
}

/// Three fields of the request, those that the response depends on as bits, and what happens.
type Step = (u8, u8, u8, u8, u8);

fn check_variants(plugin: &TestPlugin, path: &str, steps: &[Step]) -> Result<(), TestCaseError> {
    let names = ["x-a", "x-b", "x-c"];
    // What each response was made for, by the number in its body.
    let mut made: Vec<([u8; 3], u8)> = Vec::new();
    // Those before this one were invalidated.
    let mut first = 0;
    for &(a, b, c, vary, kind) in steps {
        let wanted = [a, b, c];
        if kind == 9 {
            fetch(plugin, Request::post(path), Response::new(200));
            first = made.len();
            continue;
        }
        let mut request = Request::get(path);
        for (name, value) in names.iter().zip(wanted).filter(|(_, value)| *value > 0) {
            request = request.with_header(name, value.to_string());
        }
        let mut exchange = plugin.send(request);
        if exchange.is_forwarded() {
            let mut response = ok("max-age=60").with_body(format!("{}", made.len()));
            for (bit, name) in names.iter().enumerate().filter(|(bit, _)| vary >> bit & 1 == 1) {
                let name = if bit == 1 { name.to_uppercase() } else { (*name).to_owned() };
                response = response.with_header("vary", name);
            }
            made.push((wanted, vary));
            exchange.respond(response);
        } else {
            let number: usize = exchange.answer().text().parse().expect("bodies are numbers");
            prop_assert!(number >= first, "response {} was invalidated", number);
            let (asked, vary) = made[number];
            for bit in (0..3).filter(|bit| vary >> bit & 1 == 1) {
                prop_assert_eq!(asked[bit], wanted[bit], "response {} depends on {}", number, names[bit]);
            }
        }
        exchange.complete(OUTCOME);
    }
    Ok(())
}
