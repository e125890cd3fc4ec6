//! What goes wrong in a plugin: a message for the log, and the host's code if the host said no.

use std::fmt::{self, Display, Write as _};

use sluice_abi::Code;

/// Shorthand with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the plugin. `?` makes one from any [`std::error::Error`].
///
/// The message goes to the gateway's log; the client sees what the operator set with `on_error`.
pub struct Error {
    message: String,
    code: Option<Code>,
}

impl Error {
    /// A failure in the plugin's own words.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: None }
    }

    /// What the host answered, if this came from a host call.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.code
    }

    /// Whether the host refused a value that was to be written: it is not valid, over a limit, or not a plugin's to write. A plugin
    /// whose values come from a client may answer the client instead of failing.
    #[must_use]
    pub fn refuses_value(&self) -> bool {
        matches!(self.code, Some(Code::Invalid | Code::TooLarge | Code::Denied))
    }

    /// Says what was being attempted, in front of the message.
    #[must_use]
    pub fn context(mut self, attempt: impl Display) -> Self {
        self.message = format!("{attempt}: {}", self.message);
        self
    }

    #[cold]
    pub(crate) fn from_host(call: &str, code: Code) -> Self {
        Self { message: format!("{call}: {}", reason(code)), code: Some(code) }
    }

    #[cold]
    pub(crate) fn with_code(message: String, code: Option<Code>) -> Self {
        Self { message, code }
    }

    // Not generic, so that it is compiled once.
    #[cold]
    fn from_chain(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing to a string cannot fail.
            let _ = write!(message, ": {cause}");
            source = cause.source();
        }
        Self::new(message)
    }
}

fn reason(code: Code) -> &'static str {
    match code {
        Code::None => "there is none",
        Code::Denied => "the plugin was not granted this",
        Code::Invalid => "not valid",
        Code::TooLarge => "over a limit of this plugin",
        Code::Unavailable => "not available",
        Code::Timeout => "no answer in time",
        Code::WrongPhase => "not in this phase",
        Code::Mismatch => "does not match",
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

// `Error` is not a `std::error::Error` itself: that is what makes room for this.
impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::from_chain(&error)
    }
}

/// Adds what was being attempted to a failed [`Result`](std::result::Result) or an empty [`Option`].
pub trait ErrorContext<T> {
    /// Puts `attempt` in front of the message.
    fn context(self, attempt: impl Display) -> Result<T>;
}

impl<T, E: Into<Error>> ErrorContext<T> for std::result::Result<T, E> {
    fn context(self, attempt: impl Display) -> Result<T> {
        self.map_err(|error| error.into().context(attempt))
    }
}

impl<T> ErrorContext<T> for Option<T> {
    fn context(self, attempt: impl Display) -> Result<T> {
        self.ok_or_else(|| Error::new(attempt.to_string()))
    }
}

/// Returns an [`Error`](crate::Error) with a formatted message.
#[macro_export]
macro_rules! bail {
    ($($message:tt)+) => { return ::core::result::Result::Err($crate::Error::new(::std::format!($($message)+))) };
}

/// Returns an [`Error`](crate::Error) with a formatted message unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => { if !$condition { $crate::bail!($($message)+) } };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_becomes_ours_with_its_causes() {
        fn parse() -> Result<u8> {
            "300".parse::<u8>().context("reading the quota")
        }
        assert_eq!(
            parse().unwrap_err().to_string(),
            "reading the quota: number too large to fit in target type"
        );
    }

    #[test]
    fn a_question_mark_is_enough() {
        fn parse() -> Result<u8> {
            Ok("300".parse()?)
        }
        assert_eq!(parse().unwrap_err().to_string(), "number too large to fit in target type");
    }

    #[test]
    fn a_host_code_stays_readable() {
        let error = Error::from_host("store get", Code::Unavailable);
        assert_eq!(
            (error.to_string().as_str(), error.code()),
            ("store get: not available", Some(Code::Unavailable))
        );
    }
}
