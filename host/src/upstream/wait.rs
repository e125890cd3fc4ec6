//! What an exchange brings to the wait for a response: its timer, and an ear for what comes before.

use http::{HeaderMap, StatusCode};

use crate::net::Timer;

/// What is used while a response head is waited for.
#[derive(Clone, Copy)]
pub(crate) struct Wait<'a> {
    pub(super) timer: &'a Timer,
    hints: Option<&'a dyn Fn(&HeaderMap)>,
}

impl<'a> Wait<'a> {
    /// `hints` hears the fields of every 103 (RFC 8297) before the response.
    pub(crate) fn new(timer: &'a Timer, hints: Option<&'a dyn Fn(&HeaderMap)>) -> Self {
        Self { timer, hints }
    }

    /// Whether anybody wants to hear of interim responses.
    pub(super) fn listens(&self) -> bool {
        self.hints.is_some()
    }

    /// An interim response has come. All but 103 are about the connection to the target.
    pub(super) fn hear(&self, status: StatusCode, fields: &HeaderMap) {
        if let Some(hints) = self.hints
            && status == StatusCode::EARLY_HINTS
        {
            hints(fields);
        }
    }
}

impl<'a> From<&'a Timer> for Wait<'a> {
    fn from(timer: &'a Timer) -> Self {
        Self::new(timer, None)
    }
}
