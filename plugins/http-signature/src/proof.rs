//! What every form of signature comes down to: a key, bytes that it signed, and the time for which that counts.

use std::time;

use sluice_sdk::consumers::Identity;
use sluice_sdk::crypto::{Digest, Key};
use sluice_sdk::prelude::*;

use crate::algorithm::{self, Algorithm};
use crate::digest::Covered;
use crate::refusal::{Refusal, Stop};

/// A signature that states and covers what it has to, before anybody has verified it.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) keyid: String,
    pub(crate) key: Key,
    /// Those that are accepted for it.
    pub(crate) algorithms: Vec<Algorithm>,
    /// What was signed. More than one where the request does not tell which.
    pub(crate) bases: Vec<String>,
    pub(crate) signature: Vec<u8>,
    pub(crate) nonce: Option<String>,
    /// How long it may be accepted for at most, from now.
    pub(crate) lifetime: time::Duration,
    /// Digests that it covers.
    pub(crate) digests: Vec<Covered>,
    /// Whether it is of a form in which `Digest` has the body's digest.
    pub(crate) is_old: bool,
}

/// The longest key id, in bytes.
const MAX_KEYID: usize = 1024;

/// The one answer to an unknown key, to another's signature and to what a known key cannot have signed of this request, so that
/// nobody learns which key ids there are.
pub(crate) fn invalid() -> Refusal {
    Refusal::Invalid("no known key has made this signature of this request".to_owned())
}

/// The key of this id. Looked up before anything of the request is parsed for the signature's components.
pub(crate) fn key(keyid: &str) -> Result<Key, Stop> {
    if keyid.is_empty() || keyid.len() > MAX_KEYID {
        return Err(invalid().into());
    }
    consumers::signature_key(keyid)?.ok_or_else(|| invalid().into())
}

impl Proof {
    /// Whose signature it is.
    pub(crate) fn verify(&self) -> Result<Consumer, Stop> {
        for base in &self.bases {
            if algorithm::verify(&self.algorithms, &self.key, base, &self.signature)? {
                let consumer = consumers::identify(Identity::Signature, &self.keyid)?;
                return consumer.ok_or_else(|| invalid().into());
            }
        }
        Err(invalid().into())
    }

    /// Refuses what was there before. Without a nonce the signed bytes themselves are what comes once: signatures of the same
    /// bytes can differ, and anybody can make another one from one of ECDSA.
    pub(crate) fn use_once(&self) -> Result<(), Stop> {
        let what = match &self.nonce {
            Some(nonce) => format!("nonce\n{}\n{nonce}", self.keyid),
            None => format!("base\n{}\n{}", self.keyid, self.bases.first().map_or("", String::as_str)),
        };
        let key = crypto::digest(Digest::Sha256, what)?;
        match store::add(key, 1, Some(self.lifetime))? {
            ..=1 => Ok(()),
            _ => Err(Refusal::Replayed.into()),
        }
    }
}
