//! What the policy lets through and answers. `data/` holds certificates of a CA made for these tests.

use std::time::Duration;

use mtls::Mtls;
use sluice_sdk_testing::{Consumer, Harness, Request, TestPlugin, Value, json};

const BILLING: &str = include_str!("data/billing.pem");
const SUBJECT_ONLY: &str = include_str!("data/subject-only.pem");
const NO_SUBJECT: &str = include_str!("data/no-subject.pem");
const TWO_SPIFFE: &str = include_str!("data/two-spiffe.pem");
const EXPIRED: &str = include_str!("data/expired.pem");
const FUTURE: &str = include_str!("data/future.pem");
const IMPOSTOR: &str = include_str!("data/impostor.pem");
const NUL: &str = include_str!("data/nul.pem");

/// As `openssl x509 -fingerprint -sha256` tells it.
const BILLING_DIGEST: &str = "60c6a66953e1954c3713c7bbe6c981b232bff254d4146247352d4e5dcaa4638d";

fn der(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    data_encoding::BASE64.decode(base64.as_bytes()).expect("a test certificate is in PEM")
}

fn with(pem: &str) -> Request {
    Request::get("/orders").certificate(der(pem))
}

fn start(config: Value, consumers: &[(&str, &str)]) -> TestPlugin {
    let world = consumers.iter().fold(Harness::<Mtls>::new(config), |world, (name, certificate)| {
        world.consumer(Consumer::new(name).certificate(certificate))
    });
    world.start().expect("the configuration is good")
}

#[test]
fn a_consumer_is_found_by_any_kind_of_name() {
    let digest = format!("sha256:{BILLING_DIGEST}");
    for name in [
        "spiffe://example.org/ns/prod/sa/billing",
        "billing.example.org",
        "b2.example.org",
        "Ops@example.org",
        "CN=billing,O=Example\\, Inc.,C=SE",
        &digest,
    ] {
        let plugin = start(json!({}), &[("other", "spiffe://example.org/other"), ("billing", name)]);
        let exchange = plugin.send(with(BILLING).with_header("x-consumer-username", "root"));
        assert_eq!(exchange.consumer(), Some("billing"), "{name}");
        assert_eq!(exchange.forwarded().header_all("x-consumer-username"), ["billing"]);
        assert_eq!(exchange.forwarded().header("x-credential-identifier"), Some(name));
    }
    let plugin = start(json!({}), &[("db", "spiffe://example.org/db")]);
    assert_eq!(plugin.send(with(NO_SUBJECT)).consumer(), Some("db"));
    let odd = r#"UID=\ x\ ,serialNumber=7,CN=\#1 \"Jim\"\; a\+b\\c+OU=Söder \<R&D\>,DC=example"#;
    assert_eq!(start(json!({}), &[("odd", odd)]).send(with(SUBJECT_ONLY)).consumer(), Some("odd"));
}

#[test]
fn the_order_of_kinds_decides() {
    let consumers = [("host", "b2.example.org"), ("workload", "spiffe://example.org/ns/prod/sa/billing")];
    for (by, consumer) in
        [(json!(["uri", "dns"]), "workload"), (json!(["dns", "uri"]), "host"), (json!(["dns"]), "host")]
    {
        assert_eq!(start(json!({ "by": by }), &consumers).send(with(BILLING)).consumer(), Some(consumer));
    }
    let exchange = start(json!({ "by": ["email", "subject"] }), &consumers);
    assert_eq!(exchange.send(with(BILLING)).answer().problem()["type"], "certificate-unknown");
}

#[test]
fn a_name_is_not_taken_for_one_of_another_kind() {
    let zeros = format!("sha256:{}", "00".repeat(32));
    for name in [zeros.as_str(), "CN=billing@example.org", "CN=billing", "cn=billing"] {
        let answer = start(json!({}), &[("billing", name)]).send(with(IMPOSTOR)).answer();
        assert_eq!(
            (answer.status(), &answer.problem()["type"]),
            (403, &json!("certificate-unknown")),
            "{name}"
        );
    }
}

#[test]
fn what_is_not_good_is_refused() {
    let plugin = start(json!({ "required": false, "realm": "orders" }), &[]);
    for (request, status, kind) in [
        (Request::get("/").https(), 401, "certificate-missing"),
        (Request::get("/").certificate(b"\x30\x03abc"), 403, "certificate-malformed"),
        (Request::get("/").certificate([0x30; 70_000]), 403, "certificate-malformed"),
        (with(TWO_SPIFFE), 403, "certificate-malformed"),
        (with(NUL), 403, "certificate-malformed"),
        (with(EXPIRED), 403, "certificate-expired"),
        (with(FUTURE), 403, "certificate-not-yet-valid"),
    ] {
        let exchange = plugin.send(request);
        let answer = exchange.answer();
        assert_eq!((answer.status(), &answer.problem()["type"]), (status, &json!(kind)));
        assert_eq!(
            answer.header("www-authenticate"),
            (status == 401).then_some("Certificate realm=\"orders\"")
        );
    }
}

#[test]
fn validity_has_a_leeway() {
    // 2025-12-31T00:00:00Z, when one of them ends.
    const END: u64 = 1_767_139_200_000;
    let at = |ms, config| Harness::<Mtls>::new(config).at(ms).start().unwrap();
    let plugin = at(END, json!({ "required": false }));
    plugin.advance(Duration::from_secs(30));
    assert!(plugin.send(with(EXPIRED)).is_forwarded());
    plugin.advance(Duration::from_millis(1));
    assert_eq!(plugin.send(with(EXPIRED)).answer().problem()["type"], "certificate-expired");
    let strict = at(END, json!({ "required": false, "leeway": "0s" }));
    assert!(strict.send(with(EXPIRED)).is_forwarded());
    strict.advance(Duration::from_millis(1));
    assert!(!strict.send(with(EXPIRED)).is_forwarded());
    // 2026-01-02T00:00:00Z, when the other begins.
    let early = at(END + 2 * 86_400_000 - 30_001, json!({ "required": false }));
    assert_eq!(early.send(with(FUTURE)).answer().problem()["type"], "certificate-not-yet-valid");
    early.advance(Duration::from_millis(1));
    assert!(early.send(with(FUTURE)).is_forwarded());
}

#[test]
fn names_may_have_to_be_as_a_pattern() {
    for (allow, passes) in [
        (json!({ "uri": "spiffe://example.org/**" }), true),
        (json!({ "uri": "spiffe://example.org/*" }), false),
        (json!({ "uri": "spiffe://example.com/**", "dns": ["x", "*.EXAMPLE.org"] }), true),
        (json!({ "dns": "*.org" }), false),
        (json!({ "email": "*@example.org" }), true),
        (json!({ "subject": "CN=*,O=Example\\, Inc.,C=SE" }), true),
        (json!({ "subject": "CN=*,C=SE" }), false),
        (json!({ "subject": "**,C=SE" }), true),
    ] {
        let plugin = start(json!({ "required": false, "allow": allow }), &[]);
        let exchange = plugin.send(with(BILLING));
        assert_eq!(exchange.is_forwarded(), passes, "{allow}");
        if !passes {
            assert_eq!(exchange.answer().problem()["type"], "certificate-not-allowed");
        }
    }
    let plugin = start(json!({ "required": false, "allow": { "subject": "**" } }), &[]);
    assert!(!plugin.send(with(NO_SUBJECT)).is_forwarded(), "a subject that is not there is no subject");
}

#[test]
fn the_upstream_is_told_what_is_wanted_and_nothing_else() {
    let request = || {
        with(BILLING)
            .with_header("x-client-cert-subject", "CN=root")
            .with_header("x-client-cert-verified", "yes")
            .with_header("client-cert", ":MAo=:")
            .with_header("client-cert-chain", ":MAo=:")
    };
    let plugin =
        start(json!({ "required": false, "headers": ["subject", "san", "fingerprint", "serial"] }), &[]);
    let exchange = plugin.send(request());
    let forwarded = exchange.forwarded();
    assert_eq!(forwarded.header_all("x-client-cert-subject"), ["CN=billing,O=Example\\, Inc.,C=SE"]);
    assert_eq!(
        forwarded.header("x-client-cert-san"),
        Some(
            "URI:spiffe://example.org/ns/prod/sa/billing,DNS:billing.example.org,DNS:b2.example.org,email:Ops@example.org"
        )
    );
    assert_eq!(forwarded.header("x-client-cert-fingerprint"), Some(&*format!("sha256:{BILLING_DIGEST}")));
    assert_eq!(forwarded.header("x-client-cert-serial"), Some("1001"));
    for name in ["x-client-cert-verified", "client-cert", "client-cert-chain"] {
        assert_eq!(forwarded.header(name), None, "{name}");
    }
    let plugin = start(json!({ "required": false, "hide": false }), &[]);
    let exchange = plugin.send(request());
    assert_eq!(exchange.forwarded().header("x-client-cert-subject"), None);
    assert_eq!(exchange.forwarded().header("client-cert"), Some(":MAo=:"));
}

#[test]
fn who_shows_nothing_may_be_let_in_as_somebody() {
    let plugin = start(json!({ "anonymous": "guest" }), &[("guest", "nothing")]);
    let request = Request::get("/")
        .with_header("x-client-cert-subject", "CN=root")
        .with_header("x-consumer-groups", "a");
    let exchange = plugin.send(request);
    assert_eq!(exchange.consumer(), Some("guest"));
    assert_eq!(exchange.forwarded().header("x-anonymous-consumer"), Some("true"));
    assert_eq!(exchange.forwarded().header("x-client-cert-subject"), None);
    assert_eq!(plugin.send(with(BILLING)).answer().status(), 403, "an unknown certificate is not none");
}

/// Without a word, it is the schema that refuses.
#[test]
fn a_bad_configuration_is_refused() {
    for (config, word) in [
        (json!({ "by": [] }), "by"),
        (json!({ "by": ["uri", "uri"] }), "by"),
        (json!({ "by": ["cn"] }), ""),
        (json!({ "allow": {} }), "allow"),
        (json!({ "allow": { "uri": "a***b" } }), "allow.uri"),
        (json!({ "allow": { "dns": vec!["x"; 33] } }), "allow"),
        (json!({ "leeway": "6m" }), "leeway"),
        (json!({ "headers": ["pem"] }), ""),
        (json!({ "realm": "a\"b" }), ""),
        (json!({ "anonymous": "nobody" }), "nobody"),
        (json!({ "anonymous": "" }), "anonymous"),
    ] {
        let refused = Harness::<Mtls>::new(config.clone()).start().expect_err(&config.to_string());
        assert!(refused.message.contains(word), "{config}: {refused}");
    }
}
