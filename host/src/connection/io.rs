//! The socket as hyper sees it. Every byte that is read passes the guard first; deadlines that have passed show up here as an
//! end, an error or a refused head.

mod http2;
mod leave;

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::answer;
use super::frames::Frames;
use super::head::Limits;
use super::link::{Link, Overdue};
use super::refuse::Refusal;
use super::transport::Transport;
use super::wire::{Passage, Then, Wire};
use crate::net::with_scratch;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What hyper gets in place of a head that is refused: the answer is made where all answers are made.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\n\r\n";

/// Bytes that are kept while nobody can say whose they are.
const EARLY: usize = 16 << 10;

/// How much of an unread body is taken from a client before the connection closes on it, so that it gets to see the answer.
const LINGER_BYTES: usize = 4 << 20;

pub(super) struct Io {
    stream: Transport,
    link: Rc<Link>,
    guard: Guard,
    /// Bytes that have been read and not passed on. Without an allocation while it is empty.
    held: BytesMut,
    /// How many of them hyper may have.
    cleared: usize,
    /// They were read to tell the protocol, and the guard has not seen them.
    unseen: bool,
    closing: Closing,
    /// Heads of interim responses on their way to the client.
    interim: BytesMut,
}

enum Guard {
    Http1 {
        wire: Wire,
        most: usize,
    },
    /// The framing is another layer's; what is asked for besides requests is bounded.
    Http2(Frames),
    /// Nothing of it is HTTP.
    Open,
    /// A body broke its framing.
    Broken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The answer is out; bytes of a body that nobody wants may still come.
    Lingering(usize),
}

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

impl Io {
    pub(super) fn new(stream: Transport, link: Rc<Link>) -> Self {
        let limits = &link.settings.limits;
        let (most, uri, fields) = (limits.header_bytes, limits.uri_bytes, limits.headers);
        let wire = Wire::new(Limits { bytes: most, uri, fields });
        Self {
            stream,
            link,
            guard: Guard::Http1 { wire, most },
            held: BytesMut::new(),
            cleared: 0,
            unseen: true,
            closing: Closing::No,
            interim: BytesMut::new(),
        }
    }

    /// Waits for enough bytes to tell the protocol; `None` when the client leaves before.
    pub(super) fn poll_protocol(&mut self, cx: &mut Context<'_>) -> Poll<Option<Protocol>> {
        loop {
            let seen = self.held.len().min(PREFACE.len());
            if self.held[..seen] != PREFACE[..seen] {
                self.link.set_partial(true);
                return Poll::Ready(Some(Protocol::Http1));
            }
            if seen == PREFACE.len() {
                return Poll::Ready(Some(Protocol::Http2));
            }
            let held = &mut self.held;
            let read = with_scratch(&mut self.stream, cx, usize::MAX, |bytes| {
                held.extend_from_slice(bytes);
                bytes.len()
            });
            match ready!(read) {
                Ok(0) | Err(_) => return Poll::Ready(None),
                Ok(_) => {}
            }
        }
    }

    /// Takes back what hyper had read and not used, which is nothing between two requests.
    pub(super) fn take_back(&mut self, unused: &[u8]) {
        if !unused.is_empty() {
            let mut held = BytesMut::from(unused);
            held.extend_from_slice(&self.held);
            self.held = held;
            self.cleared += unused.len();
        }
    }

    /// Waits for what hyper has to see: a whole head, or one that is refused, the end, or that time is up.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.unseen) {
            self.look_at_held();
        }
        loop {
            let Self { stream, guard, held, link, .. } = self;
            let Guard::Http1 { wire, most } = guard else { return Poll::Ready(()) };
            let waits =
                self.cleared == 0 && !wire.is_over() && !wire.is_waiting() && self.closing == Closing::No;
            if !waits || link.is_overdue() {
                return Poll::Ready(());
            }
            let read = with_scratch(stream, cx, usize::MAX, |bytes| {
                held.extend_from_slice(bytes);
                (!bytes.is_empty()).then(|| bytes.contains(&b'\n') || held.len() >= *most)
            });
            match ready!(read) {
                Ok(Some(true)) => self.look_at_held(),
                Ok(Some(false)) => link.set_partial(true),
                // It finds out for itself.
                Ok(None) | Err(_) => return Poll::Ready(()),
            }
        }
    }

    /// Sends `bytes` and closes, for a client that speaks another protocol.
    pub(super) async fn dismiss(mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).await.is_ok() {
            let _ = std::future::poll_fn(|cx| Pin::new(&mut self).poll_shutdown(cx)).await;
        }
    }

    /// Every request is refused, for a client that speaks HTTP/1 where it is not spoken.
    pub(super) fn refuse_all(&mut self, refusal: Refusal) {
        self.unseen = false;
        self.refuse(refusal);
    }

    /// Answers what stands in the way of the next head, and ends HTTP on this connection.
    fn refuse(&mut self, refusal: Refusal) {
        if let Guard::Http1 { wire, .. } = &mut self.guard {
            wire.end();
            self.link.refuse(wire.heads() + 1, refusal);
            self.link.set_partial(false);
            self.held = BytesMut::from(STAND_IN);
            self.cleared = STAND_IN.len();
        }
    }

    /// Passes on what has been cleared, if anything.
    fn deliver(&mut self, buf: &mut ReadBufCursor<'_>) -> bool {
        let here = self.cleared.min(buf.remaining());
        if here == 0 {
            return false;
        }
        buf.put_slice(&self.held[..here]);
        self.held.advance(here);
        self.cleared -= here;
        if self.held.is_empty() {
            // Given back: an idle connection holds no buffer here.
            self.held = BytesMut::new();
        }
        true
    }

    /// Shows the guard what is held. Something may be cleared afterwards.
    fn look_at_held(&mut self) {
        let Guard::Http1 { wire, .. } = &mut self.guard else { return };
        let Passage { pass, then } = wire.look(&self.held);
        self.cleared = pass;
        self.settle(then);
    }

    fn settle(&mut self, then: Then) {
        if let Guard::Http1 { wire, .. } = &self.guard {
            self.link.set_in_body(wire.in_body());
        }
        if let (Then::Waiting, Guard::Http1 { wire, .. }) = (&then, &self.guard) {
            self.link.offer(wire.heads());
        }
        match then {
            Then::Nothing | Then::Waiting => self.link.set_partial(false),
            Then::Partial => self.link.set_partial(true),
            Then::Refused(refusal) => {
                let before = self.held.split_to(self.cleared);
                self.refuse(refusal);
                if !before.is_empty() {
                    let stand_in = std::mem::replace(&mut self.held, before);
                    self.held.extend_from_slice(&stand_in);
                    self.cleared = self.held.len();
                }
            }
            Then::Broken => {
                self.held.truncate(self.cleared);
                self.guard = Guard::Broken;
            }
        }
    }

    fn poll_guarded(&mut self, cx: &mut Context<'_>, buf: &mut ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.unseen) {
            self.look_at_held();
        }
        loop {
            if self.deliver(buf) {
                return Poll::Ready(Ok(()));
            }
            let Self { stream, guard, held, link, .. } = self;
            let Guard::Http1 { wire, most } = guard else {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            };
            if wire.is_waiting() && !link.is_offering() {
                wire.go_on();
                self.look_at_held();
                continue;
            }
            if wire.is_waiting() {
                // The end has to be noticed.
                if held.len() >= EARLY {
                    return Poll::Pending;
                }
                let read = with_scratch(stream, cx, EARLY - held.len(), |bytes| {
                    held.extend_from_slice(bytes);
                    bytes.is_empty()
                });
                if ready!(read)? {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            if wire.is_over() {
                // The answer to the last head is on its way; what else the client sends is of no interest.
                return Poll::Pending;
            }
            let straight = held.is_empty();
            let in_body = wire.in_body();
            let mut came = 0;
            let read = with_scratch(stream, cx, buf.remaining(), |bytes| {
                came = bytes.len();
                if bytes.is_empty() {
                    return None;
                }
                if !straight {
                    let worth = bytes.contains(&b'\n') || held.len() + bytes.len() >= *most;
                    held.extend_from_slice(bytes);
                    return Some((0, worth.then(|| wire.look(held))));
                }
                let passage = wire.look(bytes);
                buf.put_slice(&bytes[..passage.pass]);
                held.extend_from_slice(&bytes[passage.pass..]);
                Some((passage.pass, Some(Passage { pass: 0, then: passage.then })))
            });
            let Poll::Ready(read) = read else {
                if in_body {
                    link.starve();
                }
                return Poll::Pending;
            };
            link.feed(came);
            let Some((delivered, passage)) = read? else { return Poll::Ready(Ok(())) };
            if let Some(Passage { pass, then }) = passage {
                self.cleared = pass;
                self.settle(then);
            }
            if delivered > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Another protocol follows.
    pub(super) fn go_over(&mut self) {
        (self.guard, self.cleared, self.unseen) = (Guard::Open, 0, false);
    }

    /// What the client says in another protocol, however much of it is there; nothing is its end.
    pub(super) fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if !self.held.is_empty() {
            return Poll::Ready(Ok(std::mem::take(&mut self.held).freeze()));
        }
        with_scratch(&mut self.stream, cx, usize::MAX, Bytes::copy_from_slice)
    }

    /// Sends what has been begun of interim responses.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &self.interim);
            self.link.offered(&written);
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.interim.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if matches!(self.guard, Guard::Http2(_)) {
            return self.poll_frames(cx, &mut buf);
        }
        if matches!(self.guard, Guard::Open) {
            if self.deliver(&mut buf) {
                return Poll::Ready(Ok(()));
            }
            return with_scratch(&mut self.stream, cx, buf.remaining(), |bytes| buf.put_slice(bytes));
        }
        match self.link.take_overdue() {
            None | Some(Overdue::End | Overdue::Nap) => {}
            Some(Overdue::Request) => return Poll::Ready(Ok(())),
            Some(Overdue::Head) => self.refuse(Refusal::HeadTimeout),
            Some(Overdue::Body) => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
        self.poll_guarded(cx, &mut buf)
    }
}

impl Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(cx))?;
        let Self { stream, guard, link, .. } = &mut *self;
        if link.offence().is_some() {
            // It is told nothing more.
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(stream).poll_write(cx, buf);
        link.offered(&written);
        if let (Poll::Ready(Ok(written)), Guard::Http2(frames)) = (&written, guard) {
            frames.sent(&buf[..*written], &link.budget);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(cx))?;
        let Self { stream, guard, link, .. } = &mut *self;
        if link.offence().is_some() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let written = Pin::new(stream).poll_write_vectored(cx, bufs);
        link.offered(&written);
        if let (Poll::Ready(Ok(written)), Guard::Http2(frames)) = (&written, guard) {
            let mut left = *written;
            for buf in bufs {
                let here = left.min(buf.len());
                frames.sent(&buf[..here], &link.budget);
                left -= here;
            }
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper has handed over all that it has: what the client is to be told before its answer has its place here.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for fields in self.link.peer.take_hints() {
            answer::write_hint(&fields, &mut self.interim);
        }
        ready!(self.poll_interim(cx))?;
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.link.offered(&match &flushed {
            Poll::Ready(_) => Poll::Ready(Ok(0)),
            Poll::Pending => Poll::Pending,
        });
        flushed
    }

    /// Closing a socket on bytes that were not read resets it, and the reset can overtake the answer: they are read first.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing == Closing::No {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            let unread = match &self.guard {
                Guard::Http1 { wire, .. } => wire.in_body() || wire.is_over() || !self.held.is_empty(),
                Guard::Broken => true,
                Guard::Http2(_) | Guard::Open => false,
            };
            if !unread {
                return Poll::Ready(Ok(()));
            }
            // Nothing that comes from here on is HTTP to us.
            if let Guard::Http1 { wire, .. } = &mut self.guard {
                wire.end();
            }
            self.closing = Closing::Lingering(LINGER_BYTES);
            self.link.end_soon();
        }
        self.poll_linger(cx).map(Ok)
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        // To a client of HTTP/1.0 a closed connection is the proper end of a body: only a reset says that it is not.
        if self.link.is_cut() {
            self.stream.cut();
        }
    }
}
