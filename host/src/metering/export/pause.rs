//! How long to wait before the next attempt.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Pauses that grow with each failure in a row, up to a minute, and are never the same for all gateways.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    failures: u32,
}

impl Pauses {
    /// The next one; at least as long as the other side asks for.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let random = RandomState::new().hash_one(self.failures) % 1000;
        let jitter = u32::try_from(random).expect("below 1000");
        let pause = full / 2 + full / 2 * jitter / 1000;
        pause.max(asked.unwrap_or_default())
    }

    /// Something went well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute() {
        let mut pauses = Pauses::default();
        for full in [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60] {
            let (pause, full) = (pauses.next(None), Duration::from_secs(full));
            assert!(pause >= full / 2 && pause <= full, "{pause:?} of {full:?}");
        }
        assert_eq!(pauses.next(Some(Duration::from_secs(100))), Duration::from_secs(100));
        pauses.reset();
        assert!(pauses.next(None) <= FIRST);
    }
}
