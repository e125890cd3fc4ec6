//! HTTP content codings (RFC 9110 sections 8.4 and 12.5.3) for plugins: decoding that is bounded by what comes
//! out, encoding as a stream, and the choice of a coding from `Accept-Encoding`.
//!
//! ```
//! use sluice_sdk_coding::{Choice, Coding, Encoder, decode, negotiate};
//!
//! assert_eq!(negotiate(["gzip, br;q=0"], &[Coding::Brotli, Coding::Gzip]), Choice::Encode(Coding::Gzip));
//!
//! let mut encoder = Encoder::new(Coding::Gzip, 5)?;
//! let mut body = encoder.push(b"hello ");
//! body.extend(encoder.push(b"world"));
//! body.extend(encoder.finish());
//! assert_eq!(&*decode(Some("gzip"), &body, 64 * 1024)?, b"hello world");
//! # Ok::<(), sluice_sdk_coding::CodingError>(())
//! ```
//!
//! Each coding is a feature, so that a plugin carries no more than it uses: `gzip` (the default; gzip both
//! ways, deflate decoding), `brotli` and `zstd` (decoding), `brotli-encode` and `zstd-encode` (both ways). A coding
//! whose feature is off is [`CodingError::Unsupported`]. All of it is Rust and builds for `wasm32-wasip1`.

#[cfg(not(any(feature = "gzip", feature = "brotli", feature = "zstd")))]
compile_error!("turn a coding on: the features are `gzip`, `brotli` and `zstd`");

mod accept;
mod coding;
mod decode;
mod encode;
mod error;

pub use accept::{Choice, negotiate};
pub use coding::Coding;
pub use decode::{MAX_CODINGS, applied, decode};
pub use encode::{Encoder, encode};
pub use error::CodingError;
