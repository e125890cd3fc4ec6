//! Why the ledger did not do what was asked.

use std::sync::Arc;

/// Why something was not done. Unless it says otherwise, nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no room on the disk. It may be tried again.
    #[error("the ledger's disk is full")]
    Full,
    /// A write to the disk was lost: what was committed since the last sync may not be there after a crash of the machine. The
    /// process has to be started anew, which makes what is left durable first.
    #[error("the ledger could not be written to the disk, and is closed until a restart: {0}")]
    Sync(String),
    /// Reading or writing failed otherwise.
    #[error("the ledger cannot be read or written: {0}")]
    Io(String),
    /// Somebody else, such as a shell, holds the database's lock. It may be tried again.
    #[error("the ledger is locked by another program")]
    Busy,
    /// Another process runs with this gateway's id, or with this file.
    #[error("another gateway is using the ledger: {0}")]
    Taken(String),
    /// The server cannot be reached, or did not answer in time: it may have been done all the same. It may be tried again.
    #[error("the ledger's server is away: {0}")]
    Away(String),
    /// The server is there, and refuses us: a password, a permission, a setting.
    #[error("the ledger's server refuses: {0}")]
    Refused(String),
    /// A newer version of this program has been here, or nobody has yet.
    #[error("the ledger has version {found}, and this program knows {known}")]
    Version {
        /// What the database has; 0 if it has no ledger yet.
        found: i64,
        /// What this program has.
        known: i64,
    },
    /// The database holds something that no ledger writes.
    #[error("the ledger is damaged: {0}")]
    Corrupt(String),
    /// There is a top-up of this id that was of something else.
    #[error("there is a top-up `{0}` already, of another consumer, amount or expiry")]
    Conflict(String),
    /// A meter counts otherwise than what the ledger has of it, which would mean something else from now on.
    #[error(
        "the ledger has counted `{meter}` as {was}, and it would now be read as {is}: give it another name"
    )]
    Redefined {
        /// Its name.
        meter: Arc<str>,
        /// As `sum` with decimal places.
        was: String,
        /// The same.
        is: String,
    },
    /// What was asked makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    /// Whether trying again cannot help before somebody has done something about it.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::Sync(_)
                | Self::Taken(_)
                | Self::Refused(_)
                | Self::Version { .. }
                | Self::Redefined { .. }
                | Self::Corrupt(_)
        )
    }

    /// Whether it may go away by itself: the same call may be repeated.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::Away(_) | Self::Io(_))
    }
}
