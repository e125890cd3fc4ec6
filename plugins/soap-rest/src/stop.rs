//! Why a mapping came to no end.

/// Why a mapping came to no end.
#[derive(Debug, PartialEq)]
pub(crate) enum Stop {
    /// The document does not suit the mapping: where, and why.
    Mismatch {
        at: String,
        why: String,
    },
    /// The template failed, or what it made is not what it should be.
    Template(String),
    TooComplex(String),
    TooLarge(String),
}

impl Stop {
    pub(crate) fn mismatch(at: impl ToString, why: impl Into<String>) -> Self {
        Self::Mismatch { at: at.to_string(), why: why.into() }
    }

    /// The same, seen from further out.
    pub(crate) fn within(self, outer: &str, by: char) -> Self {
        match self {
            Self::Mismatch { at, why } if at.is_empty() => Self::Mismatch { at: outer.to_owned(), why },
            Self::Mismatch { at, why } => Self::Mismatch { at: format!("{outer}{by}{at}"), why },
            other => other,
        }
    }
}
