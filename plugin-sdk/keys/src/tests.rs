//! Keys in every encoding, and what is refused.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::jwk::MAX_KID;
use crate::*;

#[test]
fn ecdsa_in_every_encoding_and_only_with_its_algorithm() {
    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let signed = pair.sign(&SystemRandom::new(), b"data").unwrap();
    let point = pair.public_key().as_ref();
    let jwk = json!({
        "kty": "EC", "crv": "P-256",
        "x": BASE64URL_NOPAD.encode(&point[1..33]), "y": BASE64URL_NOPAD.encode(&point[33..]),
    });
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let pem =
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(der.as_ref()));
    for bytes in [jwk.to_string().into_bytes(), der.as_ref().to_vec(), pem.into_bytes()] {
        let key = PublicKey::import(&bytes).unwrap();
        assert_eq!(key.verify(Signature::Es256, b"data", signed.as_ref()), Some(true));
        assert_eq!(key.verify(Signature::Es256, b"Data", signed.as_ref()), Some(false));
        assert_eq!(key.verify(Signature::Es256, b"data", b""), Some(false));
        assert_eq!(key.verify(Signature::Rs256, b"data", signed.as_ref()), None);
        assert_eq!(key.verify(Signature::EdDsa, b"data", signed.as_ref()), None);
    }
}

#[test]
fn an_ed25519_jwk_verifies() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "x": BASE64URL_NOPAD.encode(pair.public_key().as_ref()),
    });
    let key = PublicKey::import(jwk.to_string().as_bytes()).unwrap();
    assert_eq!(key.verify(Signature::EdDsa, b"data", pair.sign(b"data").as_ref()), Some(true));
}

#[test]
fn rsa_serves_both_paddings_unless_the_key_names_one() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let sign = |padding: &'static dyn signature::RsaEncoding| {
        let mut signed = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &SystemRandom::new(), b"data", &mut signed).unwrap();
        signed
    };
    let (pkcs1, pss) = (sign(&signature::RSA_PKCS1_SHA256), sign(&signature::RSA_PSS_SHA384));
    // RSAPublicKey (RFC 8017 appendix A.1.1): the header, the modulus of 256 bytes, the exponent 65537.
    let der = pair.public_key().as_ref();
    let (modulus, exponent) = (&der[9..265], &der[der.len() - 3..]);
    let mut jwk = json!({
        "kty": "RSA",
        "n": BASE64URL_NOPAD.encode(modulus),
        "e": BASE64URL_NOPAD.encode(exponent),
    });
    let key = PublicKey::import(jwk.to_string().as_bytes()).unwrap();
    assert_eq!(key.verify(Signature::Rs256, b"data", &pkcs1), Some(true));
    assert_eq!(key.verify(Signature::Ps384, b"data", &pss), Some(true));
    assert_eq!(key.verify(Signature::Rs256, b"data", &pss), Some(false));
    jwk["alg"] = "RS256".into();
    let key = PublicKey::import(jwk.to_string().as_bytes()).unwrap();
    assert_eq!(key.verify(Signature::Ps384, b"data", &pss), None);
}

/// A JWK of a fresh P-256 key.
fn ec() -> Value {
    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    json!({
        "kty": "EC", "crv": "P-256", "kid": "a", "use": "sig",
        "x": BASE64URL_NOPAD.encode(&point[1..33]), "y": BASE64URL_NOPAD.encode(&point[33..]),
    })
}

fn refusal(jwk: &Value) -> Option<KeyError> {
    PublicKey::import(jwk.to_string().as_bytes()).err()
}

fn with(mut jwk: Value, member: &str, value: impl Into<Value>) -> Value {
    jwk[member] = value.into();
    jwk
}

#[test]
fn what_is_no_public_key_is_refused() {
    for (bytes, error) in [
        (&b""[..], KeyError::Encoding),
        (b"hello", KeyError::Encoding),
        (b"-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----", KeyError::Encoding),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA", KeyError::Encoding),
        (b"{}", KeyError::Json),
        (b"{\"kty\":\"EC\"", KeyError::Json),
        (br#"{"kty":["EC"]}"#, KeyError::Json),
        (br#"{"kty":"oct","k":"AAAA"}"#, KeyError::Private),
        (br#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, KeyError::Numbers),
        (br#"{"kty":"EC","crv":"P-256"}"#, KeyError::Numbers),
        (br#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#, KeyError::Unsupported),
        (br#"{"kty":"EC"}"#, KeyError::Unsupported),
        (br#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#, KeyError::Numbers),
        (br#"{"kty":"OKP","crv":"X25519","x":"AA"}"#, KeyError::Unsupported),
        (br#"{"kty":"OKP","crv":"Ed448","x":"AA"}"#, KeyError::Unsupported),
        (br#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#, KeyError::Unsupported),
    ] {
        assert_eq!(PublicKey::import(bytes).err(), Some(error), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_jwk_is_taken_at_its_word_about_its_use() {
    assert_eq!(refusal(&ec()), None);
    assert_eq!(refusal(&with(ec(), "use", "sig")), None);
    assert_eq!(refusal(&with(ec(), "use", "enc")), Some(KeyError::Purpose));
    assert_eq!(refusal(&with(ec(), "key_ops", json!(["sign", "verify"]))), None);
    assert_eq!(refusal(&with(ec(), "key_ops", json!(["encrypt"]))), Some(KeyError::Purpose));
    assert_eq!(refusal(&with(ec(), "key_ops", json!([]))), Some(KeyError::Purpose));
    assert_eq!(refusal(&with(ec(), "key_ops", "verify")), Some(KeyError::Json));
    assert_eq!(refusal(&with(ec(), "key_ops", json!(["verify", 1]))), Some(KeyError::Json));
    assert_eq!(refusal(&with(ec(), "alg", "ES256")), None);
    assert_eq!(refusal(&with(ec(), "alg", "ES384")), Some(KeyError::Unsupported));
    assert_eq!(refusal(&with(ec(), "alg", "RS256")), Some(KeyError::Unsupported));
    assert_eq!(refusal(&with(ec(), "alg", "none")), Some(KeyError::Unsupported));
    assert_eq!(refusal(&with(ec(), "alg", "HS256")), Some(KeyError::Unsupported));
    assert_eq!(refusal(&with(ec(), "d", "AAAA")), Some(KeyError::Private));
    assert_eq!(refusal(&with(ec(), "x5c", json!(["not looked at"]))), None);
    assert_eq!(refusal(&with(ec(), "kid", 7)), Some(KeyError::Json));
    assert_eq!(refusal(&with(ec(), "kid", "k".repeat(MAX_KID))), None);
    assert_eq!(refusal(&with(ec(), "kid", "k".repeat(MAX_KID + 1))), Some(KeyError::Json));
    let key = PublicKey::import(with(ec(), "kid", "2026-01").to_string().as_bytes()).unwrap();
    assert_eq!(key.kid(), Some("2026-01"));
}

#[test]
fn no_member_comes_twice() {
    let jwk = ec().to_string();
    for extra in [r#""kty":"EC""#, r#""kid":"b""#, r#""ext":1,"ext":1"#, r#""k\u0069d":"b""#] {
        let twice = format!("{},{extra}}}", &jwk[..jwk.len() - 1]);
        assert_eq!(PublicKey::import(twice.as_bytes()).err(), Some(KeyError::Json), "{twice}");
    }
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let jwk = ec();
    let mut y = BASE64URL_NOPAD.decode(jwk["y"].as_str().unwrap().as_bytes()).unwrap();
    y[31] ^= 1;
    assert_eq!(refusal(&with(jwk.clone(), "y", BASE64URL_NOPAD.encode(&y))), Some(KeyError::Numbers));
    let zero = BASE64URL_NOPAD.encode(&[0; 32]);
    assert_eq!(refusal(&with(with(jwk.clone(), "x", &*zero), "y", &*zero)), Some(KeyError::Numbers));
    // The same point, called one of another curve.
    assert_eq!(refusal(&with(jwk, "crv", "P-384")), Some(KeyError::Numbers));
}

#[test]
fn rsa_numbers_have_bounds() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = pair.public_key().as_ref();
    let modulus = &der[9..265];
    let rsa = |n: &[u8], e: &[u8]| json!({ "kty": "RSA", "n": BASE64URL_NOPAD.encode(n), "e": BASE64URL_NOPAD.encode(e) });
    assert_eq!(refusal(&rsa(modulus, &[1, 0, 1])), None);
    assert_eq!(refusal(&rsa(&[&[0], modulus].concat(), &[1, 0, 1])), None);
    assert_eq!(refusal(&rsa(modulus, &[3])), None);
    for exponent in
        [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[0, 1, 0, 1], &[2, 0, 0, 0, 1], &[255; 9], &[255; 256]]
    {
        assert_eq!(refusal(&rsa(modulus, exponent)), Some(KeyError::Numbers), "{exponent:?}");
    }
    // 1024 bits, one bit less than 2048, and more than 8192.
    let mut short = modulus.to_vec();
    short[0] &= 0x7f;
    for modulus in [&modulus[..128], &short, &[255; 1025], &[]] {
        assert_eq!(refusal(&rsa(modulus, &[1, 0, 1])), Some(KeyError::Numbers), "{}", modulus.len());
    }
    assert_eq!(refusal(&with(rsa(modulus, &[1, 0, 1]), "alg", "RSA-OAEP")), Some(KeyError::Unsupported));
    assert_eq!(refusal(&with(rsa(modulus, &[1, 0, 1]), "alg", "ES256")), Some(KeyError::Unsupported));
}

/// By `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 | openssl pkey -pubout`; its private key is gone.
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDP8ra9YZh5r1sjKF1QUX+O9DWo
Kxz0qGaDCzKu6T+62XBKrNootWXK6+CKD0CthU6uwDcG/Ppuc4XRFdGTB39es3OT
LJ1iV5kTWA5uER3t5cX1fSiUXgbYAKK+6gkOrDBl+cCjz5n8/4B85EauXgvtOOmp
x4yv5guev3So9mMTkwIDAQAB
-----END PUBLIC KEY-----
";

/// One bit short: a signature by it is as long as one by a key of 2048 bits.
const RSA_2047: &str = "-----BEGIN PUBLIC KEY-----
MIIBITANBgkqhkiG9w0BAQEFAAOCAQ4AMIIBCQKCAQBi8+T6uXqmlx3XTpeQyz0t
JhXpE+IjTopPPQ4x1XVfwl51DxLfWguYixz94rjGDqo48LUxIjeJEITEw7g+otgF
Aw8SHbPo6LemK1jfHynxaKMI5uRI7Zg7BK33A7Yc+lvcm+JsFaIF3xyF/MaBCO8+
WKSAE0bNsfFLl0MlTTYcShvcxIqqoeNz/clhPt5wo2rU+bUmBgNxjwBV8WVMT+Q7
r6LZ0E2KeJMj8Ycf6y52xKUCCZ31OyqTvqwIxK50EI3QLJexk23VMXbJlLZCiwKw
Av5d4nZr+OhttSt/LJQT9yRQQIjzYM1hC8/ImF9g7HO/7QWQyygq071tjEexpVph
AgMBAAE=
-----END PUBLIC KEY-----
";

#[test]
fn rsa_numbers_have_bounds_in_every_encoding() {
    for pem in [RSA_1024, RSA_2047] {
        let der = from_pem(pem.as_bytes()).unwrap();
        // As PKCS #1 has it (RFC 8017), which is taken as well.
        let inner = rsa::PublicKey::from_der(&der).unwrap();
        for bytes in [pem.as_bytes(), &der, inner.as_ref()] {
            assert_eq!(PublicKey::import(bytes).err(), Some(KeyError::Numbers), "{pem}");
        }
    }
    // The exponents that get past what parses them, and a modulus that is too long.
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let modulus = &pair.public_key().as_ref()[9..265];
    let longest = [255; 1024];
    for (n, e, fits) in [
        (modulus, &[1, 0, 1][..], true),
        (modulus, &[3], true),
        (modulus, &[1, 0, 0, 0, 1], true),
        (&longest, &[1, 0, 1], true),
        (&[&[1], &longest[..]].concat(), &[1, 0, 1], false),
        (&[255; 1025], &[1, 0, 1], false),
    ] {
        let der: PublicKeyX509Der<'_> = PublicKeyComponents { n, e }.as_der().unwrap();
        assert_eq!(PublicKey::import(der.as_ref()).is_ok(), fits, "{} {e:?}", n.len());
    }
}

#[test]
fn only_a_whole_rsa_key_is_within_bounds() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = pair.public_key().as_ref();
    assert!(bounds::is_within(der));
    for length in 0..der.len() {
        assert!(!bounds::is_within(&der[..length]), "{length}");
    }
    assert!(!bounds::is_within(&[der, &[0]].concat()));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "\\{\"(kty|crv|x|y|n|e|use)\":\"?(EC|RSA|P-256|[A-Za-z0-9_-]{0,90})\"?(,\"(crv|x|y|e)\":\"?[A-Za-z0-9_-]{0,90}\"?){0,4}\\}") {
        let _ = PublicKey::import(&bytes);
        let _ = bounds::is_within(&bytes);
        let _ = PublicKey::import(text.as_bytes());
    }
}
