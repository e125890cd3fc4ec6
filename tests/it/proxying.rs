//! What goes in comes out: methods, bodies, trailers, over HTTP/1.1 and HTTP/2, streamed and with back-pressure.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::harness::{Connection, Gateway, Origin, config, h2::H2, wait};

const MIB: usize = 1 << 20;

#[test]
fn a_request_reaches_the_upstream_and_its_answer_the_client() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let mut client = gateway.connect();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
        let body: &[u8] = if method == "GET" { b"" } else { b"{\"a\": 1}" };
        let answer =
            client.request(method, "/a%20b/c?d=e&f", &[("x-one", "1"), ("x-one", "2")], body).expect(200);
        let received = answer.json();
        assert_eq!(received["method"], method);
        assert_eq!(received["path"], "/a%20b/c?d=e&f");
        assert_eq!(received["body"].as_str().unwrap().as_bytes(), body);
        assert_eq!(answer.sent("x-one").unwrap(), "1, 2");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[test]
fn responses_without_a_body_keep_their_heads() {
    let origin = Origin::new(|request, stream| match request.line[1].as_str() {
        "/204" => stream.write_all(b"HTTP/1.1 204 No Content\r\nx-a: b\r\n\r\n"),
        "/304" => stream.write_all(b"HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n"),
        _ => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: b\r\n\r\n"),
    });
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut client = gateway.connect();
    let head = client.request("HEAD", "/", &[], b"").expect(200);
    assert_eq!((head.header("content-length"), head.header("x-a")), (Some("5"), Some("b")));
    assert_eq!(client.get("/204").expect(204).header("x-a"), Some("b"));
    assert_eq!(client.get("/304").expect(304).header("etag"), Some("\"x\""));
    assert_eq!(client.request("HEAD", "/", &[], b"").status, 200, "the connection is still in step");
}

#[test]
fn large_bodies_pass_both_ways_in_any_framing() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let body = "0123456789abcdef".repeat(MIB / 4);
    let answer = gateway.connect().request("POST", "/", &[], body.as_bytes()).expect(200);
    assert_eq!(answer.json()["body"].as_str().unwrap().len(), body.len());

    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..100 {
        client.send(format!("{:x};note=x\r\n{}\r\n", 10_000, "y".repeat(10_000)));
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.read().expect(200).json()["body"].as_str().unwrap().len(), 1_000_000);

    let answer = H2::open(gateway.public).request("POST", "/", &[], body.as_bytes()).expect(200);
    assert_eq!(answer.json()["body"].as_str().unwrap().len(), body.len());
}

#[test]
fn what_leaves_is_framed_once() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let answer = gateway.connect().request("POST", "/", &[], b"abc").expect(200);
    assert_eq!(
        (answer.sent("content-length").as_deref(), answer.sent("transfer-encoding")),
        (Some("3"), None)
    );

    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    let answer = client.read().expect(200);
    assert_eq!(
        (answer.sent("content-length"), answer.sent("transfer-encoding").as_deref()),
        (None, Some("chunked"))
    );

    let answer = gateway.get("/").expect(200);
    assert_eq!((answer.sent("content-length"), answer.sent("transfer-encoding")), (None, None));
}

#[test]
fn trailers_are_kept_both_ways() {
    let origin = Origin::new(|request, stream| {
        let sum =
            request.trailers.iter().find(|(name, _)| name == "x-sum").map_or("none", |(_, value)| value);
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-seen\r\n\r\n2\r\nok\r\n0\r\nx-seen: {sum}\r\n\r\n"
        )
    });
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut client = gateway.connect();
    client.send(
        "POST / HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\nx-sum: 17\r\n\r\n",
    );
    let answer = client.read().expect(200);
    assert_eq!((answer.text().as_str(), answer.trailer("x-seen")), ("ok", Some("17")));

    let answer = H2::open(gateway.public).request("GET", "/", &[("te", "trailers")], b"").expect(200);
    assert_eq!((answer.text().as_str(), answer.trailer("x-seen")), ("ok", Some("none")));
}

#[test]
fn http2_goes_on_to_upstreams_that_speak_it() {
    let origin = Origin::new(|request, stream| {
        let sum = request.trailers.iter().find(|(name, _)| name == "x-sum").map_or("none", |(_, sum)| sum);
        let te = request.header("te").unwrap_or("none");
        let body = format!("<{}>", String::from_utf8_lossy(&request.body));
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-seen\r\nx-te: {te}\r\n\r\n{:x}\r\n{body}\r\n0\r\nx-seen: {sum}\r\n\r\n",
            body.len()
        )
    });
    // Another gateway, which speaks nothing else, is the upstream.
    let inner = Gateway::start(&format!(
        "{}[listeners.public]\nbind = \"@public@\"\nprotocols = [\"h2\"]\n",
        config::service(origin.address, &[])
    ));
    let outer = Gateway::start(&format!(
        "[upstreams.service]\nprotocol = \"h2\"\ntargets = [{{ url = \"http://{}\" }}]\n[routes.all]\nto = \"service\"\n",
        inner.public
    ));
    let mut client = H2::open(outer.public);
    let answer = client.request_with_trailers("/", b"hello", &[("x-sum", "17")]).expect(200);
    assert_eq!((answer.text().as_str(), answer.trailer("x-seen")), ("<hello>", Some("17")));
    assert_eq!(answer.header("x-te"), Some("trailers"));
    for answer in client.together(100, "/many") {
        assert_eq!(answer.expect(200).trailer("x-seen"), Some("none"));
    }
    let big = vec![b'x'; 3 << 20];
    let answer = outer.connect().request("POST", "/", &[], &big).expect(200);
    assert_eq!(answer.text().len(), big.len() + 2);
    // The gateway behind goes away and comes back.
    outer.connect().request("HEAD", "/", &[], b"").expect(200);
    drop(inner);
    assert_eq!(outer.get("/").problem(502)["upstream"], "service");
}

#[test]
fn http2_carries_many_exchanges_on_one_connection() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let mut client = H2::open(gateway.public);
    assert_eq!(client.get("/first").expect(200).json()["path"], "/first");
    let answer = client.request("POST", "/second", &[("x-a", "b")], b"hello").expect(200);
    assert_eq!((answer.json()["body"].as_str(), answer.sent("x-a").as_deref()), (Some("hello"), Some("b")));
    assert_eq!(answer.sent("host").unwrap(), gateway.public.to_string());
    for answer in client.together(100, "/many") {
        assert_eq!(answer.expect(200).json()["path"], "/many");
    }
    let answer = client.request_with_trailers("/third", b"abc", &[("x-sum", "1")]).expect(200);
    assert_eq!(answer.json()["body"], "abc");
}

#[test]
fn one_protocol_alone_is_spoken_where_only_one_is_configured() {
    let text = format!(
        "{}[listeners.public]\nbind = \"@public@\"\nprotocols = [\"h2\"]\n",
        config::service(Origin::echo(), &[])
    );
    let gateway = Gateway::start(&text);
    H2::open(gateway.public).get("/").expect(200);
    let refused = gateway.get("/");
    assert!(refused.status >= 400, "{refused:?}");
}

#[test]
fn a_client_that_expects_continue_is_told_to() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    assert_eq!(client.try_read_head().unwrap().status, 100);
    client.send("hello");
    assert_eq!(client.read().expect(200).json()["body"], "hello");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let mut client = gateway.connect();
    client.send("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\nGET /3 HTTP/1.1\r\nhost: a\r\n\r\n");
    for path in ["/1", "/2", "/3"] {
        assert_eq!(client.read().expect(200).json()["path"], path);
    }
}

#[test]
fn http_1_0_clients_get_an_answer_and_an_end() {
    let gateway = Gateway::start(&config::service(Origin::echo(), &[]));
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.0\r\nhost: a\r\n\r\n");
    client.read().expect(200);
    assert!(client.is_closed());
}

#[test]
fn a_response_is_passed_on_as_it_comes() {
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::new(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")?;
        gate.lock().unwrap().recv_timeout(wait::DEADLINE).map_err(std::io::Error::other)?;
        stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n")
    });
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.try_read_head().unwrap().status, 200);
    assert_eq!(client.try_read_chunk().unwrap().unwrap(), b"first", "before the origin sent the rest");
    go.send(()).unwrap();
    assert_eq!(client.try_read_chunk().unwrap().unwrap(), b"second");
    assert_eq!(client.try_read_chunk().unwrap(), None);
}

#[test]
fn a_request_is_passed_on_as_it_comes() {
    let (seen, news) = mpsc::channel();
    let origin = Origin::raw(move |stream, _| {
        let mut client = std::io::BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while std::io::BufRead::read_line(&mut client, &mut line)? > 0 {
            let _ = seen.send(std::mem::take(&mut line));
        }
        Ok(())
    });
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n6\r\nfirst\n\r\n");
    let first =
        wait::until_some("the first piece arrives", || news.try_iter().find(|line| line == "first\n"));
    assert_eq!(first, "first\n", "while the client has more to send");
}

/// Writes until the other side takes no more for a while; the bytes written so far.
fn fill(mut stream: TcpStream, most: usize) -> Arc<AtomicUsize> {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    thread::spawn(move || {
        let piece = vec![b'x'; 64 * 1024];
        while count.load(Ordering::Relaxed) < most && stream.write_all(&piece).is_ok() {
            count.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    written
}

fn wait_until_it_stops(written: &AtomicUsize) -> usize {
    let mut last = 0;
    wait::until_some("the writer is held back", || {
        wait::pause(Duration::from_millis(300));
        let now = written.load(Ordering::Relaxed);
        let held = now > 0 && now == last;
        last = now;
        held.then_some(now)
    })
}

#[test]
fn a_slow_reader_holds_the_sender_back() {
    const MUCH: usize = 256 * MIB;
    let (sender, counts) = mpsc::channel();
    let origin = Origin::raw(move |mut stream, _| {
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {MUCH}\r\n\r\n").as_bytes())?;
        let _ = sender.send(fill(stream, MUCH));
        Ok(())
    });
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let before = gateway.memory();
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let written = counts.recv_timeout(wait::DEADLINE).unwrap();
    let held = wait_until_it_stops(&written);
    assert!(held < 64 * MIB, "the origin sent {held} bytes to a client that reads none");
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 16 * MIB as u64, "the gateway holds {grown} bytes");
}

#[test]
fn a_slow_upstream_holds_the_client_back() {
    const MUCH: usize = 256 * MIB;
    let origin = Origin::raw(|stream, _| {
        // Reads nothing; the stream lives as long as the gateway keeps its side.
        wait::until("the test ends", || stream.peer_addr().is_err());
        Ok(())
    });
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let before = gateway.memory();
    let mut stream = TcpStream::connect(gateway.public).unwrap();
    stream
        .write_all(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {MUCH}\r\n\r\n").as_bytes())
        .unwrap();
    let held = wait_until_it_stops(&fill(stream, MUCH));
    assert!(held < 64 * MIB, "the client sent {held} bytes to an origin that reads none");
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 16 * MIB as u64, "the gateway holds {grown} bytes");
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let gateway =
        Gateway::start(&(config::upstream("service", Origin::echo()) + &config::route("one", "/one", &[])));
    let mut client = gateway.connect();
    client.send(format!("POST /none HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 64 * MIB));
    client.send(vec![b'x'; 32 * 1024]);
    client.read().problem(404);
}

#[test]
fn an_upstream_that_breaks_off_breaks_the_response_off() {
    let origin = Origin::new(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")?;
        Err(std::io::ErrorKind::ConnectionAborted.into())
    });
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let broken = Connection::open(gateway.public).try_get("/half");
    assert!(broken.is_err(), "{broken:?}");
    assert!(H2::open(gateway.public).try_request("GET", "/half2", &[], b"").is_err());
    let entry = gateway.wait_for_access(&["\"/half\""]);
    assert_eq!(entry["failure"], "upstream-incomplete", "{entry}");
}
