//! Why a body could not be decoded.

use std::fmt;

use crate::{Coding, MAX_CODINGS};

/// Why a body could not be decoded, or an encoder not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodingError {
    /// Decoded it would be larger than `bound` bytes.
    TooLarge {
        /// The bound that was given.
        bound: usize,
    },
    /// It is not a whole, correct stream of this coding: damaged, cut off, or followed by something else.
    Malformed {
        /// The coding that it should have.
        coding: Coding,
    },
    /// The coding is unknown, or its feature is off.
    Unsupported {
        /// The coding's name as it was given; at most 32 characters of it.
        coding: String,
    },
    /// More than [`MAX_CODINGS`] were applied.
    TooMany,
}

impl CodingError {
    pub(crate) fn unsupported(name: &str) -> Self {
        Self::Unsupported { coding: name.chars().take(32).collect() }
    }
}

impl fmt::Display for CodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bound } => write!(f, "the decoded body is larger than {bound} bytes"),
            Self::Malformed { coding } => write!(f, "the body is not valid `{coding}`"),
            Self::Unsupported { coding } => {
                write!(f, "the content coding `{}` is not supported", coding.escape_debug())
            }
            Self::TooMany => write!(f, "the body has more than {MAX_CODINGS} content codings"),
        }
    }
}

impl std::error::Error for CodingError {}
