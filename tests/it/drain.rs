//! The end: no new connections, exchanges under way finish, exit code 0.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Connection, Gateway, Origin, Setup, config, guest, guests, h2::H2, wait};

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

/// A module that takes many seconds to compile.
fn slow_to_compile() -> Vec<u8> {
    let mut body = String::new();
    for number in 0..400_000_u32 {
        let operation = if number % 3 == 0 { "i32.mul" } else { "i32.xor" };
        body.push_str(&format!("(local.set 0 ({operation} (local.get 0) (i32.const {number})))\n"));
    }
    guests::assemble(&format!(
        ";;! phases request\n(func $slow (export \"slow\") (param i32) (result i32) {body} (local.get 0))\n\
         (func (export \"sluice_v1_request\") (result i32) (i32.const 0))"
    ))
}

#[test]
fn a_stop_does_not_wait_for_a_reload_under_way() {
    let slow = slow_to_compile();
    let text = config::plugin("noop", "")
        + &config::service(Origin::echo(), &["noop"])
        + "[reload]\nwatch = false\n[cache]\ndir = \"code\"\n";
    let mut gateway = Setup::new().plugin("noop", guest("noop")).start(&text);
    gateway.install_plugin("noop", &slow);
    let admin = gateway.admin;
    let reload = thread::spawn(move || {
        Connection::open(admin).try_request("POST", "/reload", &[], b"").map(|answer| answer.status)
    });
    // Nothing outside tells that the compiler has begun.
    wait::pause(Duration::from_millis(500));
    gateway.admin_get("/healthz").expect(200);
    assert!(!reload.is_finished(), "this module should take longer");
    let start = Instant::now();
    gateway.terminate();
    assert_eq!(gateway.wait_for_end().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let answer = reload.join().unwrap();
    assert!(answer.as_ref().map_or(true, |status| *status == 503), "{answer:?}");
    assert!(!gateway.log().contains("reload: published"), "{}", gateway.log());
}

#[test]
fn exchanges_on_a_listener_that_was_removed_finish_too() {
    let (origin, arrivals, go) = held();
    let base = config::service(origin.address, &[]);
    let second = crate::harness::ports::free();
    let mut gateway = Gateway::start(&format!("{base}[listeners.second]\nbind = \"{second}\"\n"));
    let mut client = Connection::open(second);
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    arrivals.recv_timeout(wait::DEADLINE).unwrap();
    let generation = gateway.generation();
    gateway.configure(&base);
    gateway.wait_for_generation_after(generation);
    wait::until("the listener is closed", || TcpStream::connect(second).is_err());
    gateway.terminate();
    wait::until("no new connection is accepted", || TcpStream::connect(gateway.public).is_err());
    wait::pause(Duration::from_millis(200));
    assert!(gateway.is_running(), "while an exchange is under way");
    go.send(()).unwrap();
    assert_eq!(client.read().expect(200).text(), "done");
    assert_eq!(gateway.wait_for_end().code(), Some(0));
}
