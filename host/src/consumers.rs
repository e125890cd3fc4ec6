//! Consumers and their credentials, found by digest.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::{constant_time, digest, hmac};

use crate::config::{self, KeyHash, Secret};

/// Someone who uses the API.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) name: Arc<str>,
    message: Vec<u8>,
}

impl Consumer {
    /// As plugins read it.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }
}

#[derive(Debug)]
struct Credential {
    digest: [u8; 32],
    expires: Option<SystemTime>,
    consumer: Arc<Consumer>,
}

/// Everyone known, immutable; a reload that changes one makes a new one of these.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    by_name: HashMap<Arc<str>, Arc<Consumer>>,
    /// By the first eight bytes of the digest, so that no lookup compares secrets early-out.
    by_prefix: HashMap<u64, Vec<Credential>>,
    pepper: Option<hmac::Key>,
    plain: bool,
}

impl Consumers {
    /// Indexes the configured consumers.
    pub(crate) fn new(consumers: &[config::Consumer], pepper: Option<&Secret>) -> Self {
        let mut index = Self {
            pepper: pepper.map(|pepper| hmac::Key::new(hmac::HMAC_SHA256, pepper.expose().as_bytes())),
            ..Self::default()
        };
        for configured in consumers {
            let message = sluice_abi::Consumer {
                name: configured.name.to_string(),
                custom_id: configured.custom_id.clone(),
                groups: configured.groups.clone(),
            };
            let consumer =
                Arc::new(Consumer { name: Arc::clone(&configured.name), message: message.encode() });
            for key in &configured.keys {
                let digest = match &key.hash {
                    KeyHash::Sha256(digest) => {
                        index.plain = true;
                        *digest
                    }
                    KeyHash::HmacSha256(digest) => *digest,
                };
                let credential = Credential { digest, expires: key.expires, consumer: Arc::clone(&consumer) };
                index.by_prefix.entry(prefix(&digest)).or_default().push(credential);
            }
            index.by_name.insert(Arc::clone(&configured.name), consumer);
        }
        index
    }

    /// The consumer of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Consumer>> {
        self.by_name.get(name)
    }

    /// The consumer whose unexpired key this is. The clock is read only for keys that expire.
    pub(crate) fn identify(&self, key: &[u8], now: impl Fn() -> SystemTime) -> Option<&Arc<Consumer>> {
        let peppered =
            self.pepper.as_ref().and_then(|pepper| self.find(hmac::sign(pepper, key).as_ref(), &now));
        peppered.or_else(|| {
            let digest = self.plain.then(|| digest::digest(&digest::SHA256, key))?;
            self.find(digest.as_ref(), &now)
        })
    }

    fn find(&self, digest: &[u8], now: impl Fn() -> SystemTime) -> Option<&Arc<Consumer>> {
        let credentials = self.by_prefix.get(&prefix(digest))?;
        let credential = credentials
            .iter()
            .find(|credential| constant_time::verify_slices_are_equal(&credential.digest, digest).is_ok())?;
        let valid = credential.expires.is_none_or(|expires| now() < expires);
        valid.then_some(&credential.consumer)
    }
}

fn prefix(digest: &[u8]) -> u64 {
    digest.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
