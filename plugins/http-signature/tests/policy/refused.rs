//! What is answered, what the upstream gets, and which configurations are refused.

use std::time::Duration;

use sluice_sdk_testing::{Consumer, Harness, Request, json};

use crate::sign::{NOW, Signed, is_let_in, is_refused, lax, plugin, world};

#[test]
fn a_request_without_a_signature_is_told_how_to_sign() {
    let plugin = plugin(
        json!({ "realm": "orders", "tag": "app \"1\"", "require_expires": true, "algorithms": ["ed25519"] }),
    );
    let exchange = plugin.send(Request::get("/"));
    let answer = exchange.answer();
    assert_eq!((answer.status(), &answer.problem()["type"]), (401, &json!("signature-missing")));
    assert_eq!(answer.header_all("www-authenticate"), ["Signature realm=\"orders\""]);
    assert_eq!(
        answer.header("accept-signature"),
        Some(
            r#"sig=("@method" "@authority" "@path" "@query");created;expires;alg="ed25519";tag="app \"1\"""#
        )
    );
    let exchange = plugin.send(Request::post("/").with_header("content-length", "1").with_body("x"));
    let wanted = exchange.answer().header("accept-signature").unwrap().to_owned();
    assert!(wanted.starts_with(r#"sig=("@method" "@authority" "@path" "@query" "content-digest");"#));
}

#[test]
fn nobody_in_particular_may_be_let_in() {
    let plugin = plugin(json!({ "anonymous": "nobody" }));
    let exchange = plugin.send(Request::post("/").with_header("x-consumer-groups", "admin").with_body("x"));
    assert_eq!(exchange.consumer(), Some("nobody"));
    assert_eq!(exchange.forwarded().header("x-anonymous-consumer"), Some("true"));
    assert_eq!(exchange.forwarded().header("x-consumer-groups"), None);
    // Half a signature or a wrong one is not none.
    is_refused(&plugin, Request::get("/").with_header("signature", "sig=:AA==:"), 400, "signature-malformed");
    let wrong = Signed { secret: "guess".to_owned(), ..Signed::get() };
    is_refused(&plugin, wrong.request(), 401, "signature-invalid");
}

#[test]
fn the_upstream_learns_who_signed() {
    let signed = Signed::get().request().with_header("x-consumer-username", "root");
    let visible = plugin(json!({}));
    let exchange = visible.send(signed.clone());
    let forwarded = exchange.forwarded();
    assert_eq!(forwarded.header_all("x-consumer-username"), ["acme"]);
    assert_eq!(forwarded.header("x-credential-identifier"), Some("secret"));
    assert!(forwarded.header("signature").is_some() && forwarded.header("signature-input").is_some());
    let hidden = plugin(json!({ "hide": true }));
    let exchange = hidden.send(signed.with_header("authorization", "Bearer x"));
    let forwarded = exchange.forwarded();
    assert_eq!((forwarded.header("signature"), forwarded.header("signature-input")), (None, None));
    assert_eq!(forwarded.header("authorization"), Some("Bearer x"));
}

#[test]
fn what_is_missing_is_named() {
    let missing = |config, signed: &Signed| {
        let plugin = plugin(config);
        let exchange = plugin.send(signed.request());
        let problem = exchange.answer().problem();
        assert_eq!((&problem["status"], &problem["type"]), (&json!(401), &json!("signature-incomplete")));
        problem["missing"].clone()
    };
    let mut signed = Signed::get();
    signed.lines.remove(3);
    assert_eq!(missing(json!({}), &signed), json!(["@query"]));
    let signed = Signed::get().parameters("alg=\"hmac-sha256\"");
    assert_eq!(missing(json!({}), &signed), json!(["created", "keyid"]));
    let config = json!({ "require_expires": true, "require_nonce": true, "required": ["date", "@query-param;name=\"a\"", "priority;key=\"u\""] });
    let mut signed = Signed::get();
    signed.lines.clear();
    assert_eq!(
        missing(config, &signed),
        json!(["date", "@query-param;name=\"a\"", "priority;key=\"u\"", "expires", "nonce"])
    );
}

#[test]
fn a_signature_has_its_time() {
    let plugin = plugin(json!({ "max_age": "60s", "leeway": "10s" }));
    for (parameters, status, kind) in [
        (format!("created={NOW}"), 200, "let in"),
        (format!("created={}", NOW - 70), 200, "let in"),
        (format!("created={}", NOW - 71), 401, "signature-expired"),
        (format!("created={}", NOW + 10), 200, "let in"),
        (format!("created={}", NOW + 11), 401, "signature-expired"),
        (format!("created={};expires={}", NOW - 40, NOW - 10), 200, "let in"),
        (format!("created={};expires={}", NOW - 40, NOW - 11), 401, "signature-expired"),
        (format!("created={NOW};expires={}", NOW - 1), 400, "signature-malformed"),
        ("created=-999999999999999".to_owned(), 401, "signature-expired"),
        ("created=999999999999999".to_owned(), 401, "signature-expired"),
    ] {
        let signed = Signed::get().parameters(&format!("{parameters};keyid=\"secret\""));
        assert_eq!(
            crate::sign::outcome(&plugin.send(signed.request())),
            (status, kind.to_owned()),
            "{parameters}"
        );
    }
    plugin.advance(Duration::from_secs(71));
    is_refused(&plugin, Signed::get().request(), 401, "signature-expired");
}

#[test]
fn tags_choose_signatures() {
    let plugin = plugin(json!({ "tag": "mine" }));
    let tagged =
        |tag: &str| Signed::get().parameters(&format!("created={NOW};keyid=\"secret\";tag=\"{tag}\""));
    is_let_in(&plugin, tagged("mine").request());
    is_refused(&plugin, tagged("other").request(), 401, "signature-missing");
    is_refused(&plugin, Signed::get().request(), 401, "signature-missing");
}

#[test]
fn what_says_as_much_is_enough() {
    let plugin = plugin(json!({}));
    let mut signed = Signed::get();
    signed.lines.truncate(1);
    signed.lines.push(("\"@target-uri\"".to_owned(), "http://api.example/orders?id=1".to_owned()));
    is_let_in(&plugin, signed.request());
    let mut signed = Signed::get();
    signed.lines.truncate(2);
    signed.lines.push(("\"@request-target\"".to_owned(), "/orders?id=1".to_owned()));
    is_let_in(&plugin, signed.request());
}

#[test]
fn structured_fields_can_be_configured() {
    let mut signed = Signed::get();
    signed.fields.push(("example-dict".to_owned(), "a=1,   b=(x    y)".to_owned()));
    signed.lines.push(("\"example-dict\";key=\"b\"".to_owned(), "(x y)".to_owned()));
    is_let_in(&plugin(json!({ "structured": { "Example-Dict": "dictionary" } })), signed.request());
    is_refused(
        &plugin(json!({ "structured": { "example-dict": "item" } })),
        signed.request(),
        401,
        "signature-invalid",
    );
    is_refused(&plugin(json!({})), signed.request(), 401, "signature-invalid");
}

#[test]
fn an_unknown_key_and_a_wrong_signature_are_answered_alike() {
    let plugin = plugin(lax());
    let unknown = Signed::get().parameters(&format!("created={NOW};keyid=\"unknown\""));
    let wrong = Signed { secret: "wrong".to_owned(), ..Signed::get() };
    let answers = [unknown, wrong].map(|signed| plugin.send(signed.request()).answer().problem());
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn wrong_configurations_are_refused_at_load() {
    for (config, names) in [
        (json!({ "required": ["@status"] }), "@status"),
        (json!({ "required": ["Date"] }), "Date"),
        (json!({ "required": ["date", "date"] }), "twice"),
        (json!({ "required": ["date;sf"] }), "structured"),
        (json!({ "required": ["client-cert;key=\"a\""] }), "structured"),
        (json!({ "required": ["date;tr"] }), "trailers"),
        (json!({ "algorithms": [] }), ""),
        (json!({ "algorithms": ["hmac-sha512"] }), "compat"),
        (json!({ "algorithms": ["hmac-sha1"] }), ""),
        (json!({ "max_age": "0s" }), "max_age"),
        (json!({ "max_age": "2d" }), "max_age"),
        (json!({ "leeway": "6m" }), "leeway"),
        (json!({ "clock_skew": "500ms" }), "clock_skew"),
        (json!({ "label": "Sig" }), ""),
        (json!({ "tag": "" }), ""),
        (json!({ "tag": "\u{e4}" }), "tag"),
        (json!({ "realm": "a\"b" }), ""),
        (json!({ "compat": ["cavage", "cavage"] }), "twice"),
        (json!({ "compat_required": ["(request target)"] }), "compat_required"),
        (json!({ "anonymous": "somebody" }), "somebody"),
        (json!({ "unknown": 1 }), ""),
    ] {
        let refused = world(config.clone()).start();
        let message = refused.expect_err(&config.to_string()).message;
        assert!(message.contains(names), "{config}: {message}");
    }
}

#[test]
fn a_key_that_is_for_one_algorithm_serves_no_other() {
    let jwk = r#"{"kty":"RSA","alg":"RS256","e":"AQAB","n":"r4tmm3r20Wd_PbqvP1s2-QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct-Lh1GH45x28Rw3Ry53mm-oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL-Wokqltd11nqqzi-bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d-nb4bnNkQVklLQ3fVAvJm-xdDOp9LCNCN48V2pnDOkFV6-U9nV5oyc6XI2w"}"#;
    let input = r#"a=();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#;
    let signature = "a=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==:";
    for (jwk, status, kind) in
        [(jwk.to_owned(), 401, "signature-invalid"), (jwk.replace("RS256", "PS512"), 200, "let in")]
    {
        let consumer = Consumer::new("acme").signature_key("test-key-rsa-pss", &jwk);
        let harness = Harness::<http_signature::HttpSignature>::new(lax()).consumer(consumer);
        let plugin = harness.at(1_618_884_474_000).start().unwrap();
        let request =
            Request::get("/").with_header("signature-input", input).with_header("signature", signature);
        assert_eq!(crate::sign::outcome(&plugin.send(request)), (status, kind.to_owned()));
    }
}
