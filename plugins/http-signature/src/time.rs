//! When a signature counts.

use std::time;

use sluice_sdk::prelude::*;

use crate::refusal::Refusal;

/// The time, in seconds since 1970.
pub(crate) fn now() -> i64 {
    i64::try_from(clock::since_epoch().as_secs()).unwrap_or(i64::MAX)
}

/// Seconds of a duration, rounded up.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
}

/// For how long a signature is remembered that is accepted for `window` seconds: through the last of them to its end, since
/// `now` does not know of fractions.
pub(crate) fn lifetime(window: i64) -> time::Duration {
    time::Duration::from_secs(window.saturating_add(1).unsigned_abs())
}

/// Refuses what was made more than `max_age` ago, or will be made only after now.
pub(crate) fn check_age(created: i64, now: i64, max_age: i64, leeway: i64) -> Result<(), Refusal> {
    if created > now.saturating_add(leeway) {
        return Err(Refusal::Expired("the signature is from the future".to_owned()));
    }
    if now.saturating_sub(created) > max_age.saturating_add(leeway) {
        return Err(Refusal::Expired("the signature is too old".to_owned()));
    }
    Ok(())
}

/// Refuses what says itself that it is over.
pub(crate) fn check_end(expires: i64, now: i64, leeway: i64) -> Result<(), Refusal> {
    if now > expires.saturating_add(leeway) {
        return Err(Refusal::Expired("the signature has expired".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_ends() {
        for (created, fits) in [(669, false), (670, true), (1000, true), (1030, true), (1031, false)] {
            assert_eq!(check_age(created, 1000, 300, 30).is_ok(), fits, "{created}");
        }
        for created in [i64::MIN, i64::MAX] {
            assert!(check_age(created, 1000, 300, 30).is_err());
        }
        assert!(check_end(970, 1000, 30).is_ok() && check_end(969, 1000, 30).is_err());
        assert!(check_end(i64::MAX, 1000, 30).is_ok() && check_end(i64::MIN, 1000, 30).is_err());
    }

    #[test]
    fn seconds_round_up() {
        assert_eq!(seconds(Duration::from_millis(1001)), 2);
    }
}
