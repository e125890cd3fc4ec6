//! A request on its way out: its head, then its body as it comes, in one framing.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, request};
use http_body::Body as _;
use tokio::task::JoinHandle;

use super::line::Line;
use super::request::{write_head, write_last_chunk};
use crate::body::{Body, BodyError, Origin, Tunnel};

/// Why a request did not leave whole.
#[derive(Debug)]
pub(super) enum UploadError {
    /// Its body ended early.
    Body(BodyError),
    /// The target does not take it. It may have answered all the same.
    Line(io::Error),
}

/// How the end of the body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    /// It is no message any more.
    Tunnel,
}

pub(super) struct Upload {
    /// To be written: the head or the line before a chunk, bytes of the body, the line after a chunk.
    before: Vec<u8>,
    data: Bytes,
    after: &'static [u8],
    /// How much of these three is written.
    written: usize,
    body: Body,
    framing: Framing,
    /// Nothing is left but what is in the three.
    last: bool,
    /// Everything is written.
    over: bool,
    /// A byte was taken by the kernel.
    pub(super) said: bool,
    /// A byte of the body was asked for.
    begun: bool,
}

impl Upload {
    /// A framed request; `buffer` is where its head is written.
    pub(super) fn new(parts: &request::Parts, body: Body, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        write_head(parts, &mut buffer);
        let framing = body.exact().map_or(Framing::Chunked, Framing::Length);
        let mut upload = Self {
            before: buffer,
            data: Bytes::new(),
            after: b"",
            written: 0,
            body: Body::Empty,
            framing,
            last: true,
            over: false,
            said: false,
            begun: false,
        };
        match body {
            Body::Empty | Body::Upgrade(_) => {}
            Body::Whole(bytes) => upload.data = bytes,
            body => (upload.body, upload.last) = (body, false),
        }
        upload
    }

    /// What a client says in another protocol.
    pub(super) fn tunnel(tunnel: &Tunnel) -> Self {
        Self {
            before: Vec::new(),
            data: Bytes::new(),
            after: b"",
            written: 0,
            body: Body::stream(tunnel.bytes()),
            framing: Framing::Tunnel,
            last: false,
            over: false,
            said: true,
            begun: true,
        }
    }

    /// Everything is written.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Its body comes from somewhere else.
    pub(super) const fn is_streamed(&self) -> bool {
        self.begun
    }

    /// Nothing can be written before the body goes on.
    pub(super) fn waits_for_body(&self) -> bool {
        !self.over && self.left() == 0
    }

    /// The body, if not a byte of the request has left and nothing of the body was asked for.
    pub(super) fn unsent(&mut self) -> Option<Body> {
        let untouched = !self.said && !self.begun && !self.last;
        untouched.then(|| std::mem::take(&mut self.body))
    }

    /// The buffer it was given.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.before
    }

    fn left(&self) -> usize {
        self.before.len() + self.data.len() + self.after.len() - self.written
    }

    /// Writes what can be written. `moved` is set when something was.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        line: &Line,
        moved: &mut bool,
    ) -> Poll<Result<(), UploadError>> {
        // The head and the first bytes of the body leave together if both are here.
        if !self.last && !self.begun && self.written == 0 {
            let _ = self.poll_body(cx)?;
        }
        loop {
            while self.left() > 0 {
                let n = ready!(self.poll_write(cx, line)).map_err(UploadError::Line)?;
                self.written += n;
                self.said = true;
                *moved = true;
            }
            if self.last {
                if self.framing == Framing::Tunnel {
                    line.say_no_more();
                }
                self.over = true;
                return Poll::Ready(Ok(()));
            }
            (self.written, self.after) = (0, b"");
            self.before.clear();
            self.data = Bytes::new();
            ready!(self.poll_body(cx))?;
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, line: &Line) -> Poll<io::Result<usize>> {
        let mut skip = self.written;
        let mut slices = [IoSlice::new(&[]); 3];
        let mut filled = 0;
        for part in [&self.before[..], &self.data[..], self.after] {
            let here = skip.min(part.len());
            skip -= here;
            if here < part.len() {
                slices[filled] = IoSlice::new(&part[here..]);
                filled += 1;
            }
        }
        let n = ready!(line.poll_write(cx, &slices[..filled]))?;
        if n == 0 { Poll::Ready(Err(io::ErrorKind::WriteZero.into())) } else { Poll::Ready(Ok(n)) }
    }

    /// Takes the next part of the body: what is to be written is longer afterwards, or was the last.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UploadError>> {
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            self.begun = true;
            let Some(frame) = frame else { return Poll::Ready(self.finish(HeaderMap::new())) };
            match frame.map_err(UploadError::Body)?.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Poll::Ready(self.take(data)),
                Err(frame) => {
                    return Poll::Ready(self.finish(frame.into_trailers().unwrap_or_default()));
                }
            }
        }
    }

    fn take(&mut self, data: Bytes) -> Result<(), UploadError> {
        match &mut self.framing {
            Framing::Chunked => {
                self.before.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                self.after = b"\r\n";
            }
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or_else(|| broken("too-long"))?;
                self.last = *left == 0;
            }
            Framing::Tunnel => {}
        }
        self.data = data;
        Ok(())
    }

    fn finish(&mut self, trailers: HeaderMap) -> Result<(), UploadError> {
        self.last = true;
        match self.framing {
            Framing::Chunked => write_last_chunk(trailers, &mut self.before),
            Framing::Length(0) | Framing::Tunnel => {}
            // Ended here it would be taken for whole.
            Framing::Length(_) => return Err(broken("too-short")),
        }
        Ok(())
    }
}

fn broken(kind: &'static str) -> UploadError {
    UploadError::Body(BodyError::new(Origin::Gateway, kind))
}

/// The rest of a request whose response has begun. Dropped, it stops.
pub(super) struct Uploading {
    task: JoinHandle<()>,
    whole: Rc<Cell<bool>>,
}

impl Uploading {
    pub(super) fn spawn(mut upload: Upload, line: Rc<Line>) -> Self {
        let whole = Rc::new(Cell::new(false));
        let sent = Rc::clone(&whole);
        let task = tokio::task::spawn_local(async move {
            let mut moved = false;
            match std::future::poll_fn(|cx| upload.poll(cx, &line, &mut moved)).await {
                Ok(()) => sent.set(true),
                // A target that has answered may well take no more.
                Err(UploadError::Line(_)) => {}
                Err(UploadError::Body(_)) => line.cut(),
            }
        });
        Self { task, whole }
    }

    /// Everything was written: before that the connection cannot carry another request.
    pub(super) fn is_over(&self) -> bool {
        self.whole.get()
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        self.task.abort();
    }
}
