//! The petstore, and what is said of a request that does not fit it.

use openapi_validate::OpenApiValidate;
use sluice_sdk_testing::{Exchange, Harness, TestPlugin, Value, json};

pub(crate) const DOCUMENTS: [&str; 2] =
    [include_str!("../data/petstore-3.0.json"), include_str!("../data/petstore-3.1.json")];

pub(crate) fn with(document: &str, mut config: Value) -> TestPlugin {
    config["document"] = json!(document);
    Harness::<OpenApiValidate>::new(config).start().expect("the configuration is good")
}

/// Every test of the petstore holds for both versions.
pub(crate) fn stores(config: &Value) -> Vec<TestPlugin> {
    DOCUMENTS.iter().map(|document| with(document, config.clone())).collect()
}

pub(crate) fn refused(exchange: &Exchange<'_>, status: u16, kind: &str) -> Value {
    let problem = exchange.answer().problem();
    assert_eq!((exchange.answer().status(), problem["type"].as_str()), (status, Some(kind)), "{problem}");
    problem
}

/// The errors of a refusal as `place name pointer: message`.
pub(crate) fn errors(exchange: &Exchange<'_>) -> Vec<String> {
    let problem = refused(exchange, 400, "request-invalid");
    let text = |error: &Value, member: &str| error[member].as_str().unwrap_or("-").to_owned();
    let line = |error: &Value| {
        let [place, name, pointer, message] =
            ["in", "name", "pointer", "message"].map(|member| text(error, member));
        format!("{place} {name} {pointer}: {message}")
    };
    let errors = problem["errors"].as_array().expect("a refusal has errors");
    errors.iter().map(line).collect()
}
