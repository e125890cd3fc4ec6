//! What WebAssembly does slowly and secrets must not leave the host for. Capability `crypto`.

pub use sluice_abi::{Digest, Signature};

use crate::host::{self, raw};
use crate::{Code, Error, Result};

/// The digest of `data`.
pub fn digest(digest: Digest, data: impl AsRef<[u8]>) -> Result<Vec<u8>> {
    host::bytes(|out| raw::digest(digest, data.as_ref(), out))
        .map_err(|code| Error::from_host("digest", code))
}

/// Whether both are the same, in a time that does not tell where they differ.
#[must_use]
pub fn equal(a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) -> bool {
    raw::equal(a.as_ref(), b.as_ref()) == 1
}

/// A key that the host holds. Make it in `Plugin::new` and keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(i32);

impl Key {
    /// The secret of this name, for HMAC. Wants the capability `secret:<name>`.
    pub fn secret(name: &str) -> Result<Self> {
        Self::made("use a secret", raw::key_secret(name.as_bytes())).map_err(|error| error.context(name))
    }

    /// Bytes that the plugin has, for HMAC.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Result<Self> {
        Self::made("make a key", raw::key_raw(bytes.as_ref()))
    }

    /// A public key, to verify signatures: SPKI as PEM or DER, or a JWK as JSON.
    pub fn public(key: impl AsRef<[u8]>) -> Result<Self> {
        Self::made("read a public key", raw::key_public(key.as_ref()))
    }

    pub(crate) fn from_handle(handle: i32) -> Result<Self, Code> {
        if handle < 0 { Err(Code::from_number(handle).unwrap_or(Code::Invalid)) } else { Ok(Self(handle)) }
    }

    fn made(call: &str, handle: i32) -> Result<Self> {
        host::done(call, handle).map(|()| Self(handle))
    }

    /// The HMAC of `data`.
    pub fn hmac(&self, digest: Digest, data: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        host::bytes(|out| raw::hmac(digest, self.0, data.as_ref(), out))
            .map_err(|code| Error::from_host("HMAC", code))
    }

    /// Whether `tag` is the HMAC of `data`.
    pub fn verify_hmac(&self, digest: Digest, data: impl AsRef<[u8]>, tag: impl AsRef<[u8]>) -> Result<bool> {
        verified("verify an HMAC", raw::hmac_verify(digest, self.0, data.as_ref(), tag.as_ref()))
    }

    /// Whether `bytes` is a signature of `data` by this public key.
    pub fn verify(
        &self,
        signature: Signature,
        data: impl AsRef<[u8]>,
        bytes: impl AsRef<[u8]>,
    ) -> Result<bool> {
        verified("verify a signature", raw::verify(signature, self.0, data.as_ref(), bytes.as_ref()))
    }
}

fn verified(call: &str, returned: i32) -> Result<bool> {
    match host::done(call, returned) {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some(Code::Mismatch) => Ok(false),
        Err(error) => Err(error),
    }
}
