//! What a phase decides.

use crate::Reply;

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
    /// Answers the client with a [`Reply`] or a [`Problem`](crate::Problem).
    pub fn respond(reply: impl Into<Reply>) -> Self {
        Self::Respond(reply.into())
    }
}

impl From<Reply> for Verdict {
    fn from(reply: Reply) -> Self {
        Self::Respond(reply)
    }
}
