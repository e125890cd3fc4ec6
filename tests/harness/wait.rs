//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up; generous, for a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `attempt` gives something.
#[track_caller]
pub(crate) fn until_some<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, what, attempt)
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    within(DEADLINE, what, || condition().then_some(()));
}

/// Waits until `attempt` gives something, for a time of the caller's.
#[track_caller]
pub(crate) fn within<T>(deadline: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain: {what}");
        pause(PAUSE);
    }
}

/// Whether `condition` comes to hold within this time, where it need not.
#[allow(dead_code, reason = "not all who include this need it")]
pub(crate) fn happens(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < within {
        if condition() {
            return true;
        }
        pause(PAUSE);
    }
    false
}

/// Lets time pass: for a pace, or where the passing of time is itself what is tested.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place where tests sleep; all others wait for a condition"
)]
pub(crate) fn pause(duration: Duration) {
    thread::sleep(duration);
}
