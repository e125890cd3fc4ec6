//! The known API keys, each with its own token bucket in the VM's memory.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use hashbrown::HashMap;

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
#[derive(Default)]
pub(crate) struct Keys(RefCell<HashMap<Box<[u8]>, Bucket>>);

impl Keys {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Takes one token of this key's bucket.
    pub(crate) fn take(&self, key: &[u8], now: impl FnOnce() -> SystemTime) -> Verdict {
        match self.0.borrow_mut().get_mut(key) {
            None => Verdict::UnknownKey,
            Some(bucket) => match bucket.take(now()) {
                true => Verdict::Allowed,
                false => Verdict::OutOfTokens,
            },
        }
    }
}

impl<'a> FromIterator<&'a str> for Keys {
    fn from_iter<I: IntoIterator<Item = &'a str>>(keys: I) -> Self {
        let full = Bucket { tokens: RATE, refilled: SystemTime::UNIX_EPOCH };
        Self(RefCell::new(keys.into_iter().map(|key| (key.as_bytes().into(), full)).collect()))
    }
}

/// Refilled when it is looked at, from the time that has passed.
#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    refilled: SystemTime,
}

impl Bucket {
    fn take(&mut self, now: SystemTime) -> bool {
        let passed = now.duration_since(self.refilled).unwrap_or(Duration::ZERO);
        self.tokens = (self.tokens + passed.as_secs_f64() * RATE).min(RATE);
        self.refilled = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}
