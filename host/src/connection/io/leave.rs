//! The end of a connection whose client may still be sending: what comes is read for a while, since closing on it could take the last
//! words back.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite as _;

use super::{Closing, Io, LINGER_BYTES};
use crate::net::with_scratch;

impl Io {
    /// Ends the connection after another protocol: what the client still sends is read, so that it gets to see the last bytes.
    pub(in crate::connection) fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.closing == Closing::No {
            if ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.closing = Closing::Lingering(LINGER_BYTES);
        }
        self.poll_linger(cx)
    }

    pub(super) fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Closing::Lingering(left) = self.closing
            && left > 0
        {
            match ready!(with_scratch(&mut self.stream, cx, left, <[u8]>::len)) {
                Ok(0) | Err(_) => break,
                Ok(n) => self.closing = Closing::Lingering(left - n),
            }
        }
        Poll::Ready(())
    }
}
