//! The end: no new connections, exchanges under way finish, exit code 0.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Gateway, Origin, config, h2::H2, wait};

/// An origin that answers each request when told to, and tells when it got one.
fn held() -> (Origin, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (got, arrivals) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::new(move |_, stream| {
        let _ = got.send(());
        let _ = gate.lock().unwrap().recv_timeout(wait::DEADLINE);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone")
    });
    (origin, arrivals, go)
}

#[test]
fn exchanges_under_way_finish_and_the_gateway_ends_well() {
    let (origin, arrivals, go) = held();
    let mut gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut resting = gateway.connect();
    resting.send("");
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut h2 = H2::open(gateway.public);
    let h2 = thread::spawn(move || h2.get("/"));
    for _ in 0..2 {
        arrivals.recv_timeout(wait::DEADLINE).unwrap();
    }

    gateway.terminate();
    wait::until("no new connection is accepted", || TcpStream::connect(gateway.public).is_err());
    assert!(resting.is_closed(), "a connection without an exchange is closed");
    assert!(gateway.is_running(), "while exchanges are under way");
    go.send(()).unwrap();
    go.send(()).unwrap();
    let answer = client.read().expect(200);
    assert_eq!(answer.text(), "done");
    assert!(client.is_closed());
    assert_eq!(h2.join().unwrap().expect(200).text(), "done");
    assert_eq!(gateway.wait_for_end().code(), Some(0));
}

#[test]
fn the_drain_has_an_end() {
    let (origin, arrivals, _go) = held();
    let text = config::service(origin.address, &[]) + "[reload]\ndrain = \"500ms\"\n";
    let mut gateway = Gateway::start(&text);
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    arrivals.recv_timeout(wait::DEADLINE).unwrap();
    let start = Instant::now();
    gateway.terminate();
    assert_eq!(gateway.wait_for_end().code(), Some(0));
    let took = start.elapsed();
    assert!((Duration::from_millis(450)..Duration::from_secs(8)).contains(&took), "{took:?}");
}

#[test]
fn a_gateway_that_drains_says_that_it_is_not_ready() {
    let (origin, arrivals, go) = held();
    let mut gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    arrivals.recv_timeout(wait::DEADLINE).unwrap();
    gateway.terminate();
    wait::until("/readyz says no", || gateway.admin_get("/readyz").status == 503);
    gateway.admin_get("/healthz").expect(200);
    go.send(()).unwrap();
    client.read().expect(200);
    assert!(gateway.wait_for_end().success());
}

#[test]
fn a_gateway_without_exchanges_ends_at_once() {
    let mut gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let mut client = gateway.connect();
    client.get("/").expect(200);
    let start = Instant::now();
    gateway.terminate();
    assert!(gateway.wait_for_end().success());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(client.is_closed());
    assert_eq!(gateway.wait_for_access(&["\"/\""])["status"], 200, "the access log was flushed");
}
