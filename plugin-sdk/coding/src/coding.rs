//! The codings and their registered names.

use std::fmt;

/// A content coding that changes the body. `identity`, which does not, is the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip`, also called `x-gzip` (RFC 1952).
    Gzip,
    /// `deflate`, which is the zlib format (RFC 1950), not bare deflate.
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

impl Coding {
    /// The coding of this name, in any case; none if it is not known here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        const NAMES: [(&str, Coding); 5] = [
            ("gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("br", Coding::Brotli),
            ("zstd", Coding::Zstd),
        ];
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, coding)| coding)
    }

    /// The name for `Content-Encoding` and `Accept-Encoding`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Whether [`decode`](crate::decode()) knows it: whether its feature is on.
    #[must_use]
    pub const fn decodes(self) -> bool {
        match self {
            Self::Gzip | Self::Deflate => cfg!(feature = "gzip"),
            Self::Brotli => cfg!(feature = "brotli"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// Whether [`Encoder`](crate::Encoder) knows it.
    #[must_use]
    pub const fn encodes(self) -> bool {
        match self {
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Deflate => false,
            Self::Brotli => cfg!(feature = "brotli-encode"),
            Self::Zstd => cfg!(feature = "zstd-encode"),
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
