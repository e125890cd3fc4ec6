//! Of many who want the same, one asks.
//!
//! In the harness nobody waits: one who would have to is late at once, and goes on by itself. What tells whether somebody leads, or has left
//! a mark, is a stale response that serves meanwhile: it serves those who do not lead.

mod common;

use common::{OUTCOME, fetch, hit, is_hit, ok, plugin, seconds};
use sluice_sdk_testing::{Request, Response, TestPlugin, json};

fn get() -> Request {
    Request::get("/a")
}

/// Fresh for 10 s, and served for a minute more while somebody validates.
fn validated() -> Response {
    ok("max-age=10, stale-while-revalidate=60").with_header("etag", "\"a\"")
}

/// Whether the next one does not lead. Wants a stale response in the store.
fn is_led(plugin: &TestPlugin) -> bool {
    is_hit(plugin, get())
}

#[test]
fn while_one_validates_the_others_get_the_stale_response() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("max-age=10, stale-while-revalidate=60").with_header("etag", "\"a\""));
    plugin.advance(seconds(20));
    let mut leader = plugin.send(get());
    assert!(leader.is_forwarded());
    let other = hit(&plugin, get());
    assert_eq!(other.header("cache-status"), Some("sluice; hit; ttl=-10; detail=stale-while-revalidate"));
    leader.respond(Response::new(304).with_header("cache-control", "max-age=10"));
    leader.complete(OUTCOME);
    assert_eq!(hit(&plugin, get()).header("age"), Some("0"));
}

#[test]
fn the_lead_lasts_until_the_response_is_there_or_will_not_be() {
    for (response, next_leads) in [
        (None, false),
        (Some(Response::new(503)), true),
        (Some(Response::new(429)), true),
        (Some(Response::new(404)), false),
        (Some(ok("no-store")), false),
    ] {
        let plugin = plugin(json!({ "lease": "60s" }));
        let mut leader = plugin.send(get());
        fetch(&plugin, get(), validated());
        plugin.advance(seconds(20));
        assert!(is_led(&plugin), "nobody has ended the lead");
        let what = format!("{response:?}");
        if let Some(response) = response {
            leader.respond(response);
            // What has landed leaves a mark in the place of the lead.
            assert_eq!(!is_led(&plugin), next_leads, "{what}");
        }
        plugin.advance(seconds(31));
        leader.complete(OUTCOME);
        assert!(!is_led(&plugin), "{what}");
    }
}

#[test]
fn a_response_that_was_kept_leaves_a_mark_for_a_second() {
    let plugin = plugin(json!({}));
    let stale = ok("max-age=0, stale-while-revalidate=60").with_header("etag", "\"a\"");
    fetch(&plugin, get(), stale);
    assert!(is_led(&plugin));
    plugin.advance(seconds(1));
    assert!(!is_led(&plugin));
}

#[test]
fn a_response_that_cannot_be_kept_leaves_a_mark_for_half_a_minute() {
    for (response, is_marked) in [
        (ok("no-store"), true),
        (Response::new(404), true),
        (Response::new(400), false),
        (Response::new(403), false),
        (Response::new(429), false),
        (Response::new(500), false),
    ] {
        let plugin = plugin(json!({}));
        let what = format!("{response:?}");
        fetch(&plugin, get(), response);
        fetch(&plugin, get(), validated());
        plugin.advance(seconds(20));
        assert_eq!(is_led(&plugin), is_marked, "{what}");
        plugin.advance(seconds(11));
        assert!(!is_led(&plugin), "{what}");
    }
}

#[test]
fn a_client_with_conditions_of_its_own_does_not_lead_to_nothing() {
    let plugin = plugin(json!({ "lease": "60s" }));
    let mut conditional = plugin.send(get().with_header("if-none-match", "\"b\""));
    assert_eq!(conditional.forwarded().header("if-none-match"), Some("\"b\""));
    fetch(&plugin, get(), validated());
    plugin.advance(seconds(20));
    assert!(!is_led(&plugin));
    assert_eq!(conditional.respond(Response::new(304)).status(), 304);
    assert!(!is_led(&plugin), "nor does it leave a mark");
    // What is stored is validated by whoever comes: the condition that is sent is the cache's.
    let leader = plugin.send(get().with_header("if-none-match", "\"b\""));
    assert_eq!(leader.forwarded().header("if-none-match"), Some("\"a\""));
    assert!(is_led(&plugin));
}

#[test]
fn a_304_for_a_clients_own_condition_says_nothing_of_what_is_stored() {
    let plugin = plugin(json!({}));
    fetch(&plugin, get(), ok("max-age=10, stale-while-revalidate=60"));
    plugin.advance(seconds(20));
    // It has no validator, so that the client's conditions go to the upstream.
    let passed = fetch(&plugin, get().with_header("if-none-match", "\"b\""), Response::new(304));
    assert_eq!(passed.status(), 304);
    let leader = plugin.send(get());
    assert!(leader.is_forwarded() && is_led(&plugin), "it is there, and the next one leads");
}

#[test]
fn a_lead_whose_response_never_comes_is_given_up() {
    let plugin = plugin(json!({ "stale_while_revalidate": "1m" }));
    fetch(&plugin, get(), ok("max-age=10").with_header("etag", "\"a\""));
    plugin.advance(seconds(20));
    let mut leader = plugin.send(get());
    assert!(leader.is_forwarded() && is_hit(&plugin, get()));
    leader.complete(OUTCOME);
    assert!(plugin.send(get()).is_forwarded(), "the next one leads");
}
