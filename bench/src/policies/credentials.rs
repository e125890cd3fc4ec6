//! What requests prove themselves with: made anew for each run, but for the keys that all runs share.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::compare::jwt::base64url;
use crate::compare::keys;

const SECRET: &str = "a-secret-of-the-benchmark-of-48-bytes-and-no-more";
/// The key of `http-signature`, and whose it is.
const SIGNER: &str = "c0-1";
const VALID_FOR: u64 = 24 * 3600;

pub(crate) struct Credentials {
    pair: EcdsaKeyPair,
    now: u64,
}

impl Credentials {
    pub(crate) fn new() -> Result<Self> {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok().context("no key was made")?;
        Ok(Self { pair, now: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() })
    }

    /// Fills what a policy's file names of them.
    pub(crate) fn fill(&self, text: &str) -> String {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
        let set = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": x, "y": y }] });
        text.replace("@SECRET@", SECRET).replace("@JWKS@", &set.to_string())
    }

    /// `Authorization` with a token signed by the secret, or by the key.
    pub(crate) fn bearer(&self, algorithm: &str) -> String {
        let part = |value: Value| base64url(value.to_string().as_bytes());
        let claims = json!({ "iss": "https://login.bench", "aud": "https://api.bench", "sub": "u-1", "iat": self.now,
                             "exp": self.now + VALID_FOR, "scope": "read write", "client_id": "app" });
        let signed = format!("{}.{}", part(json!({ "alg": algorithm, "typ": "at+jwt" })), part(claims));
        let signature = if algorithm == "HS256" {
            sign(SECRET, &signed)
        } else {
            let random = SystemRandom::new();
            self.pair.sign(&random, signed.as_bytes()).expect("the key signs").as_ref().to_vec()
        };
        format!("Bearer {signed}.{}", base64url(&signature))
    }

    /// `Signature-Input` and `Signature` of a `GET` (RFC 9421).
    pub(crate) fn signature(&self, path: &str) -> [String; 2] {
        let covered = format!(
            "(\"@method\" \"@authority\" \"@path\" \"@query\");created={};keyid=\"{SIGNER}\";alg=\"hmac-sha256\"",
            self.now
        );
        let base = format!(
            "\"@method\": GET\n\"@authority\": bench.example\n\"@path\": {path}\n\"@query\": ?\n\
             \"@signature-params\": {covered}"
        );
        [format!("sig1={covered}"), format!("sig1=:{}:", base64(&sign(SECRET, &base)))]
    }

    /// The thousand: each with a key and a password, the first with tokens and a key to sign with too.
    pub(crate) fn consumers() -> String {
        let mut text = String::new();
        for (number, key) in keys::all().enumerate() {
            let [key, password] = [key, pair(number)].map(|secret| keys::digest(&secret));
            let _ = writeln!(
                text,
                "[consumers.c{number}]\ngroups = [\"gold\"]\nkeys = [{{ hash = \"hmac-sha256:{key}\" }}]\n\
                 passwords = [{{ user = \"c{number}\", hash = \"hmac-sha256:{password}\" }}]"
            );
            if number == 0 {
                let _ = writeln!(
                    text,
                    "tokens = [{{ issuer = \"https://login.bench\", subject = \"u-1\" }}]\n\
                     certificates = [\"spiffe://example.org/ns/prod/sa/billing\"]\n\
                     signatures = [{{ id = \"{SIGNER}\", secret = \"{SECRET}\" }}]"
                );
            }
        }
        text
    }
}

/// `Authorization` with a user's name and password.
pub(crate) fn basic(number: usize) -> String {
    format!("Basic {}", base64(pair(number).as_bytes()))
}

fn pair(number: usize) -> String {
    format!("c{number}:{}", keys::key(keys::COUNT + number))
}

fn sign(key: &str, text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// With padding, and the other two signs.
fn base64(bytes: &[u8]) -> String {
    let mut text = base64url(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
