//! The one body type of requests and responses, and why a body can end early. Not `Send`: it lives on one worker.

mod room;
mod tunnel;

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use room::Part;
pub(crate) use room::Room;
pub(crate) use tunnel::Tunnel;
use tunnel::TunnelBytes;

type Streamed = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError>>>;

/// What follows a head. The common shapes are variants, so that only a step's own stream is boxed.
#[derive(Default)]
pub(crate) enum Body {
    #[default]
    Empty,
    Whole(Bytes),
    /// Bytes as they arrive from a client.
    Received(Received),
    Stream(Streamed),
    /// Empty, of a request that offers to speak another protocol from here on.
    Upgrade(Tunnel),
}

/// Whose fault it was that a body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    Client,
    Upstream,
    Step,
    Gateway,
}

impl Origin {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Step => "step",
            Self::Gateway => "gateway",
        }
    }
}

/// A body that ended early. `kind` is a metric label: `reset`, `timeout`, `malformed`, `too-large`, `fault`.
#[derive(Debug)]
pub(crate) struct BodyError {
    pub(crate) origin: Origin,
    pub(crate) kind: &'static str,
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
}

impl BodyError {
    pub(crate) fn new(origin: Origin, kind: &'static str) -> Self {
        Self { origin, kind, source: None }
    }

    fn received(origin: Origin, error: hyper::Error) -> Self {
        Self { origin, kind: kind_of(&error), source: Some(error.into()) }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body from the {} ended early: {}", self.origin.as_str(), self.kind)
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// hyper says `body error`; what happened is at the end of the chain.
fn kind_of(error: &hyper::Error) -> &'static str {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            match io.kind() {
                std::io::ErrorKind::TimedOut => return "timeout",
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => return "malformed",
                _ => {}
            }
        }
        cause = current.source();
    }
    "reset"
}

/// A body that hyper receives, with its origin for errors.
pub(crate) struct Received {
    incoming: Incoming,
    origin: Origin,
    explicit: bool,
    /// Bytes that may still come.
    left: u64,
}

impl Received {
    pub(crate) fn new(incoming: Incoming, origin: Origin) -> Self {
        Self { incoming, origin, explicit: false, left: u64::MAX }
    }

    /// For HTTP/2, whose last frame says that it is the last: hyper takes a reset with NO_ERROR for an end as well, but such a
    /// message is not whole.
    pub(crate) fn ending_explicitly(mut self) -> Self {
        self.explicit = true;
        self
    }

    /// Fails where it turns out to be longer.
    pub(crate) fn at_most(mut self, bytes: u64) -> Self {
        self.left = bytes;
        self
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                match self.left.checked_sub(length) {
                    Some(left) => {
                        self.left = left;
                        Some(Ok(frame))
                    }
                    None => Some(Err(BodyError::new(self.origin, "too-large"))),
                }
            }
            Some(Err(error)) => Some(Err(BodyError::received(self.origin, error))),
            None if self.explicit && !self.incoming.is_end_stream() => {
                Some(Err(BodyError::new(self.origin, "reset")))
            }
            None => None,
        })
    }
}

impl Body {
    /// A body of a step or of the gateway itself.
    pub(crate) fn stream(body: impl http_body::Body<Data = Bytes, Error = BodyError> + 'static) -> Self {
        Self::Stream(Box::pin(body))
    }

    /// The reverse of `collect_bounded`.
    pub(crate) fn from_parts(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        match trailers {
            None if bytes.is_empty() => Self::Empty,
            None => Self::Whole(bytes),
            Some(trailers) => Self::stream(WithTrailers {
                bytes: Some(bytes).filter(|b| !b.is_empty()),
                trailers: Some(trailers),
            }),
        }
    }

    /// The number of bytes still to come, where that is known.
    pub(crate) fn exact(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    /// Reads the body to its end, refusing to hold more than `limit` bytes.
    pub(crate) async fn collect_bounded(
        self,
        limit: usize,
    ) -> Result<(Bytes, Option<HeaderMap>), CollectError> {
        self.collect_within(limit, None).await
    }

    /// The same, refusing also what there is no room for.
    pub(crate) async fn collect_within(
        self,
        limit: usize,
        room: Option<&Arc<Room>>,
    ) -> Result<(Bytes, Option<HeaderMap>), CollectError> {
        match self {
            Self::Empty | Self::Upgrade(_) => return Ok((Bytes::new(), None)),
            Self::Whole(bytes) if bytes.len() <= limit => return Ok((bytes, None)),
            _ => {}
        }
        // A stated length that is too large is refused before a byte of it is read.
        if usize::try_from(self.size_hint().lower()).map_or(true, |least| least > limit) {
            return Err(CollectError::TooLarge);
        }
        let (mut gathered, mut part) = (Gathered::default(), Part::of(room));
        let mut body = self;
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            gathered.take(frame.map_err(CollectError::Body)?, limit)?;
            if !part.grow(gathered.held()) {
                return Err(CollectError::NoRoom);
            }
        }
        let (bytes, trailers) = gathered.finish();
        Ok((part.keep(bytes), trailers))
    }
}

/// Most bodies are one chunk: it is kept as it is, and copied only when a second one follows.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    more: BytesMut,
    trailers: Option<HeaderMap>,
}

impl Gathered {
    fn held(&self) -> usize {
        if self.more.is_empty() { self.first.len() } else { self.more.len() }
    }

    fn take(&mut self, frame: Frame<Bytes>, limit: usize) -> Result<(), CollectError> {
        match frame.into_data() {
            Ok(data) => {
                let held = self.held();
                if data.len() > limit - held {
                    return Err(CollectError::TooLarge);
                }
                if held == 0 {
                    self.first = data;
                } else {
                    if self.more.is_empty() {
                        self.more.extend_from_slice(&self.first);
                    }
                    self.more.extend_from_slice(&data);
                }
            }
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
        Ok(())
    }

    fn finish(self) -> (Bytes, Option<HeaderMap>) {
        let bytes = if self.more.is_empty() { self.first } else { self.more.freeze() };
        (bytes, self.trailers)
    }
}

/// Why a body could not be held whole.
#[derive(Debug)]
pub(crate) enum CollectError {
    TooLarge,
    NoRoom,
    Body(BodyError),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty | Self::Upgrade(_) => Poll::Ready(None),
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(if bytes.is_empty() { None } else { Some(Ok(Frame::data(bytes))) })
            }
            Self::Received(received) => received.poll_frame(cx),
            Self::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Upgrade(_) => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Received(received) => received.incoming.is_end_stream(),
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Upgrade(_) => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Received(received) => received.incoming.size_hint(),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Received(received) => write!(f, "Received(from the {})", received.origin.as_str()),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Upgrade(_) => f.write_str("Upgrade"),
        }
    }
}

/// What a client says once another protocol is spoken.
impl http_body::Body for TunnelBytes {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.poll_next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::from_parts(bytes, None)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

/// Bytes that were held whole and the trailers that came after them.
struct WithTrailers {
    bytes: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl http_body::Body for WithTrailers {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match self.bytes.take() {
            Some(bytes) => Some(Frame::data(bytes)),
            None => self.trailers.take().map(Frame::trailers),
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests;
