//! What a phase decides.

use crate::{Problem, Reply};

/// What becomes of the exchange after a phase.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Verdict {
    /// Go on with the next step.
    Continue,
    /// Answer the client with this.
    Respond(Reply),
}

impl Verdict {
    /// Answers the client with a [`Reply`] or a [`Problem`].
    pub fn respond(reply: impl Into<Reply>) -> Self {
        Self::Respond(reply.into())
    }
}

impl From<Reply> for Verdict {
    fn from(reply: Reply) -> Self {
        Self::Respond(reply)
    }
}

impl From<Problem> for Verdict {
    fn from(problem: Problem) -> Self {
        Self::respond(problem)
    }
}
