//! An answer in place of the upstream's.

use serde::Serialize;

use crate::{Problem, Result};

/// The answer that a step gives: [`Verdict::respond`](crate::Verdict::respond) takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub(crate) message: sluice_abi::Reply,
}

impl Reply {
    /// An answer without headers or body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { message: sluice_abi::Reply::Plain { status, headers: Vec::new(), body: Vec::new() } }
    }

    /// An answer with a text.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status).header("content-type", "text/plain; charset=utf-8").body(text.into())
    }

    /// An answer with a value as JSON.
    pub fn json(status: u16, value: &impl Serialize) -> Result<Self> {
        Ok(Self::new(status).header("content-type", "application/json").body(serde_json::to_vec(value)?))
    }

    /// An answer that sends the client elsewhere: 301, 302, 303, 307 or 308.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::new(status).header("location", location)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        let (sluice_abi::Reply::Plain { headers, .. } | sluice_abi::Reply::Problem { headers, .. }) =
            &mut self.message;
        headers.push((name.as_ref().as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Gives it this body. A problem becomes a plain answer by it.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        let status = self.status();
        let (sluice_abi::Reply::Plain { headers, .. } | sluice_abi::Reply::Problem { headers, .. }) =
            self.message;
        Self { message: sluice_abi::Reply::Plain { status, headers, body: body.into() } }
    }

    /// Its status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        match &self.message {
            sluice_abi::Reply::Plain { status, .. } => *status,
            sluice_abi::Reply::Problem { problem, .. } => problem.status,
        }
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let (headers, problem) = problem.into_parts();
        Self { message: sluice_abi::Reply::Problem { headers, problem } }
    }
}
