//! How long an answer is kept, and when an old one serves.

use std::time::Duration;

use introspection::Introspection;
use sluice_sdk_testing::{Harness, json};

use crate::common::{NOW, active, answered, said, shown, with, world};

#[test]
fn an_answer_is_kept_for_a_time() {
    let plugin = said(said(world(json!({})), active()), json!({ "active": false })).start().unwrap();
    assert_eq!(plugin.send(shown("t")).fetched().len(), 1);
    plugin.advance(Duration::from_millis(59_999));
    let again = plugin.send(shown("t"));
    assert!(again.is_forwarded() && again.fetched().is_empty());
    drop(again);
    plugin.advance(Duration::from_millis(1));
    let revoked = plugin.send(shown("t"));
    assert_eq!((revoked.answer().status(), revoked.fetched().len()), (401, 1));
    drop(revoked);
    plugin.advance(Duration::from_millis(9_999));
    assert!(plugin.send(shown("t")).fetched().is_empty());
    plugin.advance(Duration::from_millis(1));
    assert_eq!(plugin.send(shown("t")).fetched().len(), 1);
    assert_eq!(plugin.send(shown("other")).fetched().len(), 1, "each token is its own");
}

#[test]
fn an_answer_is_kept_no_longer_than_the_token_lasts() {
    let plugin = answered(json!({ "leeway": "0s" }), with(json!({ "exp": NOW + 10 })));
    assert!(plugin.send(shown("t")).is_forwarded());
    plugin.advance(Duration::from_millis(9_999));
    assert!(plugin.send(shown("t")).fetched().is_empty());
    plugin.advance(Duration::from_millis(1));
    let over = plugin.send(shown("t"));
    assert_eq!((&over.answer().problem()["type"], over.fetched().len()), (&json!("token-expired"), 1));
}

#[test]
fn nothing_is_kept_where_nothing_shall_be() {
    let plugin = answered(json!({ "cache": "0s", "negative_cache": "0s" }), active());
    for _ in 0..3 {
        assert_eq!(plugin.send(shown("t")).fetched().len(), 1);
    }
    let plugin =
        said(said(world(json!({ "cache": "0s" })), active()), json!({ "active": false })).start().unwrap();
    for (fetched, status) in [(1, None), (1, Some(401)), (0, Some(401))] {
        let exchange = plugin.send(shown("t"));
        assert_eq!(exchange.fetched().len(), fetched);
        assert_eq!((!exchange.is_forwarded()).then(|| exchange.answer().status()), status);
    }
    let plugin = said(world(json!({ "negative_cache": "0s" })), json!({ "active": false })).start().unwrap();
    for _ in 0..3 {
        assert_eq!(plugin.send(shown("t")).fetched().len(), 1, "a lead is given up");
    }
}

#[test]
fn an_old_answer_serves_where_the_operator_wants_it() {
    let down = |world: Harness<Introspection>| world.fetch_unavailable("login", "POST", "/introspect");
    let plugin = down(said(world(json!({ "stale_if_error": "5m" })), active())).start().unwrap();
    assert!(plugin.send(shown("t")).is_forwarded());
    plugin.advance(Duration::from_secs(359));
    let exchange = plugin.send(shown("t"));
    assert!(exchange.is_forwarded() && exchange.fetched().len() == 1 && !exchange.logs().is_empty());
    drop(exchange);
    assert_eq!(plugin.send(shown("other")).answer().status(), 503);
    plugin.advance(Duration::from_secs(1));
    assert_eq!(plugin.send(shown("t")).answer().status(), 503);

    // Once revoked it stays so.
    let world = said(said(world(json!({ "stale_if_error": "5m" })), active()), json!({ "active": false }));
    let plugin = down(world).start().unwrap();
    assert!(plugin.send(shown("t")).is_forwarded());
    plugin.advance(Duration::from_secs(60));
    assert_eq!(plugin.send(shown("t")).answer().status(), 401);
    plugin.advance(Duration::from_secs(10));
    assert_eq!(plugin.send(shown("t")).answer().status(), 503);
}

#[test]
fn an_old_answer_does_not_outlive_its_token() {
    let world =
        said(world(json!({ "stale_if_error": "1h", "leeway": "0s" })), with(json!({ "exp": NOW + 100 })));
    let plugin = world.fetch_timeout("login", "POST", "/introspect").start().unwrap();
    assert!(plugin.send(shown("t")).is_forwarded());
    plugin.advance(Duration::from_secs(99));
    assert!(plugin.send(shown("t")).is_forwarded());
    plugin.advance(Duration::from_secs(1));
    assert_eq!(plugin.send(shown("t")).answer().problem()["type"], "token-expired");
}
