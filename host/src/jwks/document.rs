//! A JWK Set (RFC 7517 section 5) and its keys by name and by algorithm.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_abi::Signature;
use sluice_keys::PublicKey;

/// How many keys are tried for one signature.
pub(crate) const MAX_TRIES: usize = 8;

/// Keys that may have made a signature, no more than [`MAX_TRIES`].
pub(crate) type Candidates = Arc<[Arc<PublicKey>]>;

/// The keys of one set that verify something here.
#[derive(Debug)]
pub(super) struct KeySet {
    named: HashMap<Box<str>, Candidates>,
    /// For signatures that name no key.
    fitting: [Candidates; Signature::ALL.len()],
    /// So many can be used, and so many were passed over.
    pub(super) usable: usize,
    pub(super) ignored: usize,
}

/// Which keys may have made a signature.
#[derive(Clone, Debug)]
pub(super) enum Sought {
    Found(Candidates),
    /// The key that is named is for other algorithms.
    WrongAlgorithm,
    Missing,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl KeySet {
    /// Keys that are not for verifying, or not known here, are passed over, as RFC 7517 has it.
    pub(super) fn parse(json: &[u8], max_keys: usize) -> Result<Self, String> {
        let document: Document<'_> =
            serde_json::from_slice(json).map_err(|error| format!("the answer is no JWK Set: {error}"))?;
        let all = document.keys.len();
        if all > max_keys {
            return Err(format!("the set has {all} keys, which is more than {max_keys}"));
        }
        let keys = document.keys.iter().filter_map(|jwk| PublicKey::from_jwk(jwk.get().as_bytes()).ok());
        let keys: Vec<Arc<PublicKey>> = keys.map(Arc::new).collect();
        let mut named: HashMap<Box<str>, Vec<Arc<PublicKey>>> = HashMap::new();
        for key in &keys {
            if let Some(kid) = key.kid() {
                named.entry(kid.into()).or_default().push(Arc::clone(key));
            }
        }
        let fitting = std::array::from_fn(|number| {
            let algorithm = Signature::ALL[number];
            keys.iter().filter(|key| key.fits(algorithm)).take(MAX_TRIES).cloned().collect()
        });
        let named = named.into_iter().map(|(kid, keys)| (kid, keys.into_iter().take(MAX_TRIES).collect()));
        Ok(Self { named: named.collect(), fitting, usable: keys.len(), ignored: all - keys.len() })
    }

    /// The keys of a name; without one, all that fit the algorithm.
    pub(super) fn seek(&self, kid: Option<&str>, algorithm: Signature) -> Sought {
        let Some(kid) = kid else {
            let fitting = &self.fitting[algorithm.number().unsigned_abs() as usize];
            return if fitting.is_empty() { Sought::Missing } else { Sought::Found(Arc::clone(fitting)) };
        };
        match self.named.get(kid) {
            Some(keys) if keys.iter().any(|key| key.fits(algorithm)) => Sought::Found(Arc::clone(keys)),
            Some(_) => Sought::WrongAlgorithm,
            None => Sought::Missing,
        }
    }
}
