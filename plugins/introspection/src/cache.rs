//! Answers that are kept, so that a token is asked about once in a while and by one request at a time.

use sluice_sdk::crypto::Digest;
use sluice_sdk::prelude::*;
use sluice_sdk_claims::{Claims, Failure, Refusal};
use std::time;

use crate::config::Config;
use crate::server::{Answer, Server, parse};

const MAX_CACHE: Duration = Duration::from_secs(3600);

const UNAVAILABLE: Refusal = Refusal::Unavailable { kind: "introspection-unavailable", retry_after: 5 };

/// What is kept of a token that is not active.
const INACTIVE: &[u8] = b"{\"active\":false}";

/// The server, and what it has said lately.
pub(crate) struct Cache {
    server: Server,
    positive: time::Duration,
    negative: time::Duration,
    stale: time::Duration,
}

impl Cache {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let Config { cache, negative_cache, stale_if_error, .. } = config;
        for (name, time) in
            [("cache", cache), ("negative_cache", negative_cache), ("stale_if_error", stale_if_error)]
        {
            ensure!(*time <= MAX_CACHE, "`{name}` is at most 1h");
        }
        ensure!(
            stale_if_error.is_zero() || !cache.is_zero(),
            "`stale_if_error` is of answers that are kept: give `cache`"
        );
        let server = Server::new(config)?;
        Ok(Self {
            server,
            positive: cache.get(),
            negative: negative_cache.get(),
            stale: stale_if_error.get(),
        })
    }

    /// Whether the store is granted, if it is wanted.
    pub(crate) fn check(&self) -> Result<()> {
        if self.positive.is_zero() && self.negative.is_zero() {
            return Ok(());
        }
        let granted =
            store::get("check").context("grant `store`, or set `cache` and `negative_cache` to \"0s\"");
        granted.map(drop)
    }

    /// What the server says of a token, or said lately.
    pub(crate) fn answer(&self, token: &str) -> Result<Answer, Failure> {
        if self.positive.is_zero() && self.negative.is_zero() {
            return self.ask(token);
        }
        let key = self.key(token)?;
        // Without the store everyone has to ask, and may.
        match self.look(&key) {
            Ok(store::Lead::Value(kept)) => return Ok(parse(&kept)?),
            Ok(store::Lead::Leader) => {}
            Ok(store::Lead::Late) => return self.stale(&key, UNAVAILABLE.into()),
            Err(error) => debug!("the store cannot be used: {error}"),
        }
        match self.ask(token) {
            Ok(answer) => {
                if let Err(error) = self.keep(&key, &answer) {
                    debug!("an answer cannot be kept: {error}");
                }
                Ok(answer)
            }
            Err(failure) => {
                self.release(&key);
                self.stale(&key, failure)
            }
        }
    }

    fn ask(&self, token: &str) -> Result<Answer, Failure> {
        self.server.ask(token).map_err(|error| {
            // An operator who lets requests pass where a step fails does not mean those that nobody has vouched for.
            error!("a token could not be introspected: {error}");
            UNAVAILABLE.into()
        })
    }

    /// No other configuration's answers, and no token, can be read from a key. Those that are kept for another time are another
    /// configuration's: a step that wants to know of a revocation sooner must not find them.
    fn key(&self, token: &str) -> Result<Vec<u8>> {
        let times = [self.positive, self.negative, self.stale];
        let mut data: Vec<u8> = times.iter().flat_map(|time| time.as_millis().to_le_bytes()).collect();
        for part in self.server.identity().into_iter().chain([token]) {
            data.extend_from_slice(&(part.len() as u64).to_le_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        crypto::digest(Digest::Sha256, data)
    }

    fn look(&self, key: &[u8]) -> Result<store::Lead> {
        if self.positive.is_zero() {
            // Most answers are not kept, so nobody can wait for them.
            return Ok(store::get(key)?.map_or(store::Lead::Leader, store::Lead::Value));
        }
        let timeout = self.server.timeout.get();
        store::lead(key, timeout + time::Duration::from_secs(1), timeout)
    }

    fn release(&self, key: &[u8]) {
        if !self.positive.is_zero()
            && let Err(error) = store::release(key)
        {
            debug!("a lead cannot be given up: {error}");
        }
    }

    fn keep(&self, key: &[u8], answer: &Answer) -> Result<()> {
        let (value, time) = match answer {
            Answer::Active(claims) => (serde_json::to_vec(claims)?, self.positive.min(rest(claims))),
            Answer::Inactive => (INACTIVE.to_vec(), self.negative),
        };
        if !self.stale.is_zero() {
            match answer {
                Answer::Active(_) if !time.is_zero() => {
                    store::set_evictable(stale_key(key), &value, Some(time + self.stale))?;
                }
                // What is over must not come back.
                _ => store::delete(stale_key(key))?,
            }
        }
        let kept = if time.is_zero() { Ok(()) } else { store::set_evictable(key, value, Some(time)) };
        if time.is_zero() || kept.is_err() {
            self.release(key);
        }
        kept
    }

    /// What was said before, where the operator prefers that to nothing.
    fn stale(&self, key: &[u8], failure: Failure) -> Result<Answer, Failure> {
        if self.stale.is_zero() {
            return Err(failure);
        }
        match store::get(stale_key(key)) {
            Ok(Some(kept)) => Ok(parse(&kept)?),
            _ => Err(failure),
        }
    }
}

fn stale_key(key: &[u8]) -> Vec<u8> {
    [b"stale:", key].concat()
}

/// The time until a token ends, by whole milliseconds.
fn rest(claims: &Claims) -> time::Duration {
    match claims.get("exp").map(serde_json::Value::as_f64) {
        None => time::Duration::MAX,
        Some(Some(exp)) => {
            let rest = exp - clock::since_epoch().as_secs_f64();
            time::Duration::try_from_secs_f64(rest).unwrap_or(if rest > 0.0 {
                time::Duration::MAX
            } else {
                time::Duration::ZERO
            })
        }
        // It is refused anyway.
        Some(None) => time::Duration::ZERO,
    }
}
