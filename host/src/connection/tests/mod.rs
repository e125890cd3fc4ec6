//! A gateway's client side on real sockets, with raw clients.

mod deadlines;
mod drain;
mod http1;
mod http2;
mod proxy;
mod refusals;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response};
use tokio::time::Instant;

use super::{Abort, Handler, Peer, Refusal, Transport, prepare_request, prepare_response, serve};
use crate::body::Body;
use crate::config::{self, ListenerLimits, ListenerTimeouts, PathRules, Protocols, Serve};
use crate::net::testing::{Raw, listen};
use crate::net::{Drain, Timer};
use crate::upstream::{Upstream, UpstreamErrorKind, Upstreams};

type Reply = Pin<Box<dyn Future<Output = Result<Response<Body>, Abort>>>>;

/// A handler made of a closure.
struct Closure {
    answer: Box<dyn Fn(Request<Body>, Rc<Peer>) -> Reply>,
    refused: Rc<RefCell<Vec<Refusal>>>,
}

impl Handler for Closure {
    async fn handle(
        &self,
        request: Request<Body>,
        peer: &Rc<Peer>,
        _timer: Timer,
    ) -> Result<Response<Body>, Abort> {
        (self.answer)(request, Rc::clone(peer)).await
    }

    fn refused(&self, refusal: Refusal, _: &Rc<Peer>) {
        self.refused.borrow_mut().push(refusal);
    }
}

pub(super) fn settings() -> config::Listener {
    config::Listener {
        name: "public".into(),
        bind: ([127, 0, 0, 1], 0).into(),
        serve: Serve::Proxy,
        protocols: Protocols { h1: true, h2: true },
        tls: None,
        trusted_proxies: Vec::new(),
        paths: PathRules::default(),
        proxy_protocol: false,
        timeouts: ListenerTimeouts {
            handshake: Duration::from_secs(20),
            header: Duration::from_secs(20),
            body: Duration::from_secs(20),
            write: Duration::from_secs(20),
            idle: Duration::from_secs(20),
            exchange: Duration::from_secs(20),
            tunnel: Duration::from_secs(20),
        },
        limits: ListenerLimits::default(),
    }
}

struct Gateway {
    address: SocketAddr,
    drain: Drain,
    refused: Rc<RefCell<Vec<Refusal>>>,
    /// Connections that have begun.
    begun: Rc<Cell<usize>>,
}

impl Gateway {
    async fn start<F>(
        settings: config::Listener,
        answer: impl Fn(Request<Body>, Rc<Peer>) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response<Body>, Abort>> + 'static,
    {
        let (listener, address) = listen().await;
        let (drain, refused, begun) = (Drain::new(), Rc::default(), Rc::new(Cell::new(0)));
        let handler = Rc::new(Closure {
            answer: Box::new(move |request, peer| Box::pin(answer(request, peer))),
            refused: Rc::clone(&refused),
        });
        let (settings, signal, count) = (Rc::new(settings), drain.clone(), Rc::clone(&begun));
        tokio::task::spawn_local(async move {
            while let Ok((stream, address)) = listener.accept().await {
                let peer = Rc::new(Peer::new(address, &settings));
                count.set(count.get() + 1);
                let stream = Transport::Plain(stream);
                let served = serve(stream, peer, Rc::clone(&settings), Rc::clone(&handler), signal.clone());
                tokio::task::spawn_local(served);
            }
        });
        Self { address, drain, refused, begun }
    }

    /// Answers with the method, the target, the host and the body.
    async fn echo(settings: config::Listener) -> Self {
        Self::start(settings, |request, _| async move {
            let host = request.headers()["host"].to_str().unwrap().to_owned();
            let line = format!("{} {} {host} ", request.method(), request.uri());
            let (body, _) = request.into_body().collect_bounded(1 << 20).await.map_err(|_| Abort)?;
            Ok(Response::new(Body::from([line.as_bytes(), &body].concat())))
        })
        .await
    }

    /// A proxy: what the exchange does around a chain without steps.
    async fn proxy(settings: config::Listener, target: SocketAddr) -> Self {
        let upstream = upstream(target);
        Self::start(settings, move |mut request, peer| {
            let upstream = Rc::clone(&upstream);
            async move {
                let version = request.version();
                prepare_request(request.headers_mut(), &peer, &[], version);
                match upstream.send(request, &Timer::own(), Instant::now()).await {
                    Ok(answer) => {
                        let mut response = answer.response;
                        prepare_response(response.headers_mut());
                        Ok(response)
                    }
                    Err(error) => {
                        let status = match error.kind {
                            UpstreamErrorKind::Timeout => 504,
                            UpstreamErrorKind::RequestBody(_, "timeout") => 408,
                            UpstreamErrorKind::RequestBody(..) => 400,
                            _ => 502,
                        };
                        Ok(Response::builder().status(status).body(Body::from(error.kind.as_str())).unwrap())
                    }
                }
            }
        })
        .await
    }

    async fn connect(&self) -> Raw {
        Raw::connect(self.address).await
    }
}

fn upstream(target: SocketAddr) -> Rc<Upstream> {
    let upstreams = Upstreams::new();
    upstreams.reconcile([&std::sync::Arc::new(config::Upstream {
        name: "orders".into(),
        targets: vec![config::Target { host: target.ip().to_string(), port: target.port(), weight: 1 }],
        timeouts: config::UpstreamTimeouts {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(20),
            idle: Duration::from_secs(60),
        },
        protocol: config::UpstreamProtocol::H1,
        max_idle: 64,
    })]);
    upstreams.get("orders").unwrap()
}
