//! The plugin, a request to it, and what is said of what does not suit.

use body_map::BodyMap;
use sluice_sdk_testing::{Answer, Consumer, Harness, Request, TestPlugin, Value, json};

pub(crate) fn plugin(config: Value) -> TestPlugin {
    Harness::<BodyMap>::new(config)
        .consumer(Consumer::new("acme"))
        .start()
        .expect("the configuration is good")
}

/// A plugin whose requests go through these operations.
pub(crate) fn operations(operations: Value) -> TestPlugin {
    plugin(json!({ "request": { "operations": operations } }))
}

pub(crate) fn post(body: &str) -> Request {
    Request::post("/orders").with_header("content-type", "application/json").with_body(body)
}

#[track_caller]
pub(crate) fn becomes(plugin: &TestPlugin, body: &str, expected: &str) {
    let exchange = plugin.send(post(body));
    assert_eq!(exchange.forwarded().text(), expected);
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, kind: &str, detail: &str) {
    let problem = answer.problem();
    assert_eq!((answer.status(), &problem["type"]), (status, &json!(kind)), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|said| said.contains(detail)), "{problem}");
}
