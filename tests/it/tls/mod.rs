//! Listeners that speak TLS: who is shown which certificate, who has to show one, and what becomes of those who do otherwise.

mod client;
mod clients;
mod reloads;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::harness::{Gateway, Origin, Probe, Setup, config, wait};
pub(crate) use client::Authority;
use client::{Client, Pair, ask, read};

/// A gateway whose listener has these pairs, and further settings of TLS; without pairs the settings stand for themselves.
fn start(pairs: &[(&str, &Pair)], more: &str) -> Gateway {
    setup(pairs).start(&text(pairs, more, ""))
}

fn setup(pairs: &[(&str, &Pair)]) -> Setup {
    pairs.iter().fold(Setup::new(), |setup, (name, pair)| {
        setup.file(&format!("{name}.pem"), &pair.cert).file(&format!("{name}.key"), &pair.key)
    })
}

fn text(pairs: &[(&str, &Pair)], more: &str, listener: &str) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, _)| format!("{{ cert = \"{name}.pem\", key = \"${{file:{name}.key}}\" }}"))
        .collect();
    let tls = format!("tls = {{ certificates = [{}]{more} }}\n", pairs.join(", "));
    config::service(Origin::echo(), &[]) + "[listeners.public]\nbind = \"@public@\"\n" + &tls + listener
}

#[track_caller]
fn refusals(gateway: &Gateway, kind: &str) -> f64 {
    gateway.metrics().sum("sluice_listener_refused_total", &[("listener", "public"), ("kind", kind)])
}

#[test]
fn the_name_that_a_client_asks_for_chooses_the_certificate() {
    let authority = Authority::new("servers");
    let (first, exact, wild) = (
        authority.issue(&["first.example", "127.0.0.1"]),
        authority.issue(&["a.example", "A.wild.example"]),
        authority.issue(&["*.wild.example"]),
    );
    let gateway = start(&[("first", &first), ("exact", &exact), ("wild", &wild)], "");
    let client = Client::new(&authority);
    for name in ["first.example", "a.example", "a.wild.example", "b.wild.example"] {
        let answer = client.ask(gateway.public, name).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("\"x-forwarded-proto\": \"https\""), "{answer:?}");
    }
    // An address is not asked for by name: the first is shown. A client of its own would refuse another.
    client.ask(gateway.public, "127.0.0.1").unwrap();
    assert!(client.ask(gateway.public, "b.a.wild.example").is_err(), "a wildcard stands for one label");
    let strict = start(&[("first", &first)], ", unknown_sni = \"refuse\"");
    client.ask(strict.public, "first.example").unwrap();
    client.ask(strict.public, "127.0.0.1").unwrap();
    assert!(client.connect(strict.public, "a.example").is_err());
    wait::until("it is counted", || refusals(&strict, "tls-unknown-name") >= 1.0);
}

#[test]
fn both_agree_on_what_is_spoken() {
    let authority = Authority::new("servers");
    let pair = authority.issue(&["a.example"]);
    let gateway = start(&[("a", &pair)], "");
    let speaking = |alpn: &[&str]| Client::with(&authority, alpn, None, &[&TLS12, &TLS13]);
    for (alpn, agreed) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
    ] {
        let tls = speaking(alpn).connect(gateway.public, "a.example").unwrap();
        assert_eq!(tls.conn.alpn_protocol(), agreed.map(str::as_bytes));
    }
    assert_eq!(speaking(&["http/1.1"]).ask(gateway.public, "a.example").unwrap().status, 200);
    assert!(speaking(&["spdy/3"]).connect(gateway.public, "a.example").is_err());
    wait::until("it is counted", || refusals(&gateway, "tls-alpn") >= 1.0);
    // What was agreed upon is spoken and nothing else.
    let mut tls = speaking(&["http/1.1"]).connect(gateway.public, "a.example").unwrap();
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    assert_eq!(read(&mut tls).unwrap().status, 505);
    let mut tls = speaking(&["h2"]).connect(gateway.public, "a.example").unwrap();
    tls.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _ = tls.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
}

#[test]
fn http2_is_spoken_over_tls() {
    let authority = Authority::new("servers");
    let pair = authority.issue(&["a.example"]);
    let gateway = start(&[("a", &pair)], "");
    let config = Client::with(&authority, &["h2"], None, &[&TLS13]).config();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(gateway.public).await.unwrap();
        let name = "a.example".try_into().unwrap();
        let tls = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap();
        let (mut sender, connection) = h2::client::handshake(tls).await.unwrap();
        tokio::spawn(connection);
        for (host, status) in
            [("a.example", 200), ("A.EXAMPLE:443", 200), ("b.example", 421), ("a.example", 200)]
        {
            let request = http::Request::get(format!("https://{host}/")).body(()).unwrap();
            let (answer, _) = sender.send_request(request, true).unwrap();
            assert_eq!(answer.await.unwrap().status(), status, "{host}");
        }
    });
    assert_eq!(refusals(&gateway, "misdirected"), 1.0);
}

#[test]
fn a_connection_is_for_those_that_its_certificate_is_made_out_to() {
    let authority = Authority::new("servers");
    let (one, two) = (authority.issue(&["a.example", "*.a.example"]), authority.issue(&["b.example"]));
    let gateway = start(&[("one", &one), ("two", &two)], "");
    let client = Client::new(&authority);
    let mut tls = client.connect(gateway.public, "a.example").unwrap();
    for host in ["a.example", "a.example:8443", "A.Example", "a.example.", "x.a.example"] {
        assert_eq!(ask(&mut tls, host).unwrap().status, 200, "{host}");
    }
    for host in ["b.example", "x.y.a.example", "127.0.0.1"] {
        let mut tls = client.connect(gateway.public, "a.example").unwrap();
        let answer = ask(&mut tls, host).unwrap();
        assert_eq!(answer.status, 421, "{host}");
        assert!(answer.body.contains("urn:sluice:problem:misdirected"), "{answer:?}");
    }
}

#[test]
fn versions_before_1_2_are_not_spoken_and_1_2_only_where_it_may_be() {
    let authority = Authority::new("servers");
    let pair = authority.issue(&["a.example"]);
    let both = start(&[("a", &pair)], "");
    let newest = start(&[("a", &pair)], ", versions = [\"1.3\"]");
    let client = |version| Client::with(&authority, &[], None, &[version]);
    assert_eq!(client(&TLS12).ask(both.public, "a.example").unwrap().status, 200);
    assert_eq!(client(&TLS13).ask(both.public, "a.example").unwrap().status, 200);
    assert_eq!(client(&TLS13).ask(newest.public, "a.example").unwrap().status, 200);
    assert!(client(&TLS12).connect(newest.public, "a.example").is_err());
    // Hellos of SSL 3.0, TLS 1.0 and TLS 1.1 are answered by an alert: `protocol_version`, or that nothing is shared.
    for minor in [0, 1, 2] {
        let mut stream = TcpStream::connect(both.public).unwrap();
        stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
        let mut hello = vec![3, minor];
        hello.extend_from_slice(&[7; 32]);
        hello.extend_from_slice(&[0, 0, 8, 0xc0, 0x14, 0xc0, 0x0a, 0, 0x35, 0, 0x2f, 1, 0]);
        let length = u8::try_from(hello.len()).unwrap();
        let record = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &hello].concat();
        stream.write_all(&record).unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert_eq!(said.first(), Some(&21), "{said:?}");
        assert_eq!(said.len(), 7, "an alert and nothing else: {said:?}");
    }
    wait::until("they are counted", || refusals(&both, "tls-incompatible") >= 3.0);
}

#[test]
fn who_does_not_shake_hands_is_left_after_a_while_and_stands_in_nobodys_way() {
    let authority = Authority::new("servers");
    let pair = authority.issue(&["a.example"]);
    let pairs = [("a", &pair)];
    let timeout = "timeout = { handshake = \"1s\" }\n";
    let gateway = setup(&pairs).start(&text(&pairs, "", timeout));
    let start = Instant::now();
    let mut stalled: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(gateway.public).unwrap()).collect();
    for (number, stream) in stalled.iter_mut().enumerate() {
        // Some say nothing, some begin, some trickle.
        stream.write_all(&[22, 3, 1, 2][..number % 5]).unwrap();
        stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
    }
    assert_eq!(Client::new(&authority).ask(gateway.public, "a.example").unwrap().status, 200);
    assert!(start.elapsed() < Duration::from_secs(60), "served beside those who wait");
    for mut stream in stalled {
        assert!(matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_)));
    }
    wait::until("they are counted", || refusals(&gateway, "tls-timeout") >= 50.0);
    // Plain HTTP is no handshake either.
    let mut plain = TcpStream::connect(gateway.public).unwrap();
    plain.set_read_timeout(Some(wait::DEADLINE)).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/"), "{said:?}");
    wait::until("it is counted", || refusals(&gateway, "tls-malformed") >= 1.0);
}

#[test]
fn other_protocols_are_spoken_over_tls_too() {
    let authority = Authority::new("servers");
    let pair = authority.issue(&["a.example"]);
    let origin = Origin::new(|_, stream| {
        stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        )?;
        let mut bytes = [0; 1024];
        loop {
            match stream.read(&mut bytes)? {
                0 => return Err(std::io::ErrorKind::ConnectionAborted.into()),
                n => stream.write_all(&bytes[..n])?,
            }
        }
    });
    let listener = "[listeners.public]\nbind = \"@public@\"\ntls = { cert = \"a.pem\", key = \"a.key\" }\n";
    let gateway = setup(&[("a", &pair)]).start(&(config::service(origin.address, &[]) + listener));
    let mut tls = Client::with(&authority, &["http/1.1"], None, &[&TLS13])
        .connect(gateway.public, "a.example")
        .unwrap();
    tls.write_all(
        b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly",
    )
    .unwrap();
    assert_eq!(read(&mut tls).unwrap().status, 101);
    let large = "all of it ".repeat(100_000);
    let mut heard = vec![0; 5];
    tls.read_exact(&mut heard).unwrap();
    assert_eq!(heard, b"early");
    for part in large.as_bytes().chunks(30_000) {
        tls.write_all(part).unwrap();
        let mut heard = vec![0; part.len()];
        tls.read_exact(&mut heard).unwrap();
        assert_eq!(heard, part);
    }
}

#[test]
fn the_gateway_s_own_pages_may_be_served_over_tls() {
    let authority = Authority::new("servers");
    let pair = authority.issue(&["localhost"]);
    let extra = crate::harness::ports::free();
    let text = config::service(Origin::echo(), &[])
        + &format!(
            "[listeners.pages]\nbind = \"{extra}\"\nserve = [\"admin\"]\ntls = {{ cert = \"a.pem\", key = \"a.key\" }}\n"
        );
    let gateway = setup(&[("a", &pair)]).start(&text);
    let mut tls = Client::new(&authority).connect(extra, "localhost").unwrap();
    tls.write_all(b"GET /snapshot HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut said = String::new();
    tls.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(said.contains("localhost"), "its certificates are listed: {said}");
    assert!(!said.contains("PRIVATE KEY"));
    gateway.get("/").expect(200);
}

#[test]
fn a_balancer_tells_who_comes_before_the_handshake() {
    let authority = Authority::new("servers");
    let pair = authority.issue(&["a.example"]);
    let pairs = [("a", &pair)];
    let more = "proxy_protocol = \"required\"\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let gateway = setup(&pairs).start(&text(&pairs, "", more));
    let mut stream = TcpStream::connect(gateway.public).unwrap();
    stream.write_all(b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\r\n").unwrap();
    let mut tls = Client::new(&authority).over(stream, "a.example").unwrap();
    let answer = ask(&mut tls, "a.example").unwrap();
    assert!(answer.body.contains("\"x-forwarded-for\": \"203.0.113.9\""), "{answer:?}");
    assert!(Client::new(&authority).connect(gateway.public, "a.example").is_err());
    wait::until("it is counted", || refusals(&gateway, "proxy-malformed") >= 1.0);
}

#[test]
fn another_process_takes_over_what_speaks_tls() {
    let authority = Authority::new("servers");
    let pair = authority.issue(&["a.example"]);
    let mut gateway = start(&[("a", &pair)], "");
    let client = Client::new(&authority);
    let mut before = client.connect(gateway.public, "a.example").unwrap();
    assert_eq!(ask(&mut before, "a.example").unwrap().status, 200);
    let mut former = gateway.upgrade().unwrap();
    assert_eq!(client.ask(gateway.public, "a.example").unwrap().status, 200);
    drop(before);
    assert_eq!(former.wait_for_end().code(), Some(0));
    assert_eq!(client.ask(gateway.public, "a.example").unwrap().status, 200);
}

/// A probe over plain HTTP beside TLS, for tests whose reloads must not be felt by others.
fn plain_probe(gateway: &Gateway) -> Probe {
    Probe::start(gateway.admin, "/readyz")
}
