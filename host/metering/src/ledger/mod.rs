//! The ledger: every event once, what they come to, and what is left of quotas and credit. In SQLite for one gateway, in PostgreSQL
//! for several.
//!
//! One statement is written once for both databases (`value`); what differs are the two connections (`sqlite`,
//! `postgres`). Times are UTC; hours, days and months are the calendar's.
//!
//! # What holds, whatever dies
//!
//! - An event, its part of the rollups, what it takes off grants and what it draws from credit are one transaction.
//! - A batch may be repeated whole, also when nobody knows whether it was written: no event counts twice.
//! - What is used plus what is granted never exceeds a quota, but for what single requests use beyond what they reserved.
//! - No export overlooks an event, and no event is deleted that a sink has not had.

mod accounts;
mod amount;
mod batch;
mod check;
mod db;
mod error;
mod failure;
mod grants;
mod maintain;
mod postgres;
mod purse;
mod reader;
mod schema;
mod secure;
mod sqlite;
mod transaction;
mod types;
mod usage;
mod value;
mod write;
mod writer;

pub use error::Error;
pub use reader::Reader;
pub use secure::{Handshake, Io, Secure, Stream};
pub use types::{
    Backend, Balance, Checked, Credit, Cursor, Draw, Durability, Entry, Exported, Granted, Lag, Maintained,
    Page, PlanUsage, Pool, Quantities, Retention, Settings, Subscribed, Subscription, TopUp, UsageQuery,
    UsageRow, Want, Written,
};
pub use writer::Ledger;

/// How a row of the rollups takes another of the same key: `u` takes `excluded`.
macro_rules! merge_usage {
    () => {
        "count = u.count + excluded.count, \
         sum = (u.sum + excluded.sum) % 1000000000000000000, \
         sum_high = u.sum_high + excluded.sum_high + (u.sum + excluded.sum) / 1000000000000000000, \
         max = CASE WHEN excluded.max > u.max THEN excluded.max ELSE u.max END, \
         latest = CASE WHEN (excluded.latest_at, excluded.latest) > (u.latest_at, u.latest) \
                  THEN excluded.latest ELSE u.latest END, \
         latest_at = CASE WHEN excluded.latest_at > u.latest_at THEN excluded.latest_at ELSE u.latest_at END"
    };
}
pub(crate) use merge_usage;
