//! At most one log line per key and second.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);

/// Keys that are remembered. Beyond it the quiet ones are forgotten, and if there are none, all.
const KEYS: usize = 1024;

/// Keeps what repeats from flooding the log. Each worker has its own.
#[derive(Debug)]
pub(crate) struct Throttle<K>(RefCell<HashMap<K, Seen>>);

#[derive(Clone, Copy, Debug)]
struct Seen {
    logged: Instant,
    suppressed: u64,
}

impl<K> Default for Throttle<K> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Eq + Hash> Throttle<K> {
    /// If a line of this key may be written now: how many were not since the last one.
    pub(crate) fn permit(&self, key: K, now: Instant) -> Option<u64> {
        let mut keys = self.0.borrow_mut();
        if let Some(seen) = keys.get_mut(&key) {
            if now.saturating_duration_since(seen.logged) < EVERY {
                seen.suppressed += 1;
                return None;
            }
            let suppressed = seen.suppressed;
            *seen = Seen { logged: now, suppressed: 0 };
            return Some(suppressed);
        }
        if keys.len() >= KEYS {
            keys.retain(|_, seen| now.saturating_duration_since(seen.logged) < EVERY);
            if keys.len() >= KEYS {
                keys.clear();
            }
        }
        keys.insert(key, Seen { logged: now, suppressed: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{KEYS, Throttle};

    #[test]
    fn one_line_per_key_and_second() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(throttle.permit("a", at(0)), Some(0));
        assert_eq!(throttle.permit("b", at(1)), Some(0));
        assert_eq!(throttle.permit("a", at(500)), None);
        assert_eq!(throttle.permit("a", at(999)), None);
        assert_eq!(throttle.permit("a", at(1000)), Some(2));
        assert_eq!(throttle.permit("a", at(1001)), None);
        assert_eq!(throttle.permit("a", at(3000)), Some(1));
        assert_eq!(throttle.permit("a", at(5000)), Some(0));
    }

    #[test]
    fn keys_are_bounded() {
        let throttle = Throttle::default();
        let start = Instant::now();
        for key in 0..KEYS * 3 {
            assert_eq!(throttle.permit(key, start), Some(0));
        }
        assert!(throttle.0.borrow().len() <= KEYS);
    }
}
