//! Corpora of requests, in `tests/corpus`: what no server may be asked to read is refused before any step, and what looks odd and is legal
//! is served, and seen by the server behind as it was meant.

use crate::harness::frames::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, Raw, block, frame};
use crate::harness::{Gateway, Origin, config, corpus};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// What an attacker wants to have served as a request of somebody else.
const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

fn behind_a_gateway() -> (Origin, Gateway) {
    let origin = Origin::always(OK);
    let gateway = Gateway::start(&config::service(origin.address, &[]));
    (origin, gateway)
}

/// Sends each case of a file: all that is wrong is told at once, and none may have reached the server.
fn refused(file: &str, send: impl Fn(&Gateway, &[String]) -> Result<(), String>) {
    let (origin, gateway) = behind_a_gateway();
    let (cases, mut wrong) = (corpus::cases(file), Vec::new());
    assert!(cases.len() > 100, "{}", cases.len());
    for case in &cases {
        if let Err(what) = send(&gateway, case) {
            wrong.push(format!("{}: {what}", case[0]));
        }
        let served = origin.requests().len();
        if served > 0 {
            wrong.push(format!("{}: {served} reached the server", case[0]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Sends each case of a file, and holds what the server has seen against its last parts.
fn served(file: &str, parts: usize, send: impl Fn(&Gateway, &[String])) {
    let (origin, gateway) = behind_a_gateway();
    let cases = corpus::cases(file);
    assert!(cases.len() > 30, "{}", cases.len());
    for (number, case) in cases.iter().enumerate() {
        let (sent, expected) = case.split_at(parts);
        send(&gateway, sent);
        let (name, seen) = (&case[0], origin.requests());
        assert_eq!(seen.len(), number + 1, "{name}");
        corpus::assert_seen(name, &seen[number], expected);
        // The one trailer that the cases have besides those that no trailer may be.
        let had: Vec<&str> = seen[number].trailers.iter().map(|(field, _)| field.as_str()).collect();
        let has = sent.concat().to_lowercase().contains("x-sum");
        assert_eq!(had, if has { vec!["x-sum"] } else { vec![] }, "{name}");
    }
}

#[test]
fn what_is_no_request_of_http1_is_refused() {
    refused("http1-refused.txt", |gateway, case| {
        let [_, statuses, bytes] = case else { panic!("{case:?} has not three parts") };
        let mut client = gateway.connect();
        client.send([corpus::bytes(bytes).as_slice(), SMUGGLED].concat());
        let status = client.read().status.to_string();
        let is_right = statuses.split(' ').any(|expected| expected == status) && client.is_closed();
        if is_right { Ok(()) } else { Err(status) }
    });
}

#[test]
fn a_body_that_breaks_its_framing_never_ends_at_a_server() {
    let (origin, gateway) = behind_a_gateway();
    for case in corpus::cases("http1-broken.txt") {
        let [name, bytes] = case.as_slice() else { panic!("{case:?} has not two parts") };
        let mut client = gateway.connect();
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send([corpus::bytes(bytes).as_slice(), SMUGGLED].concat());
        assert_eq!(client.read().status, 400, "{name}");
        assert!(client.is_closed(), "{name}");
        assert_eq!(origin.requests().len(), 0, "{name}");
    }
}

#[test]
fn legal_requests_of_http1_are_seen_as_they_are_meant() {
    served("http1-served.txt", 2, |gateway, case| {
        let mut client = gateway.connect();
        client.send(corpus::bytes(&case[1]));
        assert_eq!(client.read().status, 200, "{}", case[0]);
    });
}

/// The frames of a request: its head, and the `data` and `trailers` that follow.
fn frames(head: &str, rest: &str) -> Vec<u8> {
    let as_block = |fields: &[(Vec<u8>, Vec<u8>)]| {
        let fields: Vec<(&[u8], &[u8])> =
            fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        block(&fields)
    };
    let (data, trailers) = match rest.split_once("trailers  ") {
        Some((data, trailers)) => (data, Some(corpus::fields(trailers))),
        None => (rest, None),
    };
    let data: Vec<Vec<u8>> =
        data.split("  ").filter_map(|part| part.strip_prefix("data=")).map(corpus::bytes).collect();
    let ends = |last: bool| if last { END_STREAM } else { 0 };
    let mut out = frame(
        HEADERS,
        END_HEADERS | ends(data.is_empty() && trailers.is_none()),
        1,
        &as_block(&corpus::fields(head)),
    );
    for (number, piece) in data.iter().enumerate() {
        out.extend(frame(DATA, ends(number + 1 == data.len() && trailers.is_none()), 1, piece));
    }
    if let Some(trailers) = trailers {
        out.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &as_block(&trailers)));
    }
    out
}

/// What becomes of stream 1: the status of its answer, or none where it or the connection is ended without.
fn outcome(raw: &mut Raw) -> Option<u16> {
    while let Some(frame) = raw.next() {
        match frame.kind {
            // In our answers the status comes first: as an entry of the static table, or as a literal whose name is one.
            HEADERS => {
                return Some(match frame.payload[0] {
                    0x88 => 200,
                    0x89 => 204,
                    0x8a => 206,
                    0x8b => 304,
                    0x8c => 400,
                    0x8d => 404,
                    0x8e => 500,
                    _ => 499,
                });
            }
            RST_STREAM | GOAWAY => return None,
            _ => {}
        }
    }
    None
}

#[test]
fn what_is_no_request_of_http2_is_refused() {
    refused("http2-refused.txt", |gateway, case| {
        let mut raw = Raw::open(gateway.public);
        raw.send(frames(&case[1], case.get(2).map_or("", String::as_str)));
        match outcome(&mut raw) {
            Some(status @ ..400) => Err(status.to_string()),
            _ => Ok(()),
        }
    });
}

#[test]
fn legal_requests_of_http2_are_seen_as_they_are_meant() {
    served("http2-served.txt", 3, |gateway, case| {
        let mut raw = Raw::open(gateway.public);
        raw.send(frames(&case[1], &case[2]));
        assert_eq!(outcome(&mut raw), Some(200), "{}", case[0]);
    });
}
