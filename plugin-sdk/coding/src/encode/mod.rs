//! Encoding a body, in one go or as it passes.

#[cfg(feature = "brotli-encode")]
mod brotli;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "zstd-encode")]
mod zstd;

use std::fmt;

use crate::{Coding, CodingError};

/// Encodes a body as it passes.
///
/// What goes in comes out sooner or later: the codings collect input until it is worth a block.
/// [`flush`](Self::flush) lets everything out that has gone in.
///
/// An encoder needs memory for its window and its tables, once: gzip 0.3 MiB at any level; br 3 MiB up to level 4
/// and 6 MiB up to level 6; zstd 2 MiB up to level 2 and 5 MiB up to level 6. Higher levels of br and zstd need
/// more than the 16 MiB that a plugin has by default. The windows are 32 KiB (gzip) and 256 KiB (br, zstd).
pub struct Encoder(Box<dyn Encode>);

/// What every encoder does.
trait Encode {
    fn push(&mut self, input: &[u8]) -> Vec<u8>;
    fn flush(&mut self) -> Vec<u8>;
    fn store(&mut self) -> Vec<u8>;
    fn finish(self: Box<Self>) -> Vec<u8>;
}

impl Encoder {
    /// An encoder for gzip, br or zstd, whose feature is on. Levels beyond the coding's highest (gzip 9, br 11,
    /// zstd 22) stand for that one; level 0 does not compress, or least. There is none for deflate, which
    /// receivers understand in two ways.
    #[cfg_attr(
        not(any(feature = "gzip", feature = "brotli-encode", feature = "zstd-encode")),
        expect(unused_variables, reason = "no encoder is on")
    )]
    pub fn new(coding: Coding, level: u8) -> Result<Self, CodingError> {
        let encoder: Option<Box<dyn Encode>> = match coding {
            #[cfg(feature = "gzip")]
            Coding::Gzip => Some(Box::new(gzip::Encoder::new(level))),
            #[cfg(feature = "brotli-encode")]
            Coding::Brotli => Some(Box::new(brotli::Encoder::new(level))),
            #[cfg(feature = "zstd-encode")]
            Coding::Zstd => Some(Box::new(zstd::Encoder::new(level))),
            _ => None,
        };
        encoder.map(Self).ok_or_else(|| CodingError::unsupported(coding.name()))
    }

    /// Takes more of the body; returns what can be sent of it, often nothing.
    #[must_use = "it is part of the encoded body"]
    pub fn push(&mut self, input: &[u8]) -> Vec<u8> {
        self.0.push(input)
    }

    /// Returns the rest of what has gone in, so that the receiver can decode all of it. Costs a few bytes each time.
    #[must_use = "it is part of the encoded body"]
    pub fn flush(&mut self) -> Vec<u8> {
        self.0.flush()
    }

    /// Stops compressing: what comes is only framed as the coding wants it, which costs next to no time. Returns
    /// the rest of what has gone in.
    #[must_use = "it is part of the encoded body"]
    pub fn store(&mut self) -> Vec<u8> {
        self.0.store()
    }

    /// The end of the body; returns what remains of it.
    #[must_use = "it is part of the encoded body"]
    pub fn finish(self) -> Vec<u8> {
        self.0.finish()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}

/// Encodes a whole body.
pub fn encode(coding: Coding, level: u8, body: &[u8]) -> Result<Vec<u8>, CodingError> {
    let mut encoder = Encoder::new(coding, level)?;
    let mut encoded = encoder.push(body);
    encoded.extend(encoder.finish());
    Ok(encoded)
}
