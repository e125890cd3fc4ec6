//! Interim responses: 103 is passed on at once, to those who can take it; the others end at the gateway.

use std::io::Write as _;
use std::sync::{Mutex, mpsc};

use crate::harness::h2::H2;
use crate::harness::{Gateway, Origin, config, wait};

const HINTS: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\nx-secret: no\r\nconnection: close\r\n\r\n";

/// An origin that sends hints, and its answer once it is told to.
fn hinting() -> (Origin, mpsc::Sender<()>) {
    let (go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let origin = Origin::new(move |request, stream| {
        if request.line[1] != "/plain" {
            stream.write_all(HINTS)?;
            gate.lock().unwrap().recv_timeout(wait::DEADLINE).map_err(std::io::Error::other)?;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nlink: </c>\r\ncontent-length: 2\r\n\r\nok")
    });
    (origin, go)
}

#[test]
fn hints_come_before_the_answer_does() {
    let (origin, go) = hinting();
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut client = gateway.connect();
    for _ in 0..3 {
        client.send("GET /plain HTTP/1.1\r\nhost: a\r\n\r\nGET /hinted HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(client.read().expect(200).text(), "ok");
        let hint = client.try_read_head().unwrap();
        assert_eq!(hint.status, 103);
        // What no step has seen goes no further than a client needs it.
        let expected =
            ["</a.css>; rel=preload", "</b.js>; rel=preload"].map(|link| ("link".into(), link.into()));
        assert_eq!(hint.headers, expected);
        go.send(()).unwrap();
        let answer = client.try_read_head().unwrap();
        assert_eq!((answer.status, answer.header("link")), (200, Some("</c>")));
        assert_eq!(client.read_exactly(2), b"ok");
    }
    assert_eq!(
        origin.connections(),
        1,
        "what came before the answer does not keep the connection from being used again"
    );
}

#[test]
fn who_cannot_take_hints_gets_the_answer_alone() {
    let (origin, go) = hinting();
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    go.send(()).unwrap();
    let mut old = gateway.connect();
    old.send("GET /hinted HTTP/1.0\r\nhost: a\r\n\r\n");
    assert_eq!(old.try_read_head().unwrap().status, 200);
    go.send(()).unwrap();
    let answer = H2::open(gateway.public).get("/hinted");
    assert_eq!((answer.status, answer.text()), (200, "ok".to_owned()));
}
