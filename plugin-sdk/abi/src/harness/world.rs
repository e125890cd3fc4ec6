//! What surrounds a plugin under test, and the arithmetic that both harnesses share.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Bytes, HeaderList};
use crate::{Code, FetchError, FetchRequest, FetchResponse, Headers, MeterKind};

/// What surrounds a plugin under test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// The time of day, in milliseconds since 1970.
    pub now_ms: u64,
    /// Where [`Random`] begins.
    pub seed: u64,
    /// Who is known.
    #[serde(default)]
    pub consumers: Vec<KnownConsumer>,
    /// Secrets by name.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// Key sets by name, as RFC 7517 writes them. They have been fetched, and do not change.
    #[serde(default)]
    pub jwks: BTreeMap<String, serde_json::Value>,
    /// How fetches are answered.
    #[serde(default)]
    pub fetches: Vec<CannedFetch>,
    /// Assets: what a configuration calls `asset:NAME`, by the name.
    #[serde(default)]
    pub assets: BTreeMap<String, Bytes>,
    /// Meters by name. Their numbers are the plugin's to keep, not a test's to know.
    #[serde(default)]
    pub meters: BTreeMap<String, MeterKind>,
    /// What the plugin is held to.
    pub limits: Limits,
}

impl Default for World {
    fn default() -> Self {
        Self {
            // 2026-01-01T00:00:00Z
            now_ms: 1_767_225_600_000,
            seed: 1,
            consumers: Vec::new(),
            secrets: BTreeMap::new(),
            jwks: BTreeMap::new(),
            fetches: Vec::new(),
            assets: BTreeMap::new(),
            meters: BTreeMap::new(),
            limits: Limits::default(),
        }
    }
}

/// A consumer and the keys that identify it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownConsumer {
    /// The name.
    pub name: String,
    /// By what upstreams know it, if not by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What others call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// Its groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Its API keys.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// Its user names and passwords.
    #[serde(default)]
    pub passwords: Vec<Password>,
    /// Tokens that are its: issuer, or nothing, and subject.
    #[serde(default)]
    pub tokens: Vec<(Option<String>, String)>,
    /// Names in certificates, or fingerprints, that are its.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// Keys with which it signs requests.
    #[serde(default)]
    pub signatures: Vec<SignatureKey>,
    /// The plan that it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The plan's rate limits: so much in so many milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<(u64, u64)>,
}

/// A user name and password in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password {
    /// The user name, which also identifies the credential.
    pub user: String,
    /// The password.
    pub password: String,
}

/// A key with which a consumer signs requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureKey {
    /// The key's id.
    pub id: String,
    /// The secret, for HMAC; or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The public key, PEM or JWK; or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
}

/// An API key in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The key.
    pub key: String,
    /// What identifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it stops being one, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

/// Limits of the plugin that a test can see: the same as a plugin's `limits` in `gateway.toml`, same defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of a buffered body.
    pub body: usize,
    /// Bytes of headers that the plugin may write or answer with.
    pub headers: usize,
    /// Bytes of log lines per call.
    pub log: usize,
    /// Host calls per call.
    pub host_calls: u32,
    /// Fetches per call.
    pub fetches: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 1 << 20, headers: 64 << 10, log: 16 << 10, host_calls: 10_000, fetches: 8 }
    }
}

/// How a fetch is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CannedFetch {
    /// Through this upstream,
    pub upstream: String,
    /// with this method,
    pub method: String,
    /// for this path and query.
    pub path: String,
    /// The answer.
    pub answer: CannedAnswer,
}

/// What comes of a fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CannedAnswer {
    /// A response.
    Response {
        /// The status code.
        status: u16,
        /// The headers.
        headers: HeaderList,
        /// The body.
        body: Bytes,
    },
    /// The upstream cannot be reached.
    Unavailable,
    /// No answer in time.
    Timeout,
}

/// Answers fetches. Several answers to the same request come in their order, the last one again and again.
#[derive(Clone, Debug, Default)]
pub struct Fetches(Vec<(CannedFetch, bool)>);

impl Fetches {
    /// From a world's list.
    #[must_use]
    pub fn new(canned: Vec<CannedFetch>) -> Self {
        Self(canned.into_iter().map(|canned| (canned, false)).collect())
    }

    /// The answer to a request.
    pub fn answer(&mut self, request: &FetchRequest) -> Result<FetchResponse, FetchError> {
        let failed = |code: Code, message: String| FetchError { code: code.number(), message };
        let matching = |(canned, _): &&mut (CannedFetch, bool)| {
            canned.upstream == request.upstream
                && canned.method == request.method
                && canned.path == request.path
        };
        let mut chosen = None;
        for entry in self.0.iter_mut().filter(matching) {
            let fresh = !entry.1;
            chosen = Some(entry);
            if fresh {
                break;
            }
        }
        let FetchRequest { upstream, method, path, .. } = request;
        let Some((canned, used)) = chosen else {
            return Err(failed(
                Code::Unavailable,
                format!("the test has no answer to {method} {path} by `{upstream}`"),
            ));
        };
        *used = true;
        match &canned.answer {
            CannedAnswer::Response { status, headers, body } => {
                let headers: Headers =
                    headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.0.clone())).collect();
                Ok(FetchResponse { status: *status, headers, body: body.0.clone() })
            }
            CannedAnswer::Unavailable => {
                Err(failed(Code::Unavailable, format!("`{upstream}` cannot be reached")))
            }
            CannedAnswer::Timeout => {
                Err(failed(Code::Timeout, format!("`{upstream}` did not answer in time")))
            }
        }
    }
}

/// The numbers that stand for randomness in a test: SplitMix64, eight bytes at a time, lowest first.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins at a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Fills the bytes; what is left of the last eight is dropped.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            part.copy_from_slice(&mixed.to_le_bytes()[..part.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    #[test]
    fn answers_come_in_order_and_the_last_one_stays() {
        let canned = |status| CannedFetch {
            upstream: "a".to_string(),
            method: "GET".to_string(),
            path: "/".to_string(),
            answer: CannedAnswer::Response { status, headers: vec![], body: Bytes::default() },
        };
        let mut fetches = Fetches::new(vec![canned(500), canned(200)]);
        let mut request = FetchRequest {
            upstream: "a".to_string(),
            method: "GET".to_string(),
            path: "/".to_string(),
            headers: vec![],
            body: vec![],
            timeout_ms: 0,
        };
        let statuses = [(); 3].map(|()| fetches.answer(&request).unwrap().status);
        assert_eq!(statuses, [500, 200, 200]);
        request.path = "/other".to_string();
        assert_eq!(fetches.answer(&request).unwrap_err().code, Code::Unavailable.number());
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let mut bytes = [0; 12];
        Random::new(0).fill(&mut bytes);
        // The reference values of SplitMix64 from seed 0.
        assert_eq!(bytes[..8], 0xe220_a839_7b1d_cdaf_u64.to_le_bytes());
        assert_eq!(bytes[8..], 0x6e78_9e6a_a1b9_65f4_u64.to_le_bytes()[..4]);
    }
}
