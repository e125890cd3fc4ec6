//! The tokens that `data/generate.py` made, and the gateway that takes them.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::LazyLock;

use jwt::Jwt;
use sluice_sdk_testing::{Consumer, Exchange, Harness, Request, TestPlugin, Value, json};

pub(crate) static DATA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/tokens.json")).expect("it is JSON"));

pub(crate) fn special(name: &str) -> &'static str {
    DATA["special"][name].as_str().expect("there is such a token")
}

pub(crate) fn by_algorithm(name: &str) -> &'static str {
    DATA["by_algorithm"][name]["token"].as_str().expect("there is such a token")
}

pub(crate) fn secret() -> &'static str {
    DATA["secret"].as_str().expect("there is a secret")
}

fn keys() -> impl Iterator<Item = &'static Value> {
    DATA["keys"].as_object().expect("there are keys").values()
}

/// The key set of the issuer.
pub(crate) fn key_set() -> Value {
    json!({ "keys": keys().map(|key| &key["jwk"]).collect::<Vec<_>>() })
}

/// Its keys as JWK, which have a `kid`.
pub(crate) fn jwks() -> Vec<String> {
    keys().map(|key| key["jwk"].to_string()).collect()
}

/// Its keys as PEM, which have none.
pub(crate) fn pems() -> Vec<&'static str> {
    keys().map(|key| key["pem"].as_str().expect("it is a text")).collect()
}

pub(crate) fn pem(name: &str) -> &'static str {
    DATA["keys"][name]["pem"].as_str().expect("there is such a key")
}

/// A configuration with something else in it.
pub(crate) fn with(mut config: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().expect("changes are an object") {
        config[name] = value.clone();
    }
    config
}

/// The issuer of the data, with the keys of its key set, and these changes.
pub(crate) fn config(changes: &Value) -> Value {
    let config = json!({
        "issuer": "https://issuer.example", "audiences": ["https://api.example"], "keys": { "jwks": "login" },
    });
    with(config, changes)
}

/// A gateway with the key set, the secret and two consumers, at the time of the data.
pub(crate) fn world(config: Value) -> Harness<Jwt> {
    Harness::new(config)
        .at(DATA["now_ms"].as_u64().expect("it is a number"))
        .jwks("login", key_set())
        .jwks("another's", json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "kid": "other", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }] }))
        .secret("shared", secret())
        .consumer(
            Consumer::new("acme")
                .token(Some("https://issuer.example"), "alice")
                .custom_id("42")
                .group("gold"),
        )
        .consumer(Consumer::new("bob").token(Some("https://second.example"), "bob"))
        .consumer(Consumer::new("guest"))
}

pub(crate) fn start(config: Value) -> TestPlugin {
    world(config).start().expect("the configuration is good")
}

pub(crate) fn bearer(token: impl AsRef<[u8]>) -> Request {
    Request::get("/orders").with_header("authorization", [b"Bearer ", token.as_ref()].concat())
}

/// Why a token is refused: status, type and detail.
pub(crate) fn refusal(exchange: &Exchange<'_>) -> (u16, String, String) {
    let answer = exchange.answer();
    let problem = answer.problem();
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (answer.status(), text("type"), text("detail"))
}
