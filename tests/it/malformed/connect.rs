//! Connect: frames, messages and heads of clients, and responses of services.

use std::io::Write as _;

use serde_json::{Value, json};

use super::{bomb, within_memory};
use crate::harness::h2::H2;
use crate::harness::library::{Library, field, framed};
use crate::harness::{Gateway, Origin, Response, Setup, config};

const STEP: &str = "{ descriptors = \"${asset:library.binpb}\", get = [\"library.v1.Library/GetBook\"] }";

fn post(gateway: &Gateway, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    gateway.connect().request("POST", &format!("/library.v1.Library/{method}"), headers, body)
}

/// The chain lives.
#[track_caller]
fn serves(gateway: &Gateway) {
    let name = b"{\"name\":\"shelves/1/books/1\"}";
    let book = post(gateway, "GetBook", &[("content-type", "application/json")], name).expect(200);
    assert_eq!(book.json()["title"], "Middlemarch");
}

/// The error in the one frame that a stream has.
#[track_caller]
fn last_frame(answer: Response) -> Value {
    let answer = answer.expect(200);
    let [2, length @ ..] = &answer.body[..] else { panic!("{answer:?}") };
    let length = u32::from_be_bytes(length[..4].try_into().unwrap()) as usize;
    assert_eq!(answer.body.len(), 5 + length, "nothing follows: {answer:?}");
    serde_json::from_slice::<Value>(&answer.body[5..]).unwrap()["error"].clone()
}

#[track_caller]
fn tells(error: &Value, code: &str, message: &str) {
    assert_eq!(error["code"], code, "{error}");
    assert!(
        error["message"].as_str().is_some_and(|said| said.contains(message)),
        "{error} without {message}"
    );
}

#[test]
fn streams_that_are_broken() {
    let library = Library::start();
    let gateway = library.behind("connect", STEP);
    let deep = [b"{\"text\":{\"a\":".as_slice(), "[".repeat(100_000).as_bytes()].concat();
    for kind in ["proto", "json"] {
        let headers = [("content-type", &*format!("application/connect+{kind}"))];
        for (body, code, message) in [
            (vec![0, 0, 0], "invalid_argument", "ends within a message"),
            (vec![0, 0, 0, 0, 9, 1], "invalid_argument", "ends within a message"),
            (vec![0, 255, 255, 255, 255, 1], "resource_exhausted", "4294967295 bytes is larger than"),
            (vec![7, 0, 0, 0, 1, 0], "invalid_argument", "the byte 0x07"),
            (vec![2, 0, 0, 0, 2, b'{', b'}'], "invalid_argument", "the byte 0x02"),
            (vec![1, 0, 0, 0, 1, 0], "internal", "no header says how"),
        ] {
            tells(&last_frame(post(&gateway, "Talk", &headers, &body)), code, message);
            serves(&gateway);
        }
    }
    let json = [("content-type", "application/connect+json")];
    for (body, message) in
        [(framed(&deep), "`text`"), (framed(b"\xff"), "not UTF-8"), (framed(b"{\"text\":7}"), "`text`")]
    {
        tells(&last_frame(post(&gateway, "Talk", &json, &body)), "invalid_argument", message);
        serves(&gateway);
    }
    // What is no message in Protobuf passes as it is: the service tells.
    let proto = [("content-type", "application/connect+proto")];
    tells(&last_frame(post(&gateway, "Talk", &proto, &framed(b"\xff\xff"))), "internal", "");
    let gzip = [json[0], ("connect-content-encoding", "gzip")];
    let packed = bomb(b' ');
    let mut frame = framed(b"")[..1].to_vec();
    frame[0] = 1;
    frame.extend(u32::try_from(packed.len()).unwrap().to_be_bytes());
    frame.extend(packed);
    within_memory(&gateway, || {
        tells(&last_frame(post(&gateway, "Talk", &gzip, &frame)), "resource_exhausted", "larger than");
    });
    serves(&gateway);
}

/// Headers, method and body, then the status, the code and a part of the message.
type Case<'c> = (Vec<(&'c str, &'c str)>, &'c str, &'c [u8], u16, &'c str, &'c str);

#[test]
fn calls_that_are_broken() {
    let library = Library::start();
    let gateway = library.behind("connect", STEP);
    let deep = format!("{{\"list\":{}", "[".repeat(100_000)).into_bytes();
    let (large, packed) = (vec![b' '; 2 << 20], bomb(b' '));
    let (json, gzip) = ([("content-type", "application/json")], ("content-encoding", "gzip"));
    let json_and = |more: (&'static str, &'static str)| vec![json[0], more];
    let cases: [Case<'_>; 14] = [
        (json.to_vec(), "GetBook", b"{", 400, "invalid_argument", "ends too early"),
        (json.to_vec(), "GetBook", b"", 400, "invalid_argument", ""),
        (json.to_vec(), "GetBook", b"{\"name\":[]}", 400, "invalid_argument", "`name`"),
        (json.to_vec(), "GetBook", b"{\"name\":\"\xff\"}", 400, "invalid_argument", "not UTF-8"),
        (json.to_vec(), "Echo", &deep, 413, "resource_exhausted", "deeper than 100"),
        (json.to_vec(), "Echo", &large, 413, "resource_exhausted", "413"),
        (json_and(gzip), "GetBook", b"{}", 400, "invalid_argument", "not valid `gzip`"),
        (json_and(gzip), "Echo", &packed, 413, "resource_exhausted", ""),
        (
            json_and(("content-encoding", "br")),
            "GetBook",
            b"{}",
            501,
            "unimplemented",
            "`br` is not supported",
        ),
        (json_and(("connect-timeout-ms", "-1")), "GetBook", b"{}", 400, "invalid_argument", "Timeout"),
        (json_and(("connect-protocol-version", "2")), "GetBook", b"{}", 400, "invalid_argument", "Version"),
        (json_and(("connect-protocol-version", "1")), "None", b"{}", 501, "unimplemented", "no such method"),
        // What is no message in Protobuf is told by the service.
        (vec![("content-type", "application/proto")], "GetBook", &[10, 200], 500, "internal", ""),
        (vec![("content-type", "application/proto")], "Echo", &large, 413, "resource_exhausted", "413"),
    ];
    within_memory(&gateway, || {
        for (headers, method, body, status, code, message) in cases {
            let answer = post(&gateway, method, &headers, body).expect(status);
            tells(&answer.json(), code, message);
            serves(&gateway);
        }
    });
    for (kind, method) in [
        ("application/connect+xml", "Talk"),
        ("application/connect+json", "GetBook"),
        ("application/json", "Talk"),
        ("application/proto", "Talk"),
    ] {
        let problem = post(&gateway, method, &[("content-type", kind)], &framed(b"")).problem(415);
        assert_eq!(
            problem["type"], "urn:sluice:problem:connect-codec-unsupported",
            "{kind} {method} {problem}"
        );
    }
    for (query, status, message) in [
        ("?connect=v1&encoding=json", 400, "`message` is missing"),
        ("?connect=v2&encoding=json&message=%7B%7D", 400, "`v1`"),
        ("?connect=v1&encoding=json&base64=1&message=%21%21", 400, "Base64"),
        ("?connect=v1&encoding=json&message=%7B", 400, "ends too early"),
        ("?connect=v1&encoding=proto&message=%FF", 400, "base64=1"),
        ("?connect=v1&encoding=json&message=%7B%7D&compression=br", 501, "`br` is not supported"),
    ] {
        let answer = gateway.get(&format!("/library.v1.Library/GetBook{query}")).expect(status).json();
        assert!(answer["message"].as_str().is_some_and(|said| said.contains(message)), "{query} {answer}");
    }
    let written =
        gateway.get("/library.v1.Library/CreateBook?connect=v1&encoding=json&message=%7B%7D").expect(405);
    assert_eq!(written.json()["code"], "invalid_argument");
    serves(&gateway);
}

#[test]
fn clients_that_leave_within_a_message() {
    let library = Library::start();
    let gateway = library.behind("connect", STEP);
    for kind in ["connect+proto", "connect+json", "json", "proto"] {
        let method = if kind.starts_with("connect") { "Talk" } else { "GetBook" };
        let host = kind.replace('+', ".");
        let mut client = gateway.connect();
        client.send(format!(
            "POST /library.v1.Library/{method} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/{kind}\r\n\
             content-length: 1000\r\n\r\n"
        ));
        client.send([0, 0, 0, 3, 0, b'{']);
        drop(client);
        gateway.wait_for_access(&[&format!("\"{host}\""), "request-incomplete"]);
        serves(&gateway);
    }
}

/// A gateway whose upstream speaks Connect and always answers with these bytes.
#[track_caller]
fn before(answer: Vec<u8>) -> Gateway {
    let is_cut = answer.windows(17).any(|line| line == b"connection: close");
    let service = Origin::new(move |_, stream| {
        stream.write_all(&answer)?;
        if is_cut { Err(std::io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    });
    let step = "config = { descriptors = \"${asset:library.binpb}\", upstream = \"connect\" }";
    let text = config::plugin("connect", step) + &config::service(service.address, &["connect"]);
    Setup::new()
        .plugin("connect", crate::harness::plugin("connect"))
        .file("library.binpb", Library::descriptors())
        .start(&text)
}

fn grpc(gateway: &Gateway, method: &str) -> std::io::Result<Response> {
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let path = format!("/library.v1.Library/{method}");
    H2::open(gateway.public).try_request("POST", &path, &headers, &framed(&field(1, "a")))
}

#[test]
fn services_that_answer_nonsense() {
    let answer = |head: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let deep = [b"{\"code\":".as_slice(), "[".repeat(100_000).as_bytes()].concat();
    for (bytes, status) in [
        (answer("200 OK\r\ncontent-type: text/html", b"<html>"), "2"),
        (answer("404 Not Found\r\ncontent-type: application/json", b"{"), "12"),
        (answer("404 Not Found\r\ncontent-type: application/json", &deep), "12"),
        (answer("503 Busy\r\ncontent-type: application/json", b"{\"code\":\"nonsense\"}"), "14"),
        (answer("500 Oops", b""), "2"),
    ] {
        let gateway = before(bytes.clone());
        for _ in 0..2 {
            let answer = grpc(&gateway, "GetBook").unwrap().expect(200);
            let found = answer.header("grpc-status").or(answer.trailer("grpc-status"));
            assert_eq!(
                found,
                Some(status),
                "{} {answer:?}",
                String::from_utf8_lossy(&bytes[..60.min(bytes.len())])
            );
        }
    }
    // What the gateway says of these is told in gRPC too.
    let cut = b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 9\r\nconnection: close\r\n\r\nab";
    let large = answer("200 OK\r\ncontent-type: application/proto", &vec![0; 3 << 20]);
    for bytes in [cut.to_vec(), large] {
        let gateway = before(bytes);
        for _ in 0..2 {
            let answer = grpc(&gateway, "GetBook").unwrap().expect(200);
            assert_eq!(answer.header("grpc-status"), Some("14"), "{answer:?}");
        }
    }
}

#[test]
fn services_whose_streams_are_broken() {
    let end = |text: &str| [&[2, 0, 0, 0, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let of = |body: &[u8]| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\ncontent-length:";
        before([format!("{head} {}\r\n\r\n", body.len()).as_bytes(), body].concat())
    };
    // With a status in their trailers, if what came before could be sent on.
    for (body, status) in [
        (Vec::new(), "13"),
        (framed(b""), "13"),
        (end("{"), "13"),
        (end("{\"error\":7}"), "13"),
        (end("{\"error\":{\"code\":\"nonsense\"}}"), "2"),
        (vec![3, 0, 0, 0, 1, 7], "13"),
    ] {
        let gateway = of(&body);
        for _ in 0..2 {
            let answer = grpc(&gateway, "ListBooks").unwrap().expect(200);
            assert_eq!(answer.trailer("grpc-status"), Some(status), "{body:?} {answer:?}");
        }
    }
    // Otherwise they are cut off, which no client takes for their end.
    for body in [
        vec![0, 0],
        vec![0, 0, 0, 0, 9, 1],
        vec![0, 255, 255, 255, 255, 1],
        vec![9, 0, 0, 0, 0],
        [end("{}"), framed(b"")].concat(),
    ] {
        let gateway = of(&body);
        for _ in 0..2 {
            assert!(grpc(&gateway, "ListBooks").is_err(), "{body:?}");
        }
    }
    let good = grpc(&of(&[framed(b""), end("{}")].concat()), "ListBooks").unwrap();
    assert_eq!((good.body, json!(good.trailers)), (framed(b""), json!([["grpc-status", "0"]])));
}
