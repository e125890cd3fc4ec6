//! hyper behind the guard: the requests that it finds in bytes that passed.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;

/// A request, and what came of its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// It is of HTTP/1.0.
    pub(super) old: bool,
    pub(super) method: String,
    pub(super) target: String,
    /// By name; of one name in their order.
    pub(super) fields: Vec<(String, Vec<u8>)>,
    pub(super) body: Content,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Open,
    Whole(Vec<u8>),
    /// What stands behind the last chunk is no section of trailers.
    Broken,
}

impl Message {
    /// Of a whole head, as `httparse` reads it.
    pub(super) fn read(head: &[u8]) -> Self {
        let mut room = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut room);
        assert!(request.parse(head).is_ok_and(|found| found.is_complete()));
        let fields = request.headers.iter();
        let fields = fields.map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec())).collect();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        // A URL without a path has one.
        let target = text(request.path).parse::<Uri>().expect("a target").to_string();
        Self::new(request.version == Some(0), text(request.method), target, fields)
    }

    fn new(old: bool, method: String, target: String, mut fields: Vec<(String, Vec<u8>)>) -> Self {
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        Self { old, method, target, fields, body: Content::Open }
    }

    /// Whether a connection may end with it although more was sent.
    pub(super) fn may_be_last(&self) -> bool {
        let is_whole = matches!(self.body, Content::Whole(_));
        !is_whole
            || self.old
            || self.method == "CONNECT"
            || self.fields.iter().any(|(name, _)| name == "connection")
    }
}

/// The requests that hyper finds, and what it answers.
pub(super) fn serve(bytes: &[u8]) -> (Vec<Message>, Vec<u8>) {
    let (seen, written) = (Rc::new(RefCell::new(Vec::new())), RefCell::new(Vec::new()));
    let io = Bytewise { rest: bytes, written: &written };
    let service = service_fn(|request| answer(request, Rc::clone(&seen)));
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    {
        let mut connection =
            pin!(http1::Builder::new().header_read_timeout(None).serve_connection(io, service));
        let waker = Waker::from(Arc::clone(&woken));
        while woken.0.swap(false, Ordering::Relaxed) {
            if connection.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                break;
            }
        }
    }
    let seen = seen.take();
    (seen, written.into_inner())
}

async fn answer(
    request: Request<Incoming>,
    seen: Rc<RefCell<Vec<Message>>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let fields = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    let at = seen.borrow().len();
    let (method, target) = (head.method.to_string(), head.uri.to_string());
    let message = Message::new(head.version == Version::HTTP_10, method, target, fields.collect());
    seen.borrow_mut().push(message);
    let content = match body.collect().await {
        Ok(body) => Content::Whole(body.to_bytes().to_vec()),
        Err(_) => Content::Broken,
    };
    seen.borrow_mut()[at].body = content;
    let mut response = Response::new(Empty::new());
    if head.method == Method::CONNECT {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    }
    Ok(response)
}

/// A connection on which everything has arrived, and which stays open.
struct Bytewise<'a> {
    rest: &'a [u8],
    written: &'a RefCell<Vec<u8>>,
}

impl Read for Bytewise<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            return Poll::Pending;
        }
        let (now, later) = self.rest.split_at(self.rest.len().min(room.remaining()));
        room.put_slice(now);
        self.rest = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Bytewise<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Whether there is a reason to poll again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
