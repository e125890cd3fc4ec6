//! What an error of the server means for us, in words for the log.

use tokio_postgres::Error as PgError;
use tokio_postgres::error::DbError;

use crate::ledger::Error;
use crate::ledger::failure::{Failure, Remedy};

/// Reads an error. The text has what the server says, which never is a password.
pub(super) fn read(error: &PgError) -> Failure {
    let Some(db) = error.as_db_error() else {
        if let Some(cause) = std::error::Error::source(error) {
            return Failure::away(shorten(&format!("{error}: {cause}")));
        }
        return Failure::away(shorten(&error.to_string()));
    };
    let (error, remedy) = meaning(db);
    Failure { error, remedy }
}

fn meaning(error: &DbError) -> (Error, Remedy) {
    let code = error.code().code();
    let words = shorten(&format!("{} ({code})", error.message()));
    match code {
        // Serialization, deadlock, lock not available; and our own ids, which another session of ours has just written.
        "40001" | "40P01" | "55P03" | "23505" => (Error::Busy, Remedy::Again),
        "53100" => (Error::Full, Remedy::RollBack),
        // A statement that took too long, and a server that ends or has become a replica.
        "57014" | "25006" | "53300" | "25P03" | "25P04" => (Error::Away(words), Remedy::Reconnect),
        // A plan that another version's migration has made invalid.
        "0A000" => (Error::Away(words), Remedy::Reconnect),
        "58030" | "XX000" => (Error::Io(words), Remedy::Reconnect),
        "XX001" | "XX002" => (Error::Corrupt(words), Remedy::RollBack),
        _ => match &code[..2] {
            "08" | "57" | "53" => (Error::Away(words), Remedy::Reconnect),
            "28" | "3D" | "3F" | "42" => (Error::Refused(words), Remedy::RollBack),
            // What it was given is nothing that it can keep: a NUL in a text, an entry too large for an index.
            "22" | "54" => (Error::Invalid(words), Remedy::RollBack),
            "23" => (Error::Corrupt(words), Remedy::RollBack),
            _ => (Error::Io(words), Remedy::RollBack),
        },
    }
}

/// A line of bounded length, whatever the server sends.
pub(super) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}
