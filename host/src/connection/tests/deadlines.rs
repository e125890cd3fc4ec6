//! Clients that are too slow.

use tokio::time::Instant;

use super::*;
use crate::body::{CollectError, Origin};
use crate::net::testing::run;

const SHORT: Duration = Duration::from_millis(50);

fn with(change: impl FnOnce(&mut ListenerTimeouts)) -> config::Listener {
    let mut settings = settings();
    change(&mut settings.timeouts);
    settings
}

#[test]
fn a_client_that_says_nothing_is_closed_on() {
    run(async {
        let gateway = Gateway::echo(with(|timeouts| timeouts.header = SHORT)).await;
        for beginning in ["", "PRI * HT"] {
            let start = Instant::now();
            let mut client = gateway.connect().await;
            client.send(beginning).await;
            client.rest().await;
            assert!(
                start.elapsed() >= SHORT && start.elapsed() < Duration::from_secs(10),
                "{:?}",
                start.elapsed()
            );
        }
    });
}

#[test]
fn a_slow_head_is_answered_408() {
    run(async {
        let gateway = Gateway::echo(with(|timeouts| timeouts.header = SHORT)).await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Slo").await;
        let (text, clean) = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 408 ") && clean, "{text}");

        // Also the second one, whose time begins with its first byte and not with the end of the first.
        let gateway = Gateway::echo(with(|timeouts| timeouts.header = 4 * SHORT)).await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.response().await;
        tokio::time::sleep(5 * SHORT).await;
        let start = Instant::now();
        for byte in b"GET / HTTP/1.1\r\n" {
            client.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        let (text, _) = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
        assert!(start.elapsed() >= 4 * SHORT);
    });
}

#[test]
fn an_idle_connection_is_closed() {
    run(async {
        let gateway = Gateway::echo(with(|timeouts| timeouts.idle = SHORT)).await;
        let mut client = gateway.connect().await;
        for _ in 0..3 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            client.response().await;
        }
        let start = Instant::now();
        let (text, clean) = client.rest().await;
        assert_eq!((text.as_str(), clean), ("", true));
        assert!(start.elapsed() < Duration::from_secs(10));
        gateway.drain.finished().await;
    });
}

#[test]
fn an_exchange_is_not_idleness() {
    run(async {
        let gateway = Gateway::start(
            with(|timeouts| (timeouts.idle, timeouts.header) = (SHORT, SHORT)),
            |_, _| async {
                tokio::time::sleep(4 * SHORT).await;
                Ok(Response::new(Body::from("late")))
            },
        )
        .await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP").await;
        assert_eq!(client.response().await.1, "late");
    });
}

#[test]
fn a_slow_body_is_an_error_of_the_client_and_the_answer_gets_out() {
    run(async {
        let gateway = Gateway::start(with(|timeouts| timeouts.body = SHORT), |request, _| async move {
            let kind = match request.into_body().collect_bounded(100).await {
                Err(CollectError::Body(error)) if error.origin == Origin::Client => error.kind,
                _ => "none",
            };
            Ok(Response::builder().status(408).body(Body::from(kind)).unwrap())
        })
        .await;
        for framing in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
            let mut client = gateway.connect().await;
            client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}")).await;
            let (text, _) = client.rest().await;
            assert!(text.starts_with("HTTP/1.1 408 ") && text.ends_with("timeout"), "{text}");
        }
    });
}

#[test]
fn the_time_for_a_body_counts_between_its_pieces() {
    run(async {
        let mut settings = with(|timeouts| timeouts.body = 3 * SHORT);
        settings.limits.min_rate = 0;
        let gateway = Gateway::echo(settings).await;
        let mut client = gateway.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n").await;
        for _ in 0..6 {
            tokio::time::sleep(SHORT).await;
            client.send("x").await;
        }
        assert_eq!(client.response().await.1, "POST / a xxxxxx");
    });
}

#[test]
fn a_handler_that_takes_its_time_does_not_count_against_the_client() {
    run(async {
        let gateway = Gateway::start(with(|timeouts| timeouts.body = SHORT), |request, _| async move {
            tokio::time::sleep(4 * SHORT).await;
            let (body, _) = request.into_body().collect_bounded(100).await.map_err(|_| Abort)?;
            Ok(Response::new(Body::Whole(body)))
        })
        .await;
        let mut client = gateway.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
        assert_eq!(client.response().await.1, "abc");
    });
}

#[test]
fn a_client_that_stops_reading_is_closed_on() {
    run(async {
        let gateway = Gateway::start(with(|timeouts| timeouts.write = SHORT), |_, _| async {
            Ok(Response::new(Body::from("x".repeat(30 << 20))))
        })
        .await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.head().await;
        gateway.drain.finished().await;
    });
}
