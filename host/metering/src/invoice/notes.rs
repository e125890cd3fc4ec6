//! What an invoice says beside its numbers.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use crate::money::Money;
use crate::plan::Currency;

/// What a reader of a section may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Usage before this is free, and so are the days that end by then.
    Trial {
        /// A full hour.
        until: Timestamp,
    },
    /// Credit did not pay all charges.
    Uncovered {
        /// What it did not.
        amount: Decimal,
        /// Of what.
        currency: Currency,
    },
    /// More was drawn from credit than the charges come to: prices were changed in the month, perhaps.
    Overdrawn {
        /// How much more.
        amount: Decimal,
        /// Of what.
        currency: Currency,
    },
    /// A trial began or ended within a day of which only the whole is kept: what was used on that day is not charged.
    Compacted {
        /// Midnight before, UTC.
        day: Timestamp,
    },
    /// A unique meter was counted apart before and after a trial; who was seen in both cannot be told, so the greater count is charged.
    CountedApart {
        /// Its name.
        meter: Arc<str>,
    },
}

impl Note {
    /// A word for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Trial { .. } => "trial",
            Self::Uncovered { .. } => "uncovered",
            Self::Overdrawn { .. } => "overdrawn",
            Self::Compacted { .. } => "compacted",
            Self::CountedApart { .. } => "counted-apart",
        }
    }
}

/// A sentence for people.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trial { until } => write!(f, "Trial until {until}: usage and days before it are free."),
            Self::Uncovered { amount, currency } => {
                let money = Money::new(*amount, *currency);
                write!(f, "{money} was not covered by credit; a top-up of as much settles it.")
            }
            Self::Overdrawn { amount, currency } => {
                let money = Money::new(*amount, *currency);
                write!(f, "{money} more was drawn from credit than the charges come to.")
            }
            Self::Compacted { day } => {
                let day = day.to_zoned(TimeZone::UTC).date();
                write!(
                    f,
                    "A trial began or ended on {day}, whose hours are no longer kept: usage of that day is not charged."
                )
            }
            Self::CountedApart { meter } => {
                write!(
                    f,
                    "`{meter}` was counted apart before and after a trial; the greater count is charged."
                )
            }
        }
    }
}
