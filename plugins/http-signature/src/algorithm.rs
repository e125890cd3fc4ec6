//! Signature algorithms: RFC 9421 section 3.3, and those that only the older forms have.

use sluice_sdk::crypto::{Digest, Key, Signature};
use sluice_sdk::{Code, prelude::*};

/// An algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// HMAC with SHA-256, for shared secrets.
    HmacSha256,
    /// HMAC with SHA-384, which only `kong-hmac` has.
    HmacSha384,
    /// HMAC with SHA-512, which only `kong-hmac` and `cavage` have.
    HmacSha512,
    /// EdDSA with Curve25519.
    Ed25519,
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    /// ECDSA with P-384 and SHA-384.
    #[serde(rename = "ecdsa-p384-sha384")]
    EcdsaP384Sha384,
    /// RSASSA-PSS with SHA-512.
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256: not by default, since an RSA key of its own accord fits it and PSS alike.
    #[serde(rename = "rsa-v1_5-sha256")]
    RsaV15Sha256,
}

/// What is accepted if nothing is configured.
pub(crate) const DEFAULT: [Algorithm; 7] = [
    Algorithm::HmacSha256,
    Algorithm::HmacSha384,
    Algorithm::HmacSha512,
    Algorithm::Ed25519,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::RsaPssSha512,
];

impl Algorithm {
    /// Its name in RFC 9421's registry, if it is there.
    pub(crate) const fn registered(self) -> Option<&'static str> {
        Some(match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
            Self::HmacSha384 | Self::HmacSha512 => return None,
        })
    }

    /// Whether the key made the signature; none if the key is not for this algorithm.
    fn verify(self, key: &Key, data: &str, signature: &[u8]) -> Result<Option<bool>> {
        let verified = match self {
            Self::HmacSha256 => key.verify_hmac(Digest::Sha256, data, signature),
            Self::HmacSha384 => key.verify_hmac(Digest::Sha384, data, signature),
            Self::HmacSha512 => key.verify_hmac(Digest::Sha512, data, signature),
            Self::Ed25519 => key.verify(Signature::EdDsa, data, signature),
            Self::EcdsaP256Sha256 => key.verify(Signature::Es256, data, signature),
            Self::EcdsaP384Sha384 => key.verify(Signature::Es384, data, signature),
            Self::RsaPssSha512 => key.verify(Signature::Ps512, data, signature),
            Self::RsaV15Sha256 => key.verify(Signature::Rs256, data, signature),
        };
        match verified {
            Ok(verified) => Ok(Some(verified)),
            // A secret never verifies as a public key nor a public key as a secret: the host keeps them apart.
            Err(error) if error.code() == Some(Code::Invalid) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether the key made the signature by one of the algorithms, those of them that are for it.
pub(crate) fn verify(algorithms: &[Algorithm], key: &Key, data: &str, signature: &[u8]) -> Result<bool> {
    for algorithm in algorithms {
        if algorithm.verify(key, data, signature)? == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}
