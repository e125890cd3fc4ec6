//! Decoding a whole body, bounded by what comes out.

#[cfg(feature = "brotli")]
mod brotli;
#[cfg(feature = "gzip")]
mod flate;
#[cfg(feature = "zstd")]
mod zstd;

use std::borrow::Cow;

use crate::{Coding, CodingError};

/// How many codings a body may have, one over the other. Nobody sends more than one in earnest.
pub const MAX_CODINGS: usize = 3;

/// Undoes what `Content-Encoding` says was done to the body: no such header, `identity`, one coding, or several.
///
/// Neither the result nor what any single coding yields is ever larger than `bound` bytes: a body that would be
/// is [`TooLarge`](CodingError::TooLarge) at the moment it passes the bound, whatever its ratio. With a decoder's
/// own window no more than about four times the bound (and 1 MiB) is in memory. Several members (gzip) or frames
/// (zstd), at most 256, are decoded as one body; a stream that is cut off, or followed by anything else, is malformed, and so
/// is an empty body that claims a coding.
pub fn decode<'b>(
    content_encoding: Option<&str>,
    body: &'b [u8],
    bound: usize,
) -> Result<Cow<'b, [u8]>, CodingError> {
    let codings = applied(content_encoding.unwrap_or_default())?;
    if codings.is_empty() {
        return if body.len() > bound {
            Err(CodingError::TooLarge { bound })
        } else {
            Ok(Cow::Borrowed(body))
        };
    }
    let mut body = Cow::Borrowed(body);
    for coding in codings.into_iter().rev() {
        body = Cow::Owned(decode_one(coding, &body, bound)?);
    }
    Ok(body)
}

/// The codings that a `Content-Encoding` names, in the order in which they were applied, without `identity`. Fails if
/// one of them cannot be decoded, so that a body can be refused before it is read.
pub fn applied(content_encoding: &str) -> Result<Vec<Coding>, CodingError> {
    let names = content_encoding.split(',').map(|name| name.trim_matches([' ', '\t']));
    let mut codings = Vec::new();
    for name in names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity")) {
        if codings.len() == MAX_CODINGS {
            return Err(CodingError::TooMany);
        }
        let known = Coding::from_name(name).filter(|coding| coding.decodes());
        codings.push(known.ok_or_else(|| CodingError::unsupported(name))?);
    }
    Ok(codings)
}

fn decode_one(coding: Coding, body: &[u8], bound: usize) -> Result<Vec<u8>, CodingError> {
    let mut out = Output { bytes: Vec::new(), bound };
    let decoded = match coding {
        #[cfg(feature = "gzip")]
        Coding::Gzip => flate::gzip(body, &mut out),
        #[cfg(feature = "gzip")]
        Coding::Deflate => flate::zlib(body, &mut out),
        #[cfg(feature = "brotli")]
        Coding::Brotli => brotli::decode(body, &mut out),
        #[cfg(feature = "zstd")]
        Coding::Zstd => zstd::decode(body, &mut out),
        #[cfg(not(all(feature = "gzip", feature = "brotli", feature = "zstd")))]
        _ => return Err(CodingError::unsupported(coding.name())),
    };
    match decoded {
        Ok(()) => Ok(out.bytes),
        Err(Failure::TooLarge) => Err(CodingError::TooLarge { bound }),
        Err(Failure::Malformed) => Err(CodingError::Malformed { coding }),
    }
}

/// Why one coding could not be undone.
enum Failure {
    TooLarge,
    Malformed,
}

/// What came out so far.
struct Output {
    bytes: Vec<u8>,
    bound: usize,
}

/// How many members or frames one body may have. Each takes a decoder of its own, also if nothing is in it, so that
/// a body of many empty ones would cost time out of proportion.
#[cfg(any(feature = "gzip", feature = "zstd"))]
const MAX_PARTS: usize = 256;

/// How much a decoder yields at a time.
const STRIDE: usize = 16 * 1024;

impl Output {
    /// What may still come.
    #[cfg(any(feature = "brotli", feature = "zstd"))]
    fn room(&self) -> usize {
        self.bound - self.bytes.len()
    }

    fn push(&mut self, decoded: &[u8]) -> Result<(), Failure> {
        let length = self.bytes.len() + decoded.len();
        if length > self.bound {
            return Err(Failure::TooLarge);
        }
        if length > self.bytes.capacity() {
            // Doubling as usual, but never past the bound.
            let capacity = (2 * self.bytes.capacity()).max(length).min(self.bound);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(decoded);
        Ok(())
    }
}
