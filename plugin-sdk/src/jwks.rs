//! Key sets that the gateway fetches and keeps (RFC 7517), by their names in its configuration. Capability `jwks:<name>`.

use sluice_abi::Signature;

use crate::host::{self, raw};
use crate::{Code, Error, Result};

/// What came of verifying a signature with a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// A key of the set made it.
    Valid,
    /// The key that it names did not make it; without a `kid`, none of those that fit did.
    Invalid,
    /// The set has no key of that `kid` for this algorithm.
    UnknownKey,
    /// It had none when it was last fetched, and cannot be fetched anew yet: its issuer may have a new key since.
    UnknownYet,
    /// The set has never been fetched, or is too old to be used.
    Unavailable,
}

/// Whether `bytes` is a signature of `data` by the key `kid` of a set, or without a `kid` by any of its keys that fits the
/// algorithm.
///
/// A key that is not known makes the gateway fetch the set anew, once for everyone who waits and no more often than the set's
/// cool-down allows; the call waits for it.
pub fn verify(
    set: &str,
    kid: Option<&str>,
    signature: Signature,
    data: impl AsRef<[u8]>,
    bytes: impl AsRef<[u8]>,
) -> Result<Verification> {
    let kid = match kid {
        // To the host no `kid` and an empty one are the same, and no key has an empty one.
        Some("") => return Ok(Verification::UnknownKey),
        kid => kid.unwrap_or_default(),
    };
    let returned = raw::jwks_verify(set.as_bytes(), kid.as_bytes(), signature, data.as_ref(), bytes.as_ref());
    match host::done("verify with a key set", returned) {
        Ok(()) => Ok(Verification::Valid),
        Err(error) => match error.code() {
            Some(Code::Mismatch) => Ok(Verification::Invalid),
            Some(Code::None | Code::Invalid) => Ok(Verification::UnknownKey),
            Some(Code::Timeout) => Ok(Verification::UnknownYet),
            Some(Code::Unavailable) => Ok(Verification::Unavailable),
            _ => Err(Error::context(error, format_args!("key set `{set}`"))),
        },
    }
}
