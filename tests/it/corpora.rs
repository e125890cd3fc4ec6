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

#[test]
fn what_is_no_request_of_http1_is_refused() {
    let (origin, gateway) = behind_a_gateway();
    let cases = corpus::cases("http1-refused.txt");
    assert!(cases.len() > 200);
    let mut wrong = Vec::new();
    for case in &cases {
        let [name, statuses, bytes] = case.as_slice() else { panic!("{case:?} has not three parts") };
        let mut client = gateway.connect();
        client.send([corpus::bytes(bytes).as_slice(), SMUGGLED].concat());
        let status = client.read().status.to_string();
        if !statuses.split(' ').any(|expected| expected == status) || !client.is_closed() {
            wrong.push(format!("{name}: {status}"));
        }
        let served = origin.requests().len();
        if served > 0 {
            wrong.push(format!("{name}: {served} reached the server"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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
    let (origin, gateway) = behind_a_gateway();
    let cases = corpus::cases("http1-served.txt");
    assert!(cases.len() >= 60);
    for (number, case) in cases.iter().enumerate() {
        let [name, bytes, expected @ ..] = case.as_slice() else { panic!("{case:?} lacks parts") };
        let mut client = gateway.connect();
        client.send(corpus::bytes(bytes));
        let status = client.read().status;
        assert_eq!(status, 200, "{name}");
        let seen = origin.requests();
        assert_eq!(seen.len(), number + 1, "{name}");
        corpus::assert_seen(name, &seen[number], expected);
        assert!(seen[number].trailers.iter().all(|(field, _)| field == "x-sum"), "{name}");
    }
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
    let (origin, gateway) = behind_a_gateway();
    let cases = corpus::cases("http2-refused.txt");
    assert!(cases.len() > 120);
    let mut wrong = Vec::new();
    for case in &cases {
        let (name, head) = (&case[0], &case[1]);
        let mut raw = Raw::open(gateway.public);
        raw.send(frames(head, case.get(2).map_or("", String::as_str)));
        if let Some(status @ ..400) = outcome(&mut raw) {
            wrong.push(format!("{name}: {status}"));
        }
        let served = origin.requests().len();
        if served > 0 {
            wrong.push(format!("{name}: {served} reached the server"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn legal_requests_of_http2_are_seen_as_they_are_meant() {
    let (origin, gateway) = behind_a_gateway();
    let cases = corpus::cases("http2-served.txt");
    assert!(cases.len() >= 30);
    for (number, case) in cases.iter().enumerate() {
        let [name, head, rest, expected @ ..] = case.as_slice() else { panic!("{case:?} lacks parts") };
        let mut raw = Raw::open(gateway.public);
        raw.send(frames(head, rest));
        assert_eq!(outcome(&mut raw), Some(200), "{name}");
        let seen = origin.requests();
        assert_eq!(seen.len(), number + 1, "{name}");
        corpus::assert_seen(name, &seen[number], expected);
        assert!(seen[number].trailers.iter().all(|(field, _)| field == "x-sum"), "{name}");
    }
}
