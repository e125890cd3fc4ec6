//! An issuer: what it is called, whom its tokens are for, and with what they are verified.

use sluice_sdk::Code;
use sluice_sdk::crypto::{Digest, Key, Signature};
use sluice_sdk::jwks::{self, Verification};
use sluice_sdk::prelude::*;
use sluice_sdk_claims::{Failure, Refusal};

use crate::algorithm::{Algorithm, Algorithms, Kind};
use crate::json;
use crate::jws::Token;

/// Without a `kid` each key may have to be tried.
const MAX_KEYS: usize = 16;

/// Names of one issuer, which are commonly old and new spellings.
const MAX_NAMES: usize = 16;

/// With what tokens are verified: one of these. What the token says never adds to it.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeysConfig {
    /// The name of a key set of the gateway, `[jwks.NAME]`. Capability `jwks:NAME`.
    Jwks(String),
    /// Public keys: PEM (`BEGIN PUBLIC KEY`) or JWK (RFC 7517) as JSON, up to 16.
    Public(#[schemars(length(min = 1, max = MAX_KEYS))] Vec<String>),
    /// The name of a secret, for HMAC. Capability `secret:NAME`.
    Secret(String),
}

enum Keys {
    Set(String),
    Public(Vec<PublicKey>),
    Secret(Key),
}

struct PublicKey {
    key: Key,
    kid: Option<String>,
    fits: Algorithms,
}

/// What of a JWK is looked at here; the host reads the rest.
#[derive(Default, Deserialize)]
struct Jwk {
    kid: Option<String>,
    d: Option<serde_json::Value>,
}

/// An issuer whose tokens are accepted.
pub(crate) struct Issuer {
    /// Exact values of `iss`.
    pub(crate) names: Vec<String>,
    /// One of these is in `aud`; none if any will do.
    pub(crate) audiences: Option<Vec<String>>,
    keys: Keys,
    algorithms: Algorithms,
}

impl Issuer {
    /// `place` says where in the configuration it stands.
    pub(crate) fn new(
        names: Vec<String>,
        keys: KeysConfig,
        algorithms: Option<&[Algorithm]>,
        audiences: Option<Vec<String>>,
        place: &str,
    ) -> Result<Self> {
        ensure!((1..=MAX_NAMES).contains(&names.len()), "`{place}issuer` has 1 to {MAX_NAMES} names");
        let is_text = |text: &String| !text.is_empty() && !text.chars().any(char::is_control);
        ensure!(names.iter().all(is_text), "`{place}issuer`: an issuer is a text without control characters");
        let audiences_are_texts = audiences.iter().flatten().all(is_text);
        ensure!(audiences_are_texts, "`{place}audiences`: an audience is a text without control characters");
        ensure!(
            audiences.as_ref().is_none_or(|list| !list.is_empty()),
            "`{place}audiences` is empty: list them, or write \"any\""
        );
        let keys = Keys::new(keys, place)?;
        let possible = keys.algorithms();
        let algorithms = match algorithms {
            None => possible,
            Some(listed) => {
                ensure!(
                    !listed.is_empty(),
                    "`{place}algorithms` is empty: leave it out for all that the keys are for"
                );
                for algorithm in listed {
                    let name = algorithm.name();
                    ensure!(
                        possible.contains(*algorithm),
                        "`{place}algorithms`: no key of `{place}keys` is for {name}"
                    );
                }
                listed.iter().copied().collect()
            }
        };
        Ok(Self { names, audiences, keys, algorithms })
    }

    /// Whether the token is signed by this issuer.
    pub(crate) fn verify(&self, token: &Token<'_>) -> Result<(), Failure> {
        let is_accepted = self.algorithms.contains(token.algorithm);
        match (&self.keys, token.algorithm.kind()) {
            (Keys::Set(set), Kind::Signature(by)) if is_accepted => verify_by_set(set, by, token),
            (Keys::Public(keys), Kind::Signature(by)) if is_accepted => verify_by_keys(keys, by, token),
            (Keys::Secret(key), Kind::Hmac(digest)) if is_accepted => {
                let is_whole = token.signature.len() == length(digest);
                let is_valid = is_whole && key.verify_hmac(digest, token.signed, &token.signature)?;
                is_valid.then_some(()).ok_or(BAD_SIGNATURE.into())
            }
            _ => Err(Refusal::Invalid("the algorithm is not accepted").into()),
        }
    }

    /// Fails if what the keys need was not granted.
    pub(crate) fn check(&self) -> Result<()> {
        let Keys::Set(set) = &self.keys else { return Ok(()) };
        // Without `kid` and signature this verifies nothing. Any other answer is no reason not to start.
        match jwks::verify(set, None, Signature::Rs256, "", "") {
            Err(error) if error.code() == Some(Code::Denied) => Err(error),
            _ => Ok(()),
        }
    }
}

const BAD_SIGNATURE: Refusal = Refusal::Invalid("the signature is not valid");
const UNKNOWN_KEY: Refusal = Refusal::Invalid("the token is signed with a key that is not known");
const KEYS_UNAVAILABLE: Refusal = Refusal::Unavailable { kind: "keys-unavailable", retry_after: 10 };

fn verify_by_set(set: &str, by: Signature, token: &Token<'_>) -> Result<(), Failure> {
    match jwks::verify(set, token.kid.as_deref(), by, token.signed, &token.signature)? {
        Verification::Valid => Ok(()),
        Verification::Invalid => Err(BAD_SIGNATURE.into()),
        Verification::UnknownYet if may_be_newer(token, clock::since_epoch().as_secs_f64()) => {
            Err(KEYS_UNAVAILABLE.into())
        }
        Verification::UnknownKey | Verification::UnknownYet => Err(UNKNOWN_KEY.into()),
        Verification::Unavailable => Err(KEYS_UNAVAILABLE.into()),
    }
}

/// The longest that a key set may go unfetched after somebody asked for a key: the greatest `cooldown`, in seconds.
const COOLDOWN: f64 = 3600.0;

/// Whether a token says that it was issued after its issuer's keys were fetched, or may have been. If its key is new, to refuse it
/// as invalid would send its owner away for nothing.
fn may_be_newer(token: &Token<'_>, now: f64) -> bool {
    let issued = json::object(&token.payload).and_then(|claims| claims.get("iat")?.as_f64());
    issued.is_none_or(|issued| issued > now - COOLDOWN)
}

/// A key with a `kid` verifies only tokens that name it or name none; one without (PEM has none) all that it fits.
fn verify_by_keys(keys: &[PublicKey], by: Signature, token: &Token<'_>) -> Result<(), Failure> {
    let is_named = |key: &&PublicKey| match (&key.kid, &token.kid) {
        (Some(own), Some(wanted)) => own == wanted,
        _ => true,
    };
    let mut refusal = UNKNOWN_KEY;
    for key in keys.iter().filter(is_named).filter(|key| key.fits.contains(token.algorithm)) {
        if key.key.verify(by, token.signed, &token.signature)? {
            return Ok(());
        }
        refusal = BAD_SIGNATURE;
    }
    Err(refusal.into())
}

impl Keys {
    fn new(config: KeysConfig, place: &str) -> Result<Self> {
        match config {
            KeysConfig::Jwks(set) => {
                ensure!(!set.is_empty(), "`{place}keys.jwks` is empty");
                Ok(Self::Set(set))
            }
            KeysConfig::Secret(name) => {
                Ok(Self::Secret(Key::secret(&name).context(format_args!("`{place}keys.secret`"))?))
            }
            KeysConfig::Public(keys) => {
                ensure!(
                    (1..=MAX_KEYS).contains(&keys.len()),
                    "`{place}keys.public` has 1 to {MAX_KEYS} keys"
                );
                let read = keys.iter().enumerate().map(|(index, key)| {
                    PublicKey::new(key).context(format_args!("`{place}keys.public[{index}]`"))
                });
                read.collect::<Result<_>>().map(Self::Public)
            }
        }
    }

    /// What they can verify at all.
    fn algorithms(&self) -> Algorithms {
        match self {
            Self::Set(_) => Algorithms::of_kind(|kind| matches!(kind, Kind::Signature(_))),
            Self::Public(keys) => keys.iter().fold(Algorithms::default(), |all, key| all.union(key.fits)),
            Self::Secret(_) => Algorithms::of_kind(|kind| matches!(kind, Kind::Hmac(_))),
        }
    }
}

impl PublicKey {
    fn new(text: &str) -> Result<Self> {
        let jwk = match text.trim_start().starts_with('{') {
            true => serde_json::from_str::<Jwk>(text).context("as a JWK")?,
            false => Jwk::default(),
        };
        ensure!(jwk.d.is_none(), "it is a private key: give the gateway only its public part");
        let key = Key::public(text)?;
        let fits = Algorithms::of_kind(|kind| match kind {
            // The host tells a wrong signature from a key that cannot have made one.
            Kind::Signature(by) => key.verify(by, "", "").is_ok(),
            Kind::Hmac(_) => false,
        });
        Ok(Self { key, kid: jwk.kid, fits })
    }
}

fn length(digest: Digest) -> usize {
    match digest {
        Digest::Sha256 => 32,
        Digest::Sha384 => 48,
        Digest::Sha512 => 64,
    }
}
