//! Requests, and a signer of its own that shares no code with the plugin.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_signature::HttpSignature;
use sha2::{Digest as _, Sha256};
use sluice_sdk_testing::{Consumer, Exchange, Harness, Request, TestPlugin, Value, json};

pub(crate) const SECRET: &str = "a shared secret of the interop tests";
/// The beginning of 2026, where the harness's clock stands.
pub(crate) const NOW: i64 = 1_767_225_600;

pub(crate) fn keys() -> Value {
    serde_json::from_str(include_str!("../data/keys.json")).expect("the keys are JSON")
}

/// The plugin in a world in which `acme` has every public key and the secret.
pub(crate) fn world(config: Value) -> Harness<HttpSignature> {
    let keys = keys();
    let mut acme = Consumer::new("acme").signature_secret("secret", SECRET).group("partners");
    for (id, public) in keys["public"].as_object().expect("keys have ids") {
        acme = acme.signature_key(id, public.as_str().expect("a key is PEM"));
    }
    Harness::new(config).consumer(acme).consumer(Consumer::new("nobody"))
}

pub(crate) fn plugin(config: Value) -> TestPlugin {
    world(config).start().expect("the configuration is right")
}

/// A request and what its signature says.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    /// The lines of the base, but for the last one.
    pub(crate) lines: Vec<(String, String)>,
    pub(crate) parameters: String,
    pub(crate) secret: String,
}

impl Signed {
    /// `GET /orders?id=1`, with all covered that has to be.
    pub(crate) fn get() -> Self {
        let lines =
            [("@method", "GET"), ("@authority", "api.example"), ("@path", "/orders"), ("@query", "?id=1")];
        Self {
            method: "GET".to_owned(),
            target: "/orders?id=1".to_owned(),
            host: "api.example".to_owned(),
            fields: Vec::new(),
            body: None,
            lines: lines.map(|(name, value)| (format!("\"{name}\""), value.to_owned())).to_vec(),
            parameters: format!("created={NOW};keyid=\"secret\""),
            secret: SECRET.to_owned(),
        }
    }

    /// The same with a body, and its digest covered.
    pub(crate) fn post(body: &str) -> Self {
        let mut signed = Self::get().covering("content-digest", &digest(body));
        signed.method = "POST".to_owned();
        signed.lines[0].1 = "POST".to_owned();
        signed.fields.push(("content-length".to_owned(), body.len().to_string()));
        signed.body = Some(body.to_owned());
        signed
    }

    /// With a field that is covered.
    pub(crate) fn covering(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self.lines.push((format!("\"{name}\""), value.to_owned()));
        self
    }

    pub(crate) fn parameters(mut self, parameters: &str) -> Self {
        self.parameters = parameters.to_owned();
        self
    }

    pub(crate) fn input(&self) -> String {
        let names: Vec<&str> = self.lines.iter().map(|(name, _)| name.as_str()).collect();
        format!("({});{}", names.join(" "), self.parameters)
    }

    pub(crate) fn signature(&self) -> Vec<u8> {
        let lines: String = self.lines.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        mac(&self.secret, &format!("{lines}\"@signature-params\": {}", self.input()))
    }

    /// The request without its signature.
    pub(crate) fn plain(&self) -> Request {
        let mut request = Request::new(&self.method, &self.target).host(&self.host);
        for (name, value) in &self.fields {
            request = request.with_header(name, value);
        }
        match &self.body {
            Some(body) => request.with_body(body),
            None => request,
        }
    }

    pub(crate) fn request(&self) -> Request {
        self.signed_with(&self.signature())
    }

    /// With any signature.
    pub(crate) fn signed_with(&self, signature: &[u8]) -> Request {
        let signature = format!("sig=:{}:", BASE64.encode(signature));
        let input = format!("sig={}", self.input());
        self.plain().with_header("signature-input", input).with_header("signature", signature)
    }
}

pub(crate) fn mac(secret: &str, text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

pub(crate) fn digest(body: &str) -> String {
    format!("sha-256=:{}:", BASE64.encode(&Sha256::digest(body)))
}

/// Status and kind of the answer; `"let in"` if there is none.
pub(crate) fn outcome(exchange: &Exchange<'_>) -> (u16, String) {
    assert_eq!((exchange.failure(), exchange.fault()), (None, None));
    if exchange.is_forwarded() {
        return (200, "let in".to_owned());
    }
    let answer = exchange.answer();
    (answer.status(), answer.problem()["type"].as_str().unwrap_or_default().to_owned())
}

#[track_caller]
pub(crate) fn is_refused(plugin: &TestPlugin, request: Request, status: u16, kind: &str) {
    assert_eq!(outcome(&plugin.send(request)), (status, kind.to_owned()));
}

#[track_caller]
pub(crate) fn is_let_in(plugin: &TestPlugin, request: Request) {
    let exchange = plugin.send(request);
    assert_eq!(outcome(&exchange), (200, "let in".to_owned()));
    assert_eq!(exchange.consumer(), Some("acme"));
}

/// No more than the signature has to be right.
pub(crate) fn lax() -> Value {
    json!({ "required": [], "digest": "if-present", "max_age": "1d" })
}
