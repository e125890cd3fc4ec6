//! Public keys as the gateway uses them, and as tests of plugins do natively: read from PEM, DER or JWK, each bound to the
//! algorithms it fits.

mod bounds;
mod jwk;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use data_encoding::BASE64;
use sluice_abi::Signature;

/// A public key, parsed for each algorithm it fits when that is first used.
pub struct PublicKey {
    bytes: Vec<u8>,
    /// Set where the key itself names its algorithm.
    only: Option<Signature>,
    kid: Option<Box<str>>,
    parsed: [OnceLock<Option<ParsedPublicKey>>; Signature::ALL.len()],
}

/// Why bytes are no public key that can be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PEM, DER nor JSON.
    #[error("it is neither a PEM or DER public key nor a JWK")]
    Encoding,
    /// A JWK that is not well-formed.
    #[error("the JWK is not a JSON object with members of the right types, each of them once")]
    Json,
    /// A type, curve or algorithm that is not known here.
    #[error("its type, curve or algorithm is not one of those that can be verified with")]
    Unsupported,
    /// A key for something else.
    #[error("it is not meant for verifying (`use`, `key_ops`)")]
    Purpose,
    /// A private key, or a shared secret.
    #[error("it holds private or secret material")]
    Private,
    /// Numbers that make no key.
    #[error("its numbers are missing, out of bounds or not on the curve")]
    Numbers,
}

impl PublicKey {
    /// A public key from PEM or DER (`SubjectPublicKeyInfo`, RFC 5280) or from a JWK (RFC 7517).
    pub fn import(bytes: &[u8]) -> Result<Self, KeyError> {
        let begins = bytes.trim_ascii_start();
        if begins.starts_with(b"{") {
            return Self::from_jwk(bytes);
        }
        let der = if begins.starts_with(PEM_BEGIN.as_bytes()) { from_pem(bytes)? } else { bytes.to_vec() };
        // What parses a key looks at neither bound before it verifies.
        if let Ok(key) = rsa::PublicKey::from_der(&der)
            && !bounds::is_within(key.as_ref())
        {
            return Err(KeyError::Numbers);
        }
        Self::new(der, None, None).map_err(|_| KeyError::Encoding)
    }

    /// A public key from a JWK alone.
    pub fn from_jwk(json: &[u8]) -> Result<Self, KeyError> {
        let jwk::Parsed { bytes, only, kid } = jwk::parse(json)?;
        Self::new(bytes, only, kid)
    }

    fn new(bytes: Vec<u8>, only: Option<Signature>, kid: Option<Box<str>>) -> Result<Self, KeyError> {
        let key = Self { bytes, only, kid, parsed: [const { OnceLock::new() }; Signature::ALL.len()] };
        let fits = Signature::ALL.iter().any(|algorithm| key.fits(*algorithm));
        if fits { Ok(key) } else { Err(KeyError::Numbers) }
    }

    /// The bytes that it is kept as.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The name that its JWK gives it.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it can verify signatures of an algorithm.
    #[must_use]
    pub fn fits(&self, algorithm: Signature) -> bool {
        self.parsed(algorithm).is_some()
    }

    /// Whether `signature` is this key's over `data`; none if the key is not for the algorithm.
    pub fn verify(&self, algorithm: Signature, data: &[u8], signature: &[u8]) -> Option<bool> {
        Some(self.parsed(algorithm)?.verify_sig(data, signature).is_ok())
    }

    fn parsed(&self, algorithm: Signature) -> Option<&ParsedPublicKey> {
        if self.only.is_some_and(|only| only != algorithm) {
            return None;
        }
        let slot = &self.parsed[algorithm.number().unsigned_abs() as usize];
        slot.get_or_init(|| ParsedPublicKey::new(native(algorithm), &self.bytes).ok()).as_ref()
    }
}

/// What it is, not what it holds: a public key is no secret, but nobody reads it either.
impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicKey").field("kid", &self.kid).field("only", &self.only).finish_non_exhaustive()
    }
}

fn native(algorithm: Signature) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Signature::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Signature::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Signature::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Signature::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Signature::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Signature::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Signature::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Signature::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Signature::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        Signature::EdDsa => &signature::ED25519,
    }
}

const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

fn from_pem(pem: &[u8]) -> Result<Vec<u8>, KeyError> {
    let text = std::str::from_utf8(pem).map_err(|_| KeyError::Encoding)?;
    let body = text.trim().strip_prefix(PEM_BEGIN).and_then(|rest| rest.strip_suffix(PEM_END));
    let packed: String = body.ok_or(KeyError::Encoding)?.split_ascii_whitespace().collect();
    BASE64.decode(packed.as_bytes()).map_err(|_| KeyError::Encoding)
}
