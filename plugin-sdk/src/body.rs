//! Bodies: whole and bounded, or chunk by chunk as they pass.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_abi::{HeaderMap, Number};

use crate::host::{self, raw};
use crate::{Headers, HeadersMut, Result, error::ErrorContext};

/// The whole body of the request or response at hand.
#[derive(Debug)]
#[non_exhaustive]
pub struct Body;

/// A piece of a body as it passes. Pieces are cut wherever the network cut them.
#[derive(Debug)]
pub struct Chunk {
    last: bool,
}

fn length() -> usize {
    usize::try_from(raw::number_get(Number::BodyLength)).unwrap_or_default()
}

fn read() -> Result<Vec<u8>> {
    let mut bytes = vec![0; length()];
    let copied =
        if bytes.is_empty() { 0 } else { host::number("read the body", raw::body_read(0, &mut bytes))? };
    bytes.truncate(usize::try_from(copied).unwrap_or_default());
    Ok(bytes)
}

fn write(bytes: &[u8]) -> Result<()> {
    host::done("write the body", raw::body_write(bytes))
}

impl Body {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        length()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of it.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        read()
    }

    /// A copy of it as text; fails if it is not UTF-8.
    pub fn text(&self) -> Result<String> {
        String::from_utf8(read()?).context("reading the body as UTF-8")
    }

    /// A value read from it as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&read()?).context("reading the body as JSON")
    }

    /// Replaces it. `Content-Length` follows by itself, `Content-Type` does not.
    pub fn set(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        write(bytes.as_ref())
    }

    /// Replaces it with a value as JSON.
    pub fn set_json(&mut self, value: &impl Serialize) -> Result<()> {
        write(&serde_json::to_vec(value)?)
    }

    /// The trailers that came after it (RFC 9110 section 6.5).
    #[must_use]
    pub fn trailers(&self) -> Headers<'_> {
        Headers::of(HeaderMap::Trailers)
    }

    /// The trailers, to change or to add; what frames or routes a message is left out. Those of a response reach clients over HTTP/2.
    /// Over HTTP/1.1 they reach those that ask for them with `TE: trailers`, and only the fields that the upstream's head names in
    /// `Trailer`, which plugins cannot write. What a plugin adds and every client is to have thus goes into the head, which
    /// can still be changed here, or into the body, as `connect` and `grpc-web` do it.
    pub fn trailers_mut(&mut self) -> HeadersMut<'_> {
        HeadersMut::of(HeaderMap::Trailers)
    }
}

impl Chunk {
    pub(crate) fn new(last: bool) -> Self {
        Self { last }
    }

    /// Its length in bytes; the last one may be empty.
    #[must_use]
    pub fn len(&self) -> usize {
        length()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no other follows.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.last
    }

    /// A copy of it.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        read()
    }

    /// Replaces it; with nothing, to hold it back. What is written goes on at once, before the next chunk is waited for.
    pub fn set(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        write(bytes.as_ref())
    }

    /// Has the host keep its bytes from `from` on, and show them again in front of what comes next. This plugin is not called before
    /// `want` bytes are there together, or the end. If it is not [`set`](Self::set), what is before `from` goes on as it is.
    ///
    /// So a plugin that reads messages which the network has cut anywhere keeps nothing itself: it takes the whole ones and holds
    /// the beginning of the next.
    ///
    /// # Errors
    /// If `want` is more than `limits.body`, if `from` is 0 and so many bytes are there already, or if `from` is 0 in the last
    /// chunk, to which nothing will be added.
    pub fn hold(&mut self, from: usize, want: usize) -> Result<()> {
        host::done("hold a part of the chunk", raw::body_hold(from, want))
    }

    /// Has the host call this plugin again at once, with the bytes from `from` on, after what this call has written went on: for
    /// chunks that have more in them than one call should do.
    ///
    /// # Errors
    /// If `from` is 0.
    pub fn again(&mut self, from: usize) -> Result<()> {
        self.hold(from, 0)
    }

    /// The trailers that came after it (RFC 9110 section 6.5), in the last chunk; before it there are none.
    #[must_use]
    pub fn trailers(&self) -> Headers<'_> {
        Headers::of(HeaderMap::Trailers)
    }

    /// The trailers, to change or to add, in the last chunk. They reach clients as those of a [whole body](Body::trailers_mut) do: over
    /// HTTP/1.1 only if the upstream's head has named them. The head has left, so that what every client is to have goes into the
    /// body.
    pub fn trailers_mut(&mut self) -> HeadersMut<'_> {
        HeadersMut::of(HeaderMap::Trailers)
    }
}
