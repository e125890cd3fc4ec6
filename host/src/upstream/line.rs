//! A connection to a target: the socket, read by whoever waits for the response and written by whoever sends the request.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use crate::net::with_scratch;

/// A body of which that much is still to come is read straight into its own buffer instead of by way of the worker's.
const LONG: u64 = 32 << 10;

/// The largest such buffer.
const READ: usize = 64 << 10;

pub(super) struct Line {
    stream: RefCell<TcpStream>,
    /// Where heads are written; its allocation is used again.
    pub(super) buffer: RefCell<Vec<u8>>,
    /// It was cut off here: its end is not the end of a message.
    cut: Cell<bool>,
}

impl Line {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream: RefCell::new(stream), buffer: RefCell::default(), cut: Cell::new(false) }
    }

    /// Whether it is open and silent, as a connection is between two exchanges. Costs no system call while it is.
    pub(super) fn is_quiet(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        // Without budget a socket is not looked at, and seems quiet whatever is in it.
        tokio::task::coop::has_budget_remaining()
            && with_scratch(&mut *self.stream.borrow_mut(), &mut cx, 1, |_| ()).is_pending()
    }

    /// Passes what has arrived to `look`; an empty slice is the end.
    pub(super) fn poll_look<T>(
        &self,
        cx: &mut Context<'_>,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        with_scratch(&mut *self.stream.borrow_mut(), cx, usize::MAX, look)
    }

    /// The next bytes of a body of which `left` are to come, if that is known; none are the end.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, left: Option<u64>) -> Poll<io::Result<Bytes>> {
        let stream = &mut *self.stream.borrow_mut();
        match left {
            Some(left) if left >= LONG => {
                let mut bytes =
                    BytesMut::with_capacity(usize::try_from(left).map_or(READ, |left| left.min(READ)));
                ready!(pin!(stream.read_buf(&mut bytes)).poll(cx))?;
                Poll::Ready(Ok(bytes.freeze()))
            }
            _ => with_scratch(stream, cx, usize::MAX, Bytes::copy_from_slice),
        }
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut stream = self.stream.borrow_mut();
        match parts {
            [one] => Pin::new(&mut *stream).poll_write(cx, one),
            _ => Pin::new(&mut *stream).poll_write_vectored(cx, parts),
        }
    }

    /// Ends the connection for whoever reads from it.
    pub(super) fn cut(&self) {
        self.cut.set(true);
        let _ = socket2::SockRef::from(&*self.stream.borrow()).shutdown(std::net::Shutdown::Both);
    }

    /// Tells the target that nothing more comes.
    pub(super) fn say_no_more(&self) {
        let _ = socket2::SockRef::from(&*self.stream.borrow()).shutdown(std::net::Shutdown::Write);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.get()
    }
}
