//! HTTP/2 with prior knowledge, by hyper's own client.

use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::io;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::*;
use crate::body::{BodyError, CollectError, Origin, Received};
use crate::net::testing::{run, until};
use crate::net::with_scratch;

/// Tasks stay on their thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move { drop(task.await) });
    }
}

struct Plain(TcpStream);

impl Read for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        with_scratch(&mut self.0, cx, buf.remaining(), |bytes| buf.put_slice(bytes))
    }
}

impl Write for Plain {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

struct Client {
    sender: SendRequest<Body>,
    ended: Rc<Cell<bool>>,
}

impl Client {
    async fn connect(gateway: &Gateway) -> Self {
        let stream = Plain(TcpStream::connect(gateway.address).await.unwrap());
        let (sender, connection) = http2::handshake(Local, stream).await.unwrap();
        let ended = Rc::new(Cell::new(false));
        let over = Rc::clone(&ended);
        tokio::task::spawn_local(async move {
            let _ = connection.await;
            over.set(true);
        });
        Self { sender, ended }
    }

    async fn send(&self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        let mut sender = self.sender.clone();
        sender.ready().await?;
        sender.send_request(request).await
    }
}

fn request(uri: &str, body: Body) -> Request<Body> {
    Request::builder().method("POST").uri(uri).body(body).unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let body = Body::Received(Received::new(response.into_body(), Origin::Upstream));
    let (bytes, _) = body.collect_bounded(1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A body that sends a chunk and then nothing.
struct Stuck(bool);

impl http_body::Body for Stuck {
    type Data = bytes::Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, BodyError>>> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(http_body::Frame::data("abc".into()))))
    }
}

#[test]
fn streams_share_a_connection_and_the_authority_becomes_the_host() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let client = Client::connect(&gateway).await;
        let requests =
            (0..20).map(|n| client.send(request(&format!("http://a.example/{n}"), Body::from("x"))));
        for (n, answer) in futures_in_order(requests).await.into_iter().enumerate() {
            assert_eq!(text(answer.unwrap()).await, format!("POST /{n} a.example x"));
        }
        assert_eq!(gateway.begun.get(), 1);
    });
}

async fn futures_in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in pending.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().map(Option::unwrap).collect()
}

/// So many messages of five bytes, as gRPC's empty ones are, at once and a frame each.
struct Small(usize);

impl http_body::Body for Small {
    type Data = bytes::Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, BodyError>>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        Poll::Ready(Some(Ok(http_body::Frame::data(bytes::Bytes::from_static(&[0; 5])))))
    }
}

#[test]
fn a_burst_of_small_messages_waits_for_who_reads_it() {
    run(async {
        let gate = Rc::new(tokio::sync::Notify::new());
        let opened = Rc::clone(&gate);
        let gateway = Gateway::start(settings(), move |request, _| {
            let opened = Rc::clone(&opened);
            async move {
                if request.uri().path() == "/later" {
                    opened.notified().await;
                }
                let (bytes, _) = request.into_body().collect_bounded(1 << 20).await.map_err(|_| Abort)?;
                Ok(Response::new(Body::from(bytes.len().to_string())))
            }
        })
        .await;
        let client = Client::connect(&gateway).await;
        let later = client.send(request("http://a.example/later", Body::stream(Small(60_000))));
        let meanwhile = async {
            // Served on the same connection while the window of the first is full.
            let answer = client.send(request("http://a.example/", Body::stream(Small(100)))).await.unwrap();
            assert_eq!(text(answer).await, "500");
            gate.notify_one();
        };
        let (answer, ()) = tokio::join!(later, meanwhile);
        assert_eq!(text(answer.unwrap()).await, "300000");
    });
}

#[test]
fn doubtful_requests_are_refused_and_the_connection_stays() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let client = Client::connect(&gateway).await;
        let mut two = request("http://a.example/", Body::Empty);
        two.headers_mut().insert("host", "b.example".parse().unwrap());
        assert_eq!(client.send(two).await.unwrap().status(), 400);
        let mut many = request("http://a.example/", Body::Empty);
        for n in 0..101 {
            many.headers_mut().append("x", n.to_string().parse().unwrap());
        }
        assert_eq!(client.send(many).await.unwrap().status(), 431);
        assert_eq!(client.send(request("http://a.example/", Body::Empty)).await.unwrap().status(), 200);
        assert_eq!(gateway.begun.get(), 1);
    });
}

#[test]
fn trailers_pass_both_ways() {
    run(async {
        let gateway = Gateway::start(settings(), |request, _| async move {
            let (bytes, trailers) = request.into_body().collect_bounded(100).await.map_err(|_| Abort)?;
            Ok(Response::new(Body::from_parts(bytes, trailers)))
        })
        .await;
        let client = Client::connect(&gateway).await;
        let trailers: http::HeaderMap =
            [(http::HeaderName::from_static("grpc-status"), http::HeaderValue::from_static("0"))]
                .into_iter()
                .collect();
        let sent = Body::from_parts("abc".into(), Some(trailers.clone()));
        let answer = client.send(request("http://a/", sent)).await.unwrap();
        let body = Body::Received(Received::new(answer.into_body(), Origin::Upstream));
        let (bytes, found) = body.collect_bounded(100).await.unwrap();
        assert_eq!((&bytes[..], found), (&b"abc"[..], Some(trailers)));
    });
}

#[test]
fn a_slow_body_ends_its_stream_only() {
    run(async {
        let mut short = settings();
        short.timeouts.body = Duration::from_millis(50);
        let gateway = Gateway::start(short, |request, _| async move {
            let kind = match request.into_body().collect_bounded(100).await {
                Err(CollectError::Body(error)) if error.origin == Origin::Client => error.kind,
                _ => "none",
            };
            Ok(Response::new(Body::from(kind)))
        })
        .await;
        let client = Client::connect(&gateway).await;
        assert_eq!(
            text(client.send(request("http://a/", Body::stream(Stuck(false)))).await.unwrap()).await,
            "timeout"
        );
        assert_eq!(text(client.send(request("http://a/", Body::from("x"))).await.unwrap()).await, "none");
    });
}

#[test]
fn a_stream_that_is_reset_ends_its_exchange_with_an_error() {
    run(async {
        let (begun, kinds) = (Rc::new(Cell::new(false)), Rc::new(RefCell::new(Vec::new())));
        let (b, k) = (Rc::clone(&begun), Rc::clone(&kinds));
        let gateway = Gateway::start(settings(), move |request, _| {
            let (begun, kinds) = (Rc::clone(&b), Rc::clone(&k));
            begun.set(true);
            // The body is read elsewhere, as an upstream does: the handler itself is dropped with its stream.
            tokio::task::spawn_local(async move {
                if let Err(CollectError::Body(error)) = request.into_body().collect_bounded(100).await {
                    kinds.borrow_mut().push((error.origin, error.kind));
                }
            });
            std::future::pending::<Result<Response<Body>, Abort>>()
        })
        .await;
        let client = Client::connect(&gateway).await;
        tokio::select! {
            _ = client.send(request("http://a/", Body::stream(Stuck(false)))) => panic!("there is no answer"),
            () = until(|| begun.get()) => {}
        }
        until(|| !kinds.borrow().is_empty()).await;
        assert_eq!(*kinds.borrow(), [(Origin::Client, "reset")]);
    });
}

#[test]
fn draining_says_goaway_and_finishes_the_streams() {
    run(async {
        let (begun, go) = (Rc::new(Cell::new(false)), Rc::new(tokio::sync::Notify::new()));
        let (b, told) = (Rc::clone(&begun), Rc::clone(&go));
        let gateway = Gateway::start(settings(), move |_, _| {
            b.set(true);
            let told = Rc::clone(&told);
            async move {
                told.notified().await;
                Ok(Response::new(Body::from("done")))
            }
        })
        .await;
        let (busy, idle) = (Client::connect(&gateway).await, Client::connect(&gateway).await);
        let answer = busy.send(request("http://a/", Body::Empty));
        let drain = async {
            until(|| begun.get() && gateway.begun.get() == 2).await;
            gateway.drain.start(Instant::now() + Duration::from_secs(20));
            until(|| idle.ended.get()).await;
            assert!(!busy.ended.get());
            go.notify_one();
        };
        let (answer, ()) = tokio::join!(answer, drain);
        assert_eq!(text(answer.unwrap()).await, "done");
        until(|| busy.ended.get()).await;
        gateway.drain.finished().await;
    });
}

#[test]
fn an_idle_connection_is_closed() {
    run(async {
        let mut short = settings();
        short.timeouts.idle = Duration::from_millis(50);
        let gateway = Gateway::echo(short).await;
        let client = Client::connect(&gateway).await;
        assert_eq!(text(client.send(request("http://a/", Body::Empty)).await.unwrap()).await, "POST / a ");
        until(|| client.ended.get()).await;
        gateway.drain.finished().await;
    });
}

#[test]
fn a_head_request_has_no_data() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let client = Client::connect(&gateway).await;
        let head = Request::builder().method("HEAD").uri("http://a/").body(Body::Empty).unwrap();
        let answer = client.send(head).await.unwrap();
        assert_eq!(answer.headers()["content-length"], "9");
        assert_eq!(text(answer).await, "");
    });
}
