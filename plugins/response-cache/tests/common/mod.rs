//! What the tests of this plugin have in common.

use std::time::Duration;

use response_cache::ResponseCache;
use sluice_sdk::Outcome;
use sluice_sdk_testing::{Answer, Consumer, Exchange, Harness, Request, Response, TestPlugin, Value};

pub(crate) fn plugin(config: Value) -> TestPlugin {
    let harness = Harness::<ResponseCache>::new(config);
    let harness = harness.consumer(Consumer::new("acme")).consumer(Consumer::new("other"));
    harness.start().expect("the configuration is good")
}

pub(crate) fn ok(control: &str) -> Response {
    Response::new(200)
        .with_header("cache-control", control)
        .with_header("content-type", "text/plain")
        .with_body("hello")
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// This cache does not look at it.
pub(crate) const OUTCOME: Outcome = Outcome {
    status: 200,
    finished: true,
    request_bytes: 0,
    response_bytes: 0,
    duration_us: 0,
    upstream_us: 0,
};

/// The upstream answers a request that has to come to it; what the client gets.
#[track_caller]
pub(crate) fn fetch(plugin: &TestPlugin, request: Request, response: Response) -> Response {
    let mut exchange = plugin.send(request);
    assert!(exchange.is_forwarded(), "it was answered from the store: {:?}", exchange.decision());
    let response = exchange.respond(response);
    assert_eq!((exchange.failure(), exchange.fault()), (None, None));
    exchange.complete(OUTCOME);
    response
}

/// The answer from the store, which has to come from there.
#[track_caller]
pub(crate) fn hit(plugin: &TestPlugin, request: Request) -> Answer {
    plugin.send(request).answer()
}

/// Whether a request is answered from the store.
pub(crate) fn is_hit(plugin: &TestPlugin, request: Request) -> bool {
    let mut exchange: Exchange<'_> = plugin.send(request);
    let is_hit = !exchange.is_forwarded();
    exchange.complete(OUTCOME);
    is_hit
}
