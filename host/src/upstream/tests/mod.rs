//! Upstreams against scripted origins on real sockets.

mod failures;
mod pool;
mod retries;
mod shared;

use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body::Frame;
use tokio::time::Instant;

use super::{Answer, Upstream, UpstreamError, Upstreams};
use crate::body::{Body, BodyError};
use crate::config;
use crate::net::Timer;
use crate::net::testing::{Raw, listen};

/// An origin that runs `script` for each connection, with its number.
struct Origin {
    address: SocketAddr,
    connections: Rc<Cell<usize>>,
}

impl Origin {
    async fn start<F: Future<Output = ()> + 'static>(script: impl Fn(usize, Raw) -> F + 'static) -> Self {
        let (listener, address) = listen().await;
        let connections = Rc::new(Cell::new(0));
        let count = Rc::clone(&connections);
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.get();
                count.set(number + 1);
                tokio::task::spawn_local(script(number, Raw::new(stream)));
            }
        });
        Self { address, connections }
    }

    /// Answers every request with its own number on the connection.
    async fn counting() -> Self {
        Self::start(|_, mut raw| async move {
            for number in 0.. {
                raw.head().await;
                raw.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}", number % 10)).await;
            }
        })
        .await
    }
}

fn config(targets: &[SocketAddr]) -> config::Upstream {
    config::Upstream {
        name: "orders".into(),
        targets: targets
            .iter()
            .map(|t| config::Target { host: t.ip().to_string(), port: t.port(), weight: 1 })
            .collect(),
        timeouts: config::UpstreamTimeouts {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(5),
            idle: Duration::from_secs(60),
        },
        protocol: config::UpstreamProtocol::H1,
        max_idle: 64,
    }
}

fn upstream(config: config::Upstream) -> Rc<Upstream> {
    let upstreams = Upstreams::new();
    let name = Arc::clone(&config.name);
    upstreams.reconcile([&Arc::new(config)]);
    upstreams.get(&name).unwrap()
}

fn request(method: Method, body: Body) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri("/a?b")
        .header(header::HOST, "shop.example")
        .header("x-a", "1")
        .body(body)
        .unwrap()
}

fn get() -> Request<Body> {
    request(Method::GET, Body::Empty)
}

async fn text(answer: Answer) -> String {
    let (bytes, _) = answer.response.into_body().collect_bounded(1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn kind(result: Result<Answer, UpstreamError>) -> super::UpstreamErrorKind {
    result.expect_err("there must be no answer").kind
}

/// A stream of one chunk of unknown length, which ends when told, or fails.
struct Streamed {
    chunk: Option<&'static str>,
    end: Option<tokio::sync::oneshot::Receiver<Result<(), BodyError>>>,
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(chunk) = self.chunk.take() {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from(chunk)))));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        match std::task::ready!(Pin::new(end).poll(cx)) {
            Ok(Err(error)) => Poll::Ready(Some(Err(error))),
            _ => {
                self.end = None;
                Poll::Ready(None)
            }
        }
    }
}

fn streamed(chunk: &'static str) -> (Body, tokio::sync::oneshot::Sender<Result<(), BodyError>>) {
    let (tell, end) = tokio::sync::oneshot::channel();
    (Body::stream(Streamed { chunk: Some(chunk), end: Some(end) }), tell)
}
