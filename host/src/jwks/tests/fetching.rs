//! From an issuer to its keys, and everything that is not taken for keys.

use serde_json::{Value, json};

use super::pair::Pair;
use super::provider::{Answer, Provider, document, frozen, pass, started, until};
use super::{failure, status, verify};
use crate::jwks::{KeySetConfig, KeySetError, KeySets, KeySource, Verification};
use crate::tls::testing::Authority;

/// What a provider does, and what the failure then says.
type Scripted = (Box<dyn Fn() -> Answer + Send>, &'static str);

/// A provider's metadata at `at`, with `issuer` in it, and its keys at `/keys`.
fn metadata(
    url: &str,
    at: &'static str,
    issuer: String,
    keys: Value,
) -> impl Fn(&str, &str) -> Answer + use<> {
    let jwks_uri = format!("{url}/keys");
    move |path, _| match path {
        "/keys" => document(&json!({ "keys": keys })),
        path if path == at => document(&json!({ "issuer": issuer, "jwks_uri": jwks_uri })),
        _ => Answer::Whole(404, String::new(), String::new()),
    }
}

#[test]
fn an_issuers_keys_are_found_over_tls() {
    frozen(async {
        let (authority, pair) = (Authority::new(), Pair::new());
        let provider = Provider::secure(&authority, |_, _| Answer::Nothing).await;
        let issuer = format!("{}/realms/x/", provider.url);
        let keys = json!([pair.jwk("k")]);
        let place = "/realms/x/.well-known/openid-configuration";
        provider.does(metadata(&provider.url, place, issuer.clone(), keys));
        let mut config = KeySetConfig::new(KeySource::Issuer(issuer));
        config.ca = Some(authority.pem().into_bytes());
        let sets = started(config.clone());
        assert_eq!(verify(&sets, Some("k"), &pair.sign(b"data")).await, Verification::Verified);
        assert_eq!(provider.requests(), 2);
        // The metadata is believed for a while: the next fetch is of the keys alone.
        pass(600).await;
        until(|| status(&sets).fetches == 2).await;
        assert_eq!(provider.requests(), 3);
        // Nobody else's authority is trusted.
        config.ca = Some(Authority::new().pem().into_bytes());
        let sets = started(config);
        assert_eq!(verify(&sets, Some("k"), &pair.sign(b"data")).await, Verification::Unavailable);
        assert!(failure(&sets).contains("handshake failed"), "{}", failure(&sets));
    });
}

#[test]
fn metadata_can_be_where_rfc_8414_has_it() {
    frozen(async {
        let pair = Pair::new();
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        let issuer = format!("{}/t", provider.url);
        let place = "/.well-known/oauth-authorization-server/t";
        provider.does(metadata(&provider.url, place, issuer.clone(), json!([pair.jwk("k")])));
        let sets = started(KeySetConfig::new(KeySource::Issuer(issuer)));
        assert_eq!(verify(&sets, Some("k"), &pair.sign(b"data")).await, Verification::Verified);
        assert_eq!(provider.requests(), 3);
    });
}

#[test]
fn metadata_of_another_issuer_is_refused() {
    frozen(async {
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        let place = "/.well-known/openid-configuration";
        provider.does(metadata(&provider.url, place, format!("{}/", provider.url), json!([])));
        let sets = started(KeySetConfig::new(KeySource::Issuer(provider.url.clone())));
        assert_eq!(verify(&sets, Some("k"), b"").await, Verification::Unavailable);
        assert!(failure(&sets).contains("it is the metadata of"), "{}", failure(&sets));
        assert_eq!(provider.requests(), 1);
    });
}

#[test]
fn what_is_no_set_is_a_failure() {
    frozen(async {
        let pair = Pair::new();
        let good = json!({ "keys": [pair.jwk("k")] }).to_string();
        let many: Vec<Value> = (0..201).map(|number| json!({ "kid": number })).collect();
        let whole = |status, headers: &str, body: &str| {
            let (headers, body) = (headers.to_owned(), body.to_owned());
            move || Answer::Whole(status, headers.clone(), body.clone())
        };
        let too_long = format!("{}{good}", " ".repeat(512 << 10));
        let scripts: Vec<Scripted> = vec![
            (Box::new(whole(302, "location: /other\r\n", &good)), "302; redirects are not followed"),
            (Box::new(whole(500, "", &good)), "it answers 500"),
            (Box::new(whole(304, "", "")), "304"),
            (Box::new(whole(204, "", "")), "it answers 204"),
            (Box::new(whole(200, "", "")), "no JWK Set"),
            (Box::new(whole(200, "", "[]")), "no JWK Set"),
            (Box::new(whole(200, "", "{}")), "no JWK Set"),
            (Box::new(whole(200, "", r#"{"keys":{}}"#)), "no JWK Set"),
            (Box::new(whole(200, "", r#"{"keys":[],"keys":[]}"#)), "duplicate field"),
            (Box::new(whole(200, "", &format!("{good}!"))), "no JWK Set"),
            (Box::new(whole(200, "", &"[".repeat(100_000))), "no JWK Set"),
            (Box::new(whole(200, "content-encoding: gzip\r\n", &good)), "content coding"),
            (Box::new(whole(200, "", &too_long)), "longer than 524288 bytes"),
            (Box::new(|| Answer::Endless), "longer than 524288 bytes"),
            (Box::new(whole(200, "", &json!({ "keys": many }).to_string())), "201 keys"),
        ];
        for (script, words) in scripts {
            let provider = Provider::plain(move |_, _| script()).await;
            let sets = started(provider.set());
            assert_eq!(verify(&sets, Some("k"), b"").await, Verification::Unavailable, "{words}");
            assert!(failure(&sets).contains(words), "{words}: {}", failure(&sets));
            assert_eq!(provider.requests(), 1);
        }
    });
}

#[test]
fn a_provider_that_stalls_is_given_up() {
    frozen(async {
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        let sets = started(provider.set());
        until(|| provider.requests() == 1).await;
        pass(6).await;
        until(|| status(&sets).failures == 1).await;
        assert!(failure(&sets).contains("no answer within 5s"), "{}", failure(&sets));
        assert_eq!(verify(&sets, Some("k"), b"").await, Verification::Unavailable);
    });
}

#[test]
fn only_keys_for_verifying_are_taken_from_a_set() {
    frozen(async {
        let pair = Pair::new();
        let mut encrypting = pair.jwk("enc");
        encrypting["use"] = "enc".into();
        let shared = json!({ "kty": "oct", "kid": "oct", "alg": "HS256", "k": "AAAA" });
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        provider.publishes(&[encrypting, shared, json!(7), json!({ "kty": "AKP" }), pair.jwk("k")]);
        let sets = started(provider.set());
        let signature = pair.sign(b"data");
        assert_eq!(verify(&sets, Some("k"), &signature).await, Verification::Verified);
        assert_eq!(status(&sets).keys, Some((1, 4)));
        pass(30).await;
        for kid in ["enc", "oct", "K", ""] {
            assert_eq!(verify(&sets, Some(kid), &signature).await, Verification::NoKey, "{kid}");
        }
    });
}

#[test]
fn a_set_that_has_not_changed_is_not_sent_again() {
    frozen(async {
        let pair = Pair::new();
        let set = json!({ "keys": [pair.jwk("k")] }).to_string();
        let provider = Provider::plain(move |_, head| {
            if head.contains("if-none-match: \"v1\"\r\n") {
                return Answer::Whole(304, "cache-control: max-age=100\r\n".to_owned(), String::new());
            }
            Answer::Whole(200, "etag: \"v1\"\r\ncache-control: max-age=60\r\n".to_owned(), set.clone())
        })
        .await;
        let sets = started(provider.set());
        assert_eq!(verify(&sets, Some("k"), &pair.sign(b"data")).await, Verification::Verified);
        for (seconds, fetches) in [(59, 1), (1, 2), (99, 2), (1, 3)] {
            pass(seconds).await;
            until(|| status(&sets).fetches == fetches).await;
            assert_eq!(provider.requests(), usize::try_from(fetches).unwrap());
        }
        assert_eq!(status(&sets).failures, 0);
        assert_eq!(verify(&sets, Some("k"), &pair.sign(b"data")).await, Verification::Verified);
    });
}

#[test]
fn a_tag_is_for_the_url_that_gave_it() {
    frozen(async {
        let (old, new) = (Pair::new(), Pair::new());
        let provider = Provider::plain(|_, _| Answer::Nothing).await;
        let url = provider.url.clone();
        let moves = move |jwks_uri: &'static str, jwk: Value| {
            let url = url.clone();
            move |path: &str, head: &str| match path {
                "/.well-known/openid-configuration" => {
                    document(&json!({ "issuer": url, "jwks_uri": format!("{url}{jwks_uri}") }))
                }
                _ if head.contains("if-none-match") => Answer::Whole(304, String::new(), String::new()),
                _ => Answer::Whole(200, "etag: \"1\"\r\n".into(), json!({ "keys": [jwk] }).to_string()),
            }
        };
        provider.does(moves("/one", old.jwk("old")));
        let sets = started(KeySetConfig::new(KeySource::Issuer(provider.url.clone())));
        assert_eq!(verify(&sets, Some("old"), &old.sign(b"data")).await, Verification::Verified);
        provider.does(moves("/two", new.jwk("new")));
        for fetches in 2..=7 {
            pass(600).await;
            until(|| status(&sets).fetches == fetches).await;
        }
        assert_eq!(status(&sets).failures, 0);
        assert_eq!(verify(&sets, Some("old"), &old.sign(b"data")).await, Verification::NoKey);
        assert_eq!(verify(&sets, Some("new"), &new.sign(b"data")).await, Verification::Verified);
    });
}

#[test]
fn what_cannot_be_a_set_is_refused_before_it_is_one() {
    let errors = |config| KeySets::new([("a".into(), config)], None).err().map(|mut all| all.remove(0).1);
    let source = |source| errors(KeySetConfig::new(source));
    assert!(matches!(source(KeySource::Issuer("a.example".into())), Some(KeySetError::Issuer(_))));
    assert!(matches!(source(KeySource::Url("ftp://a.example".into())), Some(KeySetError::Url(_))));
    assert!(matches!(source(KeySource::Url("https://me@a.example/".into())), Some(KeySetError::Url(_))));
    for text in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#] {
        assert!(matches!(source(KeySource::Keys(text.into())), Some(KeySetError::Keys(_))), "{text}");
    }
    let set = json!({ "keys": [Pair::new().jwk("k")] }).to_string();
    assert!(source(KeySource::Keys(set)).is_none());
    let mut config = KeySetConfig::new(KeySource::Url("https://a.example/keys".into()));
    config.ca = Some(b"no certificate".to_vec());
    assert!(matches!(errors(config), Some(KeySetError::Authority(_))));
}
