//! Requests that get no further than the edge.

use super::*;
use crate::net::testing::run;

async fn refused(gateway: &Gateway, request: &str, status: u16) {
    let mut client = gateway.connect().await;
    client.send(request).await;
    let (text, clean) = client.rest().await;
    assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {text}");
    assert!(
        text.contains("connection: close") && text.contains("application/problem+json"),
        "{request:?}: {text}"
    );
    let body = text.split("\r\n\r\n").nth(1).unwrap();
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["status"], status);
    assert!(clean, "{request:?}");
}

#[test]
fn ambiguous_requests_are_answered_with_a_problem_and_the_connection_closes() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        for (request, status) in [
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: a\n\n", 400),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
                400,
            ),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
            ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
            ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
            ("GET / HTTP/1.9\r\nHost: a\r\n\r\n", 505),
            ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nB(d: 1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{1}\r\n\r\n", 400),
            ("GET /<a> HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET a.example HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ] {
            refused(&gateway, request, status).await;
        }
        let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(40 << 10));
        refused(&gateway, &large, 431).await;
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(120));
        refused(&gateway, &many, 431).await;
        assert_eq!(gateway.refused.borrow().len(), 19);
        assert_eq!(gateway.refused.borrow()[0], Refusal::Malformed("`Host` is missing"));
    });
}

#[test]
fn what_came_before_is_served_and_what_comes_after_is_not() {
    run(async {
        let gateway = Gateway::echo(settings()).await;
        let mut client = gateway.connect().await;
        client
            .send(
                "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n\
                 GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
            )
            .await;
        assert_eq!(client.response().await.1, "GET /1 a ");
        let (text, _) = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 400") && !text.contains("smuggled"), "{text}");
        assert_eq!(text.matches("HTTP/1.1").count(), 1);
    });
}

#[test]
fn a_broken_chunked_body_is_an_error_of_the_client() {
    run(async {
        let errors = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&errors);
        let gateway = Gateway::start(settings(), move |request, _| {
            let seen = Rc::clone(&seen);
            async move {
                if let Err(crate::body::CollectError::Body(error)) =
                    request.into_body().collect_bounded(100).await
                {
                    seen.borrow_mut().push((error.origin, error.kind));
                }
                Ok(Response::builder().status(400).body(Body::Empty).unwrap())
            }
        })
        .await;
        for body in ["5\r\nhelloX", "5\nhello", "zz\r\n"] {
            let mut client = gateway.connect().await;
            client
                .send(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))
                .await;
            let (text, _) = client.rest().await;
            assert!(text.starts_with("HTTP/1.1 400"), "{text}");
        }
        assert_eq!(*errors.borrow(), [(crate::body::Origin::Client, "malformed"); 3]);
    });
}

#[test]
fn each_protocol_can_be_switched_off() {
    run(async {
        let only_h2 = config::Listener { protocols: Protocols { h1: false, h2: true }, ..settings() };
        let gateway = Gateway::echo(only_h2).await;
        refused(&gateway, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 505).await;

        let only_h1 = config::Listener { protocols: Protocols { h1: true, h2: false }, ..settings() };
        let gateway = Gateway::echo(only_h1).await;
        let mut client = gateway.connect().await;
        client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let (_, clean) = client.rest().await;
        assert!(clean);
    });
}
