//! Why a message is not translated, and what a REST client is told: 4xx if it is the request, 502 if it is the response.

use sluice_sdk::prelude::*;
use sluice_sdk_coding::CodingError;

use crate::json::Unreadable;
use crate::stop::Stop;
use crate::xml::{Refused, Undecodable};

/// Bytes of a text that are told to people.
const MAX_TOLD: usize = 4 << 10;
/// Bytes of the name of a field.
const MAX_FIELD: usize = 512;

/// What of a text is told: a fault has it twice, and it may be all that a body may have.
pub(crate) fn short(text: &str) -> String {
    cut(text, MAX_TOLD)
}

fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}\u{2026}", &text[..text.floor_char_boundary(bytes)])
}

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    Request,
    Response,
}

/// Why a message is not translated.
#[derive(Debug)]
pub(crate) struct Failure {
    /// If it is the request's.
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) detail: String,
    /// The member or element that does not suit.
    pub(crate) field: Option<String>,
}

impl Failure {
    pub(crate) fn new(status: u16, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: short(&detail.into()), field: None }
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(413, "body-too-large", detail)
    }

    /// The status for who sent the request.
    pub(crate) fn status(&self, side: Side) -> u16 {
        if side == Side::Request { self.status } else { 502 }
    }

    /// What went wrong, for who sent the request.
    pub(crate) fn told(&self, side: Side) -> String {
        match side {
            Side::Request => self.detail.clone(),
            Side::Response => format!("of the upstream's response: {}", self.detail),
        }
    }

    pub(crate) fn problem(&self, side: Side) -> Problem {
        let problem = Problem::new(self.status(side), self.told(side)).kind(self.kind);
        match &self.field {
            Some(field) => problem.with("field", field),
            None => problem,
        }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Mismatch { at, why } => {
                let at = if at.is_empty() { ".".to_owned() } else { cut(&at, MAX_FIELD) };
                let detail = format!("the body does not suit the operation: `{at}`: {why}");
                Self { field: Some(at), ..Self::new(422, "body-mismatch", detail) }
            }
            Stop::Template(why) => Self::new(422, "template-failed", why),
            Stop::TooComplex(why) => Self::new(413, "body-too-complex", why),
            Stop::TooLarge(why) => Self::too_large(format!("what becomes of it: {why}")),
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Malformed(why) => Self::new(400, "body-not-xml", format!("the body is not XML: {why}")),
            Refused::Forbidden(what) => Self::new(400, "xml-forbidden", format!("the body has {what}")),
            Refused::TooComplex(why) => Self::new(413, "body-too-complex", why),
        }
    }
}

impl From<Undecodable> for Failure {
    fn from(undecodable: Undecodable) -> Self {
        match undecodable {
            Undecodable::Unknown(name) => {
                Self::new(415, "charset-unsupported", format!("the character encoding `{name}` is not known"))
            }
            Undecodable::Damaged(name) => Self::new(400, "body-not-xml", format!("the body is not {name}")),
        }
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Malformed(at) => {
                Self::new(400, "body-not-json", format!("the body is not JSON at byte {at}"))
            }
            Unreadable::Duplicate(name) => Self::new(
                400,
                "body-duplicate-member",
                format!("the member `{name}` occurs twice in an object"),
            ),
            Unreadable::TooComplex(why) => Self::new(413, "body-too-complex", why),
        }
    }
}

impl From<CodingError> for Failure {
    fn from(error: CodingError) -> Self {
        match error {
            CodingError::TooLarge { bound } => {
                Self::too_large(format!("the body is larger than the {bound} bytes of `max_size`"))
            }
            CodingError::Malformed { .. } => Self::new(400, "content-coding-malformed", error.to_string()),
            _ => Self::new(415, "content-coding-unsupported", error.to_string()),
        }
    }
}
