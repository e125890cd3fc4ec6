//! What the configuration means: where what is metered is kept, and where it is sent. Meters and plans are of `sluice_metering`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::Secret;
use crate::config::problem::Place;

/// Where what is metered is kept. Read at the start alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ledger {
    /// Of its URL.
    pub(crate) place: Place,
    pub(crate) location: LedgerLocation,
    pub(crate) durability: Durability,
    /// With [`Durability::Group`]: how much the death of the machine may cost.
    pub(crate) sync_interval: Duration,
    pub(crate) on_failure: OnLedgerFailure,
    /// How long an answer waits for its events.
    pub(crate) timeout: Duration,
    /// Events that may wait to be written.
    pub(crate) queue: usize,
    /// How long single events are kept; at least 35 days.
    pub(crate) retention: Duration,
    /// Certificates in PEM that are trusted beside the system's; of a server alone.
    pub(crate) ca: Option<String>,
}

/// Where a ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LedgerLocation {
    /// A file, resolved against the directory of the file that names it.
    Sqlite(PathBuf),
    /// A URL with the password in it. It is read whole where the ledger is opened.
    Postgres(Secret),
}

/// When a request may be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Once its events are with the kernel, or with the database server.
    #[default]
    Group,
    /// Once they are on disk.
    Sync,
}

/// What becomes of metered requests while the ledger cannot be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnLedgerFailure {
    #[default]
    Deny,
    Allow,
}

/// Where events are sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sink {
    pub(crate) name: Arc<str>,
    /// Of its name.
    pub(crate) place: Place,
    pub(crate) kind: SinkKind,
    /// Whose events, sorted; all if there is none.
    pub(crate) meters: Vec<Arc<str>>,
    /// Events that are sent at once: 1 to 1000.
    pub(crate) batch: usize,
    /// How long events may gather.
    pub(crate) interval: Duration,
    /// Of one delivery.
    pub(crate) timeout: Duration,
    /// From when on events that wait are worth an alarm.
    pub(crate) lag_alarm: Duration,
}

/// What kind of place a sink is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SinkKind {
    Http {
        /// `http` or `https`, with a host, and without user and fragment. Its path and query may hold a token.
        url: Secret,
        format: HttpFormat,
        /// In the order of their names. All values are marked as sensitive, so that no log has them.
        headers: Vec<(HeaderName, HeaderValue)>,
    },
    Nats {
        /// `nats://[user:password@|token@]host[:port]` or `tls://...`, of one server or several. It is read whole where the
        /// sink is opened.
        url: Secret,
        /// With `{meter}` and `{consumer}` in it.
        subject: String,
    },
    Files {
        /// Resolved against the directory of the file that names it.
        directory: PathBuf,
        format: FileFormat,
    },
}

/// What events look like to an HTTP server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HttpFormat {
    #[default]
    CloudEvents,
    Lago,
    Stripe,
}

/// What events look like in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FileFormat {
    #[default]
    Csv,
    /// An object in each line.
    Json,
}
