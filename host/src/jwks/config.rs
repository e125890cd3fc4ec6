//! What a key set is made from.

use std::time::Duration;

/// Where a set's keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// An issuer, whose metadata says where its keys are (OpenID Connect Discovery 1.0, RFC 8414).
    Issuer(String),
    /// The URL of a JWK Set (RFC 7517 section 5).
    Url(String),
    /// A JWK Set as text. It is never fetched.
    Keys(String),
}

/// A named key set as the operator wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySetConfig {
    pub(crate) source: KeySource,
    /// Authorities to trust beside the system's, in PEM.
    pub(crate) ca: Option<Vec<u8>>,
    /// How long a set is used before it is fetched anew; a shorter `max-age` of the answer counts. At least `cooldown`.
    pub(crate) refresh: Duration,
    /// The least time between two fetches that fail, and between two that unknown keys ask for.
    pub(crate) cooldown: Duration,
    /// How long a fetch may take, discovery included, and how long a caller waits for it.
    pub(crate) timeout: Duration,
    /// How long a set is used beyond its time while fetches fail.
    pub(crate) max_stale: Duration,
    /// Bytes that an answer may have.
    pub(crate) max_bytes: usize,
    /// Keys that a set may have, those that are of no use here included.
    pub(crate) max_keys: usize,
}

impl KeySetConfig {
    /// A set with the usual bounds.
    pub(crate) const fn new(source: KeySource) -> Self {
        Self {
            source,
            ca: None,
            refresh: Duration::from_secs(10 * 60),
            cooldown: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            max_stale: Duration::from_secs(24 * 60 * 60),
            max_bytes: 512 << 10,
            max_keys: 200,
        }
    }

    /// Whether another brings the same keys from the same place.
    pub(super) fn has_origin_of(&self, other: &Self) -> bool {
        self.source == other.source && self.ca == other.ca
    }
}

/// Why a set cannot be as it is configured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeySetError {
    #[error("the issuer `{0}` is no http or https URL without user, query and fragment")]
    Issuer(String),
    #[error("`{0}` is no http or https URL with a host and no user")]
    Url(String),
    #[error(transparent)]
    Authority(#[from] crate::tls::TlsError),
    #[error("the keys cannot be used: {0}")]
    Keys(String),
}
