//! Meters: what is counted, and how the values of many requests become one.

use std::sync::Arc;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// How values become one.
    pub aggregation: Aggregation,
    /// What one of it is called: `request`, `token`, `byte`.
    pub unit: Option<String>,
    /// Decimal places of its values, 0 to 6: a quantity is in 10^-`decimals` units.
    pub decimals: u8,
    /// The names under which values are kept apart, sorted.
    pub dimensions: Vec<Arc<str>>,
    /// What is reserved for a request of which no step says better, in smallest units.
    pub reserve: i64,
    /// What an exchange costs that was forwarded and of which no answer came.
    pub unanswered: Unanswered,
}

/// How the values of many requests become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregation {
    /// How many there are. Each value is 1.
    Count,
    /// What they come to.
    Sum,
    /// The greatest.
    Max,
    /// How many different ones there are. A value is a text, kept as a digest.
    Unique,
    /// The one of the latest time.
    Latest,
}

impl Aggregation {
    /// As the configuration writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Max => "max",
            Self::Unique => "unique",
            Self::Latest => "latest",
        }
    }

    /// Whether a quota can be reserved from: only what adds up can.
    #[must_use]
    pub const fn adds_up(self) -> bool {
        matches!(self, Self::Count | Self::Sum)
    }
}

/// What an exchange costs that was forwarded and of which no answer came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unanswered {
    /// Nothing: who got no answer pays for none.
    #[default]
    Free,
    /// What was reserved for it.
    Reserved,
}
