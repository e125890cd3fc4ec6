//! When a token is good.

use sluice_sdk::prelude::*;

use crate::Refusal;

const MAX: Duration = Duration::from_secs(300);

/// How far the clocks of gateway and issuer may be apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leeway {
    seconds: f64,
}

impl Leeway {
    /// Of the configuration's key `leeway`. Fails if it is more than 5 minutes.
    pub fn new(leeway: Duration) -> Result<Self> {
        ensure!(leeway <= MAX, "`leeway` is at most {MAX}");
        Ok(Self { seconds: leeway.get().as_secs_f64() })
    }

    /// Refuses a token that has not begun or has ended `now`. All are in seconds since 1970; what is not given is no bound.
    pub fn check(self, begins: Option<f64>, ends: Option<f64>, now: f64) -> Result<(), Refusal> {
        // RFC 7519 section 4.1.4: before, not at.
        if ends.is_some_and(|ends| now >= ends + self.seconds) {
            return Err(Refusal::Expired);
        }
        if begins.is_some_and(|begins| now + self.seconds < begins) {
            Err(Refusal::NotYetValid)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_from_its_beginning_to_just_before_its_end() {
        let leeway = Leeway::new(Duration::from_secs(30)).unwrap();
        for (begins, ends, now, result) in [
            (None, None, 0.0, Ok(())),
            (None, Some(1000.0), 1029.999, Ok(())),
            (None, Some(1000.0), 1030.0, Err(Refusal::Expired)),
            (Some(1000.0), None, 970.0, Ok(())),
            (Some(1000.0), None, 969.999, Err(Refusal::NotYetValid)),
            (Some(1000.0), Some(900.0), 950.0, Err(Refusal::Expired)),
        ] {
            assert_eq!(leeway.check(begins, ends, now), result, "{begins:?} {ends:?} {now}");
        }
    }

    #[test]
    fn leeway_is_bounded() {
        assert!(Leeway::new(Duration::from_secs(300)).is_ok());
        let error = Leeway::new(Duration::from_secs(301)).unwrap_err();
        assert_eq!(error.to_string(), "`leeway` is at most 5m");
    }
}
