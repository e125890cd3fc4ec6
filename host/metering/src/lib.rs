//! What is metered, what it costs, and the ledger that loses none of it. Knows nothing of HTTP, plugins or threads.
//!
//! Quantities are `i64` in a meter's smallest unit, which is 10^-`decimals` of its unit. Money is decimal; what a ledger keeps of
//! credit is in nanos, 10^-9 of the currency's unit. Times are UTC.

#![forbid(unsafe_code)]

pub mod currency;
pub mod event;
pub mod failpoint;
pub mod invoice;
pub mod ledger;
pub mod meter;
pub mod money;
pub mod period;
pub mod plan;
pub mod rating;
pub mod text;

/// Nanos, 10^-9 of a currency's unit: what credit is kept in.
pub type Nanos = i64;

pub use jiff::Timestamp;
pub use rust_decimal::Decimal;
