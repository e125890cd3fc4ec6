//! HTTP/1 as clients send it: reused, pipelined, in pieces, chunked, odd.

use super::*;
use crate::net::testing::run;

#[test]
fn a_connection_carries_one_request_after_the_other() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let mut client = gateway.connect().await;
        for number in 0..5 {
            client.send(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            let (head, body) = client.response().await;
            assert!(head.starts_with("http/1.1 200 ok\r\n") && head.contains("date: "), "{head}");
            assert_eq!(body, format!("GET /{number} a "));
        }
        assert_eq!(gateway.begun.get(), 1);
    });
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let mut client = gateway.connect().await;
        client
            .send(
                "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\n\
                 POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\nGET /4 HTTP/1.1\r\nHo",
            )
            .await;
        for expected in ["POST /1 a abc", "GET /2 a ", "POST /3 a de"] {
            assert_eq!(client.response().await.1, expected);
        }
        client.send("st: a\r\n\r\n").await;
        assert_eq!(client.response().await.1, "GET /4 a ");
    });
}

#[test]
fn a_request_may_come_byte_by_byte() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let mut client = gateway.connect().await;
        for byte in b"\r\nPOST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;e=1\r\nabc\r\n0\r\nx-t: 1\r\n\r\n" {
            client.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.response().await.1, "POST /x a abc");
    });
}

#[test]
fn a_head_larger_than_a_read_and_a_body_behind_it() {
    run(async {
        let mut settings = settings();
        settings.limits.header_bytes = 100 << 10;
        let gateway = Gateway::echo(settings).await;
        let mut client = gateway.connect().await;
        for _ in 0..2 {
            let field = format!("X-Large: {}\r\n", "v".repeat(900));
            client
                .send(format!(
                    "POST /large HTTP/1.1\r\nHost: a\r\n{}Content-Length: 3\r\n\r\nabc",
                    field.repeat(90)
                ))
                .await;
            assert_eq!(client.response().await.1, "POST /large a abc");
        }
    });
}

#[test]
fn old_clients_and_those_that_ask_to_close_are_closed_on() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        for request in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"] {
            let mut client = gateway.connect().await;
            client.send(request).await;
            let (text, clean) = client.rest().await;
            assert!(
                text.starts_with("HTTP/1.") && text.contains("200 OK") && text.contains("GET /"),
                "{text}"
            );
            assert!(clean);
        }
    });
}

#[test]
fn the_absolute_form_names_the_host() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let mut client = gateway.connect().await;
        client.send("GET http://b.example:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.response().await.1, "GET /x?y b.example:81 ");
        client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.response().await.1, "OPTIONS * a ");
    });
}

#[test]
fn a_head_request_gets_the_length_and_no_body() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let mut client = gateway.connect().await;
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(client.head().await.contains("content-length: 9\r\n"));
        assert_eq!(client.response().await.1, "GET / a ");
    });
}

#[test]
fn a_client_that_expects_100_gets_it_when_the_body_is_wanted_and_only_then() {
    run(async {
        let gateway = Gateway::start(settings(), |request, _| async move {
            if request.uri().path() == "/refuse" {
                return Ok(Response::builder().status(403).body(Body::Empty).unwrap());
            }
            let (body, _) = request.into_body().collect_bounded(10).await.map_err(|_| Abort)?;
            Ok(Response::new(Body::Whole(body)))
        })
        .await;
        let mut client = gateway.connect().await;
        client
            .send("POST /take HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            .await;
        assert_eq!(client.head().await, "http/1.1 100 continue\r\n\r\n");
        client.send("abc").await;
        assert_eq!(client.response().await.1, "abc");
        client
            .send("POST /refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            .await;
        let (text, _) = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 403") && text.contains("connection: close"), "{text}");
    });
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_sending() {
    run(async {
        let gateway = Gateway::start(settings(), |_, _| async move {
            Ok(Response::builder().status(413).body(Body::from("too large")).unwrap())
        })
        .await;
        let mut client = gateway.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n").await;
        // Far more than the kernel holds: without lingering the answer would be lost to a reset.
        client.send(vec![b'x'; 3_000_000]).await;
        let (text, clean) = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 413") && text.ends_with("too large"), "{text}");
        assert!(clean);
    });
}

#[test]
fn an_aborted_exchange_closes_without_an_answer() {
    run(async {
        let gateway = Gateway::start(settings(), |_, _| async { Err(Abort) }).await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.rest().await.0, "");
    });
}

#[test]
fn a_client_that_leaves_ends_the_exchange() {
    run(async {
        struct Guard(Rc<Cell<bool>>);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        let (begun, ended) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        let (b, e) = (Rc::clone(&begun), Rc::clone(&ended));
        let gateway = Gateway::start(settings(), move |_, _| {
            let guard = Guard(Rc::clone(&e));
            b.set(true);
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        })
        .await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        crate::net::testing::until(|| begun.get()).await;
        drop(client);
        crate::net::testing::until(|| ended.get()).await;
        gateway.drain.finished().await;
    });
}

#[test]
fn a_connection_that_napped_serves_as_before() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let mut client = gateway.connect().await;
        for number in 0..3 {
            client.send(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            assert_eq!(client.response().await.1, format!("GET /{number} a "));
            // Longer than it takes to fall asleep.
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        // Half a head wakes it, and waits for the other half.
        client.send("GET /half HTTP/1.1\r\n").await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        client.send("Host: b\r\n\r\n").await;
        assert_eq!(client.response().await.1, "GET /half b ");
        tokio::time::sleep(Duration::from_millis(60)).await;
        client
            .send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        assert!(client.head().await.starts_with("http/1.1 400 "));
        assert_eq!(gateway.begun.get(), 1);
    });
}

#[test]
fn a_sleeping_connection_ends_at_its_idle_deadline_and_with_a_drain() {
    run(async {
        let mut short = settings();
        short.timeouts.idle = Duration::from_millis(150);
        let gateway = Gateway::echo(short).await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.response().await;
        let start = Instant::now();
        assert_eq!(client.rest().await, (String::new(), true));
        assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());

        let gateway = Gateway::echo(settings()).await;
        let mut client = gateway.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.response().await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        gateway.drain.start(Instant::now() + Duration::from_secs(10));
        assert_eq!(client.rest().await, (String::new(), true));
        gateway.drain.finished().await;
    });
}

#[test]
fn what_follows_an_early_answer_is_never_taken_for_a_request() {
    run(async {
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        let gateway = Gateway::start(settings(), move |_, _| {
            count.set(count.get() + 1);
            async { Ok(Response::builder().status(413).body(Body::Empty).unwrap()) }
        })
        .await;
        let mut client = gateway.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n0123456789").await;
        assert!(client.head().await.starts_with("http/1.1 413 "));
        // Longer than it takes to fall asleep, shorter than the connection lingers.
        tokio::time::sleep(Duration::from_millis(60)).await;
        client.send("GET /admin HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let _ = client.rest().await;
        assert_eq!(asked.get(), 1);
    });
}

#[test]
fn an_empty_line_after_a_request_keeps_nobody_awake() {
    run(async {
        let mut short = settings();
        short.timeouts.idle = Duration::from_millis(150);
        let gateway = Gateway::echo(short).await;
        let mut client = gateway.connect().await;
        client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\n").await;
        assert_eq!(client.response().await.1, "GET /1 a ");
        tokio::time::sleep(Duration::from_millis(60)).await;
        client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n\r\n").await;
        assert_eq!(client.response().await.1, "GET /2 a ");
        // And its idle deadline holds.
        assert_eq!(client.rest().await, (String::new(), true));
    });
}
