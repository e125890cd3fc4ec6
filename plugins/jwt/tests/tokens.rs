//! Which tokens are believed: those of independent signers, the RFCs' examples, and none that was tampered with.

mod common;

use common::{DATA, bearer, by_algorithm, config, jwks, pem, pems, refusal, special, start};
use proptest::prelude::*;
use sluice_sdk_testing::{TestPlugin, Value, json};

const RFC: &str = include_str!("data/rfc.json");

/// The same keys in each way to give them.
fn plugins() -> [TestPlugin; 3] {
    [
        start(config(&json!({}))),
        start(config(&json!({ "keys": { "public": jwks() } }))),
        start(config(&json!({ "keys": { "public": pems() } }))),
    ]
}

fn entries(of: &'static Value) -> impl Iterator<Item = (&'static String, &'static Value)> {
    of.as_object().expect("it is an object").iter()
}

#[test]
fn every_algorithm_of_another_signer_verifies() {
    for plugin in plugins() {
        for (name, entry) in entries(&DATA["by_algorithm"]) {
            let exchange = plugin.send(bearer(entry["token"].as_str().unwrap()));
            assert!(exchange.is_forwarded(), "{name}: {:?}", exchange.decision());
        }
    }
    let shared = start(config(&json!({ "keys": { "secret": "shared" } })));
    for (name, token) in entries(&DATA["hmacs"]) {
        let exchange = shared.send(bearer(token.as_str().unwrap()));
        assert!(exchange.is_forwarded(), "{name}: {:?}", exchange.decision());
    }
}

#[test]
fn unusual_but_good_tokens_are_accepted() {
    for plugin in plugins() {
        for (name, token) in entries(&DATA["accepted"]) {
            let exchange = plugin.send(bearer(token.as_str().unwrap()));
            assert!(exchange.is_forwarded(), "{name}: {:?}", exchange.decision());
        }
    }
}

#[test]
fn bad_tokens_are_refused_each_for_its_reason() {
    let [set, jwk, pem] = plugins();
    for (name, entry) in entries(&DATA["refused"]) {
        let (token, detail) = (entry["token"].as_str().unwrap(), entry["detail"].as_str().unwrap());
        let kind = match detail {
            "the token has expired" => "token-expired",
            "the token is not valid yet" => "token-not-yet-valid",
            _ => "token-invalid",
        };
        for plugin in [&set, &jwk] {
            let exchange = plugin.send(bearer(token));
            let answer = refusal(&exchange);
            assert_eq!((answer.0, answer.1.as_str(), answer.2.as_str()), (401, kind, detail), "{name}");
            let challenge = exchange.answer().header("www-authenticate").unwrap_or_default().to_owned();
            let wanted =
                format!(r#"Bearer realm="api", error="invalid_token", error_description="{detail}""#);
            assert_eq!(challenge, wanted, "{name}");
        }
        // Keys without `kid` are for any: a token that is signed by one, whatever it calls it, is good.
        let exchange = pem.send(bearer(token));
        let is_only_misnamed = name.starts_with("kid that is ") || name == "kid of another key";
        assert_eq!(exchange.is_forwarded(), is_only_misnamed, "{name}: {:?}", exchange.decision());
    }
}

#[test]
fn a_secret_verifies_nothing_but_hmac() {
    let plugin = start(config(&json!({ "keys": { "secret": "shared" } })));
    for (name, entry) in entries(&DATA["by_algorithm"]) {
        let exchange = plugin.send(bearer(entry["token"].as_str().unwrap()));
        assert_eq!(refusal(&exchange).2, "the algorithm is not accepted", "{name}");
    }
    for name in ["HS256 with another secret", "HS256 cut short"] {
        assert_eq!(refusal(&plugin.send(bearer(special(name)))).2, "the signature is not valid", "{name}");
    }
    // A secret that happens to be a public key's text is a mistake of the operator's, but still no public key.
    let confused = common::world(config(&json!({ "keys": { "secret": "key" } }))).secret("key", pem("rsa"));
    let confused = confused.start().unwrap();
    let exchange = confused.send(bearer(by_algorithm("RS256")));
    assert_eq!(refusal(&exchange).2, "the algorithm is not accepted");
}

#[test]
fn algorithms_can_be_narrowed() {
    for keys in [json!({ "jwks": "login" }), json!({ "public": pems() })] {
        let plugin = start(config(&json!({ "keys": keys, "algorithms": ["ES256", "PS256"] })));
        for (name, entry) in entries(&DATA["by_algorithm"]) {
            let exchange = plugin.send(bearer(entry["token"].as_str().unwrap()));
            let is_listed = name == "ES256" || name == "PS256";
            assert_eq!(exchange.is_forwarded(), is_listed, "{name}: {:?}", exchange.decision());
        }
    }
    let plugin = start(config(&json!({ "keys": { "public": [pem("p256")] } })));
    let exchange = plugin.send(bearer(by_algorithm("ES384")));
    assert_eq!(refusal(&exchange).2, "the algorithm is not accepted", "no key is for it");
}

#[test]
fn the_examples_of_the_rfcs_verify() {
    let examples: Value = serde_json::from_str(RFC).unwrap();
    let examples = examples.as_object().unwrap().iter().filter(|(name, _)| *name != "about");
    for (name, example) in examples {
        let config = json!({ "issuer": "joe", "audiences": "any", "keys": { "public": [example["key"].to_string()] } });
        let plugin =
            sluice_sdk_testing::Harness::<jwt::Jwt>::new(config).at(1_300_819_379_000).start().unwrap();
        let token = example["token"].as_str().unwrap();
        let exchange = plugin.send(bearer(token));
        if example["claims"] == true {
            assert!(exchange.is_forwarded(), "{name}: {:?}", exchange.decision());
            plugin.advance(std::time::Duration::from_secs(31));
            let later = plugin.send(bearer(token));
            assert_eq!(refusal(&later).1, "token-expired", "{name}");
        } else {
            assert_eq!(refusal(&exchange).2, "the claims are malformed", "{name}: the signature is good");
        }
        // The first of the signature: it has no bits left over.
        let at = token.rfind('.').unwrap() + 1;
        let changed =
            format!("{}{}{}", &token[..at], if &token[at..=at] == "B" { "C" } else { "B" }, &token[at + 1..]);
        assert_eq!(refusal(&plugin.send(bearer(changed))).2, "the signature is not valid", "{name}");
    }
}

#[test]
fn each_issuer_is_believed_only_by_its_own_keys() {
    let second = json!({ "issuer": "https://second.example", "keys": { "public": [pem("p384")] } });
    let third = json!({ "issuer": ["third", "3rd"], "keys": { "secret": "shared" }, "audiences": "any" });
    let first =
        json!({ "issuer": "https://issuer.example", "keys": { "public": [pem("p256"), pem("rsa")] } });
    let plugin = start(json!({ "issuers": [first, second, third], "audiences": ["https://api.example"] }));
    for token in
        [by_algorithm("ES256"), by_algorithm("RS256"), special("second issuer"), special("third issuer")]
    {
        let exchange = plugin.send(bearer(token));
        assert!(exchange.is_forwarded(), "{:?}", exchange.decision());
    }
    for (name, detail) in [
        ("second issuer by the first's key", "the algorithm is not accepted"),
        ("second issuer by the first's key, unnamed", "the algorithm is not accepted"),
        ("first issuer by the third's secret", "the algorithm is not accepted"),
    ] {
        assert_eq!(refusal(&plugin.send(bearer(special(name)))).2, detail, "{name}");
    }
    for name in ["iss of another", "iss missing", "iss in a list"] {
        let token = DATA["refused"][name]["token"].as_str().unwrap();
        assert_eq!(refusal(&plugin.send(bearer(token))).2, "the issuer is not accepted", "{name}");
    }
    for (name, entry) in entries(&DATA["refused"]) {
        let exchange = plugin.send(bearer(entry["token"].as_str().unwrap()));
        let is_only_misnamed = name.starts_with("kid that is ") || name == "kid of another key";
        assert_eq!(exchange.is_forwarded(), is_only_misnamed, "{name}: {:?}", exchange.decision());
    }
}

#[test]
fn every_change_of_one_character_is_refused() {
    let set = start(config(&json!({})));
    let shared = start(config(&json!({ "keys": { "secret": "shared" } })));
    let hmac = DATA["hmacs"]["HS256"].as_str().unwrap();
    for (plugin, token) in [(&set, by_algorithm("ES256")), (&set, by_algorithm("EdDSA")), (&shared, hmac)] {
        for at in 0..token.len() {
            // Its neighbour differs in the least of its bits, which are those that may be left over.
            for flip in [1, 2, 4, 0x20] {
                let mut changed = token.as_bytes().to_vec();
                changed[at] ^= flip;
                if changed[at] >= b' ' && changed[at] < 0x7f {
                    let exchange = plugin.send(bearer(&changed));
                    assert!(!exchange.is_forwarded(), "{at}: {}", String::from_utf8_lossy(&changed));
                    assert_eq!(exchange.answer().status(), 401);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_token_with_any_byte_changed_cut_or_added_is_refused(
        name in prop::sample::select(vec!["RS256", "PS512", "ES256", "ES384", "ES512", "Ed25519"]),
        place in any::<prop::sample::Index>(),
        byte in 0x21_u8..0x7f,
        how in 0..3,
    ) {
        thread_local!(static PLUGIN: TestPlugin = start(config(&json!({}))));
        let token = by_algorithm(name).as_bytes();
        let at = place.index(token.len());
        let mut changed = token.to_vec();
        match how {
            0 => changed[at] = byte,
            1 => { changed.remove(at); }
            _ => changed.insert(at, byte),
        }
        prop_assume!(changed != token);
        PLUGIN.with(|plugin| {
            let exchange = plugin.send(bearer(&changed));
            prop_assert!(!exchange.is_forwarded(), "{}", String::from_utf8_lossy(&changed));
            prop_assert_eq!(exchange.answer().status(), 401);
            Ok(())
        })?;
    }

    #[test]
    fn whatever_is_sent_is_answered(text in "[ -~é]{1,80}|[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){1,5}") {
        thread_local!(static PLUGIN: TestPlugin = start(config(&json!({ "anonymous": "guest" }))));
        PLUGIN.with(|plugin| {
            let exchange = plugin.send(bearer(&text));
            let is_answered = exchange.is_forwarded() == text.trim().is_empty() && exchange.fault().is_none();
            prop_assert!(is_answered && exchange.failure().is_none(), "{text:?}: {:?}", exchange.decision());
            Ok(())
        })?;
    }
}
