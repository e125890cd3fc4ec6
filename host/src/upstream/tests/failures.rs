//! Targets that are slow, silent, broken or gone.

use super::*;
use tokio::io::AsyncWriteExt as _;

use crate::body;
use crate::body::CollectError;
use crate::net::testing::run;
use crate::upstream::UpstreamErrorKind;

fn patient_for(address: SocketAddr, millis: u64) -> Rc<Upstream> {
    let mut short = config(&[address]);
    short.timeouts.request = Duration::from_millis(millis);
    upstream(short)
}

#[test]
fn a_silent_target_runs_into_the_deadline() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.rest().await;
        })
        .await;
        let upstream = patient_for(origin.address, 40);
        let start = Instant::now();
        assert_eq!(
            kind(upstream.send(get(), &Timer::own(), Instant::now()).await).await,
            UpstreamErrorKind::Timeout
        );
        assert!(start.elapsed() >= Duration::from_millis(40));
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn the_deadline_of_a_second_exchange_counts_from_its_own_beginning() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            for _ in 0..3 {
                raw.head().await;
                tokio::time::sleep(Duration::from_millis(60)).await;
                raw.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            }
            raw.rest().await;
        })
        .await;
        let upstream = patient_for(origin.address, 150);
        for _ in 0..3 {
            upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap();
        }
        assert_eq!(
            kind(upstream.send(get(), &Timer::own(), Instant::now()).await).await,
            UpstreamErrorKind::Timeout
        );
        assert_eq!(origin.connections.get(), 1);
    });
}

#[test]
fn the_target_does_not_pay_for_a_slow_client() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.until("0\r\n\r\n").await;
            raw.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            raw.rest().await;
        })
        .await;
        let upstream = patient_for(origin.address, 40);
        let (body, tell) = streamed("abc");
        let slow = async {
            tokio::time::sleep(Duration::from_millis(120)).await;
            tell.send(Ok(())).unwrap();
        };
        let timer = Timer::own();
        let (answer, ()) =
            tokio::join!(upstream.send(request(Method::POST, body), &timer, Instant::now()), slow);
        assert_eq!(answer.unwrap().response.status(), 200);
    });
}

#[test]
fn a_connection_that_is_not_made_in_time() {
    run(async {
        // A queue of one that is full: the kernel lets further connections wait.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let _first = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut short = config(&[address]);
        short.timeouts.connect = Duration::from_millis(40);
        let upstream = upstream(short);
        let mut kinds = Vec::new();
        for _ in 0..3 {
            kinds.push(
                match tokio::time::timeout(
                    Duration::from_millis(200),
                    upstream.send(get(), &Timer::own(), Instant::now()),
                )
                .await
                {
                    Ok(result) => Some(kind(result).await),
                    Err(_) => None,
                },
            );
        }
        assert!(kinds.contains(&Some(UpstreamErrorKind::ConnectTimeout)), "{kinds:?}");
    });
}

#[test]
fn what_is_not_http_is_a_protocol_failure() {
    run(async {
        for reply in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        ] {
            let origin = Origin::start(move |_, mut raw| async move {
                raw.head().await;
                raw.send(reply).await;
                raw.rest().await;
            })
            .await;
            let upstream = upstream(config(&[origin.address]));
            assert_eq!(
                kind(upstream.send(get(), &Timer::own(), Instant::now()).await).await,
                UpstreamErrorKind::Protocol,
                "{reply}"
            );
        }
    });
}

#[test]
fn a_target_that_never_comes_to_the_point_is_cut_off() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.head().await;
            let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
            while raw.stream.write_all(interim.as_bytes()).await.is_ok() {}
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        let result = upstream.send(get(), &Timer::own(), Instant::now()).await;
        assert_eq!(kind(result).await, UpstreamErrorKind::Protocol);
    });
}

#[test]
fn an_answer_that_comes_with_a_reset_is_still_an_answer() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.head().await;
            raw.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await;
            // Closed on what was not read.
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        let body = Body::from(vec![b'x'; 8 << 20]);
        let answer = upstream.send(request(Method::POST, body), &Timer::own(), Instant::now()).await;
        // A reset can overtake the answer in the kernel; what it must not do is hang or end in another way.
        match answer {
            Ok(answer) => assert_eq!(answer.response.status(), 413),
            Err(error) => assert_eq!(error.kind, UpstreamErrorKind::Reset),
        }
    });
}

#[test]
fn a_body_that_breaks_off_is_an_error_of_the_upstream() {
    run(async {
        for reply in [
            "Content-Length: 10\r\n\r\nhello",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX",
        ] {
            let origin = Origin::start(move |_, mut raw| async move {
                raw.head().await;
                raw.send(format!("HTTP/1.1 200 OK\r\n{reply}")).await;
            })
            .await;
            let upstream = upstream(config(&[origin.address]));
            let answer = upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap();
            match answer.response.into_body().collect_bounded(100).await {
                Err(CollectError::Body(error)) => assert_eq!(error.origin, body::Origin::Upstream),
                other => panic!("{other:?}"),
            }
            assert_eq!(upstream.idle(), 0);
        }
    });
}

#[test]
fn trailers_come_through() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.head().await;
            raw.send("HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n").await;
            raw.rest().await;
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        let answer = upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap();
        let (bytes, trailers) = answer.response.into_body().collect_bounded(100).await.unwrap();
        assert_eq!(
            (&bytes[..], &trailers.unwrap()["x-sum"]),
            (&b"abc"[..], &http::HeaderValue::from_static("9"))
        );
        assert_eq!(upstream.idle(), 1);
    });
}
