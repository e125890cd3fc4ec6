//! Plans: what a consumer pays, and how much it may use.

use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

pub use crate::currency::Currency;
use crate::meter::Aggregation;
use crate::period::Every;

/// What is sold.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// What its prices are in: an ISO 4217 code.
    pub currency: Currency,
    /// How each line of an invoice is rounded to the currency's smallest unit.
    pub rounding: Rounding,
    /// What is paid whatever is used.
    pub fees: Vec<Fee>,
    /// What is paid for what is used.
    pub charges: Vec<Charge>,
    /// How much may be used.
    pub quotas: Vec<Quota>,
    /// What the charges of a month come to at least.
    pub minimum: Option<Decimal>,
    /// From the beginning of a subscription: fees and charges begin after it.
    pub trial: Option<Duration>,
    /// Charges are drawn from credit that was paid ahead.
    pub prepaid: Option<Prepaid>,
    /// Requests in a time, for the rate-limiting step.
    pub limits: Vec<RateLimit>,
    /// The status of the answer to whom a quota or the credit denies a request: 429 or 402.
    pub exhausted: u16,
}

/// How an amount is rounded to the currency's smallest unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest; a half away from zero.
    #[default]
    HalfUp,
    /// To the nearest; a half to the even neighbour.
    HalfEven,
}

/// What is paid whatever is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Fee {
    /// What the invoice calls it.
    pub name: String,
    /// Of a whole period.
    pub amount: Decimal,
    /// Month or year. A year's is due whole on the day that the subscription is first paid for, and on each anniversary of it.
    pub every: Every,
    /// Whether days on which the plan was not the consumer's are taken off.
    pub prorate: bool,
}

/// What is paid for what is used in a month.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    /// What of.
    pub meter: Arc<str>,
    /// How the meter's values become one.
    pub aggregation: Aggregation,
    /// Decimal places of the meter's values.
    pub decimals: u8,
    /// What the invoice calls it.
    pub name: String,
    /// What is free in every month, in smallest units. Prices are of what goes beyond it.
    pub included: i64,
    /// How the rest is priced.
    pub price: Price,
}

/// How what is used is priced. Prices are of a unit, which is 10^`decimals` smallest ones; bounds are in smallest units.
#[derive(Clone, Debug, PartialEq)]
pub enum Price {
    /// The same, however much, if any.
    Flat {
        /// Of the month.
        amount: Decimal,
    },
    /// Each unit the same.
    PerUnit {
        /// Of a unit.
        unit: Decimal,
    },
    /// Each unit at the price of the tier that it falls in.
    Graduated {
        /// Ascending; the last without end.
        tiers: Vec<Tier>,
    },
    /// All units at the price of the tier that the last of them falls in.
    Volume {
        /// Ascending; the last without end.
        tiers: Vec<Tier>,
    },
    /// By packages; one that is begun is paid.
    Package {
        /// How much is in one, in smallest units.
        size: i64,
        /// Of one.
        price: Decimal,
    },
}

/// A range of quantities and its price.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// The last quantity that is in it; `None` for the last tier.
    pub up_to: Option<i64>,
    /// Of a unit.
    pub unit: Decimal,
    /// Once, as soon as anything is in it.
    pub flat: Decimal,
}

/// How much of a meter may be used in a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Of what.
    pub meter: Arc<str>,
    /// In smallest units.
    pub limit: i64,
    /// In what time.
    pub per: Every,
    /// Whether requests beyond it are denied, or only told of.
    pub hard: bool,
}

/// Credit that is paid ahead.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepaid {
    /// Given once, when the subscription begins.
    pub grant: Option<Decimal>,
    /// How long that lasts.
    pub expires: Option<Duration>,
}

/// Requests in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests.
    pub quota: u64,
    /// In this time.
    pub window: Duration,
}

impl Plan {
    /// A plan of nothing: no price, no limit.
    ///
    /// # Panics
    /// Never: there is such a currency.
    #[must_use]
    pub fn named(name: Arc<str>) -> Self {
        Self {
            name,
            currency: Currency::new("USD").expect("a currency"),
            rounding: Rounding::HalfUp,
            fees: Vec::new(),
            charges: Vec::new(),
            quotas: Vec::new(),
            minimum: None,
            trial: None,
            prepaid: None,
            limits: Vec::new(),
            exhausted: 429,
        }
    }
}
