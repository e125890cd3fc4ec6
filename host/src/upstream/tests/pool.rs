//! When a connection is used again, and when not.

use super::*;
use crate::net::testing::{run, until};

#[test]
fn one_after_the_other_shares_a_connection() {
    run(async {
        let origin = Origin::counting().await;
        let upstream = upstream(config(&[origin.address]));
        for number in 0..5 {
            let answer = upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap();
            assert_eq!(answer.reused, number > 0);
            assert_eq!(&*answer.target, origin.address.to_string());
            assert_eq!(text(answer).await, number.to_string());
        }
        assert_eq!((origin.connections.get(), upstream.idle()), (1, 1));
    });
}

#[test]
fn responses_without_a_body_give_the_connection_back_at_once() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.head().await;
            raw.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
            raw.head().await;
            raw.send("HTTP/1.1 204 No Content\r\n\r\n").await;
            raw.head().await;
            raw.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n").await;
            raw.head().await;
            raw.send(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
            raw.head().await;
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        let head =
            upstream.send(request(Method::HEAD, Body::Empty), &Timer::own(), Instant::now()).await.unwrap();
        assert_eq!(head.response.headers()["content-length"], "5");
        for status in [204, 304, 200] {
            let answer = upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap();
            assert_eq!(answer.response.status(), status);
        }
        assert_eq!(origin.connections.get(), 1);
    });
}

#[test]
fn concurrent_exchanges_have_connections_of_their_own_and_few_are_kept() {
    run(async {
        let origin = Origin::counting().await;
        let upstream = upstream(config::Upstream { max_idle: 2, ..config(&[origin.address]) });
        let exchange =
            || async { text(upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap()).await };
        let answers = tokio::join!(exchange(), exchange(), exchange(), exchange());
        assert_eq!(answers, ("0".into(), "0".into(), "0".into(), "0".into()));
        assert_eq!(origin.connections.get(), 4);
        assert_eq!(upstream.idle(), 2);
    });
}

#[test]
fn a_response_that_is_not_read_to_its_end_closes_the_connection() {
    run(async {
        let closed = Rc::new(Cell::new(0));
        let seen = Rc::clone(&closed);
        let origin = Origin::start(move |_, mut raw| {
            let seen = Rc::clone(&seen);
            async move {
                raw.head().await;
                raw.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
                raw.rest().await;
                seen.set(seen.get() + 1);
            }
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        drop(upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap());
        until(|| closed.get() == 1).await;
        assert_eq!(upstream.idle(), 0);
    });
}

#[test]
fn dropping_the_request_closes_the_connection() {
    run(async {
        let (heard, gone) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (h, g) = (Rc::clone(&heard), Rc::clone(&gone));
        let origin = Origin::start(move |_, mut raw| {
            let (heard, gone) = (Rc::clone(&h), Rc::clone(&g));
            async move {
                raw.head().await;
                heard.set(1);
                raw.rest().await;
                gone.set(1);
            }
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        let timer = Timer::own();
        tokio::select! {
            _ = upstream.send(get(), &timer, Instant::now()) => panic!("the origin never answers"),
            () = until(|| heard.get() == 1) => {}
        }
        until(|| gone.get() == 1).await;
    });
}

#[test]
fn an_answer_before_the_request_s_end_costs_the_connection() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.head().await;
            raw.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await;
            raw.rest().await;
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        let (body, tell) = streamed("abc");
        let answer = upstream.send(request(Method::POST, body), &Timer::own(), Instant::now()).await.unwrap();
        assert_eq!(answer.response.status(), 413);
        assert_eq!(text(answer).await, "no");
        assert_eq!(upstream.idle(), 0);
        // Its driver is gone, and the request's body with it.
        until(|| tell.is_closed()).await;
    });
}

#[test]
fn idle_connections_expire() {
    run(async {
        let origin = Origin::counting().await;
        let mut short = config(&[origin.address]);
        short.timeouts.idle = Duration::from_millis(30);
        let upstream = upstream(short);
        text(upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap()).await;
        assert_eq!(upstream.idle(), 1);
        until(|| upstream.idle() == 0).await;
    });
}

#[test]
fn a_connection_that_the_origin_closes_leaves_the_pool() {
    run(async {
        let origin = Origin::start(|_, mut raw| async move {
            raw.head().await;
            raw.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        })
        .await;
        let upstream = upstream(config(&[origin.address]));
        for _ in 0..3 {
            assert_eq!(text(upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap()).await, "ok");
            until(|| upstream.idle() == 0).await;
        }
        assert_eq!(origin.connections.get(), 3);
    });
}

#[test]
fn a_reload_keeps_the_connections_of_targets_that_stay() {
    run(async {
        let (stays, goes) = (Origin::counting().await, Origin::counting().await);
        let upstreams = Upstreams::new();
        let before = Arc::new(config(&[stays.address, goes.address]));
        upstreams.reconcile([&before]);
        let old = upstreams.get("orders").unwrap();
        for _ in 0..2 {
            text(old.send(get(), &Timer::own(), Instant::now()).await.unwrap()).await;
        }
        assert_eq!(old.idle(), 2);
        // The same again changes nothing at all.
        upstreams.reconcile([&before]);
        assert!(Rc::ptr_eq(&old, &upstreams.get("orders").unwrap()));

        let mut after = config(&[stays.address]);
        after.timeouts.request = Duration::from_secs(1);
        upstreams.reconcile([&Arc::new(after)]);
        let new = upstreams.get("orders").unwrap();
        assert_eq!(new.idle(), 1);
        let answer = new.send(get(), &Timer::own(), Instant::now()).await.unwrap();
        assert!(answer.reused);
        text(answer).await;
        // An exchange that holds the old snapshot still gets through.
        assert_eq!(text(old.send(get(), &Timer::own(), Instant::now()).await.unwrap()).await.len(), 1);
        drop(old);
        assert_eq!((stays.connections.get(), goes.connections.get()), (1, 1));
        upstreams.reconcile([]);
        assert!(upstreams.get("orders").is_none());
    });
}

#[test]
fn targets_take_turns() {
    run(async {
        let (one, two) = (Origin::counting().await, Origin::counting().await);
        let upstream = upstream(config(&[one.address, two.address]));
        for _ in 0..10 {
            text(upstream.send(get(), &Timer::own(), Instant::now()).await.unwrap()).await;
        }
        assert_eq!((one.connections.get(), two.connections.get(), upstream.idle()), (1, 1, 2));
    });
}
