//! The PROXY protocol on a listener that asks for it.

use std::time::Duration;

use crate::harness::{Gateway, Origin, config, wait};

const LINE: &str = "PROXY TCP4 192.0.2.7 10.0.0.1 4321 80\r\n";
const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\n\r\n";

fn start(more: &str) -> Gateway {
    let listener =
        format!("[listeners.public]\nbind = \"@public@\"\nproxy_protocol = \"required\"\n{more}\n");
    Gateway::start(&(config::service(Origin::echo(), &[]) + &listener))
}

fn trusting() -> Gateway {
    start("trusted_proxies = [\"127.0.0.0/8\"]\ntimeout = { header = \"400ms\" }")
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family, 0, u8::try_from(block.len()).unwrap()]);
    bytes.extend(block);
    bytes
}

#[test]
fn the_announced_address_is_the_client_s() {
    let gateway = trusting();
    let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 16, 225, 0, 80];
    let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7], &[0; 16], &[16, 225, 0, 80]].concat();
    for (header, client) in [
        (LINE.into(), "192.0.2.7"),
        (v2(0x21, 0x11, &v4), "192.0.2.7"),
        (v2(0x21, 0x11, &[&v4[..], &[4, 0, 1, 0]].concat()), "192.0.2.7"),
        (v2(0x21, 0x21, &v6), "2001:db8::7"),
        (v2(0x20, 0x00, b""), "127.0.0.1"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        // One of the operator's own proxies is announced: it is believed.
        (b"PROXY TCP4 127.0.0.9 10.0.0.1 1 80\r\n".to_vec(), "203.0.113.9, 127.0.0.9"),
    ] {
        let mut client_side = gateway.connect();
        client_side.send([&header[..], REQUEST.as_bytes()].concat());
        assert_eq!(client_side.read().expect(200).sent("x-forwarded-for").as_deref(), Some(client));
        client_side.send(REQUEST);
        assert_eq!(client_side.read().expect(200).sent("x-forwarded-for").as_deref(), Some(client));
    }
}

#[test]
fn a_header_may_come_byte_by_byte() {
    let gateway = trusting();
    let mut client = gateway.connect();
    for byte in LINE.bytes() {
        client.send([byte]);
    }
    client.send(REQUEST);
    assert_eq!(client.read().expect(200).sent("x-forwarded-for").as_deref(), Some("192.0.2.7"));
}

#[test]
fn http2_may_follow() {
    let gateway = trusting();
    let mut client = gateway.connect();
    client
        .send([LINE.as_bytes(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat());
    let settings = client.read_exactly(9);
    assert_eq!((settings[3], &settings[5..]), (4, &[0; 4][..]), "the gateway answers with its settings");
}

#[test]
fn whoever_does_not_announce_is_closed_on() {
    let gateway = trusting();
    let long = format!("PROXY UNKNOWN {}\r\n", "a".repeat(100));
    for (bytes, kind) in [
        (REQUEST, "proxy-malformed"),
        (&long, "proxy-malformed"),
        ("", "proxy-timeout"),
        ("PROXY T", "proxy-timeout"),
    ] {
        let labels = [("listener", "public"), ("kind", kind)];
        let before = gateway.metrics().sum("sluice_listener_refused_total", &labels);
        let mut client = gateway.connect();
        client.send(bytes);
        assert!(client.try_read("GET").is_err(), "{bytes}");
        wait::until("it is counted", || {
            gateway.metrics().sum("sluice_listener_refused_total", &labels) > before
        });
    }
    let stranger = start("trusted_proxies = [\"192.0.2.0/24\"]");
    let mut client = stranger.connect();
    let _ = client.try_send(LINE);
    assert!(client.try_read("GET").is_err());
    let labels = [("listener", "public"), ("kind", "proxy-untrusted")];
    assert!(wait::happens(Duration::from_secs(5), || {
        stranger.metrics().sum("sluice_listener_refused_total", &labels) > 0.0
    }));
}
