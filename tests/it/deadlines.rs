//! Deadlines: for a head, a body, an idle connection, an upstream and the whole exchange.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

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
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n");
    for _ in 0..8 {
        wait::pause(Duration::from_millis(200));
        client.send("x");
    }
    client.read().expect(200);
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
