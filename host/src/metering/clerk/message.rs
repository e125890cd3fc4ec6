//! What the ledger's thread is handed and asked.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use sluice_metering::ledger::{Cursor, Entry, Error, Pool, TopUp};
use sluice_metering::meter::Meter;
use tokio::sync::oneshot;

use crate::metering::allowance::{Allowance, Hold};
use crate::metering::report::Refused;
use crate::metering::settle::Unrecorded;
use crate::metering::tariff::Tariff;

/// What the thread is asked.
pub(crate) enum Message {
    /// Write this.
    Slip(Box<Slip>),
    /// Set this aside.
    Ask(Ask),
    /// This is what is configured now.
    Publish { tariff: Arc<Tariff>, reply: oneshot::Sender<()> },
    /// How meters count, before they are published.
    Declare { meters: Arc<[Arc<Meter>]>, reply: oneshot::Sender<Result<(), Error>> },
    /// Credit was paid.
    TopUp { top_up: TopUp, reply: oneshot::Sender<Result<bool, Refused>> },
    /// A sink has taken everything from one place to another; each comes with the sink's note.
    Advance {
        sink: String,
        from: (Cursor, String),
        to: (Cursor, String),
        reply: oneshot::Sender<Result<bool, String>>,
    },
    /// Nothing more comes: write what there is and end.
    Stop(oneshot::Sender<()>),
}

/// The events of one exchange.
pub(crate) struct Slip {
    pub(in crate::metering) entries: Vec<Entry>,
    /// For each entry.
    pub(in crate::metering) holds: Vec<Held>,
    /// `None` once it was answered.
    pub(in crate::metering) reply: Option<oneshot::Sender<Result<(), Unrecorded>>>,
    pub(in crate::metering) since: Instant,
    /// Nothing of the response has gone out yet.
    pub(in crate::metering) withheld: bool,
}

/// What is set aside for one event.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(in crate::metering) quotas: Vec<Hold>,
    pub(in crate::metering) credit: Option<Hold>,
}

/// Wants a part of a pool.
pub(crate) struct Ask {
    pub(in crate::metering) pool: Pool,
    pub(in crate::metering) limit: i64,
    pub(in crate::metering) amount: i64,
    pub(in crate::metering) at: Timestamp,
    pub(in crate::metering) reply: oneshot::Sender<Granted>,
}

/// The allowance of the pool with what was asked for, or `None` if there is not as much; nothing if the ledger cannot be asked.
pub(in crate::metering) type Granted = Result<(Arc<Allowance>, Option<Hold>), Unrecorded>;
