//! Calls with streams.

use proptest::prelude::*;
use sluice_sdk_coding::{Coding, encode};
use sluice_sdk_grpc::frame;
use sluice_sdk_testing::{Response, json};

use crate::common::{book, call, configured, grpc, plain, plugin, problem_type, read, shown};

#[test]
fn messages_in_protobuf_pass_as_they_are() {
    let plugin = plain(json!({}));
    let messages = [frame(0, b"one"), frame(1, b"compressed"), frame(0, b"")];
    let request = call("Chat", "application/connect+proto")
        .with_header("connect-protocol-version", "1")
        .with_header("connect-content-encoding", "gzip")
        .with_header("connect-accept-encoding", "br, gzip");
    let mut exchange = plugin.send(request.with_chunks(&messages));
    let seen = exchange.forwarded();
    assert_eq!(seen.chunks(), messages);
    assert_eq!(seen.header("content-type"), Some("application/grpc+proto"));
    assert_eq!(
        (seen.header("grpc-encoding"), seen.header("grpc-accept-encoding")),
        (Some("gzip"), Some("br, gzip"))
    );
    assert_eq!(
        (seen.header("connect-content-encoding"), seen.header("connect-protocol-version")),
        (None, None)
    );

    let response = exchange.respond(
        grpc()
            .with_header("grpc-encoding", "gzip")
            .with_header("x-leading", "1")
            .with_chunks(&messages)
            .with_trailer("grpc-status", "0")
            .with_trailer("x-cost", "1")
            .with_trailer("x-cost", "2"),
    );
    assert_eq!(response.chunks().len(), 4, "each by itself, and the end");
    assert_eq!(response.header("content-type"), Some("application/connect+proto"));
    assert_eq!(
        (response.header("connect-content-encoding"), response.header("grpc-encoding")),
        (Some("gzip"), None)
    );
    let (read, end) = read(&response);
    assert_eq!(read, [(0, b"one".to_vec()), (1, b"compressed".to_vec()), (0, Vec::new())]);
    assert_eq!(end, json!({ "metadata": { "x-cost": ["1", "2"] } }));
    assert_eq!(response.trailer("grpc-status"), None);
}

#[test]
fn who_compresses_accepts_it() {
    let request = call("Chat", "application/connect+proto").with_header("connect-content-encoding", "gzip");
    let plugin = plain(json!({}));
    assert_eq!(plugin.send(request).forwarded().header("grpc-accept-encoding"), Some("gzip"));
}

#[test]
fn messages_in_json_are_translated_one_by_one() {
    let plugin = plugin();
    let gzip = encode(Coding::Gzip, 6, br#"{"copies":2}"#).unwrap();
    let request = call("Chat", "application/connect+json").with_header("connect-content-encoding", "gzip");
    let sent = [frame(0, br#"{"title":"a"}"#), frame(1, &gzip), frame(1, b"")];
    // What is empty is never decompressed, but is no JSON.
    let mut exchange = plugin.send(request.clone().with_chunks(&sent[..2]));
    assert_eq!(exchange.forwarded().chunks(), [frame(0, &[0x0a, 1, b'a']), frame(0, &[0x10, 2])]);
    assert_eq!(
        (exchange.forwarded().header("grpc-encoding"), exchange.forwarded().header("grpc-accept-encoding")),
        (None, None)
    );
    assert_eq!(
        problem_type(&plugin.send(request.with_chunks(&sent))),
        (400, json!("connect-message-invalid"))
    );

    let response = exchange.respond(
        grpc()
            .with_chunks([frame(0, &book("a", 1)), frame(0, &book("b", 2))])
            .with_trailer("grpc-status", "0"),
    );
    assert_eq!(
        response.chunks()[0],
        frame(0, br#"{"title":"a","copies":"1"}"#),
        "it does not wait for the next"
    );
    let (messages, end) = read(&response);
    assert_eq!((messages.len(), end), (2, json!({})));
}

#[test]
fn failures_are_in_the_end_of_the_stream() {
    let plugin = plugin();
    for content_type in ["application/connect+proto", "application/connect+json"] {
        let respond = |response: Response| {
            let told = plugin.send(call("List", content_type)).respond(response.clone());
            assert_eq!(
                (told.status(), told.header("content-type")),
                (200, Some(content_type)),
                "{response:?}"
            );
            read(&told)
        };
        let not_found = json!({ "error": { "code": "not_found", "message": "no shelf" } });
        let only = grpc().with_header("grpc-status", "5").with_header("grpc-message", "no shelf");
        assert_eq!(respond(only), (Vec::new(), not_found.clone()));
        let late = grpc()
            .with_body(frame(0, b""))
            .with_trailer("grpc-status", "5")
            .with_trailer("grpc-message", "no shelf");
        let (messages, end) = respond(late);
        assert_eq!((messages.len(), end), (1, not_found));
        assert_eq!(respond(grpc().with_header("grpc-status", "0")), (Vec::new(), json!({})));
        let (_, end) = respond(grpc());
        assert_eq!(end["error"]["code"], json!("internal"));
        let (_, end) = respond(Response::new(503).of_gateway());
        assert_eq!(end["error"]["code"], json!("unavailable"));
        let problem = Response::new(429).with_header("content-type", "application/problem+json");
        let (_, end) = respond(problem.of_step().with_body(r#"{"detail":"enough"}"#));
        assert_eq!(end, json!({ "error": { "code": "resource_exhausted", "message": "enough" } }));
        let (_, end) = respond(Response::new(502).with_body("<html>"));
        assert_eq!(end["error"]["code"], json!("unavailable"));
    }
}

#[test]
fn a_message_that_cannot_be_told_ends_the_stream() {
    let plugin = plugin();
    let good = || frame(0, &book("a", 1));
    for (bad, code) in [
        (frame(0, &[0x0a, 9]), "internal"),
        (frame(1, b"x"), "internal"),
        (frame(2, b"x"), "internal"),
        (frame(0, b"abc")[..6].to_vec(), "internal"),
        (vec![0, 255, 255, 255, 255], "internal"),
        (vec![0, 0, 32, 0, 0, 1], "resource_exhausted"),
    ] {
        let mut exchange = plugin.send(call("List", "application/connect+json"));
        let chunks = [[good(), bad.clone()].concat(), good()];
        let chunks = if bad.len() == 6 && code == "internal" { &chunks[..1] } else { &chunks[..] };
        let response = exchange.respond(grpc().with_chunks(chunks).with_trailer("grpc-status", "0"));
        let (messages, end) = read(&response);
        assert_eq!((messages.len(), end["error"]["code"].clone()), (1, json!(code)), "{bad:?}");
        assert_eq!((exchange.failure(), response.trailer("grpc-status")), (None, None));
    }
}

#[test]
fn a_broken_stream_in_protobuf_is_cut_off() {
    let plugin = plain(json!({}));
    let mut exchange = plugin.send(call("List", "application/connect+proto"));
    exchange.respond(grpc().with_body(&frame(0, b"abc")[..6]).with_trailer("grpc-status", "0"));
    assert!(exchange.failure().unwrap().contains("the upstream's response: the body ends within a message"));
}

#[test]
fn what_is_malformed_is_refused() {
    let plugin = configured(json!({ "max_message": "20B" }));
    for content_type in ["application/connect+proto", "application/connect+json"] {
        for (body, status, kind) in [
            (frame(0, &[b' '; 21]), 413, "connect-message-too-large"),
            (vec![0, 255, 255, 255, 255], 413, "connect-message-too-large"),
            (frame(0, b"{}")[..6].to_vec(), 400, "connect-malformed"),
            (vec![0, 0], 400, "connect-malformed"),
            (frame(2, b"{}"), 400, "connect-malformed"),
            (b"{\"a\":1}".to_vec(), 400, "connect-malformed"),
        ] {
            let mut exchange = plugin.send(call("Upload", content_type).with_chunks(body.chunks(2)));
            assert_eq!(problem_type(&exchange), (status, json!(kind)), "{content_type} {body:?}");
            let (messages, end) = read(&shown(&mut exchange));
            let code = if status == 413 { "resource_exhausted" } else { "invalid_argument" };
            assert_eq!((messages.len(), end["error"]["code"].clone()), (0, json!(code)));
        }
    }
    let bomb = encode(Coding::Gzip, 6, &vec![b' '; 10_000]).unwrap();
    let plugin = configured(json!({ "max_message": "1KiB" }));
    let request = call("Upload", "application/connect+json").with_header("connect-content-encoding", "gzip");
    assert_eq!(
        problem_type(&plugin.send(request.with_body(frame(1, &bomb)))),
        (413, json!("connect-message-too-large"))
    );
}

/// Both protocols: what no header says cannot be undone, and whoever sends it is broken.
#[test]
fn what_is_compressed_without_a_name_is_internal() {
    let plugin = plugin();
    for content_type in ["application/connect+proto", "application/connect+json"] {
        for coding in [None, Some("identity"), Some("")] {
            let request = call("Upload", content_type).with_chunks([frame(0, b"{}"), frame(1, b"x")]);
            let request = match coding {
                Some(coding) => request.with_header("connect-content-encoding", coding),
                None => request,
            };
            let mut exchange = plugin.send(request);
            assert_eq!(problem_type(&exchange), (400, json!("connect-compression-unnamed")), "{coding:?}");
            let (messages, end) = read(&shown(&mut exchange));
            assert_eq!((messages.len(), end["error"]["code"].clone()), (0, json!("internal")));
        }
    }
    let mut exchange = plugin.send(call("Upload", "application/connect+proto").with_body(frame(1, b"x")));
    assert_eq!(problem_type(&exchange), (400, json!("connect-compression-unnamed")));
    let answer = Response::new(400).with_header("content-type", "application/problem+json").of_step();
    let urn = r#"{"type":"urn:sluice:problem:connect-compression-unnamed"}"#;
    let (_, end) = read(&exchange.respond(answer.with_body(urn)));
    assert_eq!(end["error"]["code"], json!("internal"), "as the gateway shows it");
}

#[test]
fn a_message_beyond_what_may_be_held_is_refused() {
    // More than `limits.body`, less than `max_message`.
    let head = [0, 0, 32, 0, 0];
    let plugin = plugin();
    let exchange = plugin.send(call("Upload", "application/connect+json").with_body(head));
    assert_eq!(problem_type(&exchange), (413, json!("connect-message-too-large")));
}

/// However little there is of them on the wire.
#[test]
fn compressed_messages_are_translated_in_several_calls() {
    let title = "a".repeat(90_000);
    let gzip = encode(Coding::Gzip, 6, format!("{{\"title\":\"{title}\"}}").as_bytes()).unwrap();
    let plugin = plugin();
    let request = call("Upload", "application/connect+json").with_header("connect-content-encoding", "gzip");
    let exchange = plugin.send(request.with_body(frame(1, &gzip).repeat(13)).with_trailer("x-a", "1"));
    let seen = exchange.forwarded();
    assert_eq!(seen.chunks().len(), 13, "a call for each of them");
    assert!(seen.chunks().iter().all(|frame| frame.len() > 90_000));
    assert_eq!(seen.trailer("x-a"), None, "gRPC has none in a request");

    let book = book("", 7);
    let gzip = encode(Coding::Gzip, 6, &book).unwrap();
    let answer = grpc().with_header("grpc-encoding", "gzip").with_trailer("grpc-status", "0");
    let mut exchange = plugin.send(call("List", "application/connect+json").with_body(frame(0, b"{}")));
    let response = exchange.respond(answer.with_body(frame(1, &gzip).repeat(2_000)));
    assert!(response.chunks().len() > 8, "{} calls", response.chunks().len());
    assert_eq!(read(&response).0.len(), 2_000);
}

#[test]
fn many_messages_are_translated_in_several_calls() {
    let message = frame(0, &book("a title of some length, so that there is something to do", 1));
    let count = 5000;
    let response = plugin()
        .send(call("List", "application/connect+json"))
        .respond(grpc().with_body(message.repeat(count)).with_trailer("grpc-status", "0"));
    assert!(response.chunks().len() > 2, "a call does a bounded piece of work");
    let (messages, end) = read(&response);
    assert_eq!((messages.len(), end), (count, json!({})));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn however_it_is_cut(titles in prop::collection::vec("[a-z]{0,9}", 0..6), size in 1_usize..25, is_json: bool) {
        let plugin = plugin();
        let wire: Vec<Vec<u8>> = titles.iter().map(|title| book(title, 1)).map(|mut book| { if book[1] == 0 { book.drain(..2); } book }).collect();
        let json: Vec<Vec<u8>> = titles.iter().map(|title| {
            if title.is_empty() { br#"{"copies":"1"}"#.to_vec() } else { format!(r#"{{"title":"{title}","copies":"1"}}"#).into_bytes() }
        }).collect();
        let frames = |messages: &[Vec<u8>]| messages.iter().flat_map(|message| frame(0, message)).collect::<Vec<u8>>();
        let (content_type, told) = if is_json { ("application/connect+json", &json) } else { ("application/connect+proto", &wire) };
        let mut exchange = plugin.send(call("Chat", content_type).with_chunks(frames(told).chunks(size)));
        prop_assert_eq!(exchange.forwarded().body(), frames(&wire));
        let response = exchange.respond(grpc().with_chunks(frames(&wire).chunks(size)).with_trailer("grpc-status", "0"));
        let (messages, end) = read(&response);
        prop_assert_eq!((messages.into_iter().map(|(_, message)| message).collect::<Vec<_>>(), end), (told.clone(), json!({})));
    }
}
