//! Exports: every event of the ledger goes to every sink, at least once and in the ledger's order.
//!
//! Each sink has a pump of its own, which reads events after the sink's cursor, sends them, and moves the cursor when the sink has
//! acknowledged them. Nothing else is kept, so a pump may end at any moment. What each sink gets is told in `docs/export.md`.

mod deliver;
mod file;
mod format;
mod http;
mod ledger;
mod manager;
mod nats;
mod outcome;
mod pause;
mod pump;
mod record;
mod sender;
mod settings;
mod source;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use http::Http;
pub(crate) use ledger::LedgerSource;
pub(crate) use manager::Exports;
pub(crate) use nats::Secure;
pub(crate) use record::{Directory, Measure};
pub(crate) use settings::{
    FileFormat, FileTarget, HttpFormat, HttpTarget, NatsPlace, NatsTarget, Sink, Target,
};
pub(crate) use status::{Snapshot, Status};

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

/// What exports need of the rest of the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Means {
    pub(crate) http: Http,
    /// TLS to NATS servers; without it those that want TLS are not talked to.
    pub(crate) secure: Option<Secure>,
    pub(crate) directory: Directory,
    pub(crate) clock: Clock,
}

/// What time it is.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's.
    pub(crate) fn system() -> Self {
        Self::new(Timestamp::now)
    }

    pub(crate) fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
