//! Requests that are decompressed for the upstream.

use compress::Compress;
use sluice_sdk::prelude::Phase;
use sluice_sdk_coding::{Coding, encode};
use sluice_sdk_testing::{Harness, Request, json};

use crate::common::{plugin, text};

#[test]
fn requests_pass_as_they_are_unless_said_otherwise() {
    let plugin = plugin(json!({}));
    assert_eq!(plugin.descriptor().phases, [Phase::Request, Phase::Response, Phase::ResponseChunk]);
    let request = Request::post("/").with_header("content-encoding", "strange").with_body("x");
    assert_eq!(plugin.send(request.clone()).forwarded(), &request);
}

#[test]
fn requests_are_decoded_for_the_upstream() {
    let plugin = plugin(json!({ "decode_requests": {} }));
    let body = text(30_000);
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        let encoded = encode(coding, 4, &body).unwrap();
        let request = Request::post("/")
            .with_header("content-encoding", coding.name())
            .with_header("content-digest", "sha-256=:AAAA:")
            .with_header("content-type", "application/json")
            .with_chunks(encoded.chunks(1000));
        let exchange = plugin.send(request);
        assert_eq!(exchange.forwarded().body(), body, "{coding}");
        assert_eq!(exchange.forwarded().header("content-encoding"), None);
        assert_eq!(exchange.forwarded().header("content-digest"), None);
        assert_eq!(exchange.forwarded().header("content-type"), Some("application/json"));
    }
    let twice = encode(Coding::Brotli, 4, &encode(Coding::Gzip, 4, &body).unwrap()).unwrap();
    let request = Request::post("/")
        .with_header("content-encoding", "gzip")
        .with_header("content-encoding", "br")
        .with_body(twice);
    assert_eq!(plugin.send(request).forwarded().body(), body);
    for request in [
        Request::post("/").with_body("plain"),
        Request::post("/").with_header("content-encoding", "identity").with_body("plain"),
    ] {
        assert_eq!(plugin.send(request.clone()).forwarded(), &request);
    }
    let empty = plugin.send(Request::get("/").with_header("content-encoding", "gzip"));
    assert_eq!((empty.forwarded().header("content-encoding"), empty.forwarded().body()), (None, Vec::new()));
}

#[test]
fn requests_that_cannot_be_decoded_are_answered() {
    let plugin = plugin(json!({ "decode_requests": { "max": "64KiB" } }));
    let answer = |coding: &str, body: Vec<u8>| {
        let request = Request::post("/").with_header("content-encoding", coding).with_body(body);
        plugin.send(request).answer()
    };
    let bomb = encode(Coding::Gzip, 6, &vec![0; 10 << 20]).unwrap();
    assert!(bomb.len() < 16 << 10);
    let large = answer("gzip", bomb);
    assert_eq!((large.status(), &large.problem()["type"]), (413, &json!("decoded-body-too-large")));
    assert_eq!(large.problem()["limit"], json!(64 << 10));
    let strange = answer("gzip, aws-chunked", b"x".to_vec());
    assert_eq!((strange.status(), &strange.problem()["type"]), (415, &json!("content-coding-unsupported")));
    assert_eq!(strange.header("accept-encoding"), Some("zstd, br, gzip, deflate"));
    let often = answer("gzip, gzip, gzip, gzip", b"x".to_vec());
    assert_eq!(often.status(), 415);
    let broken = answer("gzip", b"not gzip at all".to_vec());
    assert_eq!((broken.status(), &broken.problem()["type"]), (400, &json!("body-not-decodable")));
    let cut = encode(Coding::Zstd, 1, &text(5000)).unwrap();
    assert_eq!(answer("zstd", cut[..cut.len() - 1].to_vec()).status(), 400);
}

#[test]
fn a_body_beyond_what_the_plugin_may_write_is_too_large_as_well() {
    let plugin = Harness::<Compress>::new(json!({ "decode_requests": { "max": "1MiB" } }))
        .limits(|limits| limits.body = 10_000)
        .start()
        .unwrap();
    let body = encode(Coding::Gzip, 6, &text(20_000)).unwrap();
    let request = Request::post("/").with_header("content-encoding", "gzip").with_body(body);
    assert_eq!(plugin.send(request).answer().status(), 413);
}
