//! The time. Capability `clock`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::host::raw;

/// The time of day.
#[must_use]
pub fn now() -> SystemTime {
    UNIX_EPOCH + since_epoch()
}

/// The time since 1970-01-01T00:00:00Z.
#[must_use]
pub fn since_epoch() -> Duration {
    Duration::from_nanos(u64::try_from(raw::clock_now()).unwrap_or_default())
}

/// A time that never goes back and means something only beside another one.
#[must_use]
pub fn monotonic() -> Duration {
    Duration::from_nanos(u64::try_from(raw::clock_monotonic()).unwrap_or_default())
}
