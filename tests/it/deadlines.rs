//! Deadlines: for a head, a body, an idle connection, an upstream and the whole exchange.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::harness::frames::{
    DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, Raw, WINDOW_UPDATE, frame, request,
};
use crate::harness::{Gateway, Origin, config, wait};

/// An origin that never answers.
fn silent() -> SocketAddr {
    Origin::new(|_, stream| {
        wait::until("the gateway gives up", || {
            let _ = stream.set_nonblocking(true);
            match stream.peek(&mut [0]) {
                Ok(read) => read == 0,
                Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
            }
        });
        Err(std::io::ErrorKind::ConnectionAborted.into())
    })
    .address
}

fn start(origin: SocketAddr, timeout: &str) -> Gateway {
    let listener = format!("[listeners.public]\nbind = \"@public@\"\ntimeout = {{ {timeout} }}\n");
    Gateway::start(&(config::service(origin, &[]) + &listener))
}

/// Runs `wait` and asserts that it took about as long as the deadline.
fn takes<T>(least_ms: u64, wait: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = wait();
    let took = start.elapsed();
    let (least, most) = (Duration::from_millis(least_ms), Duration::from_millis(least_ms + 5_000));
    assert!((least..most).contains(&took), "took {took:?}, not {least:?} or a little more");
    result
}

#[test]
fn a_head_that_does_not_come_to_its_end() {
    let gateway = start(Origin::echo(), "header = \"400ms\"");
    for beginning in ["", "GET", "GET / HTTP/1.1\r\nhost: a\r\nx-slow: "] {
        let mut client = gateway.connect();
        client.send(beginning);
        takes(350, || match client.try_read("GET") {
            Ok(answer) => assert_eq!(answer.status, 408),
            Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}"),
        });
        assert!(client.is_closed());
    }
}

#[test]
fn a_head_that_trickles_is_no_faster_for_it() {
    let gateway = start(Origin::echo(), "header = \"500ms\"");
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n");
    let start = Instant::now();
    wait::until("the gateway has enough", || {
        wait::pause(Duration::from_millis(50));
        client.try_send("x: 1\r\n").is_err() || start.elapsed() > Duration::from_secs(20)
    });
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_connection_that_rests_too_long() {
    let gateway = start(Origin::echo(), "idle = \"400ms\", header = \"20s\"");
    let mut client = gateway.connect();
    client.get("/").expect(200);
    takes(350, || assert!(client.is_closed()));
}

#[test]
fn a_body_that_stops_coming() {
    let gateway = start(Origin::echo(), "body = \"400ms\"");
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf");
    takes(350, || client.read()).problem(408);
}

#[test]
fn a_body_that_keeps_coming_may_take_longer() {
    let gateway = start(Origin::echo(), "body = \"1s\"");
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2048\r\n\r\n");
    for _ in 0..8 {
        wait::pause(Duration::from_millis(200));
        client.send("x".repeat(256));
    }
    client.read().expect(200);
}

#[test]
fn a_body_that_trickles_is_no_faster_for_it() {
    let gateway = start(Origin::echo(), "body = \"1s\"");
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n");
    let start = Instant::now();
    wait::until("the gateway has enough", || {
        wait::pause(Duration::from_millis(100));
        client.try_send("x").is_err() || start.elapsed() > Duration::from_secs(20)
    });
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let mut h2 = Raw::open(gateway.public);
    h2.send(frame(HEADERS, END_HEADERS, 1, &request("POST", "/", &[("content-length", "1000")])));
    let start = Instant::now();
    let mut sender = h2.twin();
    let trickle = std::thread::spawn(move || {
        while sender.try_send(frame(DATA, 0, 1, b"x")).is_ok() && start.elapsed() < Duration::from_secs(20) {
            wait::pause(Duration::from_millis(100));
        }
    });
    while h2.next().expect("an answer").kind != HEADERS {}
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop(h2);
    gateway.wait_for_access(&["request-timeout"]);
    drop(gateway);
    trickle.join().unwrap();
}

/// An origin that answers with more than any buffer on the way takes.
fn endless() -> SocketAddr {
    Origin::new(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")?;
        let piece = vec![b'x'; 64 << 10];
        for _ in 0..10_000 {
            stream.write_all(&piece)?;
        }
        Ok(())
    })
    .address
}

#[test]
fn a_client_that_does_not_take_its_answer() {
    let gateway = start(endless(), "write = \"500ms\"");
    let mut client = gateway.connect();
    client.send("GET /unread HTTP/1.1\r\nhost: a\r\n\r\n");
    takes(450, || gateway.wait_for_access(&["/unread"]));
    // What it has not taken does not look like all of it.
    assert!(
        matches!(client.read_to_end(), Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset)
    );
}

#[test]
fn a_stream_whose_window_stays_shut_ends_and_the_others_go_on() {
    let gateway = start(endless(), "write = \"500ms\"");
    let mut client = Raw::open(gateway.public);
    // 65,535 bytes of window, and no more; the connection's is opened, so that others are not concerned.
    client.send(frame(WINDOW_UPDATE, 0, 0, &1_000_000u32.to_be_bytes()));
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &request("GET", "/unread", &[])));
    let reset = takes(450, || {
        loop {
            let frame = client.next().expect("the connection goes on");
            if frame.kind == RST_STREAM {
                return frame;
            }
        }
    });
    assert_eq!(reset.stream, 1);
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, &request("GET", "/another", &[])));
    wait::until("the other is answered", || client.next().is_some_and(|frame| frame.stream == 3));
    gateway.wait_for_access(&["/unread"]);
}

#[test]
fn an_upstream_that_does_not_answer() {
    let text = format!(
        "[upstreams.service]\ntargets = [{{ url = \"http://{}\" }}]\ntimeout = {{ request = \"400ms\" }}\n{}",
        silent(),
        config::route("all", "/**", &[])
    );
    let gateway = Gateway::start(&text);
    let problem = takes(350, || gateway.get("/")).problem(504);
    assert_eq!(problem["upstream"], "service");
}

#[test]
fn an_exchange_that_takes_too_long_for_its_head() {
    let gateway = start(silent(), "exchange = \"400ms\"");
    takes(350, || gateway.get("/")).problem(504);
}

#[test]
fn an_exchange_that_takes_too_long_for_its_body() {
    let origin = Origin::new(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")?;
        wait::pause(Duration::from_secs(3));
        Ok(())
    });
    let gateway = start(origin.address, "exchange = \"400ms\"");
    let mut client = gateway.connect();
    takes(350, || assert!(client.try_get("/cut").is_err()));
    assert_eq!(gateway.wait_for_access(&["/cut"])["failure"], "exchange-timeout");
}
