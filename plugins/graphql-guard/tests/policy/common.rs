//! The guard, requests to it, and what is said of those that do not pass.

use graphql_guard::GraphqlGuard;
use sluice_sdk_testing::{Exchange, Harness, Request, TestPlugin, Value, json};

pub(crate) fn guard(config: Value) -> TestPlugin {
    Harness::<GraphqlGuard>::new(config).start().expect("the configuration is good")
}

pub(crate) fn post(body: &Value) -> Request {
    Request::post("/graphql").with_json(body)
}

pub(crate) fn query(text: &str) -> Request {
    post(&json!({ "query": text }))
}

pub(crate) fn raw(body: &str) -> Request {
    Request::post("/graphql").with_header("content-type", "application/json").with_body(body)
}

#[track_caller]
pub(crate) fn passes(guard: &TestPlugin, request: Request) {
    let exchange = guard.send(request.clone());
    let forwarded = exchange.forwarded();
    assert_eq!((forwarded.text(), forwarded.query()), (request.text(), request.query()));
}

/// Status and kind, and a part of the detail.
#[track_caller]
pub(crate) fn refused(exchange: &Exchange<'_>, status: u16, kind: &str, detail: &str) -> Value {
    let (answer, problem) = (exchange.answer(), exchange.answer().problem());
    assert_eq!((answer.status(), problem["type"].as_str()), (status, Some(kind)), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|said| said.contains(detail)), "{problem}");
    assert_eq!(problem["errors"][0]["message"], problem["detail"]);
    problem
}
