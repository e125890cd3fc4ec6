//! Floods of HTTP/2 frames: each ends its own connection within bounds, in bytes and in memory, and nobody else feels it.

use crate::harness::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PRIORITY, RST_STREAM, Raw,
    SETTINGS, WINDOW_UPDATE, frame, request,
};
use crate::harness::{Gateway, Origin, Probe, config, wait};

const ENHANCE_YOUR_CALM: u32 = 11;

/// No flood may go on for longer, in bytes: what the gateway looks at is far less, what the sockets of both sides hold is in it.
const MOST: usize = 16 << 20;

/// What a gateway may hold more than before, whoever floods it, in bytes.
const MEMORY: u64 = 16 << 20;

fn gateway() -> Gateway {
    Gateway::start(&config::service(Origin::echo(), &[]))
}

/// Sends pieces until the gateway ends the connection; how many bytes that took, and the code that it ended with.
#[track_caller]
fn flood(gateway: &Gateway, opening: &[u8], piece: impl Fn(u32) -> Vec<u8>) -> (usize, Option<u32>) {
    let before = gateway.memory();
    let probe = Probe::start(gateway.public, "/probe");
    let mut raw = Raw::open(gateway.public);
    raw.send(opening);
    let mut sent = 0;
    for round in 0.. {
        let bytes = piece(round);
        if raw.try_send(&bytes).is_err() {
            break;
        }
        sent += bytes.len();
        assert!(sent <= MOST, "{sent} bytes and no end");
    }
    let code = raw.goaway();
    probe.finish();
    let held = gateway.memory().saturating_sub(before);
    assert!(held < MEMORY, "{held} bytes are held for {sent}");
    (sent, code)
}

#[track_caller]
fn counted(gateway: &Gateway, kind: &str) {
    let labels = [("listener", "public"), ("kind", kind)];
    wait::until(kind, || gateway.metrics().sum("sluice_listener_refused_total", &labels) >= 1.0);
}

fn stream(number: u32) -> u32 {
    number * 2 + 1
}

#[test]
fn frames_that_carry_nothing_end_the_connection() {
    let gateway = gateway();
    for (kind, one) in [
        ("flood-ping", frame(PING, 0, 0, &[0; 8])),
        ("flood-settings", frame(SETTINGS, 0, 0, &[])),
        ("flood-settings", frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff].repeat(100))),
        ("flood-priority", frame(PRIORITY, 0, 7, &[0, 0, 0, 3, 1])),
        ("flood-window-update", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("flood-other", frame(0x7a, 0, 0, &[1; 20])),
        ("flood-ping", frame(PING, ACK, 0, &[0; 8])),
    ] {
        let (sent, code) = flood(&gateway, &[], |_| one.repeat(20));
        assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{kind} after {sent} bytes");
        counted(&gateway, kind);
    }
    gateway.get("/after").expect(200);
}

/// Those that hyper and h2 may end first, by rules of their own.
#[test]
fn what_makes_work_for_others_ends_the_connection() {
    let gateway = gateway();
    let post = frame(HEADERS, END_HEADERS, 1, &request("POST", "/", &[]));
    flood(&gateway, &post, |_| frame(DATA, 0, 1, &[]).repeat(20));
    flood(&gateway, &post, |_| frame(DATA, PADDED, 1, &[3, 0, 0, 0]).repeat(20));
    let open = frame(HEADERS, END_STREAM, 1, &request("GET", "/", &[]));
    flood(&gateway, &open, |_| frame(CONTINUATION, 0, 1, &[]).repeat(20));
    flood(&gateway, &open, |_| frame(CONTINUATION, 0, 1, &[0x82; 1_000]));
    let get = request("GET", "/", &[]);
    // In large pieces, and so small that each request is begun before it is cancelled.
    for together in [200, 1] {
        let reset = |round: u32| -> Vec<u8> {
            let one = |number: u32| {
                let id = stream(round * together + number);
                [frame(HEADERS, END_STREAM | END_HEADERS, id, &get), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])]
                    .concat()
            };
            (0..together).flat_map(one).collect()
        };
        flood(&gateway, &[], reset);
    }
    // The gateway is made to reset streams itself (MadeYouReset).
    for provoking in [
        |id| frame(WINDOW_UPDATE, 0, id, &[0; 4]),
        |id| frame(WINDOW_UPDATE, 0, id, &[0x7f, 0xff, 0xff, 0xff]),
        |id| frame(DATA, END_STREAM, id, b"more"),
        |id| frame(PRIORITY, 0, id, &[0; 4]),
    ] {
        flood(&gateway, &[], |number| {
            let id = stream(number);
            [frame(HEADERS, END_STREAM | END_HEADERS, id, &get), provoking(id)].concat()
        });
    }
    gateway.get("/after").expect(200);
}

#[test]
fn a_head_that_unfolds_is_bounded() {
    let gateway = gateway();
    // One field of 4,000 bytes, remembered once and then meant by a byte each time.
    let mut bomb = request("GET", "/", &[]);
    bomb.extend_from_slice(&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    bomb.extend_from_slice(&[b'a'; 4_000]);
    bomb.extend_from_slice(&[0xbe; 8_000]);
    let before = gateway.memory();
    let mut raw = Raw::open(gateway.public);
    for number in 0..100 {
        // Each is refused, or the connection is.
        if raw.try_send(frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &bomb)).is_err() {
            break;
        }
    }
    let held = gateway.memory().saturating_sub(before);
    assert!(held < MEMORY, "{held}");
    gateway.get("/after").expect(200);
}

#[test]
fn a_busy_client_is_not_taken_for_an_attacker() {
    let gateway = gateway();
    let mut raw = Raw::open(gateway.public);
    let get = request("GET", "/", &[]);
    // Windows are opened again for each answer, a ping measures the way, priorities change, and a third is cancelled.
    for number in 0..3_000 {
        let id = stream(number);
        raw.send(frame(HEADERS, END_STREAM | END_HEADERS, id, &get));
        if number % 3 == 0 {
            raw.send(frame(RST_STREAM, 0, id, &[0, 0, 0, 8]));
            continue;
        }
        loop {
            let frame = raw.next().expect("the connection goes on");
            if frame.kind == DATA {
                let length = u32::try_from(frame.payload.len().max(1)).unwrap().to_be_bytes();
                raw.send(crate::harness::frames::frame(WINDOW_UPDATE, 0, 0, &length));
            }
            if frame.stream == id && frame.flags & END_STREAM != 0 && matches!(frame.kind, DATA | HEADERS) {
                break;
            }
        }
        raw.send(frame(PING, 0, 0, &[7; 8]));
        raw.send(frame(PRIORITY, 0, id, &[0, 0, 0, 0, 1]));
    }
}
