//! Connections that go over to another protocol: when, when not, and what becomes of them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::time::Instant;

use crate::harness::{Connection, Gateway, Origin, Setup, config, guest, plugin, wait};

const ASKED: [(&str, &str); 3] = [
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-key", "dGhlIHNhbXBsZQ=="),
];

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: yes\r\n\r\n";

/// An origin that goes over where it is asked to and then says everything back, and where it is not answers 426.
fn service() -> Origin {
    Origin::new(|request, stream| match request.header("upgrade") {
        Some(_) => {
            stream.write_all(SWITCHING.as_bytes())?;
            back(stream)
        }
        None => stream.write_all(b"HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n"),
    })
}

/// Says back what comes to the end.
fn back(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes)? {
            0 => return Err(std::io::ErrorKind::ConnectionAborted.into()),
            n => stream.write_all(&bytes[..n])?,
        }
    }
}

fn ask(client: &mut Connection, path: &str) -> u16 {
    let fields: String = ASKED.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
    client.try_read_head().unwrap().status
}

#[track_caller]
fn hears(client: &mut Connection, text: &str) {
    client.send(text);
    assert_eq!(client.read_exactly(text.len()), text.as_bytes());
}

#[test]
fn bytes_go_both_ways_after_the_target_has_agreed() {
    let origin = service();
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut client = gateway.connect();
    client.send("GET /before HTTP/1.1\r\nhost: a\r\n\r\n");
    client.read().expect(426);
    let fields: String = ASKED.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    client.send(format!("GET /chat HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
    let head = client.try_read_head().unwrap();
    assert_eq!(head.status, 101);
    assert_eq!(head.header("upgrade"), Some("websocket"));
    assert_eq!(head.header("connection"), Some("upgrade"));
    assert_eq!(head.header("sec-websocket-accept"), Some("yes"));
    assert!(head.header("x-request-id").is_some());
    assert!(head.header("content-length").is_none() && head.header("transfer-encoding").is_none());
    hears(&mut client, "hello");
    // Nothing of it is HTTP any more.
    hears(&mut client, "GET / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n");
    let large = "all of it ".repeat(300_000);
    let sent = large.clone();
    let mut other = client.try_clone().unwrap();
    let sending = std::thread::spawn(move || other.write_all(sent.as_bytes()));
    assert_eq!(client.read_exactly(large.len()), large.as_bytes());
    sending.join().unwrap().unwrap();
    let asked = origin.requests();
    let asked = asked.iter().find(|request| request.line[1] == "/chat").unwrap();
    assert_eq!((asked.header("upgrade"), asked.header("connection")), (Some("websocket"), Some("upgrade")));
    assert_eq!(asked.header("sec-websocket-key"), Some("dGhlIHNhbXBsZQ=="));
    assert!(asked.header("content-length").is_none() && asked.header("transfer-encoding").is_none());
    drop(client);
    let entry = gateway.wait_for_access(&["/chat"]);
    assert_eq!(entry["status"], 101, "{entry}");
    assert!(entry["request_bytes"].as_u64() >= Some(3_000_000), "{entry}");
    assert!(entry["response_bytes"].as_u64() >= Some(3_000_000), "{entry}");
    gateway.get("/after").expect(426);
}

#[test]
fn what_comes_early_waits_for_the_answer() {
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::new(move |request, stream| {
        if request.header("upgrade").is_none() {
            return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
        let _ = gate.lock().unwrap().recv_timeout(wait::DEADLINE);
        // Nothing has come behind the head.
        stream.set_nonblocking(true)?;
        let early = stream.peek(&mut [0; 1]);
        stream.set_nonblocking(false)?;
        assert!(early.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
        match request.line[1].as_str() {
            "/yes" => {
                stream.write_all(SWITCHING.as_bytes())?;
                back(stream)
            }
            _ => stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
        }
    });
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let fields: String = ASKED.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let asking = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    let mut client = gateway.connect();
    client.send(asking("/yes") + "early");
    client.send("and earlier");
    go.send(()).unwrap();
    assert_eq!(client.try_read_head().unwrap().status, 101);
    assert_eq!(client.read_exactly(16), b"earlyand earlier");
    // Where it is refused they are the next request, as they always are.
    let mut client = gateway.connect();
    client.send(asking("/no") + "GET /next HTTP/1.1\r\nhost: a\r\n\r\n");
    go.send(()).unwrap();
    client.read().expect(403);
    client.read().expect(200);
    assert_eq!(origin.requests().last().unwrap().line[1], "/next");
    client.get("/again").expect(200);
}

/// HTTP/2 by way of HTTP/1.1 would carry requests past every rule.
#[test]
fn what_a_route_does_not_take_is_not_offered_to_its_target() {
    let origin = service();
    let text = config::upstream("service", origin.address)
        + &config::plugin("size-limit", "config = { request = \"1KiB\" }")
        + &config::route("all", "/**", &[])
        + &config::route("none", "/none", &[])
        + "upgrade = []\n"
        + &config::route("bodies", "/bodies", &["size-limit"])
        + &config::route("both", "/both", &["size-limit"])
        + "upgrade = [\"websocket\", \"chat/2\"]\n";
    let gateway = Setup::new().plugin("size-limit", plugin("size-limit")).start(&text);
    for (path, fields, status) in [
        ("/", &ASKED[..], 101),
        ("/both", &ASKED, 101),
        ("/both", &[("connection", "upgrade"), ("upgrade", "Chat/2, websocket")], 101),
        ("/none", &ASKED, 426),
        // A step that takes the request's body would not see what is said.
        ("/bodies", &ASKED, 426),
        (
            "/",
            &[("connection", "upgrade, http2-settings"), ("upgrade", "h2c"), ("http2-settings", "AAA")],
            426,
        ),
        ("/", &[("connection", "upgrade"), ("upgrade", "websocket, h2c")], 426),
        ("/", &[("connection", "upgrade"), ("upgrade", "chat/2")], 426),
        ("/", &[("upgrade", "websocket")], 426),
        ("/", &[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")], 426),
        ("/", &[("connection", "upgrade"), ("upgrade", "")], 426),
        ("/", &[("connection", "upgrade"), ("upgrade", "websocket"), ("content-length", "0")], 101),
    ] {
        let mut client = gateway.connect();
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
        assert_eq!(client.try_read_head().unwrap().status, status, "{path} {fields}");
    }
    // One with a body is a request like any other.
    let with_body = [&ASKED[..], &[("x-a", "b")]].concat();
    gateway.connect().request("POST", "/", &with_body, b"body").expect(426);
}

#[test]
fn a_target_goes_over_to_nothing_that_was_not_offered() {
    for answer in [
        SWITCHING.replace("upgrade: websocket", "upgrade: chat"),
        SWITCHING.replace("upgrade: websocket", "upgrade: websocket, chat"),
        SWITCHING.replace("upgrade: websocket\r\n", ""),
    ] {
        let gateway = Gateway::start(&config::service(Origin::always(answer).address, &[]));
        let mut client = gateway.connect();
        assert_eq!(ask(&mut client, "/"), 502);
    }
    let gateway = Gateway::start(&config::service(Origin::always(SWITCHING).address, &[]));
    gateway.get("/").problem(502);
}

#[test]
fn either_side_may_end_it() {
    let (told, ends) = mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let origin = Origin::new(move |request, stream| {
        stream.write_all(SWITCHING.as_bytes())?;
        if request.line[1] == "/short" {
            stream.write_all(b"good bye")?;
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        let ended = back(stream);
        let _ = told.lock().unwrap().send(());
        ended
    });
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut client = gateway.connect();
    assert_eq!(ask(&mut client, "/short"), 101);
    assert_eq!(client.read_exactly(8), b"good bye");
    assert!(client.is_closed());
    // What is on its way when the client says no more still comes.
    let mut client = gateway.connect();
    assert_eq!(ask(&mut client, "/long"), 101);
    client.send("the last words");
    client.try_clone().unwrap().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read_exactly(14), b"the last words");
    assert!(client.is_closed());
    ends.recv_timeout(wait::DEADLINE).unwrap();
    // A client that is gone is told to the target.
    let mut client = gateway.connect();
    assert_eq!(ask(&mut client, "/gone"), 101);
    hears(&mut client, "hello");
    drop(client);
    ends.recv_timeout(wait::DEADLINE).unwrap();
}

#[test]
fn silence_and_the_drain_end_it() {
    let listener =
        "[listeners.public]\nbind = \"@public@\"\ntimeout = { tunnel = \"300ms\", exchange = \"100ms\" }\n";
    let text = config::service(service().address, &[]) + listener + "[reload]\ndrain = \"1s\"\n";
    let mut gateway = Gateway::start(&text);
    let mut client = gateway.connect();
    assert_eq!(ask(&mut client, "/"), 101);
    // For as long as somebody says something it goes on, beyond the time of an exchange.
    let start = Instant::now();
    while start.elapsed().as_millis() < 600 {
        hears(&mut client, "still here");
    }
    assert!(client.is_closed());
    gateway.configure(&text.replace("300ms", "1h"));
    wait::until("the new time holds", || gateway.snapshot()["generation"] != 1);
    let mut client = gateway.connect();
    assert_eq!(ask(&mut client, "/"), 101);
    hears(&mut client, "hello");
    gateway.terminate();
    wait::until("no new connection is accepted", || TcpStream::connect(gateway.public).is_err());
    hears(&mut client, "not yet");
    assert!(client.is_closed());
    assert_eq!(gateway.wait_for_end().code(), Some(0));
}

#[test]
fn steps_see_the_heads_and_may_answer() {
    let text = config::plugin(
        "headers",
        "config = { request = { set = { x-asked = \"yes\" } }, response = { set = { x-passed = \"yes\" } } }",
    ) + &config::plugin("trap", "")
        + &config::service(service().address, &["headers", "trap"]);
    let setup = Setup::new().plugin("headers", plugin("headers")).plugin("trap", guest("trap"));
    let gateway = setup.start(&text);
    let fields: String = ASKED.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut client = gateway.connect();
    client.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
    let head = client.try_read_head().unwrap();
    assert_eq!((head.status, head.header("x-passed")), (101, Some("yes")));
    hears(&mut client, "hello");
    let mut client = gateway.connect();
    client.send(format!("GET / HTTP/1.1\r\nhost: a\r\nx-misbehave: 1\r\n{fields}\r\n"));
    assert_eq!(client.read().status, 500);
}
