//! Why a body is not transformed, and what the client is told.

use std::fmt;

use sluice_sdk::prelude::*;
use sluice_sdk_coding::CodingError;

use crate::json::{MAX_DEPTH, Refused};

/// Whose body it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

/// Why a body is not transformed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Its content coding cannot be undone.
    Coding(CodingError),
    /// What the response's script is to know of the request is more than an exchange remembers.
    HeadTooLarge,
    /// It is not JSON, from this byte on.
    NotJson(usize),
    /// It is not UTF-8.
    NotText,
    /// Its values are nested too deep.
    TooDeep,
    /// It has more values than `max_values`.
    TooMany(usize),
    /// What the script made of it is larger than a body may be.
    TooLarge(usize),
    /// The values of `sets.<name>` are each good, but more than this.
    TooLong { name: &'static str, bound: String },
    /// The script failed, in its own words.
    Script(String),
}

/// How much of a script's message is told and logged, in characters.
const MESSAGE: usize = 300;

/// What a client may use instead of a coding that is not known.
const CODINGS: &str = "gzip, deflate, br, zstd";

impl Failure {
    pub(crate) fn read(refused: Refused, most: usize) -> Self {
        match refused {
            Refused::Malformed(at) => Self::NotJson(at),
            Refused::TooDeep => Self::TooDeep,
            Refused::TooMany => Self::TooMany(most),
        }
    }

    /// In the script's words, cut short.
    pub(crate) fn script(message: impl fmt::Display) -> Self {
        Self::Script(message.to_string().chars().take(MESSAGE).collect())
    }

    /// For the client: a request is its own fault, a response the upstream's.
    pub(crate) fn problem(&self, side: Side, expose: bool) -> Problem {
        let (status, kind) = match self {
            Self::Coding(CodingError::TooLarge { .. }) => (413, "body-too-large"),
            Self::Coding(CodingError::Malformed { .. }) => (400, "content-coding-malformed"),
            Self::Coding(_) => (415, "content-coding-unsupported"),
            Self::HeadTooLarge => (431, "headers-too-large"),
            Self::NotJson(_) => (400, "body-not-json"),
            Self::NotText => (400, "body-not-text"),
            Self::TooDeep | Self::TooMany(_) => (413, "body-too-complex"),
            Self::TooLarge(_) => (413, "body-too-large"),
            Self::TooLong { .. } | Self::Script(_) => (422, "body-script-failed"),
        };
        let detail = match self {
            Self::Script(_) if !expose => "the body cannot be transformed".to_owned(),
            failure => failure.to_string(),
        };
        match side {
            Side::Request if status == 415 => {
                Problem::new(status, detail).kind(kind).header("accept-encoding", CODINGS)
            }
            Side::Request => Problem::new(status, detail).kind(kind),
            Side::Response => Problem::bad_gateway(detail).kind(kind),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coding(CodingError::TooLarge { bound }) => {
                write!(f, "the body is larger than the {bound} bytes of `max_size`")
            }
            Self::Coding(error) => error.fmt(f),
            Self::HeadTooLarge => f.write_str(
                "path, query and headers of the request are more than the 64 KiB that an exchange remembers",
            ),
            Self::NotJson(at) => write!(f, "the body is not JSON at byte {at}"),
            Self::NotText => f.write_str("the body is not UTF-8"),
            Self::TooDeep => write!(f, "the body is nested deeper than {MAX_DEPTH} levels"),
            Self::TooMany(most) => write!(f, "the body has more than {most} values (`max_values`)"),
            Self::TooLarge(length) => {
                write!(
                    f,
                    "the transformed body has {length} bytes, more than this step's `limits.body` allows"
                )
            }
            Self::TooLong { name, bound } => write!(f, "`sets.{name}` comes to more than {bound}"),
            Self::Script(message) => write!(f, "the script failed: {message}"),
        }
    }
}
