//! A connection after a 101: bytes go both ways until one side ends, or neither says anything for too long.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::Body as _;
use hyper::rt::Write as _;
use tokio::time::{Instant, sleep};

use super::answer::Answer;
use super::io::Io;
use crate::body::Tunnel;

/// Both ends of a connection that speaks another protocol.
pub(super) struct Switched {
    /// The client's bytes go in here.
    tunnel: Tunnel,
    /// The other side's come out of here. The exchange lasts as long as it does.
    answer: Answer,
}

impl Switched {
    pub(super) fn new(tunnel: Tunnel, answer: Answer) -> Self {
        Self { tunnel, answer }
    }

    /// Passes bytes both ways. Ends when the other side has, when the client is gone, or when neither has said anything for `patience`.
    pub(super) async fn run(self, io: &mut Io, patience: Duration) {
        let Self { tunnel, mut answer } = self;
        let mut ends = Ends { client: false, pending: Bytes::new(), last: Instant::now() };
        let mut idle = pin!(sleep(patience));
        poll_fn(|cx| {
            if ends.poll_client(cx, io, &tunnel).is_err() {
                return Poll::Ready(());
            }
            if ends.poll_answer(cx, io, &mut answer).is_ready() {
                return Poll::Ready(());
            }
            while idle.as_mut().poll(cx).is_ready() {
                let due = ends.last + patience;
                if due <= Instant::now() {
                    return Poll::Ready(());
                }
                idle.as_mut().reset(due);
            }
            Poll::Pending
        })
        .await;
    }
}

struct Ends {
    /// The client says nothing more.
    client: bool,
    /// On its way to the client.
    pending: Bytes,
    /// When somebody said something last.
    last: Instant,
}

impl Ends {
    /// Takes what the client says as fast as it is taken from here.
    fn poll_client(&mut self, cx: &mut Context<'_>, io: &mut Io, tunnel: &Tunnel) -> std::io::Result<()> {
        while !self.client && tunnel.poll_room(cx).is_ready() {
            match io.poll_said(cx) {
                Poll::Ready(said) => {
                    let said = said?;
                    self.last = Instant::now();
                    self.client = said.is_empty();
                    tunnel.put(said);
                }
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Passes on what the other side says, until it ends or the client takes no more.
    fn poll_answer(&mut self, cx: &mut Context<'_>, io: &mut Io, answer: &mut Answer) -> Poll<()> {
        loop {
            while !self.pending.is_empty() {
                match ready!(Pin::new(&mut *io).poll_write(cx, &self.pending)) {
                    Ok(0) | Err(_) => return Poll::Ready(()),
                    Ok(written) => {
                        self.pending.advance(written);
                        self.last = Instant::now();
                    }
                }
            }
            if Pin::new(&mut *io).poll_flush(cx).is_pending() {
                return Poll::Pending;
            }
            match ready!(Pin::new(&mut *answer).poll_frame(cx)) {
                Some(Ok(frame)) => self.pending = frame.into_data().unwrap_or_default(),
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
    }
}
