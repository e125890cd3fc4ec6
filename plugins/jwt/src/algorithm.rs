//! Algorithms for signatures (RFC 7518 section 3, RFC 8037, RFC 9864). `none` is not one of them.

use sluice_sdk::crypto::{Digest, Signature};
use sluice_sdk::prelude::*;

/// An algorithm, by the name that a token's `alg` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PSS with SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSASSA-PSS with SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA over P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// ECDSA over P-521 with SHA-512.
    #[serde(rename = "ES512")]
    Es512,
    /// Ed25519, by its older name.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// Ed25519, by its newer name.
    #[serde(rename = "Ed25519")]
    Ed25519,
    /// HMAC with SHA-256.
    #[serde(rename = "HS256")]
    Hs256,
    /// HMAC with SHA-384.
    #[serde(rename = "HS384")]
    Hs384,
    /// HMAC with SHA-512.
    #[serde(rename = "HS512")]
    Hs512,
}

/// What an algorithm verifies with. A key is of one kind, and no token can make it another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A public key.
    Signature(Signature),
    /// A shared secret.
    Hmac(Digest),
}

use Algorithm::{
    Ed25519, EdDsa, Es256, Es384, Es512, Hs256, Hs384, Hs512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512,
};

const ALL: [(&str, Algorithm, Kind); 14] = [
    ("RS256", Rs256, Kind::Signature(Signature::Rs256)),
    ("RS384", Rs384, Kind::Signature(Signature::Rs384)),
    ("RS512", Rs512, Kind::Signature(Signature::Rs512)),
    ("PS256", Ps256, Kind::Signature(Signature::Ps256)),
    ("PS384", Ps384, Kind::Signature(Signature::Ps384)),
    ("PS512", Ps512, Kind::Signature(Signature::Ps512)),
    ("ES256", Es256, Kind::Signature(Signature::Es256)),
    ("ES384", Es384, Kind::Signature(Signature::Es384)),
    ("ES512", Es512, Kind::Signature(Signature::Es512)),
    ("EdDSA", EdDsa, Kind::Signature(Signature::EdDsa)),
    ("Ed25519", Ed25519, Kind::Signature(Signature::EdDsa)),
    ("HS256", Hs256, Kind::Hmac(Digest::Sha256)),
    ("HS384", Hs384, Kind::Hmac(Digest::Sha384)),
    ("HS512", Hs512, Kind::Hmac(Digest::Sha512)),
];

impl Algorithm {
    /// The algorithm of exactly this name: `alg` is case-sensitive (RFC 7515 section 4.1.1).
    pub(crate) fn named(name: &str) -> Option<Self> {
        ALL.iter().find(|(known, ..)| *known == name).map(|(_, algorithm, _)| *algorithm)
    }

    pub(crate) fn name(self) -> &'static str {
        ALL[self as usize].0
    }

    pub(crate) fn kind(self) -> Kind {
        ALL[self as usize].2
    }
}

/// A set of algorithms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Algorithms(u16);

impl Algorithms {
    pub(crate) fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & (1 << algorithm as u16) != 0
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those whose kind is wanted.
    pub(crate) fn of_kind(is_wanted: impl Fn(Kind) -> bool) -> Self {
        ALL.iter().filter(|(.., kind)| is_wanted(*kind)).map(|(_, algorithm, _)| *algorithm).collect()
    }
}

impl FromIterator<Algorithm> for Algorithms {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        Self(algorithms.into_iter().fold(0, |set, algorithm| set | 1 << algorithm as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enumeration() {
        for (index, (name, algorithm, kind)) in ALL.into_iter().enumerate() {
            assert_eq!((algorithm as usize, algorithm.name(), algorithm.kind()), (index, name, kind));
            assert_eq!(Algorithm::named(name), Some(algorithm));
            assert_eq!(kind_of(name), matches!(kind, Kind::Hmac(_)), "{name}");
        }
    }

    fn kind_of(name: &str) -> bool {
        name.starts_with("HS")
    }

    #[test]
    fn nothing_else_is_an_algorithm() {
        for name in
            ["none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "HS1", "ES256K", "RS1", "Ed448", "dir"]
        {
            assert_eq!(Algorithm::named(name), None, "{name:?}");
        }
    }

    #[test]
    fn sets_hold_what_they_were_made_of() {
        let set: Algorithms = [Rs256, Hs512].into_iter().collect();
        assert!(set.contains(Rs256) && set.contains(Hs512) && !set.contains(Ps256));
        let hmac = Algorithms::of_kind(|kind| matches!(kind, Kind::Hmac(_)));
        assert!(hmac.contains(Hs256) && !hmac.contains(Rs256));
        assert!(set.union(hmac).contains(Hs384));
    }
}
