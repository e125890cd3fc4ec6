//! When a trial ends. Rating of credit and invoices have to agree on it, to the second.

use jiff::Timestamp;

use crate::period::Every;
use crate::plan::Plan;

/// The first moment of a subscription that is paid for, if its plan has a trial: the trial's end, rounded up to a full hour (UTC).
///
/// Full hours, since the ledger keeps usage by the hour: so an invoice can leave out exactly the usage that was free, and what was
/// drawn from credit is what the invoice lists. A trial that begins at 10:20 and lasts 14 days ends at 11:00.
#[must_use]
pub fn free_until(plan: &Plan, since: Timestamp) -> Option<Timestamp> {
    let trial = plan.trial.filter(|trial| !trial.is_zero())?;
    let end = since.checked_add(trial).unwrap_or(Timestamp::MAX);
    let hour = Every::Hour.containing(end);
    Some(if hour.start == end { end } else { hour.end() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rating::samples;

    #[test]
    fn a_trial_ends_with_a_full_hour() {
        let day = Duration::from_secs(86_400);
        for (trial, since, until) in [
            (None, "2026-11-01T00:00:00Z", None),
            (Some(Duration::ZERO), "2026-11-01T00:00:00Z", None),
            (Some(14 * day), "2026-11-01T00:00:00Z", Some("2026-11-15T00:00:00Z")),
            (Some(14 * day), "2026-11-01T10:20:00Z", Some("2026-11-15T11:00:00Z")),
            (Some(day), "2026-12-30T23:00:00.000000001Z", Some("2027-01-01T00:00:00Z")),
        ] {
            let plan = Plan { trial, ..samples::plan("pro") };
            let until = until.map(|text| text.parse().unwrap());
            assert_eq!(free_until(&plan, since.parse().unwrap()), until, "{trial:?} from {since}");
        }
        let forever = Plan { trial: Some(Duration::MAX), ..samples::plan("pro") };
        assert!(free_until(&forever, Timestamp::UNIX_EPOCH).is_some());
    }
}
