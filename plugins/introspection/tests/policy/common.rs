//! The policy, the server it asks, a token that is shown and what is said of it.

use introspection::Introspection;
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, Value, json};

/// Where the harness's clock begins: 2026-01-01T00:00:00Z.
pub(crate) const NOW: u64 = 1_767_225_600;

fn config(more: Value) -> Value {
    let mut config = json!({ "upstream": "login", "client_id": "gateway", "client_secret": "s3cret" });
    merge(&mut config, &more);
    config
}

fn merge(into: &mut Value, more: &Value) {
    let members = into.as_object_mut().into_iter().flat_map(|into| more.as_object().map(|more| (into, more)));
    members.for_each(|(into, more)| into.extend(more.clone()));
}

pub(crate) fn world(more: Value) -> Harness<Introspection> {
    Harness::new(config(more))
}

pub(crate) fn answered(more: Value, answer: Value) -> TestPlugin {
    said(world(more), answer).start().expect("the configuration is good")
}

pub(crate) fn said(world: Harness<Introspection>, answer: Value) -> Harness<Introspection> {
    world.fetch("login", "POST", "/introspect", Response::new(200).with_json(&answer))
}

pub(crate) fn shown(token: &str) -> Request {
    Request::get("/orders").with_header("authorization", format!("Bearer {token}"))
}

pub(crate) fn active() -> Value {
    json!({ "active": true, "sub": "4711", "iss": "https://login.example", "scope": "read write", "username": "jdoe",
        "client_id": "app", "aud": ["api", "other"], "token_type": "Bearer", "exp": NOW + 3600 })
}

pub(crate) fn with(changes: Value) -> Value {
    let mut answer = active();
    merge(&mut answer, &changes);
    answer
}
