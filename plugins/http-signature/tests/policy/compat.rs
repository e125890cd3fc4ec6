//! Kong's form by the examples of its documentation, and the draft's by its appendix C.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_signature::HttpSignature;
use sha2::Sha512;
use sluice_sdk_testing::{Consumer, Harness, Request, TestPlugin, Value, json};

use crate::sign::{SECRET, Signed, is_let_in, is_refused, mac, outcome, plugin};

/// The documentation's world: alice123, her secret, and the day of her requests.
fn kong(config: Value, date_ms: u64) -> TestPlugin {
    let alice = Consumer::new("acme").signature_secret("alice123", "secret");
    Harness::<HttpSignature>::new(config)
        .consumer(alice)
        .at(date_ms)
        .start()
        .expect("the configuration is right")
}

/// 22 June 2017, 17:15:21 and 21:12:36.
const FIRST: u64 = 1_498_151_721_000;
const SECOND: u64 = 1_498_165_956_000;

fn first() -> Request {
    Request::get("/requests").host("hmac.com").with_header("date", "Thu, 22 Jun 2017 17:15:21 GMT").with_header(
        "authorization",
        r#"hmac username="alice123", algorithm="hmac-sha256", headers="date request-line", signature="ujWCGHeec9Xd6UD2zlyxiNMCiXnDOWeVFMu5VeRUxtw=""#,
    )
}

fn second(body: &str) -> Request {
    Request::get("/requests")
        .host("hmac.com")
        .with_header("date", "Thu, 22 Jun 2017 21:12:36 GMT")
        .with_header("digest", "SHA-256=SBH7QEtqnYUpEcIhDbmStNd1MxtHg2+feBfWc1105MA=")
        .with_header(
            "authorization",
            r#"hmac username="alice123", algorithm="hmac-sha256", headers="date request-line digest", signature="gaweQbATuaGmLrUr3HE0DzU1keWGCt3H96M28sSHTG8=""#,
        )
        .with_body(body)
}

#[test]
fn the_examples_of_kong_are_let_in() {
    let config = json!({ "compat": "kong-hmac", "compat_required": ["request-line"] });
    is_let_in(&kong(config.clone(), FIRST), first());
    is_let_in(&kong(config.clone(), SECOND), second("A small body"));
    is_refused(&kong(config.clone(), SECOND), second("A bigger body"), 400, "digest-mismatch");
    is_refused(&kong(config.clone(), FIRST), first().with_body("x"), 400, "digest-missing");
    is_refused(&kong(config.clone(), FIRST + 301_000), first(), 401, "signature-expired");
    is_refused(&kong(config, FIRST - 301_000), first(), 401, "signature-expired");
    // Its documentation's examples leave the host to everybody.
    let exchange_of = kong(json!({ "compat": "kong-hmac" }), FIRST);
    let exchange = exchange_of.send(first());
    assert_eq!(exchange.answer().problem()["missing"], json!(["host"]));
    assert_eq!(
        exchange.answer().header_all("www-authenticate"),
        ["Signature realm=\"api\"", "hmac realm=\"api\""]
    );
}

#[test]
fn older_forms_are_off_unless_they_are_on() {
    is_refused(&kong(json!({}), FIRST), first(), 401, "signature-missing");
    is_refused(&kong(json!({ "compat": "cavage" }), FIRST), first(), 401, "signature-missing");
    is_refused(
        &plugin(json!({ "compat": "kong-hmac" })),
        cavage_request("C.3 all headers test", true),
        401,
        "signature-missing",
    );
    is_refused(&plugin(json!({})), cavage_request("C.3 all headers test", false), 400, "signature-malformed");
}

const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

fn signed(algorithm: &str, headers: &str, text: &str) -> Request {
    let signature = BASE64.encode(&mac(SECRET, text));
    let credentials = format!(
        "hmac username=\"secret\", algorithm=\"{algorithm}\", headers=\"{headers}\", signature=\"{signature}\""
    );
    Request::get("/a?b").with_header("authorization", credentials)
}

#[test]
fn dates_are_covered_and_near() {
    let plugin = plugin(json!({ "compat": "kong-hmac" }));
    let text = format!("@request-target: get /a?b\nhost: api.example\nx-date: {DATE}");
    let request = || signed("hmac-sha256", "@request-target host x-date", &text);
    is_let_in(&plugin, request().with_header("x-date", DATE));
    // A date that is not covered is anybody's.
    let text = "@request-target: get /a?b\nhost: api.example";
    is_refused(
        &plugin,
        signed("hmac-sha256", "@request-target host", text).with_header("date", DATE),
        401,
        "signature-incomplete",
    );
    // One of two that are covered is old.
    let old = "Wed, 31 Dec 2025 23:00:00 GMT";
    let text = format!("@request-target: get /a?b\nhost: api.example\nx-date: {DATE}\ndate: {old}");
    let both = signed("hmac-sha256", "@request-target host x-date date", &text);
    is_refused(&plugin, both.with_header("x-date", DATE).with_header("date", old), 401, "signature-expired");
    let text = "@request-target: get /a?b\nhost: api.example\ndate: today";
    is_refused(
        &plugin,
        signed("hmac-sha256", "@request-target host date", text).with_header("date", "today"),
        400,
        "signature-malformed",
    );
}

#[test]
fn the_request_line_of_every_version_is_known() {
    let plugin = plugin(json!({ "compat": "kong-hmac" }));
    for (version, status) in [("1.1", 200), ("2.0", 200), ("2", 200), ("1.0", 200), ("9", 401), ("3.0", 401)]
    {
        let text = format!("GET /a?b HTTP/{version}\nhost: api.example\ndate: {DATE}");
        let request = signed("hmac-sha256", "request-line host date", &text).with_header("date", DATE);
        assert_eq!(outcome(&plugin.send(request)).0, status, "{version}");
    }
}

#[test]
fn names_are_covered_in_any_case_and_signed_as_they_were_sent() {
    let plugin = plugin(json!({ "compat": ["kong-hmac", "cavage"] }));
    let text = format!("GET /a?b HTTP/2.0\nHost: api.example\nDate: {DATE}\nX-A: 1");
    let request = |headers: &str| {
        signed("hmac-sha256", headers, &text).with_header("date", DATE).with_header("x-a", "1")
    };
    is_let_in(&plugin, request("request-line Host Date X-A"));
    is_let_in(&plugin, request("Request-Line Host Date X-A"));
    // In another case it is another text.
    is_refused(&plugin, request("request-line host Date X-A"), 401, "signature-invalid");
    // A date counts in any case, and so does what has to be covered.
    is_refused(&plugin, request("request-line Date X-A"), 401, "signature-incomplete");
    let old = signed("hmac-sha256", "request-line Host Date", &text);
    is_refused(&plugin, old.with_header("date", "Wed, 31 Dec 2025 23:00:00 GMT"), 401, "signature-expired");
    // A field of the name does not stand for the request line.
    let text = format!("Request-Line: x\nhost: api.example\ndate: {DATE}");
    let field = signed("hmac-sha256", "Request-Line host date", &text).with_header("request-line", "x");
    is_refused(&plugin, field.with_header("date", DATE), 401, "signature-invalid");
    // The draft has them in lower case (section 2.1.6).
    let credentials = "keyId=\"secret\", algorithm=\"hmac-sha256\", headers=\"(request-target) host Date\", signature=\"AA==\"";
    let draft = Request::get("/").with_header("date", DATE).with_header("signature", credentials);
    is_refused(&plugin, draft, 400, "signature-malformed");
}

#[test]
fn weak_and_unknown_algorithms_are_refused() {
    let plugin = plugin(json!({ "compat": "kong-hmac" }));
    let text = format!("@request-target: get /a?b\nhost: api.example\ndate: {DATE}");
    for algorithm in
        ["hmac-sha1", "hmac-sha224", "hmac-sha384", "HMAC-SHA256", "none", "", "ed25519", "hs2019"]
    {
        let request = signed(algorithm, "@request-target host date", &text).with_header("date", DATE);
        is_refused(&plugin, request, 401, "signature-invalid");
    }
}

#[test]
fn forged_and_malformed_credentials_are_refused() {
    let plugin = plugin(json!({ "compat": ["kong-hmac", "cavage"] }));
    let text = format!("@request-target: get /a?b\nhost: api.example\ndate: {DATE}");
    let request = || signed("hmac-sha256", "@request-target host date", &text).with_header("date", DATE);
    is_let_in(&plugin, request());
    is_refused(&plugin, request().host("other.example"), 401, "signature-invalid");
    is_refused(&plugin, request().with_header("date", DATE), 400, "signature-malformed");
    is_refused(&plugin, request().with_header("authorization", "Bearer x"), 400, "signature-malformed");
    for headers in [
        "@request-target host date date",
        "@request-target host date Date",
        "(created) host date",
        "@method date",
    ] {
        is_refused(
            &plugin,
            signed("hmac-sha256", headers, &text).with_header("date", DATE),
            400,
            "signature-malformed",
        );
    }
    for credentials in [
        "hmac",
        "hmac username=\"secret\"",
        "Signature keyId=\"secret\"",
        "hmac username=\"a\", username=\"b\", signature=\"\"",
    ] {
        is_refused(
            &plugin,
            Request::get("/").with_header("authorization", credentials),
            400,
            "signature-malformed",
        );
    }
    // Two forms at once leave open which of them counts.
    let both = Signed::get()
        .request()
        .with_header("date", DATE)
        .with_header("authorization", "hmac username=\"secret\"");
    is_refused(&plugin, both, 400, "signature-malformed");
    is_let_in(&plugin, Signed::get().request());
}

#[test]
fn credentials_can_be_hidden() {
    let plugin = plugin(json!({ "compat": "kong-hmac", "hide": true }));
    let text = format!("@request-target: get /a?b\nhost: api.example\ndate: {DATE}");
    let exchange =
        plugin.send(signed("hmac-sha256", "@request-target host date", &text).with_header("date", DATE));
    assert_eq!(exchange.forwarded().header("authorization"), None);
    assert_eq!(exchange.forwarded().header("date"), Some(DATE));
}

fn cavage_cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../data/cavage.json")).expect("the cases are JSON")
}

/// Appendix C's request, signed.
fn cavage_request(name: &str, in_authorization: bool) -> Request {
    let cases = cavage_cases();
    let case = cases.iter().find(|case| case["name"] == name).expect("there is such a case");
    let credentials = case["credentials"].as_str().expect("a case has credentials");
    let request = Request::post("/foo?param=value&pet=dog")
        .host("example.com")
        .with_header("date", DATE)
        .with_header("content-type", "application/json")
        .with_header("digest", "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=")
        .with_header("content-length", "18")
        .with_body("{\"hello\": \"world\"}");
    if in_authorization {
        request.with_header("authorization", format!("Signature {credentials}"))
    } else {
        request.with_header("signature", credentials)
    }
}

#[test]
fn signatures_of_the_draft_are_right() {
    let algorithms = ["hmac-sha256", "hmac-sha512", "rsa-v1_5-sha256", "rsa-pss-sha512", "ed25519"];
    let config = json!({ "compat": "cavage", "algorithms": algorithms, "compat_required": [], "digest": "if-present" });
    let plugin = plugin(config);
    let cases = cavage_cases();
    assert_eq!(cases.len(), 8);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        for in_authorization in [true, false] {
            let exchange = plugin.send(cavage_request(name, in_authorization));
            assert_eq!(exchange.consumer(), Some("acme"), "{name}: {:?}", exchange.decision());
            let covered = case["covered"].as_array().unwrap();
            let moved = cavage_request(name, in_authorization).host("other.example");
            let status = if covered.contains(&json!("host")) { 401 } else { 200 };
            assert_eq!(outcome(&plugin.send(moved)).0, status, "{name}");
        }
    }
}

#[test]
fn the_draft_is_held_to_the_configuration() {
    let plugin = plugin(json!({ "compat": "cavage", "algorithms": ["rsa-v1_5-sha256", "hmac-sha256"] }));
    is_let_in(&plugin, cavage_request("C.3 all headers test", false));
    is_refused(&plugin, cavage_request("C.1 default test", false), 401, "signature-incomplete");
    // Its digest is not covered.
    is_refused(&plugin, cavage_request("C.2 basic test", false), 401, "signature-incomplete");
    is_refused(&plugin, cavage_request("hs2019 with rsa", false), 401, "signature-invalid");
    let strict = crate::sign::plugin(json!({ "compat": "cavage" }));
    is_refused(&strict, cavage_request("C.3 all headers test", false), 401, "signature-invalid");
    let exchange = strict.send(Request::get("/"));
    let challenge = r#"Signature realm="api", headers="(request-target) host date""#;
    assert_eq!(exchange.answer().header_all("www-authenticate"), [challenge]);
    plugin.advance(std::time::Duration::from_secs(301));
    is_refused(&plugin, cavage_request("C.3 all headers test", false), 401, "signature-expired");
}

#[test]
fn algorithms_from_before_times_were_stated_state_none() {
    let config =
        json!({ "compat": "cavage", "compat_required": [], "algorithms": ["hmac-sha256", "hmac-sha512"] });
    let plugin = plugin(config);
    let text = "(created): 1767225600";
    let request = |algorithm: &str, signature: &[u8]| {
        let signature = BASE64.encode(signature);
        let credentials = format!(
            "keyId=\"secret\", algorithm=\"{algorithm}\", created=1767225600, headers=\"(created)\", signature=\"{signature}\""
        );
        Request::get("/").with_header("signature", credentials)
    };
    is_refused(&plugin, request("hmac-sha256", &mac(SECRET, text)), 400, "signature-malformed");
    let mac = Hmac::<Sha512>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(text);
    is_let_in(&plugin, request("hs2019", &mac.finalize().into_bytes()));
}

#[test]
fn stated_ends_count() {
    let config = json!({ "compat": "cavage", "compat_required": [], "digest": "if-present" });
    let plugin = plugin(config);
    is_let_in(&plugin, cavage_request("hs2019 with rsa", true));
    plugin.advance(std::time::Duration::from_secs(61));
    is_refused(&plugin, cavage_request("hs2019 with rsa", true), 401, "signature-expired");
}
