//! What was written: plans, and what they cost.

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;
use crate::config::field::{AmountText, DurationText, Field, QuantityText};

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Plan")]
#[schemars(extend("x-expected" = "a table such as { currency = \"EUR\", charges = [{ fee = \"49.00\" }] }"))]
pub(in crate::config) struct RawPlan {
    /// What its prices are in, as ISO 4217 has it. Needed as soon as there is a price.
    #[serde(default)]
    #[schemars(extend("x-expected" = "a currency such as \"EUR\""))]
    pub(in crate::config) currency: Field<String>,
    /// How each line of an invoice is rounded to the currency's smallest unit: a half away from zero, or to the even
    /// neighbour. Default: `half_up`.
    #[serde(default)]
    pub(in crate::config) rounding: Field<RawRounding>,
    /// Requests in a time, for the rate-limiting step.
    #[serde(default)]
    #[schemars(length(max = 8), extend("x-expected" = "an array such as [{ q = 100, w = \"1m\" }]", "x-aliases" = ["limit", "rate_limits"]))]
    pub(in crate::config) limits: List<RawRateLimit>,
    /// What is paid: fees, and the charges of meters with their quotas.
    #[serde(default)]
    #[schemars(length(max = 256), extend("x-expected" = "an array such as [{ fee = \"49.00\" }]", "x-aliases" = ["charge", "prices", "fees"]))]
    pub(in crate::config) charges: List<RawCharge>,
    /// What the charges of a month come to at least.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["min", "minimum_charge"]))]
    pub(in crate::config) minimum: Field<AmountText>,
    /// From the beginning of a subscription: fees and charges begin after it.
    #[serde(default)]
    pub(in crate::config) trial: Field<DurationText>,
    /// Charges are drawn from credit that is paid ahead: `{}`, or what is given once.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["credit", "wallet"]))]
    pub(in crate::config) prepaid: Field<RawPrepaid>,
    /// The status of the answer when a quota or the credit is used up. Default: 429, or 402 where `prepaid`.
    #[serde(default)]
    #[schemars(extend("enum" = [402, 429], "x-aliases" = ["status"]))]
    pub(in crate::config) exhausted: Field<u16>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum RawRounding {
    HalfUp,
    HalfEven,
}

/// So many requests in so long.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "RateLimit")]
#[schemars(extend("x-expected" = "a table such as { q = 100, w = \"1m\" }"))]
pub(in crate::config) struct RawRateLimit {
    /// Requests.
    #[schemars(range(min = 1, max = 1_000_000_000_000_u64), extend("x-aliases" = ["quota", "requests"]))]
    pub(in crate::config) q: Field<u64>,
    /// In this time.
    #[schemars(extend("x-aliases" = ["window", "per"]))]
    pub(in crate::config) w: Field<DurationText>,
}

/// Credit that is paid ahead.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Prepaid")]
#[schemars(extend("x-expected" = "{} or a table such as { grant = \"5.00\", expires = \"90d\" }"))]
pub(in crate::config) struct RawPrepaid {
    /// Given once, when the subscription begins. Default: none.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["amount", "credit"]))]
    pub(in crate::config) grant: Field<AmountText>,
    /// How long that lasts. Default: for ever.
    #[serde(default)]
    pub(in crate::config) expires: Field<DurationText>,
}

/// A fee, or the charge of a meter.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Charge")]
#[schemars(extend("x-expected" = "a table such as { fee = \"49.00\" } or { meter = \"tokens\", model = \"per_unit\", unit = \"0.001\" }"))]
pub(in crate::config) struct RawCharge {
    /// What is paid whatever is used.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["base", "amount"]))]
    pub(in crate::config) fee: Field<AmountText>,
    /// How often a fee is due. Default: `month`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["interval"]))]
    pub(in crate::config) every: Field<RawFeePeriod>,
    /// Whether days on which the plan was not the consumer's are taken off a fee. Default: true.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["prorated"]))]
    pub(in crate::config) prorate: Field<bool>,
    /// What the invoice calls it. Default: the name of the plan, or of the meter.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["label", "title"]))]
    pub(in crate::config) name: Field<String>,
    /// In place of `fee`: the meter that is charged or limited.
    #[serde(default)]
    #[schemars(extend("x-expected" = "the name of a meter"))]
    pub(in crate::config) meter: Field<String>,
    /// How what is used is priced. Without it there is no price.
    #[serde(default)]
    pub(in crate::config) model: Field<RawModel>,
    /// What is free in every month; prices are of what goes beyond. Default: 0.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["free"]))]
    pub(in crate::config) included: Field<QuantityText>,
    /// The price of a unit, for `per_unit`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["unit_price", "rate"]))]
    pub(in crate::config) unit: Field<AmountText>,
    /// Prices by quantity, for `graduated` and `volume`: ascending, the last without `up_to`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100), extend("x-expected" = "an array such as [{ up_to = 1000, unit = \"0\" }, { unit = \"0.001\" }]"))]
    pub(in crate::config) tiers: List<RawTier>,
    /// How much is in one package, for `package`.
    #[serde(default)]
    pub(in crate::config) size: Field<QuantityText>,
    /// Of one package, for `package`; of the month, for `flat`.
    #[serde(default)]
    pub(in crate::config) price: Field<AmountText>,
    /// Requests beyond this are denied.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["quota", "limit", "cap"]))]
    pub(in crate::config) hard_quota: Field<QuantityText>,
    /// Use beyond this is told of.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["warn_at"]))]
    pub(in crate::config) soft_quota: Field<QuantityText>,
    /// In what time the quotas count, in UTC. Default: `month`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["period"]))]
    pub(in crate::config) per: Field<RawPeriod>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawFeePeriod {
    Month,
    Year,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::config) enum RawPeriod {
    Hour,
    Day,
    Month,
    Year,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum RawModel {
    PerUnit,
    Graduated,
    Volume,
    Package,
    Flat,
}

/// A range of quantities and its price.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Tier")]
#[schemars(extend("x-expected" = "a table such as { up_to = 1000, unit = \"0.001\" }"))]
pub(in crate::config) struct RawTier {
    /// The last quantity that is in it. Default: no end, which is for the last tier.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["until", "to", "last"]))]
    pub(in crate::config) up_to: Field<QuantityText>,
    /// The price of a unit. Default: 0 if there is a `flat`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["unit_price", "price", "rate"]))]
    pub(in crate::config) unit: Field<AmountText>,
    /// Paid once, as soon as anything is in it. Default: 0.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["flat_fee", "fee"]))]
    pub(in crate::config) flat: Field<AmountText>,
}
