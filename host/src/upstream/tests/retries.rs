//! What is sent again, and above all what is not.

use super::*;
use crate::body;
use crate::net::testing::run;
use crate::upstream::UpstreamErrorKind;

/// Answers one request and closes the connection at the moment the next one has arrived: the worst time to do it.
async fn closes_on_the_second(heard: Rc<Cell<usize>>) -> Origin {
    Origin::start(move |number, mut raw| {
        let heard = Rc::clone(&heard);
        async move {
            raw.head().await;
            heard.set(heard.get() + 1);
            raw.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst").await;
            raw.head().await;
            heard.set(heard.get() + 1);
            if number > 0 {
                raw.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain").await;
            }
        }
    })
    .await
}

#[test]
fn a_stale_connection_is_not_the_client_s_problem() {
    run(async {
        let heard = Rc::new(Cell::new(0));
        let origin = closes_on_the_second(Rc::clone(&heard)).await;
        let upstream = upstream(config(&[origin.address]));
        assert_eq!(text(upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap()).await, "first");
        let answer = upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap();
        assert!(!answer.reused);
        assert_eq!(text(answer).await, "first");
        assert_eq!((heard.get(), origin.connections.get()), (3, 2));
    });
}

#[test]
fn a_put_is_sent_again_with_its_body_and_its_head_as_it_was() {
    run(async {
        let heads = Rc::new(std::cell::RefCell::new(Vec::new()));
        let seen = Rc::clone(&heads);
        let origin = Origin::start(move |number, mut raw| {
            let seen = Rc::clone(&seen);
            async move {
                if number == 0 {
                    raw.head().await;
                    raw.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                }
                let head = raw.head().await;
                let body = raw.exactly(4).await;
                seen.borrow_mut().push((head, body));
                if number > 0 {
                    raw.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                    raw.rest().await;
                }
            }
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap();
        upstream.send(request(Method::PUT, Body::from("body")), &Timer::own(), Instant::now()).await.unwrap();
        let heads = heads.borrow();
        assert_eq!(heads.len(), 2);
        assert_eq!(heads[0], heads[1]);
        assert!(
            heads[0].0.starts_with("put /a?b http/1.1\r\n") && heads[0].0.contains("content-length: 4\r\n")
        );
    });
}

#[test]
fn a_post_that_may_have_been_processed_is_not_sent_again() {
    run(async {
        let heard = Rc::new(Cell::new(0));
        let origin = closes_on_the_second(Rc::clone(&heard)).await;
        let upstream = upstream(config(&[origin.address]));
        text(upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap()).await;
        let result =
            upstream.send(request(Method::POST, Body::from("x")), &Timer::own(), Instant::now()).await;
        assert_eq!(kind(result).await, UpstreamErrorKind::Reset);
        assert_eq!((heard.get(), origin.connections.get()), (2, 1));
    });
}

#[test]
fn a_streamed_body_is_not_sent_again() {
    run(async {
        let heard = Rc::new(Cell::new(0));
        let origin = closes_on_the_second(Rc::clone(&heard)).await;
        let upstream = upstream(config(&[origin.address]));
        text(upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap()).await;
        let (body, _tell) = streamed("abc");
        let result = upstream.send(request(Method::PUT, body), &Timer::own(), Instant::now()).await;
        assert_eq!(kind(result).await, UpstreamErrorKind::Reset);
        assert_eq!((heard.get(), origin.connections.get()), (2, 1));
    });
}

#[test]
fn nothing_is_sent_again_once_a_byte_has_come_back() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.head().await;
            raw.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            raw.head().await;
            raw.send("HTTP/1.1 20").await;
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap();
        assert_eq!(
            kind(upstream.send(get(), &Timer::own(), Instant::now()).await).await,
            UpstreamErrorKind::Reset
        );
        assert_eq!(origin.connections.get(), 1);
    });
}

#[test]
fn a_new_connection_that_closes_is_a_failure_and_not_a_stale_one() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.head().await;
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        assert_eq!(
            kind(upstream.send(get(), &Timer::own(), Instant::now()).await).await,
            UpstreamErrorKind::Reset
        );
        assert_eq!(origin.connections.get(), 1);
    });
}

#[test]
fn the_next_target_takes_over_from_one_that_cannot_be_connected_to() {
    run(async {
        let dead = {
            let (listener, address) = listen().await;
            drop(listener);
            address
        };
        let origin = Origin::counting().await;
        let both = upstream(config(&[dead, origin.address]));
        for _ in 0..4 {
            let (body, tell) = streamed("abc");
            tell.send(Ok(())).unwrap();
            // Even a POST with a streamed body: not a byte of it has left.
            let answer = both.send(request(Method::POST, body), &Timer::own(), Instant::now()).await.unwrap();
            assert_eq!(&*answer.target, origin.address.to_string());
            drop(answer);
        }
        let error = upstream(config(&[dead])).send(get(), &Timer::own(), Instant::now()).await.unwrap_err();
        assert_eq!(error.kind, UpstreamErrorKind::Connect);
        assert_eq!(error.target.as_deref(), Some(dead.to_string().as_str()));
        assert!(error.source.is_some());
        assert_eq!(
            kind(upstream(config(&[])).send(get(), &Timer::own(), Instant::now()).await).await,
            UpstreamErrorKind::NoTarget
        );
    });
}

#[test]
fn a_body_that_fails_is_never_ended_cleanly() {
    run(async {
        let rest = Rc::new(std::cell::RefCell::new(None));
        let seen = Rc::clone(&rest);
        let origin = Origin::start(move |_, mut raw| {
            let seen = Rc::clone(&seen);
            async move {
                raw.head().await;
                raw.until("abc\r\n").await;
                let after = raw.rest().await.0;
                *seen.borrow_mut() = Some(after);
            }
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        let (body, tell) = streamed("abc");
        let timer = Timer::own();
        let send = upstream.send(request(Method::POST, body), &timer, Instant::now());
        let fail = async {
            until_connected(&origin).await;
            tell.send(Err(BodyError::new(body::Origin::Client, "timeout"))).unwrap();
        };
        let (result, ()) = tokio::join!(send, fail);
        assert_eq!(kind(result).await, UpstreamErrorKind::RequestBody(body::Origin::Client, "timeout"));
        crate::net::testing::until(|| rest.borrow().is_some()).await;
        assert_eq!(rest.borrow().as_deref(), Some(""));
    });
}

async fn until_connected(origin: &Origin) {
    crate::net::testing::until(|| origin.connections.get() == 1).await;
}
