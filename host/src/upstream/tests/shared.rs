//! Targets that speak HTTP/2: many exchanges on one connection, trailers, and what becomes of exchanges whose connection goes away.

use ::h2::server::{self, Connection, SendResponse};
use ::h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Body as _;
use tokio::net::TcpStream;

use super::*;
use crate::net::testing::{run, until};
use crate::upstream::{UpstreamErrorKind, Wait};

type Served = Connection<TcpStream, Bytes>;

/// A target that runs `script` for each connection, with its number.
async fn start<F: Future<Output = ()> + 'static>(
    streams: u32,
    script: impl Fn(usize, Served) -> F + 'static,
) -> (SocketAddr, Rc<Cell<usize>>) {
    let (listener, address) = listen().await;
    let connections = Rc::new(Cell::new(0));
    let count = Rc::clone(&connections);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = count.get();
            count.set(number + 1);
            let served = server::Builder::new().max_concurrent_streams(streams).handshake(stream);
            if let Ok(served) = served.await {
                tokio::task::spawn_local(script(number, served));
            }
        }
    });
    (address, connections)
}

/// Answers every request with its own body, and its trailers with those that came.
async fn echo(_: usize, mut served: Served) {
    while let Some(Ok((request, respond))) = served.accept().await {
        tokio::task::spawn_local(answer(request, respond));
    }
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let said = format!("{} {}", request.method(), request.uri());
    let te = request.headers().get("te").cloned();
    let mut body = request.into_body();
    let mut head = Response::new(());
    head.headers_mut().insert("x-said", HeaderValue::try_from(said).unwrap());
    head.headers_mut().extend(te.map(|te| (http::HeaderName::from_static("x-te"), te)));
    let mut send = respond.send_response(head, false).unwrap();
    while let Some(Ok(data)) = body.data().await {
        body.flow_control().release_capacity(data.len()).unwrap();
        send.send_data(data, false).unwrap();
    }
    let trailers = body.trailers().await.ok().flatten().unwrap_or_default();
    let _ = send.send_trailers(
        [("x-seen", trailers.len())]
            .map(|(name, count)| (http::HeaderName::from_static(name), HeaderValue::from(count)))
            .into_iter()
            .collect(),
    );
}

fn over(address: SocketAddr) -> Rc<Upstream> {
    upstream(config::Upstream { protocol: config::UpstreamProtocol::H2, ..config(&[address]) })
}

async fn send(upstream: &Upstream, request: Request<Body>) -> Result<Answer, UpstreamError> {
    upstream.send(request, &Timer::own(), Instant::now()).await
}

/// So many at the same time.
async fn together<T: 'static, F: Future<Output = T> + 'static>(
    count: usize,
    upstream: &Rc<Upstream>,
    exchange: impl Fn(Rc<Upstream>) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..count).map(|_| tokio::task::spawn_local(exchange(Rc::clone(upstream)))).collect();
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    all
}

fn post(body: &'static str) -> Request<Body> {
    request(Method::POST, Body::from(body))
}

#[test]
fn heads_bodies_and_trailers_pass_both_ways() {
    run(async {
        let (address, connections) = start(100, echo).await;
        let upstream = over(address);
        for (number, body) in ["", "body"].into_iter().enumerate() {
            let answer = send(&upstream, post(body)).await.unwrap();
            assert_eq!(answer.reused, number > 0);
            let (head, received) = answer.response.into_parts();
            assert_eq!(head.headers["x-said"], "POST http://shop.example/a?b");
            assert_eq!(head.headers["x-te"], "trailers");
            let (bytes, trailers) = received.collect_bounded(100).await.unwrap();
            assert_eq!((&bytes[..], &trailers.unwrap()["x-seen"]), (body.as_bytes(), &HeaderValue::from(0)));
        }
        let mut trailers = HeaderMap::new();
        for name in ["x-sum", "content-length", "x-consumer-id"] {
            trailers.insert(name, HeaderValue::from_static("1"));
        }
        let body = Body::from_parts(Bytes::from_static(b"abc"), Some(trailers));
        let answer = send(&upstream, request(Method::PUT, body)).await.unwrap();
        let (bytes, trailers) = answer.response.into_body().collect_bounded(100).await.unwrap();
        // The sum alone: the others have no place there.
        assert_eq!((&bytes[..], &trailers.unwrap()["x-seen"]), (&b"abc"[..], &HeaderValue::from(1)));
        assert_eq!((connections.get(), upstream.targets[0].shared()), (1, 1));
    });
}

#[test]
fn hints_are_told_before_the_answer() {
    run(async {
        let (address, _) = start(100, |_, mut served| async move {
            while let Some(Ok((_, mut respond))) = served.accept().await {
                for (status, link) in [(103, "a"), (102, "b"), (103, "c")] {
                    let interim = Response::builder().status(status).header("link", link).body(()).unwrap();
                    respond.send_informational(interim).unwrap();
                }
                respond.send_response(Response::new(()), true).unwrap();
            }
        })
        .await;
        let (upstream, timer, heard) = (over(address), Timer::own(), Cell::new(Vec::new()));
        let hear = |fields: &HeaderMap| {
            let mut all = heard.take();
            all.push(fields["link"].clone());
            heard.set(all);
        };
        let wait = Wait::new(&timer, Some(&hear));
        let answer = upstream.send(get(), wait, Instant::now()).await.unwrap();
        assert_eq!(answer.response.status(), 200);
        assert_eq!(heard.take(), ["a", "c"]);
    });
}

#[test]
fn a_part_passes_before_the_next_one_is_there() {
    run(async {
        let (address, _) = start(100, echo).await;
        let upstream = over(address);
        let (body, end) = streamed("one");
        let answer = send(&upstream, request(Method::POST, body)).await.unwrap();
        let mut body = answer.response.into_body();
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        end.send(Ok(())).unwrap();
        assert!(body.collect_bounded(100).await.unwrap().1.is_some());
    });
}

#[test]
fn exchanges_share_connections_as_far_as_the_target_allows() {
    run(async {
        for (streams, expected) in [(100, 1), (10, 5)] {
            let (address, connections) = start(streams, echo).await;
            let upstream = over(address);
            // Until the target has said how many it takes.
            text(send(&upstream, get()).await.unwrap()).await;
            let under_way = together(50, &upstream, |upstream| async move {
                let (body, end) = streamed("x");
                (send(&upstream, request(Method::POST, body)).await.unwrap(), end)
            })
            .await;
            assert_eq!(connections.get(), expected, "{streams} streams");
            for (answer, end) in under_way {
                end.send(Ok(())).unwrap();
                assert_eq!(text(answer).await, "x");
            }
        }
    });
}

#[test]
fn what_a_target_has_not_looked_at_is_sent_again_whatever_it_is() {
    run(async {
        // The first stream of the first connection is refused.
        let (address, connections) = start(100, |number, mut served| async move {
            if let (0, Some(Ok((_, mut respond)))) = (number, served.accept().await) {
                respond.send_reset(Reason::REFUSED_STREAM);
            }
            echo(number, served).await;
        })
        .await;
        let upstream = over(address);
        assert_eq!(text(send(&upstream, post("again")).await.unwrap()).await, "again");
        assert_eq!(connections.get(), 1);
        // One that is a stream, of which a part is gone, is not.
        let (address, _) = start(100, |_, mut served| async move {
            while let Some(Ok((_, mut respond))) = served.accept().await {
                respond.send_reset(Reason::REFUSED_STREAM);
            }
        })
        .await;
        let upstream = over(address);
        let (body, _end) = streamed("gone");
        assert_eq!(kind(send(&upstream, request(Method::POST, body)).await).await, UpstreamErrorKind::Reset);
        // Nor is anything sent for ever.
        assert_eq!(kind(send(&upstream, post("never")).await).await, UpstreamErrorKind::Reset);
    });
}

#[test]
fn a_connection_that_goes_away_loses_nothing() {
    run(async {
        // Every connection takes three exchanges and then says that it goes.
        let (address, connections) = start(100, |_, mut served| async move {
            let mut count = 0;
            while let Some(Ok((request, respond))) = served.accept().await {
                count += 1;
                if count == 3 {
                    served.graceful_shutdown();
                }
                tokio::task::spawn_local(answer(request, respond));
            }
        })
        .await;
        let upstream = over(address);
        for number in 0..100 {
            let body = if number % 2 == 0 { post("one at a time") } else { get() };
            text(send(&upstream, body).await.unwrap()).await;
        }
        assert!((20..=40).contains(&connections.get()), "{} connections", connections.get());
        let one = |upstream: Rc<Upstream>| async move {
            text(send(&upstream, post("together")).await.unwrap()).await
        };
        assert!(together(100, &upstream, one).await.iter().all(|text| text == "together"));
    });
}

#[test]
fn a_connection_that_breaks_is_not_the_end_of_what_may_be_sent_twice() {
    run(async {
        // The first connection serves one exchange and breaks in the second.
        let (address, connections) = start(100, |number, mut served| async move {
            if number == 0 {
                if let Some(Ok((request, respond))) = served.accept().await {
                    tokio::task::spawn_local(answer(request, respond));
                }
                let _ = served.accept().await;
                return;
            }
            echo(number, served).await;
        })
        .await;
        let upstream = over(address);
        text(send(&upstream, get()).await.unwrap()).await;
        text(send(&upstream, get()).await.unwrap()).await;
        assert_eq!(connections.get(), 2);
    });
    run(async {
        let (address, _) = start(100, |_, mut served| async move {
            if let Some(Ok((request, respond))) = served.accept().await {
                tokio::task::spawn_local(answer(request, respond));
            }
            let _ = served.accept().await;
        })
        .await;
        let upstream = over(address);
        text(send(&upstream, get()).await.unwrap()).await;
        // It may have been processed.
        assert_eq!(kind(send(&upstream, post("once")).await).await, UpstreamErrorKind::Reset);
    });
}

#[test]
fn a_response_that_is_cut_off_is_no_whole_one() {
    for reason in [Reason::INTERNAL_ERROR, Reason::NO_ERROR] {
        run(async move {
            let read = Rc::new(tokio::sync::Notify::new());
            let told = Rc::clone(&read);
            let (address, _) = start(100, move |_, mut served| {
                let told = Rc::clone(&told);
                async move {
                    while let Some(Ok((_, mut respond))) = served.accept().await {
                        let mut send = respond.send_response(Response::new(()), false).unwrap();
                        send.send_data(Bytes::from_static(b"half"), false).unwrap();
                        let told = Rc::clone(&told);
                        tokio::task::spawn_local(async move {
                            told.notified().await;
                            send.send_reset(reason);
                        });
                    }
                }
            })
            .await;
            let upstream = over(address);
            let mut body = send(&upstream, get()).await.unwrap().response.into_body();
            let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.unwrap();
            assert_eq!(frame.unwrap().into_data().unwrap(), "half");
            read.notify_one();
            let error = body.collect_bounded(100).await.unwrap_err();
            assert!(matches!(error, crate::body::CollectError::Body(_)), "{reason:?}: {error:?}");
        });
    }
}

#[test]
fn a_target_that_speaks_something_else_is_told_from_one_that_is_silent() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
            raw.until("\u{0}").await;
        })
        .await;
        let mistaken = over(origin.address);
        assert_eq!(kind(send(&mistaken, get()).await).await, UpstreamErrorKind::Protocol);
        let (address, _) = start(100, |_, mut served| async move {
            let mut kept = Vec::new();
            while let Some(Ok(stream)) = served.accept().await {
                kept.push(stream);
            }
        })
        .await;
        let timeouts =
            config::UpstreamTimeouts { request: Duration::from_millis(50), ..config(&[address]).timeouts };
        let protocol = config::UpstreamProtocol::H2;
        let upstream = upstream(config::Upstream { protocol, timeouts, ..config(&[address]) });
        assert_eq!(kind(send(&upstream, get()).await).await, UpstreamErrorKind::Timeout);
        assert_eq!(upstream.targets[0].streams(), 0);
    });
}

/// A target that accepts streams and never says another word is not asked again on that connection; one that answers others is.
#[test]
fn a_connection_on_which_nothing_is_heard_is_left() {
    run(async {
        for speaks in [false, true] {
            let (address, connections) = start(100, move |_, mut served| async move {
                let mut kept = Vec::new();
                while let Some(Ok((request, respond))) = served.accept().await {
                    if request.uri().path() == "/answered" && speaks {
                        tokio::task::spawn_local(answer(request, respond));
                    } else {
                        kept.push((request, respond));
                    }
                }
            })
            .await;
            let timeouts = config::UpstreamTimeouts {
                request: Duration::from_millis(80),
                ..config(&[address]).timeouts
            };
            let protocol = config::UpstreamProtocol::H2;
            let upstream = upstream(config::Upstream { protocol, timeouts, ..config(&[address]) });
            // The first is answered too late either way, and the target has said its settings meanwhile.
            let _ = send(&upstream, get()).await;
            let waits =
                together(1, &upstream, |upstream| async move { send(&upstream, get()).await.is_ok() });
            let speaks_up = async {
                let mut other = get();
                *other.uri_mut() = "/answered".parse().unwrap();
                send(&upstream, other).await.is_ok()
            };
            let (waited, answered) = tokio::join!(waits, speaks_up);
            assert_eq!((waited, answered), (vec![false], speaks));
            let before = connections.get();
            let _ = send(&upstream, get()).await;
            assert_eq!(connections.get() - before, usize::from(!speaks), "speaks: {speaks}");
        }
    });
}

/// Answers `/endless` with messages of so few bytes, a frame each, and others at once.
async fn small(_: usize, mut served: Served) {
    while let Some(Ok((request, mut respond))) = served.accept().await {
        tokio::task::spawn_local(async move {
            if request.uri().path() != "/endless" {
                answer(request, respond).await;
                return;
            }
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            for _ in 0..100_000 {
                body.reserve_capacity(5);
                while body.capacity() < 5 {
                    if !matches!(std::future::poll_fn(|cx| body.poll_capacity(cx)).await, Some(Ok(_))) {
                        return;
                    }
                }
                if body.send_data(Bytes::from_static(b"hello"), false).is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }
}

/// However many responses nobody reads, of messages however small, the others on their connection go on.
#[test]
fn readers_that_stall_hold_up_nobody_else() {
    run(async {
        let (address, connections) = start(300, small).await;
        let upstream = over(address);
        let endless = |upstream: Rc<Upstream>| async move {
            let mut request = get();
            *request.uri_mut() = "/endless".parse().unwrap();
            send(&upstream, request).await.unwrap()
        };
        let stalled = together(120, &upstream, endless).await;
        // Each window is full: the target can send no more to any of them.
        for _ in 0..30_000 {
            tokio::task::yield_now().await;
        }
        let answer = send(&upstream, post("body")).await.unwrap();
        let (bytes, _) = answer.response.into_body().collect_bounded(100).await.unwrap();
        assert_eq!((&bytes[..], connections.get()), (&b"body"[..], 1));
        drop(stalled);
        // Those that left were all reset at once; who comes then is served on the same connection.
        for _ in 0..20 {
            drop(together(100, &upstream, endless).await);
            tokio::task::yield_now().await;
        }
        let answer = send(&upstream, post("again")).await.unwrap();
        let (bytes, _) = answer.response.into_body().collect_bounded(100).await.unwrap();
        assert_eq!((&bytes[..], connections.get()), (&b"again"[..], 1));
    });
}

#[test]
fn a_connection_that_nobody_uses_is_closed() {
    run(async {
        let ended = Rc::new(Cell::new(0));
        let count = Rc::clone(&ended);
        let (address, _) = start(100, move |number, served| {
            let count = Rc::clone(&count);
            async move {
                echo(number, served).await;
                count.set(count.get() + 1);
            }
        })
        .await;
        let timeouts =
            config::UpstreamTimeouts { idle: Duration::from_millis(50), ..config(&[address]).timeouts };
        let protocol = config::UpstreamProtocol::H2;
        let upstream = upstream(config::Upstream { protocol, timeouts, ..config(&[address]) });
        let (body, end) = streamed("x");
        let answer = send(&upstream, request(Method::POST, body)).await.unwrap();
        // One that is used stays.
        tokio::time::sleep(Duration::from_millis(120)).await;
        assert_eq!((upstream.targets[0].shared(), ended.get()), (1, 0));
        end.send(Ok(())).unwrap();
        text(answer).await;
        until(|| ended.get() == 1).await;
        assert_eq!(upstream.targets[0].shared(), 0);
    });
}

#[test]
fn a_failed_attempt_to_connect_is_everyones_who_waited_for_it() {
    run(async {
        let (listener, address) = listen().await;
        drop(listener);
        let upstream = over(address);
        let one = |upstream: Rc<Upstream>| async move { kind(send(&upstream, get()).await).await };
        let kinds = together(50, &upstream, one).await;
        assert!(kinds.iter().all(|kind| *kind == UpstreamErrorKind::Connect), "{kinds:?}");
    });
}
