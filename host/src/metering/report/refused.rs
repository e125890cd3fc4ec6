//! Why there is no answer.

use std::fmt;

use sluice_metering::ledger::Error;

use crate::config::{closest, known};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A parameter is not as it has to be.
    Parameter { name: String, problem: String },
    /// Neither the configuration nor the ledger knows a consumer of this name.
    Consumer { name: String, hint: Option<String> },
    /// The invoice cannot be exact.
    Unrated(String),
    /// Something else was booked under the same id.
    Conflict(String),
    /// Too many ask at the moment.
    Busy,
    /// The ledger does not answer, and why; for the operator.
    Ledger(String),
}

impl Refused {
    /// A parameter that is not what it should be.
    pub(super) fn parameter(name: &str, problem: impl Into<String>) -> Self {
        Self::Parameter { name: name.to_owned(), problem: problem.into() }
    }

    /// A parameter that has to be another text.
    pub(super) fn expected(name: &str, given: &str, expected: &str) -> Self {
        Self::parameter(name, format!("`{}` is not {expected}", shown(given)))
    }

    /// A parameter that names something that there is not.
    pub(super) fn unknown<'a>(
        name: &str,
        (what, given): (&str, &str),
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Self {
        let hint = hint(what, given, names).map(|hint| format!("; {hint}")).unwrap_or_default();
        Self::parameter(name, format!("there is no {what} `{}`{hint}", shown(given)))
    }

    pub(super) fn consumer<'a>(name: &str, names: impl Iterator<Item = &'a str> + Clone) -> Self {
        Self::Consumer { name: shown(name), hint: hint("consumer", name, names) }
    }
}

fn hint<'a>(what: &str, given: &str, names: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    let meant = closest(given, names.clone()).map(|name| format!("did you mean `{name}`?"));
    meant.or_else(|| known(what, names))
}

/// A text from outside, without what acts on whoever reads it.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(100).collect();
    short.escape_debug().to_string()
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::Conflict(_) => Self::Conflict(error.to_string()),
            error => Self::Ledger(error.to_string()),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter { name, problem } => write!(f, "`{name}`: {problem}"),
            Self::Consumer { name, hint } => {
                write!(f, "neither the configuration nor the ledger knows a consumer `{name}`")?;
                hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
            }
            Self::Unrated(problem) => write!(f, "there is no invoice: {problem}"),
            Self::Busy => f.write_str("too many ask for usage at the moment"),
            Self::Conflict(problem) | Self::Ledger(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for Refused {}
