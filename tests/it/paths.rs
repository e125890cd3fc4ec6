//! Paths are decided once, and targets, bodies and connections are bounded.

use crate::harness::frames::{ACK, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, Raw, frame, request};
use crate::harness::h2::H2;
use crate::harness::{Connection, Gateway, Origin, config};

fn listener(more: &str) -> String {
    format!("[listeners.public]\nbind = \"@public@\"\n{more}\n")
}

/// An origin that says nothing but that it was asked.
fn origin() -> Origin {
    Origin::always("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
}

fn ask(connection: &mut Connection, path: &str) -> u16 {
    connection.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    connection.read().status
}

fn seen(origin: &Origin) -> Vec<String> {
    origin.requests().iter().map(|request| request.line[1].clone()).collect()
}

const AMBIGUOUS: [&str; 24] = [
    "/a/../b",
    "/..",
    "/.",
    "/a/.",
    "/a/%2e%2e/b",
    "/a/.%2E/b",
    "//",
    "//a",
    "/a//b",
    "/a//",
    "/a%2fb",
    "/a%2F..%2Fb",
    "/a%5cb",
    "/a;b",
    "/a/..;/b",
    "/a\\b",
    "/a%00",
    "/a%0a",
    "/a%7F",
    "/a%",
    "/a%4",
    "/a%zz",
    "/a/..%2fb",
    "/;/a",
];

#[test]
fn what_servers_read_in_two_ways_reaches_none() {
    let origin = origin();
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    let mut h2 = H2::open(gateway.public);
    for path in AMBIGUOUS {
        for path in [path.to_owned(), format!("{path}?q=1")] {
            let mut connection = gateway.connect();
            connection.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
            let problem = connection.read().problem(400);
            assert_eq!(problem["type"], "urn:sluice:problem:ambiguous-path", "{path}: {problem}");
            assert!(connection.is_closed());
        }
        if path.parse::<http::Uri>().is_ok() {
            assert_eq!(h2.get(path).status, 400, "{path}");
        }
    }
    // Those whose bytes no library would send.
    for path in
        ["/a b", "/caf\u{e9}", "/a\u{1}", "/a#b", "/a?b#c", "/a?b c", "/a?\u{e9}", "a", "", "?a", "*a"]
    {
        let mut connection = gateway.connect();
        connection.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(connection.read().status, 400, "{path}");
        // Of a `:path`, what is read leaves a fragment out: nobody sees it.
        if path.contains('#') {
            continue;
        }
        let mut raw = Raw::open(gateway.public);
        raw.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &request("GET", path, &[])));
        raw.send(frame(GOAWAY, 0, 0, &[0; 8]));
        let mut answers = std::iter::from_fn(|| raw.next()).filter(|frame| frame.kind == HEADERS);
        let answered = answers.next().map(|answer| answer.payload);
        // `:status: 200` is one byte of the static table.
        assert!(answered.is_none_or(|block| block.first() != Some(&0x88)), "{path}");
    }
    assert_eq!(seen(&origin), [""; 0]);
}

#[test]
fn routes_see_what_is_sent_on() {
    let origin = origin();
    let routes = config::upstream("service", origin.address)
        + &config::route("admin", "/admin/**", &[])
        + &config::route("others", "/**", &[]);
    let gateway = Gateway::start(&routes);
    let mut client = gateway.connect();
    for (path, sent, route) in [
        ("/%61dmin/x", "/admin/x", "admin"),
        ("/admin/caf%c3%a9?%c3%a9", "/admin/caf%C3%A9?%c3%a9", "admin"),
        ("/%41dmin", "/Admin", "others"),
        ("/a|b", "/a%7Cb", "others"),
        ("/.well-known/~%7Ea", "/.well-known/~~a", "others"),
        ("/a%252e%252e%252fb", "/a%252e%252e%252fb", "others"),
        ("/a/b.c/...", "/a/b.c/...", "others"),
        ("/a/?b=//../%2e%2e;", "/a/?b=//../%2e%2e;", "others"),
        ("http://a/%61dmin", "/admin", "admin"),
    ] {
        assert_eq!(ask(&mut client, path), 200, "{path}");
        let all = seen(&origin);
        assert_eq!(all.last().map(String::as_str), Some(sent), "{path}");
        let entry = gateway.wait_for_access(&[&format!("\"path\":\"{}\"", sent.split('?').next().unwrap())]);
        assert_eq!(entry["route"], route, "{path}: {entry}");
    }
}

#[test]
fn a_listener_may_say_what_they_mean() {
    let origin = origin();
    let rules = "paths = { dot_segments = \"resolve\", empty_segments = \"merge\", encoded_slashes = \"keep\", parameters = \"keep\" }";
    let gateway = Gateway::start(&(config::service(origin.address, &[]) + &listener(rules)));
    for (path, sent) in [
        ("/a/../b", Some("/b")),
        ("/a/%2e%2e//b/.", Some("/b/")),
        ("//a//", Some("/a/")),
        ("/a%2fb;c=d", Some("/a%2Fb;c=d")),
        ("/../a", None),
        ("/a/..;/b", None),
        ("/a\\b", None),
        ("/a%00", None),
    ] {
        let before = seen(&origin).len();
        let status = ask(&mut gateway.connect(), path);
        assert_eq!(status, if sent.is_some() { 200 } else { 400 }, "{path}");
        assert_eq!(seen(&origin)[before..], Vec::from_iter(sent.map(str::to_owned)), "{path}");
    }
}

#[test]
fn targets_and_bodies_are_bounded() {
    let origin = Origin::echo();
    let limits = "limits = { uri_bytes = \"100B\", body = \"1000B\" }";
    let gateway = Gateway::start(&(config::service(origin, &[]) + &listener(limits)));
    let mut client = gateway.connect();
    assert_eq!(ask(&mut client, &format!("/{}", "a".repeat(99))), 200);
    let problem = gateway.get(&format!("/{}", "a".repeat(100))).problem(414);
    assert_eq!(problem["type"], "urn:sluice:problem:uri-too-long");
    // Before the line has an end.
    let mut endless = gateway.connect();
    endless.send(format!("GET /{}", "a".repeat(400)));
    endless.read().expect(414);
    assert_eq!(H2::open(gateway.public).get(&format!("/{}", "a".repeat(100))).status, 414);

    let (fits, large) = (vec![b'a'; 1_000], vec![b'a'; 1_001]);
    client.request("POST", "/", &[], &fits).expect(200);
    let problem = client.request("POST", "/", &[], &large).problem(413);
    assert_eq!(problem["type"], "urn:sluice:problem:body-too-large");
    assert!(client.is_closed());
    let mut h2 = H2::open(gateway.public);
    assert_eq!(h2.request("POST", "/", &[], &fits).status, 200);
    assert_eq!(h2.request("POST", "/", &[("content-length", "1001")], &large).status, 413);
    assert_eq!(h2.request("POST", "/", &[], &large).status, 413);
    // Where no length is stated it shows on the way.
    let mut chunked = gateway.connect();
    chunked.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    chunked.send(format!("3e8\r\n{}\r\n", "a".repeat(1_000)));
    chunked.send("1\r\na\r\n");
    chunked.read().expect(413);
    assert!(chunked.is_closed());
}

#[test]
fn a_connection_carries_so_many_requests_and_none_of_them_fails() {
    let gateway =
        Gateway::start(&(config::service(Origin::echo(), &[]) + &listener("limits = { requests = 3 }")));
    let mut client = gateway.connect();
    for number in 1..=3 {
        let answer = client.get("/").expect(200);
        assert_eq!(answer.header("connection"), (number == 3).then_some("close"), "{number}");
    }
    assert!(client.is_closed());
    let mut raw = Raw::open(gateway.public);
    let get = request("GET", "/", &[]);
    for number in 0..3 {
        raw.send(frame(HEADERS, END_STREAM | END_HEADERS, number * 2 + 1, &get));
    }
    let (mut ended, mut told) = (0, None);
    while let Some(frame) = raw.next() {
        match frame.kind {
            GOAWAY => told = Some(frame.payload[7]),
            // It asks whether that has been heard.
            PING => raw.send(crate::harness::frames::frame(PING, ACK, 0, &frame.payload)),
            // HEADERS or DATA.
            0 | 1 if frame.flags & END_STREAM != 0 => ended += 1,
            _ => {}
        }
    }
    assert_eq!((ended, told), (3, Some(0)), "all are answered, and it goes away without an error");
}
