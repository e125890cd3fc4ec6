//! Bodies of messages: what the network cuts is put together, trailers are read and written, what is written goes on at once.

use std::io::Write as _;
use std::sync::mpsc;

use crate::harness::{Gateway, Origin, Setup, config, guest, h2::H2, metering, wait};

const LIMITS: &str = "limits = { body = \"16KiB\" }\n";

fn start(config: &str, service: std::net::SocketAddr) -> Gateway {
    let step = format!("steps = [{{ use = \"messages\", config = {config} }}]\n");
    let text = config::plugin("messages", LIMITS)
        + &config::upstream("service", service)
        + &format!("[routes.all]\n{step}to = \"service\"\n");
    Setup::new().plugin("messages", guest("messages")).file("banner.bin", [0xff, 0x00, 0x01]).start(&text)
}

fn message(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len() / 100).unwrap();
    [&[length, u8::try_from(text.len() % 100).unwrap()], text.as_bytes()].concat()
}

/// A chunk of HTTP/1.1.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

const REQUEST: &str =
    "POST / HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n";

#[test]
fn messages_are_put_together_wherever_they_are_cut() {
    let long = "x".repeat(9_000);
    let all: Vec<u8> = ["one", "", &long, "four"].iter().flat_map(|text| message(text)).collect();
    let expected = format!("one\n\n{long}\nfour\nsum 17");
    for most in [1, 2, 100] {
        let gateway = start(&format!("{{ most = {most} }}"), Origin::echo());
        for piece in [1, 7, 4_000, all.len()] {
            let mut client = gateway.connect();
            client.send(REQUEST);
            for piece in all.chunks(piece) {
                client.send(chunk(piece));
            }
            client.send("0\r\nx-sum: 17\r\n\r\n");
            let answer = client.read().expect(200).json();
            assert_eq!(answer["body"], expected, "{most} messages in a call, pieces of {piece}");
            assert_eq!(answer["headers"]["x-protocol"], "HTTP/1.1");
        }
    }
}

#[test]
fn trailers_of_requests_are_read_and_written() {
    let origin = Origin::new(|request, stream| {
        let trailers: Vec<_> =
            request.trailers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (body, trailers) = (String::from_utf8_lossy(&request.body).into_owned(), trailers.join(","));
        let text = format!("{body}|{trailers}");
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())
    });
    let gateway = start("{}", origin.address);
    let mut client = gateway.connect();
    client.send(REQUEST);
    client.send([chunk(&message("one")), b"0\r\nx-sum: 17\r\n\r\n".to_vec()].concat());
    assert_eq!(client.read().expect(200).text(), "one\nsum 17|x-last=0");
    // Whole, by its own choice; a stated length does not stand beside trailers.
    let mut client = gateway.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\nx-whole: 1\r\ncontent-length: 3\r\n\r\nabc");
    assert_eq!(client.read().expect(200).text(), "whole|x-whole=3 0");
    let answer = H2::open(gateway.public).request_with_trailers("/", &message("two"), &[("x-sum", "5")]);
    assert_eq!(answer.expect(200).text(), "two\nsum 5|x-last=0");
}

#[test]
fn trailers_of_responses_are_read_and_written() {
    let body = [chunk(&message("one")), chunk(&message("two"))].concat();
    let origin = Origin::always(
        [
            b"HTTP/1.1 200 OK\r\nx-framed: 1\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_vec(),
            body,
            b"0\r\nx-sum: 9\r\n\r\n".to_vec(),
        ]
        .concat(),
    );
    let gateway = start("{}", origin.address);
    let answer = H2::open(gateway.public).request("GET", "/", &[("te", "trailers")], b"").expect(200);
    assert_eq!(answer.text(), "one\ntwo\nsum 9");
    assert_eq!((answer.trailer("x-sum"), answer.trailer("x-last")), (None, Some("0")));
    // The exchange came to its end, which trailers are.
    let line = gateway.wait_for_access(&["\"GET\""]);
    assert!(line["failure"].is_null(), "{line}");
}

#[test]
fn a_message_goes_on_before_the_next_one_comes() {
    let (go_on, wait_for) = mpsc::channel::<()>();
    let wait_for = std::sync::Mutex::new(wait_for);
    let origin = Origin::new(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-framed: 1\r\ntransfer-encoding: chunked\r\n\r\n")?;
        for text in ["one", "two", "three"] {
            // A message and a half.
            stream.write_all(&chunk(&message(text)))?;
            stream.write_all(&chunk(&message("half")[..3]))?;
            stream.flush()?;
            let _ = wait_for.lock().unwrap().recv();
            stream.write_all(&chunk(&message("half")[3..]))?;
        }
        stream.write_all(b"0\r\n\r\n")
    });
    let gateway = start("{}", origin.address);
    let mut client = gateway.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.try_read_head().unwrap().status, 200);
    let mut here = String::new();
    let mut read = |text: &str| {
        while here.len() < text.len() {
            here += std::str::from_utf8(&client.try_read_chunk().unwrap().unwrap()).unwrap();
        }
        assert_eq!(here.drain(..text.len()).as_str(), text);
    };
    for text in ["one\n", "two\n", "three\n"] {
        read(text);
        // Nothing more is sent before.
        go_on.send(()).unwrap();
        read("half\n");
    }
    read("sum none");
}

#[test]
fn what_is_no_message_ends_the_exchange_and_nothing_else() {
    let gateway = start("{}", Origin::echo());
    let mut client = gateway.connect();
    client.send(REQUEST);
    client.send([chunk(&[1, 0, b'x']), b"0\r\n\r\n".to_vec()].concat());
    assert_eq!(client.read().problem(500)["step"], "messages");
    gateway.wait_for_log(&["a message is cut off after 3 of 102 bytes"]);
    // More than it may hold.
    let mut client = gateway.connect();
    client.send(REQUEST);
    client.send(chunk(&[200, 0, b'x']));
    assert_eq!(client.read().problem(500)["step"], "messages");
    let mut client = gateway.connect();
    client.send(REQUEST);
    client.send([chunk(&message("one")), b"0\r\n\r\n".to_vec()].concat());
    assert_eq!(client.read().expect(200).json()["body"], "one\nsum none");
}

#[test]
fn an_asset_comes_with_the_configuration_and_its_change_makes_the_step_anew() {
    let gateway = start("{ banner = \"${asset:banner.bin}\" }", Origin::echo());
    assert_eq!(gateway.get("/").expect(200).header("x-banner"), Some("3 Some(255)"));
    gateway.write("banner.bin", [7; 100_000]);
    wait::until("the new asset is there", || {
        gateway.get("/").expect(200).header("x-banner") == Some("100000 Some(7)")
    });
    let (code, text) = Setup::new().plugin("messages", guest("messages")).check(
        &(config::plugin("messages", "")
            + "[routes.all]\nsteps = [{ use = \"messages\", config = { banner = \"x${asset:none}\" } }]\n"),
    );
    assert!(code != 0 && text.contains("an asset stands alone in its string"), "{text}");
}

#[test]
fn a_metered_response_waits_for_the_ledger_before_its_trailers() {
    // The last frame is the trailers: what follows it is nothing that could be held back.
    let body = [chunk(&message("one")), b"0\r\nx-sum: 9\r\n\r\n".to_vec()].concat();
    let head =
        b"HTTP/1.1 200 OK\r\nx-framed: 1\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let origin = Origin::always([head, body].concat());
    let text = metering::gateway("sqlite:ledger.db", "[{ meter = \"requests\" }]")
        + "[meters.requests]\naggregation = \"count\"\n"
        + &metering::consumer("acme", "")
        + &config::plugin("messages", "")
        + &config::service(origin.address, &["api-key", "meter", "messages"]);
    let gateway = metering::setup().plugin("messages", guest("messages")).start(&text);
    let (header, key) = metering::key("acme");
    let headers = [("te", "trailers"), (header, &*key)];
    let answer = H2::open(gateway.public).request("GET", "/", &headers, b"").expect(200);
    assert_eq!(answer.trailer("x-last"), Some("0"));
    // Answered, so written: not a moment later.
    assert_eq!(metering::Books::at(&gateway.path("ledger.db")).sum("acme", "requests"), 1);
}
