//! Reading a socket without a buffer per connection: the bytes land in one buffer of the worker and are looked at there
//! before they are handed on.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Enough for any head and for a good part of what a socket buffer holds.
const SCRATCH: usize = 64 << 10;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// Reads what is there, up to `most` bytes, and passes it to `look`; an empty slice is the end of the stream.
pub(crate) fn with_scratch<S: AsyncRead + Unpin, T>(
    stream: &mut S,
    cx: &mut Context<'_>,
    most: usize,
    look: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    BUFFER.with_borrow_mut(|buffer| {
        let most = most.min(buffer.len());
        // `poll_read` and not `try_read`: after a short read it knows that the socket is empty and saves the call that says so.
        let mut read = ReadBuf::new(&mut buffer[..most]);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
        Poll::Ready(Ok(look(read.filled())))
    })
}
