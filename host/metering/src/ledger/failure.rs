//! An error, and what it means for the connection and for the attempt.

use super::Error;

/// What is to be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Roll back; the connection is good.
    RollBack,
    /// Roll back and do it all again: somebody else was in the way.
    Again,
    /// The connection is of no use any more, and what it was doing may have been done.
    Reconnect,
}

/// Why a statement or a transaction failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) remedy: Remedy,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, remedy: Remedy::RollBack }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Failure {
    pub(super) fn away(reason: impl Into<String>) -> Self {
        Self { error: Error::Away(reason.into()), remedy: Remedy::Reconnect }
    }
}
