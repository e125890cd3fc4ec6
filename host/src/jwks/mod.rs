//! Named key sets: fetched from issuers, kept fresh, and asked by workers whose key made a signature.
//!
//! `state` says what may be used and when to fetch, and is pure; `source` fetches; `set` joins the two with a task on
//! the control runtime. Workers read what was published last and take no lock.

mod config;
mod document;
mod set;
mod source;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use sluice_abi::Signature;
use tokio::runtime::Handle;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;

pub(crate) use config::{KeySetConfig, KeySetError, KeySource};
#[cfg(test)]
pub(crate) use document::Candidates;
use document::{KeySet, Sought};
use set::{Consulted, Judgement, Set};

/// The key sets of one configuration. A clone is the same sets.
#[derive(Clone, Default)]
pub(crate) struct KeySets(Arc<BTreeMap<Arc<str>, Arc<Set>>>);

/// Which keys may have made a signature.
#[cfg(test)]
#[derive(Debug)]
pub(crate) enum Lookup {
    /// These. None of them needs to fit the algorithm.
    Found(Candidates),
    /// The key that is named is for other algorithms.
    WrongAlgorithm,
    /// The set has no such key, and it is too early to fetch it again.
    Unknown,
    /// A fetch is under way: await its end, not for ever, and look again.
    Wait(OwnedNotified),
    /// There are no keys: none were ever fetched, or those that were are too old.
    Unavailable,
    /// There is no set of that name.
    NoSet,
}

/// What a signature turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    Verified,
    /// It is not the signature of the key that is named, or of any key that fits.
    Mismatch,
    /// The set has no such key.
    NoKey,
    /// It had none when it was last fetched, and could not be fetched since.
    NotYet,
    /// The key that is named is for other algorithms.
    WrongAlgorithm,
    /// There are no keys: none were ever fetched, or those that were are too old.
    Unavailable,
    /// There is no set of that name.
    NoSet,
}

/// What can be said of a signature at once.
#[derive(Debug)]
pub(crate) enum Attempt {
    Done(Verification),
    /// A fetch is under way that may bring the key: await its end, not for ever, and try again. The other is the answer
    /// when the wait is over before the fetch.
    Wait(OwnedNotified, Verification),
}

/// A signature that is to be verified, with what its token says of it.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) algorithm: Signature,
    pub(crate) kid: Option<&'a str>,
    pub(crate) data: &'a [u8],
    pub(crate) signature: &'a [u8],
}

/// A set as the admin pages and metrics see it.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) name: Arc<str>,
    /// Keys that can be used now, and those of the set that are passed over; none while the set is unavailable.
    pub(crate) keys: Option<(usize, usize)>,
    pub(crate) last_success: Option<SystemTime>,
    /// It may be older than the last success.
    pub(crate) last_failure: Option<(SystemTime, Arc<str>)>,
    pub(crate) fetches: u64,
    pub(crate) failures: u64,
}

impl KeySets {
    /// Sets as configured, or everything that is wrong with them. What has not changed since `before` is the same set,
    /// with its keys and its task. Nothing is fetched yet.
    pub(crate) fn new(
        configs: impl IntoIterator<Item = (Arc<str>, KeySetConfig)>,
        before: Option<&Self>,
    ) -> Result<Self, Vec<(Arc<str>, KeySetError)>> {
        let (mut sets, mut errors) = (BTreeMap::new(), Vec::new());
        for (name, config) in configs {
            let before = before.and_then(|before| before.0.get(&name));
            if let Some(same) = before.filter(|before| before.config == config) {
                sets.insert(name, Arc::clone(same));
                continue;
            }
            match Set::new(Arc::clone(&name), config, before.map(|before| &**before)) {
                Ok(set) => drop(sets.insert(name, Arc::new(set))),
                Err(error) => errors.push((name, error)),
            }
        }
        if errors.is_empty() { Ok(Self(Arc::new(sets))) } else { Err(errors) }
    }

    /// Begins to fetch, on `control`, what is not being fetched already. It ends when the last clone is gone.
    pub(crate) fn start(&self, control: &Handle) {
        self.0.values().for_each(|set| set.start(control));
    }

    /// Whether there is a set of that name.
    #[cfg(test)]
    pub(crate) fn contains(&self, set: &str) -> bool {
        self.0.contains_key(set)
    }

    /// The keys of a name; without one, those that fit the algorithm. Never waits.
    #[cfg(test)]
    pub(crate) fn lookup(&self, set: &str, kid: Option<&str>, algorithm: Signature) -> Lookup {
        let Some(set) = self.0.get(set) else { return Lookup::NoSet };
        let consulted = set.consult(|state, now| match state.keys(now) {
            None => Judgement::Open(Lookup::Unavailable),
            Some(keys) => match keys.seek(kid, algorithm) {
                Sought::Found(keys) => Judgement::Settled(Lookup::Found(keys)),
                Sought::WrongAlgorithm => Judgement::Settled(Lookup::WrongAlgorithm),
                Sought::Missing => Judgement::Open(Lookup::Unknown),
            },
        });
        match consulted {
            Consulted::Answer(lookup) => lookup,
            Consulted::Wait(ended, _) => Lookup::Wait(ended),
        }
    }

    /// Whose signature it is, as far as the keys that are here tell. Never waits.
    pub(crate) fn try_verify(&self, set: &str, signed: Signed<'_>) -> Attempt {
        let Some(set) = self.0.get(set) else { return Attempt::Done(Verification::NoSet) };
        match attempt(set, signed, &mut None) {
            // That it was not waited for a fetch means that none may begin.
            Attempt::Done(Verification::NoKey) if set.is_fetched() => Attempt::Done(Verification::NotYet),
            attempt => attempt,
        }
    }

    /// Whose signature it is. Waits for a fetch that may bring the key, but no longer than a fetch may take.
    pub(crate) async fn verify(&self, set: &str, signed: Signed<'_>) -> Verification {
        let Some(set) = self.0.get(set) else { return Verification::NoSet };
        let (mut tried, mut deadline) = (None, None);
        loop {
            let (ended, otherwise) = match attempt(set, signed, &mut tried) {
                Attempt::Done(Verification::NoKey) if set.has_failed() => return Verification::NotYet,
                Attempt::Done(verification) => return verification,
                Attempt::Wait(ended, otherwise) => (ended, otherwise),
            };
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + set.config.timeout);
            if tokio::time::timeout_at(deadline, ended).await.is_err() {
                // Nobody can tell before the fetch has ended.
                let is_open = otherwise == Verification::NoKey;
                return if is_open { Verification::NotYet } else { otherwise };
            }
        }
    }

    /// How every set is doing, by name.
    pub(crate) fn statuses(&self) -> Vec<Status> {
        let status = |(name, set): (&Arc<str>, &Arc<Set>)| {
            let report = set.report();
            Status {
                name: Arc::clone(name),
                keys: set.keys().map(|keys| (keys.usable, keys.ignored)),
                last_success: report.last_success,
                last_failure: report.last_failure.clone(),
                fetches: report.fetches,
                failures: report.failures,
            }
        };
        self.0.iter().map(status).collect()
    }
}

/// Tries the keys that are here. `tried` are those that are known not to have made the signature.
fn attempt(set: &Set, signed: Signed<'_>, tried: &mut Option<Arc<KeySet>>) -> Attempt {
    let Signed { algorithm, kid, data, signature } = signed;
    let consulted = set.consult(|state, now| {
        let Some(keys) = state.keys(now) else { return Judgement::Open(Verification::Unavailable) };
        if tried.as_ref().is_some_and(|tried| Arc::ptr_eq(tried, keys)) {
            return Judgement::Open(Verification::Mismatch);
        }
        let candidates = match keys.seek(kid, algorithm) {
            Sought::Found(candidates) => candidates,
            Sought::WrongAlgorithm => return Judgement::Settled(Verification::WrongAlgorithm),
            Sought::Missing => return Judgement::Open(Verification::NoKey),
        };
        if candidates.iter().any(|key| key.verify(algorithm, data, signature) == Some(true)) {
            return Judgement::Settled(Verification::Verified);
        }
        if kid.is_some() {
            return Judgement::Settled(Verification::Mismatch);
        }
        // Who names no key may have signed with one that is not here yet.
        *tried = Some(Arc::clone(keys));
        Judgement::Open(Verification::Mismatch)
    });
    match consulted {
        Consulted::Answer(verification) => Attempt::Done(verification),
        Consulted::Wait(ended, verification) => Attempt::Wait(ended, verification),
    }
}
