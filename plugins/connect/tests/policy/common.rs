//! The plugin before a shop of books, and its messages.

use connect::Connect;
use sluice_sdk_grpc::{Frame, Framing, Next, frame};
use sluice_sdk_testing::{Exchange, Harness, Request, Response, TestPlugin, Value, json};

/// With descriptors.
pub(crate) fn plugin() -> TestPlugin {
    configured(json!({}))
}

pub(crate) fn configured(mut config: Value) -> TestPlugin {
    config["descriptors"] = json!("asset:shop.binpb");
    Harness::<Connect>::new(config)
        .asset("shop.binpb", descriptors())
        .start()
        .expect("the configuration is good")
}

/// Without.
pub(crate) fn plain(config: Value) -> TestPlugin {
    Harness::<Connect>::new(config).start().expect("the configuration is good")
}

pub(crate) fn call(method: &str, content_type: &str) -> Request {
    Request::post(&format!("/shop.v1.Books/{method}")).with_header("content-type", content_type)
}

pub(crate) fn grpc() -> Response {
    Response::new(200).with_header("content-type", "application/grpc")
}

pub(crate) fn good(message: &[u8]) -> Response {
    grpc().with_body(frame(0, message)).with_trailer("grpc-status", "0")
}

/// A `Book` as Protobuf writes it: `title`, and `copies`, an int64.
pub(crate) fn book(title: &str, copies: u8) -> Vec<u8> {
    assert!(copies < 128 && title.len() < 128);
    let mut bytes = field(1, title.as_bytes());
    bytes.extend([0x10, copies]);
    bytes
}

pub(crate) fn problem_type(exchange: &Exchange<'_>) -> (u16, Value) {
    let answer = exchange.answer();
    (answer.status(), answer.problem()["type"].clone())
}

/// The answer of this plugin as the gateway shows it to it.
pub(crate) fn shown(exchange: &mut Exchange<'_>) -> Response {
    let answer = exchange.answer();
    let problem = answer.problem();
    let response =
        Response::new(answer.status()).with_header("content-type", "application/problem+json").of_step();
    exchange.respond(response.with_body(problem.to_string()))
}

pub(crate) fn json_of(response: &Response) -> Value {
    response.text().parse().unwrap_or_else(|_| panic!("no JSON: {}", response.text()))
}

/// The messages of a stream, and its end.
pub(crate) fn read(response: &Response) -> (Vec<(u8, Vec<u8>)>, Value) {
    let body = response.body();
    let (mut messages, mut rest) = (Vec::new(), &body[..]);
    while let Next::Frame(frame, after) = Framing::connect(usize::MAX).next(rest).expect("frames") {
        rest = after;
        if frame.flags & Frame::END_STREAM != 0 {
            assert!(rest.is_empty(), "the end comes last");
            return (messages, String::from_utf8_lossy(frame.message).parse().expect("JSON"));
        }
        messages.push((frame.flags, frame.message.to_vec()));
    }
    panic!("no end in {body:?}");
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len();
    let mut out = vec![number << 3 | 2];
    if length >= 128 {
        out.push(u8::try_from(length % 128 + 128).expect("below 256"));
    }
    out.push(u8::try_from(if length >= 128 { length / 128 } else { length }).expect("below 16 KiB"));
    out.extend(bytes);
    out
}

/// `shop.proto`: `message Book { string title = 1; int64 copies = 2; }`, and a service of every kind of method.
pub(crate) fn descriptors() -> Vec<u8> {
    let scalar = |name: &str, number: u8, kind: u8| {
        [field(1, name.as_bytes()), vec![0x18, number, 0x20, 1, 0x28, kind]].concat()
    };
    let book =
        [field(1, b"Book"), field(2, &scalar("title", 1, 9)), field(2, &scalar("copies", 2, 3))].concat();
    let method = |name: &str, client: u8, server: u8, options: &[u8]| {
        let types = [field(2, b".shop.v1.Book"), field(3, b".shop.v1.Book")].concat();
        field(
            2,
            &[field(1, name.as_bytes()), types, field(4, options), vec![0x28, client, 0x30, server]].concat(),
        )
    };
    let service = [
        field(1, b"Books"),
        method("Get", 0, 0, &[0x90, 0x02, 1]),
        method("Delete", 0, 0, &[]),
        method("List", 0, 1, &[]),
        method("Upload", 1, 0, &[]),
        method("Chat", 1, 1, &[]),
    ]
    .concat();
    let file = [
        field(1, b"shop.proto"),
        field(2, b"shop.v1"),
        field(4, &book),
        field(6, &service),
        field(12, b"proto3"),
    ]
    .concat();
    field(1, &file)
}
