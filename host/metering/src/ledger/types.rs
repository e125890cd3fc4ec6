//! What goes into the ledger and what comes back.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::secure::Secure;
use crate::Nanos;
use crate::event::Event;
use crate::meter::Aggregation;
use crate::period::{Every, Period};
use crate::plan::Charge;

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The death of the gateway. That of the machine, or of the database's, may cost what came since the last sync.
    #[default]
    Group,
    /// The death of the machine.
    Sync,
}

/// Where the ledger is and how it is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where.
    pub backend: Backend,
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// Who writes.
    pub gateway: Arc<str>,
    /// How long others wait for a gateway that is not heard of before they take what was granted to it. With SQLite nobody waits.
    pub lease: Duration,
}

impl Settings {
    /// The lease unless another is set.
    pub const LEASE: Duration = Duration::from_secs(10);

    /// The longest that one call waits for a server: as long as the lease, but not so short that a busy server seems to be away.
    pub(super) fn patience(&self) -> Duration {
        self.lease.max(Duration::from_secs(5))
    }
}

/// Where the ledger is.
#[derive(Clone)]
pub enum Backend {
    /// A file, for one gateway.
    Sqlite {
        /// Beside it are `-wal`, `-shm` and `.lock`.
        path: PathBuf,
    },
    /// A server, version 13 or newer, for several gateways.
    Postgres {
        /// A URL, `postgres://user:password@host/database?sslmode=require`.
        config: String,
        /// What makes a connection secure; without it there is no TLS.
        connector: Option<Arc<dyn Secure>>,
    },
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path } => f.debug_struct("Sqlite").field("path", path).finish(),
            // The URL has a password.
            Self::Postgres { .. } => f.write_str("Postgres"),
        }
    }
}

/// What is reserved from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// A consumer's quota of a meter in one period. In the meter's smallest units.
    Quota {
        /// Whose.
        consumer: Arc<str>,
        /// Of what.
        meter: Arc<str>,
        /// When.
        period: Period,
    },
    /// A consumer's credit. In nanos.
    Credit {
        /// Whose.
        consumer: Arc<str>,
    },
}

/// An event and what was reserved for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// The quotas that it was reserved from, and how much. What a pool has lost since, by an end of the lease, is 0 here.
    pub quotas: Vec<(Pool, i64)>,
    /// How it is paid, on a prepaid plan.
    pub credit: Option<Draw>,
}

/// How an event is paid from credit.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// The price.
    pub charge: Arc<Charge>,
    /// What was reserved.
    pub reserved: Nanos,
    /// The end of the trial: what is before it costs nothing.
    pub free_until: Option<Timestamp>,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// `false` if the event was there already: it moved nothing, and its reservations go back whole. An event of a write that ended
    /// in doubt is fresh when it is repeated, whether or not that write had come through.
    pub fresh: bool,
    /// What was drawn for it.
    pub cost: Nanos,
}

/// What a gateway wishes to hold of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Of what.
    pub pool: Pool,
    /// How much there is in all; for credit it is ignored.
    pub limit: i64,
    /// How much is needed now.
    pub amount: i64,
    /// Now: credit that has expired by then is not there.
    pub at: Timestamp,
}

/// What a gateway got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Comes to what is held already; 0 if there was not enough.
    pub amount: i64,
    /// What nobody had used or held before this.
    pub left: i64,
}

/// Which plan a consumer is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Who.
    pub consumer: Arc<str>,
    /// The plan's name; empty for none any more.
    pub plan: Arc<str>,
    /// Since when, if it is configured.
    pub since: Option<Timestamp>,
    /// Credit that is given once, and how long it lasts from the subscription's start.
    pub grant: Option<(Nanos, Option<Duration>)>,
}

/// A time on a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Who.
    pub consumer: String,
    /// The plan's name.
    pub plan: String,
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it; `None` while it lasts.
    pub to: Option<Timestamp>,
}

/// Credit that somebody paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Chosen by whoever pays: what is booked again under the same id changes nothing.
    pub id: String,
    /// Whose.
    pub consumer: Arc<str>,
    /// How much.
    pub amount: Nanos,
    /// When.
    pub at: Timestamp,
    /// The first moment at which it is not there any more.
    pub expires: Option<Timestamp>,
}

/// One credit of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// The top-up's, or `PLAN/CONSUMER` for what a plan gives.
    pub id: String,
    /// How much it was.
    pub amount: Nanos,
    /// How much of it is gone.
    pub drawn: Nanos,
    /// When it came.
    pub at: Timestamp,
    /// When what is left is lost.
    pub expires: Option<Timestamp>,
}

/// What a consumer may still use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// What is left of all credits that have not expired, less the debt.
    pub total: Nanos,
    /// What was used beyond all credit; the next top-up pays it.
    pub debt: Nanos,
    /// What gateways hold for requests, of `total`. With SQLite this is known to the gateway alone.
    pub reserved: Nanos,
    /// All that have not expired, as they are drawn: the soonest to expire first.
    pub credits: Vec<Credit>,
}

/// How far a sink has come, in the order in which the ledger wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// PostgreSQL's transaction; 0 with SQLite.
    pub(super) transaction: i64,
    pub(super) sequence: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.transaction, self.sequence)
    }
}

impl FromStr for Cursor {
    type Err = super::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (transaction, sequence) = text.split_once('.')?;
            Some(Self { transaction: transaction.parse().ok()?, sequence: sequence.parse().ok()? })
        };
        parse().ok_or_else(|| super::Error::Invalid(format!("`{}` is not a cursor", text.escape_debug())))
    }
}

/// An event as it is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// What happened.
    pub event: Event,
    /// What was drawn for it.
    pub cost: Nanos,
    /// A sink that has had it may go on from here.
    pub cursor: Cursor,
}

/// How far a sink is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Events that it has not had; counting stops at 100,000.
    pub events: u64,
    /// The time of the first of them.
    pub oldest: Option<Timestamp>,
}

/// How long what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Single events, unless a sink has not had them.
    pub events: Duration,
    /// Usage by the hour; then it is kept by the day, for ever.
    pub hours: Duration,
    /// Rows that one call looks at, of each kind.
    pub piece: u32,
}

impl Retention {
    /// Rows that one call looks at unless it is told otherwise.
    pub const PIECE: u32 = 2_000;
}

/// What one call of `maintain` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Events that are deleted.
    pub deleted: u64,
    /// Rows by the hour that became part of a day.
    pub compacted: u64,
    /// Whether there is more to do at once.
    pub more: bool,
}

/// What many events of one meter come to, by each way of aggregating them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantities {
    /// How many events.
    pub count: i64,
    /// Of all values. It never overflows.
    pub sum: i128,
    /// The greatest value.
    pub max: i64,
    /// The value of the latest time; of two at the same time the greater.
    pub latest: i64,
    /// How many different subjects.
    pub unique: i64,
}

impl Quantities {
    /// The one that a meter of this aggregation means.
    #[must_use]
    pub fn of(&self, aggregation: Aggregation) -> i128 {
        match aggregation {
            // A plugin may count several at once: what quotas and prices go by is how many there are, not how many events.
            Aggregation::Count | Aggregation::Sum => self.sum,
            Aggregation::Max => self.max.into(),
            Aggregation::Unique => self.unique.into(),
            Aggregation::Latest => self.latest.into(),
        }
    }
}

/// What a consumer used of a meter on a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanUsage {
    /// The plan's name; empty if there was none.
    pub plan: String,
    /// Of what.
    pub meter: String,
    /// How much.
    pub usage: Quantities,
}

/// Which usage is asked for.
#[derive(Clone, Debug)]
pub struct UsageQuery {
    /// By what time it is split; `None` for the whole time at once. Hours that have become part of a day stand at its midnight.
    pub by: Option<Every>,
    /// The first moment; hours that begin before it are left out.
    pub from: Timestamp,
    /// The first moment after; hours that begin at it or later are left out.
    pub to: Timestamp,
    /// Only this consumer's.
    pub consumer: Option<String>,
    /// Only of this meter.
    pub meter: Option<String>,
    /// Only on this plan.
    pub plan: Option<String>,
    /// Only where a dimension has a value.
    pub dimension: Option<(String, String)>,
    /// Also split by the values of this dimension.
    pub group: Option<String>,
    /// What the page before named as `next`.
    pub after: Option<String>,
    /// Rows of one page, 1 to 1,000.
    pub limit: usize,
}

impl UsageQuery {
    /// The most rows of one page.
    pub const MOST: usize = 1_000;

    /// All of a time.
    #[must_use]
    pub const fn all(from: Timestamp, to: Timestamp) -> Self {
        Self {
            by: None,
            from,
            to,
            consumer: None,
            meter: None,
            plan: None,
            dimension: None,
            group: None,
            after: None,
            limit: Self::MOST,
        }
    }
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub rows: Vec<T>,
    /// Where the next one begins; `None` if this is the last.
    pub next: Option<String>,
}

/// Usage of a meter by a consumer, on a plan, in a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// The first moment of the hour, day, month or year; of the whole time that was asked for if it is not split.
    pub start: Timestamp,
    /// Whose.
    pub consumer: String,
    /// Of what.
    pub meter: String,
    /// On which plan; empty if there was none.
    pub plan: String,
    /// The value of the dimension that it is split by; empty where an event had none.
    pub group: Option<String>,
    /// How much.
    pub usage: Quantities,
}

/// What `check` looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Events that are kept.
    pub events: u64,
    /// One line each; empty if all is well.
    pub problems: Vec<String>,
}
