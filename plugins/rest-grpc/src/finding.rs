//! What is wrong with a request, and what the client is told.

use sluice_sdk::prelude::*;
use sluice_sdk_protobuf::{Error as MessageError, ErrorKind};

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    #[serde(rename = "in")]
    place: Place,
    /// The parameter, or the place in the body.
    name: String,
    message: String,
    #[serde(skip)]
    is_bound: bool,
}

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    Path,
    Query,
    Body,
}

/// Names of a client's are repeated up to this length.
const LONGEST: usize = 100;

impl Finding {
    pub(crate) fn new(place: Place, name: &str, message: &str) -> Self {
        let name = name.chars().take(LONGEST).collect();
        Self { place, name, message: message.to_owned(), is_bound: false }
    }

    pub(crate) fn of_body(error: &MessageError) -> Self {
        let is_bound = error.kind() == ErrorKind::Bound;
        Self { is_bound, ..Self::new(Place::Body, &error.place(), error.reason()) }
    }

    /// For the client.
    pub(crate) fn problem(&self) -> Problem {
        let kind = if self.is_bound { "request-too-complex" } else { "request-invalid" };
        Problem::bad_request("the request is not what the method takes").kind(kind).with("errors", &[self])
    }
}

impl From<Finding> for Verdict {
    fn from(finding: Finding) -> Self {
        finding.problem().into()
    }
}
