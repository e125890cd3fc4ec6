//! What became of events that were sent.

use std::time::Duration;

/// Of all that were sent together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The sink has them.
    Accepted,
    /// The sink will not have them as they are, or some of them: the same again is in vain.
    Refused(String),
    /// Nobody knows whether the sink has them: the same again, later.
    Later(Trouble),
    /// The sink says of each. Those that are for later wait if there is trouble, and are tried at once if there is none.
    Each(Vec<Fate>, Option<Trouble>),
}

/// Of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted,
    /// By the sink, which may think better of it.
    Refused(String),
    /// For a reason that the gateway knows by itself, and that will not go away: the sink was not even asked.
    Dead(&'static str),
    Later,
}

/// Why it has to be tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) reason: String,
    /// How long the sink wants to be left alone.
    pub(super) after: Option<Duration>,
}

impl Trouble {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), after: None }
    }
}

impl Outcome {
    pub(super) fn later(reason: impl Into<String>) -> Self {
        Self::Later(Trouble::new(reason))
    }
}

/// A line of bounded length, whatever the other side says.
pub(super) fn shorten(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    line.trim().to_owned()
}
