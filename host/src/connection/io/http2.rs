//! HTTP/2 as hyper reads and writes it, within what a client may ask for besides requests.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::ReadBufCursor;
use tokio::io::AsyncWrite as _;
use tokio::time::Instant;

use super::{Closing, Guard, Io, PREFACE};
use crate::connection::frames::Frames;
use crate::net::with_scratch;

/// How much a client may go on sending after it was told the end, so that it gets to see that.
const LAST_BYTES: usize = 256 << 10;

impl Io {
    /// HTTP/2 follows: hyper reads everything as it is, within bounds.
    pub(in crate::connection) fn open(&mut self) {
        let mut frames = Frames::new(PREFACE.len());
        if let Err(offence) = frames.look(&self.held, &self.link.budget, Instant::now) {
            self.link.set_offence(offence);
        }
        self.guard = Guard::Http2(frames);
        self.cleared = self.held.len();
        self.link.set_partial(false);
    }

    /// What hyper reads of HTTP/2, until the client has asked for too much besides requests, or for none.
    pub(super) fn poll_frames(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.link.offence().is_some() {
            return self.poll_goaway(cx);
        }
        if self.deliver(buf) {
            return Poll::Ready(Ok(()));
        }
        let Self { stream, guard, link, .. } = self;
        let Guard::Http2(frames) = guard else { return Poll::Ready(Ok(())) };
        let looked = with_scratch(stream, cx, buf.remaining(), |bytes| {
            frames.look(bytes, &link.budget, Instant::now).map(|()| buf.put_slice(bytes))
        });
        match ready!(looked)? {
            Ok(()) => Poll::Ready(Ok(())),
            Err(offence) => {
                link.set_offence(offence);
                self.poll_goaway(cx)
            }
        }
    }

    /// Tells the client why, and ends the connection once that can have been heard.
    fn poll_goaway(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing == Closing::No {
            if let Guard::Http2(frames) = &self.guard
                && let Some(words) = self.link.offence().and_then(|offence| frames.goaway(offence))
            {
                // Who takes no bytes hears nothing.
                let _ = Pin::new(&mut self.stream).poll_write(cx, &words);
                let _ = Pin::new(&mut self.stream).poll_flush(cx);
            }
            self.closing = Closing::Lingering(LAST_BYTES);
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
        }
        ready!(self.poll_linger(cx));
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}
