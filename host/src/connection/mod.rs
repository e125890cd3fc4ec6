//! HTTP/1 and HTTP/2 on one client connection: which of the two it is, deadlines, draining, and the promises that a handler
//! can rely on.

mod announced;
mod answer;
mod frames;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod head;
mod io;
mod link;
mod pace;
mod path;
mod patient;
mod refuse;
mod service;
mod switch;
mod transport;
mod vet;
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::server::conn::{http1, http2};
use tokio::time::timeout;

use crate::body::Body;
use crate::config::Listener;
use crate::net::{Alarm, Drain, Permits, Timer, Watched};
use crate::tls::Agreed;
use io::{Io, Protocol};
use link::{Expired, Link};
use switch::Switched;

pub(crate) use announced::client as announced_client;
pub(crate) use refuse::Refusal;
pub(crate) use transport::{Transport, admit};

use crate::exchange::{Peer, request_id};
#[cfg(test)]
use crate::exchange::{prepare_request, prepare_response};

/// What answers the requests of a connection.
///
/// A request that gets here has a target in origin form (`/path?query`, or `*` of `OPTIONS`) and exactly one `Host`, valid and
/// taken from the target or from `:authority` where these named one; it is empty only for HTTP/1.0 without a `Host`. Its method is
/// neither `CONNECT` nor `TRACE`, and its body has one framing. When the client leaves, the future is dropped. `timer` is the exchange's own until its body has ended.
pub(crate) trait Handler: 'static {
    fn handle(
        &self,
        request: Request<Body>,
        peer: &Rc<Peer>,
        timer: Timer,
    ) -> impl Future<Output = Result<Response<Body>, Abort>>;

    /// Places of which each exchange takes one, from its head to its last byte.
    fn places(&self) -> Option<&Permits> {
        None
    }

    /// A request was refused here. The answer is made; this is for counting it.
    fn refused(&self, _refusal: Refusal, _peer: &Rc<Peer>) {}
}

/// Ends the connection, or the stream, without an answer.
#[derive(Debug)]
pub(crate) struct Abort;

impl fmt::Display for Abort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the exchange was aborted")
    }
}

impl std::error::Error for Abort {}

/// An empty SETTINGS frame and GOAWAY with `HTTP_1_1_REQUIRED`: what a client of HTTP/2 understands.
const USE_HTTP1: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13];

/// Bytes that are on their way to one client: more are not read from the upstream.
const WRITE_BUFFER: usize = 64 << 10;

/// Bytes of a request body that may be under way on one stream of HTTP/2, and on all streams of a connection. A message of gRPC that is
/// empty has five bytes and may be a frame of its own: h2 ends connections whose unread frames of fewer than 256 bytes lack more to
/// that than half the connection's window, and a stream's window full of them has to be less.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 128 * STREAM_WINDOW;
const _: () = assert!(STREAM_WINDOW / 5 * 251 < CONNECTION_WINDOW / 2, "a stream of small messages fits");

/// Serves one connection to its end: its client's, its deadlines' or the drain's.
pub(crate) async fn serve<H: Handler>(
    stream: Transport,
    peer: Rc<Peer>,
    settings: Rc<Listener>,
    handler: Rc<H>,
    drain: Drain,
) {
    let link = Rc::new(Link::new(settings, peer));
    let mut watch =
        Watch { link: Rc::clone(&link), alarm: Alarm::default(), drain: drain.watch(), worn: false };
    let mut io = Io::new(stream, Rc::clone(&link));
    let protocol = match link.peer.agreed() {
        // What was agreed upon is spoken. Whoever speaks another version all the same is told so by the one that was.
        Some(Agreed::Http1) => Protocol::Http1,
        Some(Agreed::Http2) => Protocol::Http2,
        None => {
            let overdue = || link.take_overdue().is_some();
            let first = watch.over(|cx, _| if overdue() { Poll::Ready(None) } else { io.poll_protocol(cx) });
            let Ok(Some(protocol)) = first.await else { return };
            protocol
        }
    };
    let spoken = link.settings.protocols;
    match protocol {
        Protocol::Http2 if spoken.h2 => {
            io.open();
            // Boxed: its size would be that of every connection's task.
            let service = service::serve_with(&link, &handler);
            let mut connection = Box::pin(http2_builder(&link).serve_connection(io, service));
            watch.drive(connection.as_mut()).await;
            if let Some(offence) = link.take_offence() {
                handler.refused(Refusal::Offence(offence), &link.peer);
            }
        }
        Protocol::Http2 => {
            // Bounded as a whole: there is no more than a handful of bytes to send.
            let _ = timeout(Duration::from_secs(2), io.dismiss(USE_HTTP1)).await;
        }
        Protocol::Http1 => {
            if !spoken.h1 {
                io.refuse_all(Refusal::Version);
            }
            watch.serve_http1(io, &link, &handler).await;
        }
    }
}

fn http1_builder(link: &Link) -> http1::Builder {
    let limits = &link.settings.limits;
    let mut builder = http1::Builder::new();
    // The deadline of the head is ours, hyper needs no timer. It must hold any head that the guard lets through.
    builder.header_read_timeout(None).max_buf_size(WRITE_BUFFER.max(limits.header_bytes + (8 << 10)));
    // Stated only where it must be: hyper then allocates for every head.
    if limits.headers > 100 {
        builder.max_headers(limits.headers);
    }
    builder
}

fn http2_builder(link: &Rc<Link>) -> http2::Builder<LocalExecutor> {
    let limits = &link.settings.limits;
    let mut builder = http2::Builder::new(LocalExecutor(Rc::clone(link)));
    builder
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(WRITE_BUFFER);
    builder
}

/// The streams of an HTTP/2 connection stay on their worker.
#[derive(Clone)]
struct LocalExecutor(Rc<Link>);

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, stream: F) {
        // hyper executes a stream right after it has called the service for it.
        let pace = self.0.take_newest();
        tokio::task::spawn_local(async move {
            match pace {
                Some(pace) => pace.over(stream).await,
                None => drop(stream.await),
            }
        });
    }
}

/// Looks after a connection's deadlines and after the drain signal, from the task that serves it.
struct Watch {
    link: Rc<Link>,
    alarm: Alarm,
    drain: Watched,
    /// It was asked to end for the requests that it has carried.
    worn: bool,
}

/// What the connection is asked to do between two polls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Nothing,
    /// Finish what is under way and begin nothing new.
    Quit,
}

/// Why work was not polled until it was done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Its time is over.
    Close,
    /// Nothing comes, and nothing is under way.
    Nap,
}

impl Watch {
    async fn drive<C: Quit>(mut self, mut connection: Pin<&mut C>) {
        let work = |cx: &mut Context<'_>, ask| {
            if ask == Ask::Quit {
                connection.as_mut().quit();
            }
            connection.as_mut().poll(cx).map(drop)
        };
        // However it ended, there is nothing left to do.
        let _ = self.over(work).await;
    }

    /// Serves HTTP/1. What hyper needs for a request, about 20 KiB, is made when a head is there, and given back while none comes.
    async fn serve_http1<H: Handler>(&mut self, mut io: Io, link: &Rc<Link>, handler: &Rc<H>) {
        link.let_nap();
        loop {
            let needed =
                |cx: &mut Context<'_>, ask| if ask == Ask::Quit { Poll::Ready(()) } else { io.poll_head(cx) };
            if self.over(needed).await.is_err() {
                return;
            }
            let service = service::serve_with(link, handler);
            let mut connection = Box::new(http1_builder(link).serve_connection(io, service));
            // Asked to quit, its next answer says `Connection: close`, and its next wait for a request ends it: by way of the link.
            let stopped = self.over(|cx, _| Pin::new(&mut *connection).poll(cx).map(drop)).await;
            if let Ok(()) = stopped
                && let Some(switched) = link.take_switched()
            {
                let parts = connection.into_parts();
                io = parts.io;
                io.take_back(&parts.read_buf);
                return self.pass_both_ways(io, switched).await;
            }
            let Err(Stop::Nap) = stopped else { return };
            let parts = connection.into_parts();
            io = parts.io;
            io.take_back(&parts.read_buf);
            link.nap();
        }
    }

    /// Speaks another protocol to the end of the connection: the client's, the other side's, or that of the drain's patience.
    async fn pass_both_ways(&mut self, mut io: Io, switched: Switched) {
        io.go_over();
        let patience = self.link.settings.timeouts.tunnel;
        {
            let mut passing = std::pin::pin!(switched.run(&mut io, patience));
            if self.over(|cx, _| passing.as_mut().poll(cx)).await.is_err() {
                return;
            }
        }
        self.link.end_soon();
        let _ = self.over(|cx, _| io.poll_leave(cx)).await;
    }

    /// Polls `work` until it is done, or until there is a reason to stop before.
    async fn over<T>(&mut self, mut work: impl FnMut(&mut Context<'_>, Ask) -> Poll<T>) -> Result<T, Stop> {
        let mut ask = Ask::Nothing;
        poll_fn(|cx| {
            loop {
                if !self.link.is_draining()
                    && let Poll::Ready(deadline) = self.drain.poll_started(cx)
                {
                    self.link.drain(deadline);
                    ask = Ask::Quit;
                }
                if self.link.is_worn() && !std::mem::replace(&mut self.worn, true) {
                    ask = Ask::Quit;
                }
                if let Poll::Ready(done) = work(cx, std::mem::replace(&mut ask, Ask::Nothing)) {
                    return Poll::Ready(Ok(done));
                }
                self.link.timer.quiet();
                std::task::ready!(self.alarm.poll(cx, self.link.deadline()));
                match self.link.expire() {
                    Expired::Close => return Poll::Ready(Err(Stop::Close)),
                    Expired::Nap => return Poll::Ready(Err(Stop::Nap)),
                    Expired::Quit => ask = Ask::Quit,
                    Expired::Resume => {}
                }
            }
        })
        .await
    }
}

/// A connection that can be asked to end.
trait Quit: Future {
    fn quit(self: Pin<&mut Self>);
}

impl<S> Quit for http2::Connection<Io, S, LocalExecutor>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = answer::Answer>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    LocalExecutor: hyper::rt::bounds::Http2ServerConnExec<S::Future, answer::Answer>,
{
    fn quit(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
