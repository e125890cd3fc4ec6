//! One connection: opening it, and who uses it.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Bytes of one response that may be on their way before they are read.
const STREAM_WINDOW: u32 = 128 << 10;

/// The same of all responses of a connection: the most there is (RFC 9113 section 6.9.1), so that those which nobody reads, however
/// many, never hold up the others.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// What unread frames of a few bytes may cost: without a bound of their own, as there can be no more of them than the windows let
/// through. A client that does not read its stream of small messages would else end the connection of all others.
const SMALL_FRAMES: usize = i32::MAX as usize;

/// Streams that were reset here and that the target may still send something for. It is clients that leave, and many do at a time.
const RESET_STREAMS: usize = 4_096;

/// Bytes of a response's head or trailers, as RFC 9113 section 6.5.2 counts them.
const HEAD: u32 = 64 << 10;

/// Streams before the target has said how many it takes: others wait for that, or some of them would be refused.
const UNSETTLED: usize = 1;

/// How long that is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of one request that wait for the connection.
const SEND_BUFFER: usize = 64 << 10;

/// A connection and how it is used.
pub(in crate::upstream) struct Connection {
    sender: SendRequest<Bytes>,
    streams: Cell<usize>,
    gone: Cell<bool>,
    /// The target has said how many streams it takes, or has answered, or neither for too long.
    settled: Cell<bool>,
    settling: Notify,
    used: Cell<bool>,
    /// When the last stream ended.
    idle_since: Cell<Instant>,
    /// How often something came from the target.
    heard: Rc<Cell<u64>>,
}

impl Connection {
    /// Speaks HTTP/2 at once, as by prior knowledge (RFC 9113 section 3.3).
    pub(super) async fn open(stream: TcpStream) -> Result<Rc<Self>, h2::Error> {
        let heard = Rc::new(Cell::new(0));
        let (sender, mut driver) = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD)
            .max_send_buffer_size(SEND_BUFFER)
            .initial_max_send_streams(UNSETTLED)
            .data_frame_budget(SMALL_FRAMES)
            .max_concurrent_reset_streams(RESET_STREAMS)
            // That bound is against peers which provoke resets; here it is clients that do, who must not end what others share.
            .max_local_error_reset_streams(None)
            .handshake(Heard { stream, heard: Rc::clone(&heard) })
            .await?;
        let connection = Rc::new(Self {
            sender,
            streams: Cell::new(0),
            gone: Cell::new(false),
            settled: Cell::new(false),
            settling: Notify::new(),
            used: Cell::new(false),
            idle_since: Cell::new(Instant::now()),
            heard,
        });
        let user = Rc::downgrade(&connection);
        // It ends when nobody uses the connection any more, or when the connection does.
        tokio::task::spawn_local(async move {
            let drive = poll_fn(|cx| {
                let ended = Pin::new(&mut driver).poll(cx);
                if driver.max_concurrent_send_streams() != UNSETTLED
                    && let Some(connection) = user.upgrade()
                {
                    connection.settle();
                }
                ended
            });
            if let Err(error) = drive.await {
                tracing::debug!(%error, "a connection to an upstream ended");
            }
            if let Some(connection) = user.upgrade() {
                connection.leave();
            }
        });
        Ok(connection)
    }

    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.clone()
    }

    /// Notes that it carries an exchange; whether it had carried one before.
    pub(super) fn note_use(&self) -> bool {
        self.used.replace(true)
    }

    /// Nothing new is sent over it.
    pub(super) fn leave(&self) {
        self.gone.set(true);
        self.settle();
    }

    /// It is known how many streams it carries.
    pub(super) fn settle(&self) {
        if !self.settled.replace(true) {
            self.settling.notify_waiters();
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled.get()
    }

    /// When it is known how many streams it carries.
    pub(super) async fn settled(&self) {
        let told = self.settling.notified();
        if !self.settled.get() && timeout(PATIENCE, told).await.is_err() {
            self.settle();
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.get()
    }

    /// Whether nothing can be sent over it any more: the target said that it goes away, while streams go on. It is noted.
    pub(super) fn is_closing(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let is_closing = matches!(self.sender().poll_ready(&mut cx), Poll::Ready(Err(_)));
        if is_closing {
            self.leave();
        }
        is_closing
    }

    /// How often something came from the target: the same number later says that nothing did.
    pub(super) fn heard(&self) -> u64 {
        self.heard.get()
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.get()
    }

    /// Whether the target allows another stream.
    pub(super) fn has_room(&self) -> bool {
        self.streams.get() < self.sender.current_max_send_streams()
    }

    pub(super) fn is_idle(&self, now: Instant, idle: Duration) -> bool {
        self.streams.get() == 0 && now.saturating_duration_since(self.idle_since.get()) >= idle
    }
}

/// An exchange's use of a connection.
pub(super) struct Stream(Rc<Connection>);

impl Stream {
    pub(super) fn new(connection: &Rc<Connection>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self(Rc::clone(connection))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.idle_since.set(Instant::now());
    }
}

/// A target's socket, which counts how often something came from it.
struct Heard {
    stream: TcpStream,
    heard: Rc<Cell<u64>>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.heard.set(self.heard.get() + 1);
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
