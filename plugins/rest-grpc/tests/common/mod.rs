//! What the tests of the policy have in common: the shop, and messages of its types.
#![allow(dead_code, reason = "each test file uses a part of it")]

use rest_grpc::RestGrpc;
use sluice_sdk_grpc::{Framing, Next, frame};
use sluice_sdk_protobuf::{Pool, ReadOptions, WriteOptions, put_bytes};
use sluice_sdk_testing::{Exchange, Harness, Request, Response, TestPlugin, Value, json};

pub(crate) const SHOP: &[u8] = include_bytes!("../data/shop.binpb");

pub(crate) fn harness(mut config: Value) -> Harness<RestGrpc> {
    config["descriptors"] = json!("asset:shop.binpb");
    Harness::new(config).asset("shop.binpb", SHOP)
}

pub(crate) fn plugin(config: Value) -> TestPlugin {
    harness(config).start().expect("a configuration that is understood")
}

pub(crate) fn books() -> TestPlugin {
    plugin(json!({ "services": ["shop.v1.Books"] }))
}

/// The wire form of a message of the shop.
pub(crate) fn wire(name: &str, message: &Value) -> Vec<u8> {
    let pool = Pool::new(SHOP).expect("a descriptor set");
    let id = pool.message(&full(name)).expect("a message of the shop");
    let mut out = Vec::new();
    let read = pool.to_wire(id, message.to_string().as_bytes(), &ReadOptions::default(), &mut out);
    read.expect("a message");
    out
}

/// What a message of the shop says.
pub(crate) fn read(name: &str, wire: &[u8]) -> Value {
    let pool = Pool::new(SHOP).expect("a descriptor set");
    let id = pool.message(&full(name)).expect("a message of the shop");
    let mut out = Vec::new();
    pool.to_json(id, wire, &WriteOptions::default(), &mut out).expect("a message on the wire");
    serde_json::from_slice(&out).expect("JSON")
}

fn full(name: &str) -> String {
    if name.contains('.') { name.to_owned() } else { format!("shop.v1.{name}") }
}

/// The messages of a body in gRPC.
pub(crate) fn frames(mut body: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Next::Frame(frame, rest) = Framing::grpc(usize::MAX).next(body).expect("frames") {
        assert_eq!(frame.flags, 0);
        messages.push(frame.message.to_vec());
        body = rest;
    }
    assert!(body.is_empty(), "half a frame: {body:?}");
    messages
}

/// The only message of the call that a request has become.
pub(crate) fn sent(exchange: &Exchange<'_>, name: &str) -> Value {
    let messages = frames(&exchange.forwarded().body());
    assert_eq!(messages.len(), 1);
    read(name, &messages[0])
}

/// What the service answers.
pub(crate) fn grpc() -> Response {
    Response::new(200).with_header("content-type", "application/grpc")
}

/// A message, and that all is well.
pub(crate) fn answer(name: &str, message: &Value) -> Response {
    grpc().with_body(frame(0, &wire(name, message))).with_trailer("grpc-status", "0")
}

/// Status and body of a refusal: the kind of its problem, and what is wrong first.
pub(crate) fn refused(exchange: &Exchange<'_>) -> (u16, Value, Value) {
    let answer = exchange.answer();
    let problem = answer.problem();
    (answer.status(), problem["type"].clone(), problem["errors"][0].clone())
}

pub(crate) fn get(target: &str) -> Request {
    Request::get(target)
}

/// A message of these fields, for descriptor sets.
pub(crate) fn part(parts: &[(u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    parts.iter().for_each(|(number, bytes)| put_bytes(&mut out, *number, bytes));
    out
}

/// A descriptor set with the message `t.M`, whose fields are texts, and a method of it for each rule: GET's by 2, POST's by 4.
pub(crate) fn set(fields: &[String], rules: &[(u32, &str)]) -> Vec<u8> {
    let mut message = part(&[(1, b"M")]);
    for (number, name) in (1_u16..).zip(fields) {
        let mut field = part(&[(1, name.as_bytes())]);
        // Its number, in three bytes; it is optional, and a text.
        let [low, middle, high] =
            [number & 0x7f | 0x80, number >> 7 & 0x7f | 0x80, number >> 14].map(|byte| byte.to_le_bytes()[0]);
        field.extend_from_slice(&[0x18, low, middle, high, 0x20, 1, 0x28, 9]);
        put_bytes(&mut message, 2, &field);
    }
    let mut service = part(&[(1, b"S")]);
    for (at, (method, path)) in rules.iter().enumerate() {
        let options = part(&[(72_295_728, &part(&[(*method, path.as_bytes())]))]);
        let name = format!("M{at}");
        put_bytes(&mut service, 2, &part(&[(1, name.as_bytes()), (2, b".t.M"), (3, b".t.M"), (4, &options)]));
    }
    let file = part(&[(1, b"t.proto"), (2, b"t"), (4, &message), (6, &service), (12, b"proto3")]);
    part(&[(1, &file)])
}

/// A set with client streams: `/stream` of `google.protobuf.Struct`, and `/alone/{message}` of `google.rpc.Status`, without a body.
pub(crate) fn set_of_streams() -> Vec<u8> {
    let method = |name: &str, input: &[u8], rule: &[(u32, &[u8])]| {
        let options = part(&[(72_295_728, &part(rule))]);
        let mut method = part(&[(1, name.as_bytes()), (2, input), (3, input), (4, &options)]);
        // It streams from the client.
        method.extend_from_slice(&[0x28, 1]);
        method
    };
    let stream = method("Stream", b".google.protobuf.Struct", &[(4, b"/stream"), (7, b"*")]);
    let alone = method("Alone", b".google.rpc.Status", &[(4, b"/alone/{message}")]);
    let service = part(&[(1, b"S"), (2, &stream), (2, &alone)]);
    part(&[(1, &part(&[(1, b"t.proto"), (2, b"t"), (6, &service), (12, b"proto3")]))])
}

/// A set of an edition in which messages are delimited, with a map of messages in what `/maps` takes.
pub(crate) fn set_of_groups() -> Vec<u8> {
    // Number, label, type, and the type's name.
    let field = |name: &str, numbers: [u8; 3], type_name: &[u8]| {
        let [number, label, kind] = numbers;
        let start = part(&[(1, name.as_bytes()), (6, type_name)]);
        [start, vec![0x18, number, 0x20, label, 0x28, kind]].concat()
    };
    let (key, value) = (field("key", [1, 1, 9], b""), field("value", [2, 1, 11], b".t.N"));
    // `map_entry`.
    let entry = part(&[(1, b"E"), (2, &key), (2, &value), (7, &[0x38, 1])]);
    let (map, one) = (field("map", [1, 3, 11], b".t.M.E"), field("one", [2, 1, 11], b".t.N"));
    let message = part(&[(1, b"M"), (2, &map), (2, &one), (3, &entry)]);
    let options = part(&[(72_295_728, &part(&[(4, b"/maps"), (7, b"*")]))]);
    let method = part(&[(1, b"M"), (2, b".t.M"), (3, b".t.M"), (4, &options)]);
    let service = part(&[(1, b"S"), (2, &method)]);
    // `message_encoding` is `DELIMITED`.
    let features = part(&[(50, &[0x28, 2])]);
    let file = part(&[
        (1, b"t.proto"),
        (2, b"t"),
        (4, &message),
        (4, &part(&[(1, b"N")])),
        (6, &service),
        (8, &features),
        (12, b"editions"),
    ]);
    // The edition 2023.
    part(&[(1, &[&file[..], &[0x70, 0xe8, 7]].concat())])
}

/// A set with well-known messages in a path: `/known/{when}/{more.count}`.
pub(crate) fn set_of_known() -> Vec<u8> {
    let field = |name: &str, number: u8, type_name: &[u8]| {
        let start = part(&[(1, name.as_bytes()), (6, type_name)]);
        [start, vec![0x18, number, 0x20, 1, 0x28, 11]].concat()
    };
    let when = field("when", 1, b".google.protobuf.Timestamp");
    let (count, more) = (field("count", 2, b".google.protobuf.Int32Value"), field("more", 3, b".t.M"));
    let message = part(&[(1, b"M"), (2, &when), (2, &count), (2, &more)]);
    let options = part(&[(72_295_728, &part(&[(4, b"/known/{when}/{more.count}"), (7, b"*")]))]);
    let method = part(&[(1, b"M"), (2, b".t.M"), (3, b".t.M"), (4, &options)]);
    let service = part(&[(1, b"S"), (2, &method)]);
    part(&[(1, &part(&[(1, b"t.proto"), (2, b"t"), (4, &message), (6, &service), (12, b"proto3")]))])
}
