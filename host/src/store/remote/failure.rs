//! What an error of the server means for us, in words for the log.

use redis::{ErrorKind, RedisError};

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection is of no use, or the server will not do what is asked: it says so to everybody.
    Connection(String),
    /// This one operation was answered with an error.
    Operation(String),
}

/// Codes that say something about the server or about us, not about the operation.
const STATES: [(&str, &str); 13] = [
    ("WRONGPASS", "the user or the password is wrong"),
    ("NOAUTH", "the server wants a password, and the URL has none"),
    ("NOPERM", "the user lacks a permission"),
    ("READONLY", "the server is a read-only replica: name its primary"),
    ("OOM", "the server is out of memory (`maxmemory`)"),
    ("MISCONF", "the server refuses writes, because it cannot save them to its disk"),
    ("LOADING", "the server is still loading its data"),
    ("MASTERDOWN", "the server is a replica that has lost its primary"),
    ("NOREPLICAS", "the server refuses writes, because it has too few replicas"),
    ("BUSY", "the server is busy with somebody's script"),
    ("MOVED", "the server is part of a cluster; only a standalone server is supported"),
    ("CLUSTERDOWN", "the server is part of a cluster; only a standalone server is supported"),
    ("CROSSSLOT", "the server is part of a cluster; only a standalone server is supported"),
];

/// Words of errors without a code of their own.
const WORDS: [(&str, &str); 5] = [
    ("invalid password", "the user or the password is wrong"),
    ("without any password configured", "the server has no password, and the URL has one"),
    ("The user executing the script can't", "the user lacks a permission"),
    ("max number of clients", "the server has as many clients as it allows"),
    ("DB index is out of range", "the server has no database of this number"),
];

/// Reads an error. The text has what the server says, which never is a password.
pub(super) fn read(error: &RedisError) -> Failure {
    let detail = error.detail().unwrap_or_default();
    let with = |meaning: &str, code: &str| match detail {
        "" => Failure::Connection(format!("{meaning} ({code})")),
        detail => Failure::Connection(format!("{meaning} ({code} {})", shorten(detail))),
    };
    if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) {
        let code = error.code().unwrap_or("ERR");
        // Servers before 7.0 wrap what a command of a script says.
        let wrapped = |state: &str| detail.contains(&format!("-{state} "));
        if let Some((state, meaning)) = STATES.iter().find(|(state, _)| code == *state || wrapped(state)) {
            return with(meaning, state);
        }
        if let Some((_, meaning)) = WORDS.iter().find(|(words, _)| detail.contains(words)) {
            return with(meaning, code);
        }
        return Failure::Operation(format!("{code} {}", shorten(detail)));
    }
    Failure::Connection(shorten(&error.to_string()))
}

/// A line of bounded length, whatever the server sends.
fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}
