//! Digests, HMAC, and with the feature `signatures` what public keys verify.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use sluice_abi::{Code, Digest, Signature};

/// A key that the plugin has a handle to.
pub(super) enum Key {
    /// A shared secret.
    Secret(Vec<u8>),
    /// A public key.
    #[cfg(feature = "signatures")]
    Public(Box<sluice_keys::PublicKey>),
}

impl Key {
    fn secret(&self) -> Result<&[u8], Code> {
        match self {
            Self::Secret(bytes) => Ok(bytes),
            #[cfg(feature = "signatures")]
            Self::Public(_) => Err(Code::Invalid),
        }
    }

    /// A public key from PEM, DER or JWK.
    #[cfg(feature = "signatures")]
    pub(super) fn public(bytes: &[u8]) -> Result<Self, Code> {
        sluice_keys::PublicKey::import(bytes)
            .map(|key| Self::Public(Box::new(key)))
            .map_err(|_| Code::Invalid)
    }

    #[cfg(not(feature = "signatures"))]
    pub(super) fn public(_: &[u8]) -> Result<Self, Code> {
        panic!("{NO_SIGNATURES}")
    }

    /// Whether a signature is this key's.
    #[cfg(feature = "signatures")]
    pub(super) fn verify(&self, algorithm: Signature, data: &[u8], signature: &[u8]) -> Result<(), Code> {
        match self {
            Self::Public(key) => match key.verify(algorithm, data, signature) {
                Some(true) => Ok(()),
                Some(false) => Err(Code::Mismatch),
                None => Err(Code::Invalid),
            },
            Self::Secret(_) => Err(Code::Invalid),
        }
    }

    #[cfg(not(feature = "signatures"))]
    pub(super) fn verify(&self, _: Signature, _: &[u8], _: &[u8]) -> Result<(), Code> {
        panic!("{NO_SIGNATURES}")
    }
}

#[cfg(not(feature = "signatures"))]
const NO_SIGNATURES: &str =
    "to verify signatures natively, turn on the feature `signatures` of `sluice-sdk-testing`";

/// Verifies with a key set, as the gateway does.
pub(super) fn verify_with_set(
    set: &Value,
    kid: &str,
    algorithm: Signature,
    data: &[u8],
    signature: &[u8],
) -> Result<(), Code> {
    let keys = set["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = keys.iter().filter(|key| kid.is_empty() || key["kid"] == kid);
    let mut result = Code::None;
    for key in named.filter_map(|key| Key::public(key.to_string().as_bytes()).ok()) {
        match key.verify(algorithm, data, signature) {
            Ok(()) => return Ok(()),
            Err(Code::Mismatch) => result = Code::Mismatch,
            Err(_) => {}
        }
    }
    Err(result)
}

/// What identifies a credential that was given no name.
pub(super) fn short_digest(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn digest(digest: Digest, data: &[u8]) -> Vec<u8> {
    match digest {
        Digest::Sha256 => Sha256::digest(data).to_vec(),
        Digest::Sha384 => Sha384::digest(data).to_vec(),
        Digest::Sha512 => Sha512::digest(data).to_vec(),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> M {
    let mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update(data)
}

pub(super) fn hmac(digest: Digest, key: &Key, data: &[u8]) -> Result<Vec<u8>, Code> {
    let key = key.secret()?;
    Ok(match digest {
        Digest::Sha256 => mac::<Hmac<Sha256>>(key, data).finalize().into_bytes().to_vec(),
        Digest::Sha384 => mac::<Hmac<Sha384>>(key, data).finalize().into_bytes().to_vec(),
        Digest::Sha512 => mac::<Hmac<Sha512>>(key, data).finalize().into_bytes().to_vec(),
    })
}

pub(super) fn verify(digest: Digest, key: &Key, data: &[u8], tag: &[u8]) -> Result<(), Code> {
    let key = key.secret()?;
    let verified = match digest {
        Digest::Sha256 => mac::<Hmac<Sha256>>(key, data).verify_slice(tag),
        Digest::Sha384 => mac::<Hmac<Sha384>>(key, data).verify_slice(tag),
        Digest::Sha512 => mac::<Hmac<Sha512>>(key, data).verify_slice(tag),
    };
    verified.map_err(|_| Code::Mismatch)
}
