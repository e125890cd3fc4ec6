//! The API's consumers. Capability `consumers`.

use std::fmt;

use serde::{Deserialize, Serialize};
use sluice_abi::WireError;

pub use sluice_abi::Identity;

use crate::Result;
use crate::crypto::Key;
use crate::host::{self, raw};

/// Someone who is known to the gateway.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Consumer {
    /// The name under which the operator configured it.
    pub name: String,
    /// The id by which upstreams know it; the name if the operator gave none.
    pub id: String,
    /// What the operator's own systems call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// The groups it belongs to.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Which of its credentials was shown, if one was: an identifier, never the credential itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The plan that it is on, if it is on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The rate limits of its plan; none without a plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<PlanLimit>,
}

/// A rate limit of a plan: so much in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlanLimit {
    /// How much, at least 1.
    pub quota: u64,
    /// In how many milliseconds, at least 1.
    pub window_ms: u64,
}

impl Consumer {
    pub(crate) fn decode(message: &[u8]) -> Result<Self, WireError> {
        let sluice_abi::Consumer { name, id, custom_id, groups, credential, plan, limits } =
            sluice_abi::Consumer::decode(message)?;
        // A limit of nothing, or in no time, could not be counted.
        let limits = limits
            .into_iter()
            .map(|(quota, window_ms)| PlanLimit { quota: quota.max(1), window_ms: window_ms.max(1) });
        Ok(Self { name, id, custom_id, groups, credential, plan, limits: limits.collect() })
    }

    /// Whether it belongs to a group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|known| known == group)
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Consumer({})", self.name)
    }
}

/// The consumer whom this identifies; `None` if it is nobody's, or has expired.
///
/// Of an API key and a password the host compares digests, in constant time. Everything else has to be proven before: that a
/// token or a certificate was verified is the plugin's word.
pub fn identify(by: Identity, name: impl AsRef<[u8]>) -> Result<Option<Consumer>> {
    let found = host::look(|out| raw::identify(by, name.as_ref(), out), Consumer::decode);
    Ok(host::optional("identify a consumer", found)?.transpose()?)
}

/// Whose API key this is.
pub fn identify_key(key: impl AsRef<[u8]>) -> Result<Option<Consumer>> {
    identify(Identity::Key, key)
}

/// Whose user name and password these are.
pub fn identify_password(user: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Result<Option<Consumer>> {
    identify(Identity::Password, [user.as_ref(), b":", password.as_ref()].concat())
}

/// Whom a verified token names. One without `issuer` is asked for where the operator gave none either.
pub fn identify_token(issuer: Option<&str>, subject: &str) -> Result<Option<Consumer>> {
    if let Some(issuer) = issuer
        && let Some(found) = identify(Identity::Token, format!("{issuer}\n{subject}"))?
    {
        return Ok(Some(found));
    }
    identify(Identity::Token, format!("\n{subject}"))
}

/// The key with which the owner of this key id signs requests, for as long as the call lasts; `None` if nobody has it, or it has
/// expired. [`identify`] with [`Identity::Signature`] tells whose it is.
pub fn signature_key(id: &str) -> Result<Option<Key>> {
    let handle = raw::signature_key(id.as_bytes());
    host::optional("find a signature key", Key::from_handle(handle))
}
