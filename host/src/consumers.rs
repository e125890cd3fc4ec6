//! Consumers and their credentials: who is meant by what was shown.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::{constant_time, hmac};
use sluice_abi::Identity;
use sluice_keys::PublicKey;
use sluice_metering::plan::{Plan, RateLimit};

use crate::config::{self, KeyMaterial, Secret};

/// Someone who uses the API, with the credential that was shown, if one was.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) name: Arc<str>,
    message: Vec<u8>,
}

impl Consumer {
    fn new(configured: &config::Consumer, plan: Option<&Plan>, credential: Option<&str>) -> Arc<Self> {
        let limit =
            |limit: &RateLimit| (limit.quota, u64::try_from(limit.window.as_millis()).unwrap_or(u64::MAX));
        let message = sluice_abi::Consumer {
            name: configured.name.to_string(),
            id: configured.id.clone(),
            custom_id: configured.custom_id.clone(),
            groups: configured.groups.clone(),
            credential: credential.map(str::to_owned),
            plan: configured.plan.as_ref().map(ToString::to_string),
            limits: plan.map(|plan| plan.limits.iter().map(limit).collect()).unwrap_or_default(),
        };
        Arc::new(Self { name: Arc::clone(&configured.name), message: message.encode() })
    }

    /// As plugins read it.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }
}

/// A secret of which the digest is known.
#[derive(Debug)]
struct Digested {
    digest: [u8; 32],
    expires: Option<SystemTime>,
    consumer: Arc<Consumer>,
}

/// Secrets of one kind, by the first eight bytes of their digests, so that no lookup compares them early-out.
#[derive(Debug, Default)]
struct Digests {
    by_prefix: HashMap<u64, Vec<Digested>>,
}

/// A key with which a consumer signs requests.
#[derive(Debug)]
struct Signer {
    key: SignatureKey,
    expires: Option<SystemTime>,
    consumer: Arc<Consumer>,
}

/// What a signature is verified with.
#[derive(Clone, Debug)]
pub(crate) enum SignatureKey {
    Secret(Secret),
    Public(Arc<PublicKey>),
}

/// Everyone known, immutable; a reload that changes one makes a new one of these.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    /// Each without a credential, and with each of its own.
    by_name: HashMap<Arc<str>, Known>,
    by_custom_id: HashMap<String, Arc<Consumer>>,
    /// By issuer, which may be empty, LF and subject.
    by_token: HashMap<String, Arc<Consumer>>,
    by_certificate: HashMap<String, Arc<Consumer>>,
    signers: HashMap<String, Signer>,
    keys: Digests,
    passwords: Digests,
    pepper: Option<hmac::Key>,
}

/// A consumer without a credential, and with each of its own by what identifies that.
#[derive(Debug)]
struct Known {
    anyone: Arc<Consumer>,
    with: HashMap<Arc<str>, Arc<Consumer>>,
}

impl Consumers {
    /// Indexes the configured consumers, who may be on plans.
    pub(crate) fn new(
        consumers: &[config::Consumer],
        plans: &BTreeMap<Arc<str>, Arc<Plan>>,
        pepper: Option<&Secret>,
    ) -> Self {
        let mut index = Self {
            pepper: pepper.map(|pepper| hmac::Key::new(hmac::HMAC_SHA256, pepper.expose().as_bytes())),
            ..Self::default()
        };
        for configured in consumers {
            let plan = configured.plan.as_ref().and_then(|plan| plans.get(plan));
            index.add(configured, plan.map(|plan| &**plan));
        }
        index
    }

    fn add(&mut self, configured: &config::Consumer, plan: Option<&Plan>) {
        let anyone = Consumer::new(configured, plan, None);
        if let Some(id) = &configured.custom_id {
            self.by_custom_id.insert(id.clone(), Arc::clone(&anyone));
        }
        let mut known = HashMap::new();
        let mut with = |credential: &str| {
            let consumer = Consumer::new(configured, plan, Some(credential));
            known.insert(Arc::from(credential), Arc::clone(&consumer));
            consumer
        };
        for key in &configured.keys {
            self.keys.add(key, with(&key.id));
        }
        for password in &configured.passwords {
            self.passwords.add(password, with(&password.id));
        }
        for token in &configured.tokens {
            let name = format!("{}\n{}", token.issuer.as_deref().unwrap_or_default(), token.subject);
            self.by_token.insert(name, with(&token.subject));
        }
        for name in &configured.certificates {
            self.by_certificate.insert(name.clone(), with(name));
        }
        for signer in &configured.signatures {
            let key = match &signer.material {
                KeyMaterial::Secret(secret) => SignatureKey::Secret(secret.clone()),
                KeyMaterial::Public(text) => {
                    // That it can be read was found out when the configuration was.
                    let Ok(key) = PublicKey::import(text.as_bytes()) else { continue };
                    SignatureKey::Public(Arc::new(key))
                }
            };
            let signer_of = Signer { key, expires: signer.expires, consumer: with(&signer.id) };
            self.signers.insert(signer.id.clone(), signer_of);
        }
        self.by_name.insert(Arc::clone(&configured.name), Known { anyone, with: known });
    }

    /// The consumer of a name, as whoever shows this credential of its.
    pub(crate) fn get(&self, name: &str, credential: Option<&str>) -> Option<&Arc<Consumer>> {
        let known = self.by_name.get(name)?;
        match credential {
            Some(credential) => known.with.get(credential),
            None => Some(&known.anyone),
        }
    }

    /// The consumer whom this identifies, unless it has expired. The clock is read only for what expires.
    pub(crate) fn identify(
        &self,
        by: Identity,
        name: &[u8],
        now: impl Fn() -> SystemTime,
    ) -> Option<&Arc<Consumer>> {
        let text = || std::str::from_utf8(name).ok();
        match by {
            Identity::Key => self.keys.identify(name, self.pepper.as_ref(), now),
            Identity::Password => self.passwords.identify(name, self.pepper.as_ref(), now),
            Identity::Token => self.by_token.get(text()?),
            Identity::Certificate => self.by_certificate.get(text()?),
            Identity::Signature => self.signer(text()?, now).map(|signer| &signer.consumer),
            Identity::Name => self.get(text()?, None),
            Identity::CustomId => self.by_custom_id.get(text()?),
        }
    }

    /// What the signatures of a key id are verified with.
    pub(crate) fn signature_key(&self, id: &str, now: impl Fn() -> SystemTime) -> Option<&SignatureKey> {
        self.signer(id, now).map(|signer| &signer.key)
    }

    fn signer(&self, id: &str, now: impl Fn() -> SystemTime) -> Option<&Signer> {
        self.signers.get(id).filter(|signer| is_valid(signer.expires, now))
    }
}

impl Digests {
    fn add(&mut self, key: &config::Key, consumer: Arc<Consumer>) {
        let digested = Digested { digest: key.digest, expires: key.expires, consumer };
        self.by_prefix.entry(prefix(&key.digest)).or_default().push(digested);
    }

    fn identify(
        &self,
        secret: &[u8],
        pepper: Option<&hmac::Key>,
        now: impl Fn() -> SystemTime,
    ) -> Option<&Arc<Consumer>> {
        // Without any there may be no pepper either, and a digest would be made in vain.
        let pepper = pepper.filter(|_| !self.by_prefix.is_empty())?;
        self.find(hmac::sign(pepper, secret).as_ref(), now)
    }

    fn find(&self, digest: &[u8], now: impl Fn() -> SystemTime) -> Option<&Arc<Consumer>> {
        let digested = self.by_prefix.get(&prefix(digest))?;
        let found = digested
            .iter()
            .find(|known| constant_time::verify_slices_are_equal(&known.digest, digest).is_ok())?;
        is_valid(found.expires, now).then_some(&found.consumer)
    }
}

fn is_valid(expires: Option<SystemTime>, now: impl Fn() -> SystemTime) -> bool {
    expires.is_none_or(|expires| now() < expires)
}

fn prefix(digest: &[u8]) -> u64 {
    digest.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
