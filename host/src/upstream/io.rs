//! The socket to a target, as hyper sees it. It notes what has been said on it, so that a connection which turns out to be dead
//! can be told from a request that was refused.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::net::with_scratch;

/// A head larger than this is not kept for a second try.
const LARGEST_KEPT: usize = 16 << 10;

/// What a connection's parts know of each other.
#[derive(Default)]
pub(super) struct Line {
    /// The connection ends then, unless it is moved.
    pub(super) deadline: Cell<Option<Instant>>,
    /// It has.
    pub(super) timed_out: Cell<bool>,
    /// How long the target may take, while a response head is due.
    patience: Cell<Option<Duration>>,
    /// A byte came after the request began.
    pub(super) answered: Cell<bool>,
    /// A byte of the request was taken by the kernel.
    pub(super) said: Cell<bool>,
    /// The request's body was taken whole: before that the connection cannot carry another request.
    pub(super) sent: Cell<bool>,
    /// The next thing written is a head to keep.
    pub(super) keep_head: Cell<bool>,
    /// The head that was written last, kept while it can be asked for. Its allocation is used again.
    pub(super) head: RefCell<Vec<u8>>,
}

impl Line {
    /// A request begins.
    pub(super) fn begin(&self, patience: Duration, keep_head: bool) {
        self.patience.set(Some(patience));
        self.await_target();
        self.answered.set(false);
        self.said.set(false);
        self.keep_head.set(keep_head);
        self.head.borrow_mut().clear();
    }

    /// It is the target's turn, from now.
    pub(super) fn await_target(&self) {
        if let Some(patience) = self.patience.get() {
            self.deadline.set(Some(Instant::now() + patience));
        }
    }

    /// It is somebody else's turn: the rest of the request has not come yet.
    pub(super) fn await_others(&self) {
        if self.patience.get().is_some() {
            self.deadline.set(None);
        }
    }

    /// The response head is here.
    pub(super) fn answer(&self) {
        self.patience.set(None);
        self.deadline.set(None);
    }

    fn keep(&self, offered: &[u8]) {
        if self.keep_head.take() && offered.len() <= LARGEST_KEPT {
            self.head.borrow_mut().extend_from_slice(offered);
        }
    }

    fn wrote(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(n)) if *n > 0) {
            self.said.set(true);
        }
    }
}

pub(super) struct Io {
    stream: TcpStream,
    line: Rc<Line>,
}

impl Io {
    pub(super) fn new(stream: TcpStream, line: Rc<Line>) -> Self {
        Self { stream, line }
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, line } = &mut *self;
        with_scratch(stream, cx, buf.remaining(), |bytes| {
            if !bytes.is_empty() {
                line.answered.set(true);
            }
            buf.put_slice(bytes);
        })
    }
}

impl Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.line.keep(buf);
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.line.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = bufs.first() {
            self.line.keep(first);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.line.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
