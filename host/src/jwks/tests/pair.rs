//! Key pairs of an issuer.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// A pair on P-256, for ES256.
pub(super) struct Pair(EcdsaKeyPair);

impl Pair {
    pub(super) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    /// Its public half under a name.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let point = self.0.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "kid": kid,
            "x": BASE64URL_NOPAD.encode(&point[1..33]), "y": BASE64URL_NOPAD.encode(&point[33..]),
        })
    }

    pub(super) fn sign(&self, data: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), data).unwrap().as_ref().to_vec()
    }
}
