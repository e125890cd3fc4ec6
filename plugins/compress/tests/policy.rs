//! Which responses are compressed, how, and what is left alone; which requests are decompressed.

use compress::Compress;
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq};
use proptest::test_runner::TestRunner;
use sluice_sdk::prelude::Phase;
use sluice_sdk_coding::{Coding, decode, encode};
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, Value, json};

const LARGE: usize = 64 << 20;

fn plugin(config: Value) -> TestPlugin {
    Harness::<Compress>::new(config).start().expect("the configuration is good")
}

fn accepting(value: &str) -> Request {
    Request::get("/").with_header("accept-encoding", value)
}

/// Text that compresses, and not only into one long match.
fn text(length: usize) -> Vec<u8> {
    let lines = (0_u64..).flat_map(|number| {
        let hash = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        format!("{{\"id\":{number},\"hash\":\"{hash:016x}\",\"state\":\"open\"}}\n").into_bytes()
    });
    lines.take(length).collect()
}

/// As an upstream that knows its length sends it.
fn json_response(body: &[u8]) -> Response {
    Response::new(200)
        .with_header("content-type", "application/json; charset=utf-8")
        .with_header("content-length", body.len().to_string())
        .with_chunks(body.chunks(4096))
}

fn decoded(response: &Response) -> Vec<u8> {
    decode(response.header("content-encoding"), &response.body(), LARGE)
        .expect("it is well-formed")
        .into_owned()
}

#[test]
fn a_response_is_compressed_as_the_client_likes_it_best() {
    let plugin = plugin(json!({}));
    let body = text(20_000);
    for (accepted, coding) in [
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip, deflate, br", Some("br")),
        ("gzip", Some("gzip")),
        ("br;q=0.5, gzip", Some("gzip")),
        ("x-gzip", Some("gzip")),
        ("*", Some("zstd")),
        ("deflate", None),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0", None),
        ("", None),
    ] {
        let response = plugin.send(accepting(accepted)).respond(json_response(&body));
        assert_eq!(response.header("content-encoding"), coding, "{accepted}");
        assert_eq!(
            response.header("vary"),
            Some("Accept-Encoding"),
            "{accepted}: also if it is not compressed"
        );
        assert_eq!(decoded(&response), body, "{accepted}");
        assert_eq!(response.body().len() < body.len() / 2, coding.is_some(), "{accepted}");
    }
    let response = plugin.send(Request::get("/")).respond(json_response(&body));
    assert_eq!(
        (response.header("content-encoding"), response.header("vary")),
        (None, Some("Accept-Encoding"))
    );
}

#[test]
fn the_operators_order_and_levels_count() {
    let body = text(50_000);
    let plugin = plugin(json!({ "codings": ["gzip", "br"], "level": { "gzip": 9 } }));
    let response = plugin.send(accepting("zstd, br, gzip")).respond(json_response(&body));
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    let fast = crate::plugin(json!({ "codings": ["gzip"], "level": { "gzip": 1 } }));
    let larger = fast.send(accepting("gzip")).respond(json_response(&body));
    assert!(larger.body().len() > response.body().len());
    let response = plugin.send(accepting("zstd")).respond(json_response(&body));
    assert_eq!(response.header("content-encoding"), None, "it is not offered");
}

#[test]
fn the_head_tells_what_has_changed() {
    let plugin = plugin(json!({}));
    let body = text(5000);
    let response = plugin.send(accepting("gzip")).respond(
        json_response(&body)
            .with_header("etag", "\"v1\"")
            .with_header("accept-ranges", "bytes")
            .with_header("vary", "Origin")
            .with_header("vary", "accept-language, Cookie"),
    );
    assert_eq!(response.header("etag"), Some("W/\"v1\""));
    assert_eq!(response.header("accept-ranges"), None);
    assert_eq!(response.header_all("vary"), ["Origin, accept-language, Cookie, Accept-Encoding"]);
    for (etag, after) in [("W/\"v1\"", Some("W/\"v1\"")), ("v1", None)] {
        let response = plugin.send(accepting("gzip")).respond(json_response(&body).with_header("etag", etag));
        assert_eq!(response.header("etag"), after);
    }
    for told in ["*", "Origin, accept-encoding", "Accept-Encoding"] {
        let response = plugin.send(accepting("gzip")).respond(json_response(&body).with_header("vary", told));
        assert_eq!(response.header_all("vary"), [told]);
    }
    // Nothing but `Vary` for a client that takes it as it is.
    let plain = json_response(&body).with_header("etag", "\"v1\"").with_header("accept-ranges", "bytes");
    let response = plugin.send(Request::get("/")).respond(plain.clone());
    assert_eq!(response, plain.with_header("vary", "Accept-Encoding"));
}

#[test]
fn what_must_not_be_changed_is_not() {
    let plugin = plugin(json!({}));
    let body = text(5000);
    let fine = || json_response(&body);
    for response in [
        fine().with_header("content-encoding", "br"),
        fine().with_header("content-encoding", "identity"),
        fine().with_header("cache-control", "public, No-Transform"),
        fine().with_header("content-range", "bytes 0-4999/9000"),
        fine().with_header("content-digest", "sha-256=:AAAA:"),
        fine().with_header("repr-digest", "sha-256=:AAAA:"),
        fine().with_header("content-md5", "AAAA"),
    ] {
        assert_eq!(plugin.send(accepting("gzip")).respond(response.clone()), response);
    }
    for status in [204, 205, 206] {
        let response =
            Response::new(status).with_header("content-type", "text/html").with_header("etag", "\"v1\"");
        assert_eq!(plugin.send(accepting("gzip")).respond(response.clone()), response, "{status}");
    }
    let error = Response::new(500).with_header("content-type", "text/html").with_body(&body);
    let response = plugin.send(accepting("gzip")).respond(error);
    assert_eq!(response.header("content-encoding"), Some("gzip"), "an error is a body as any other");
}

#[test]
fn what_has_no_body_tells_what_the_body_would() {
    let plugin = plugin(json!({}));
    let check = |request: &Request, response: &Response, etag: &str, vary: Option<&str>| {
        let passed = plugin.send(request.clone()).respond(response.clone());
        let what = format!("{request:?} {response:?}");
        assert_eq!((passed.header("etag"), passed.header("vary")), (Some(etag), vary), "{what}");
        passed
    };
    let (weak, strong, vary) = ("W/\"v1\"", "\"v1\"", Some("Accept-Encoding"));
    let head = |accepted: &str| Request::new("HEAD", "/").with_header("accept-encoding", accepted);
    let whole = |kind: &str, length: &str| {
        let whole = Response::new(200).with_header("etag", strong).with_header("accept-ranges", "bytes");
        whole.with_header("content-type", kind).with_header("content-length", length)
    };
    let told = check(&head("gzip"), &whole("text/html", "5000"), weak, vary);
    assert_eq!((told.header("content-encoding"), told.header("accept-ranges")), (Some("gzip"), None));
    let told = check(&head("identity"), &whole("text/html", "5000"), strong, vary);
    assert_eq!((told.header("content-encoding"), told.header("accept-ranges")), (None, Some("bytes")));
    check(&head("gzip"), &whole("image/png", "5000"), strong, None);
    check(&head("gzip"), &whole("text/html", "5"), strong, None);
    check(&head("gzip"), &whole("text/html", "5000").with_header("content-encoding", "br"), strong, None);

    // It does not say what it stands for, but the client may: by the tag under which it has it.
    let fresh = || Response::new(304).with_header("etag", strong);
    let known = |accepted, tags| accepting(accepted).with_header("if-none-match", tags);
    let told = check(&accepting("gzip"), &fresh(), weak, vary);
    assert_eq!(told.header("content-encoding"), None, "it is not the body's");
    check(&known("gzip", "\"x\", W/\"v1\""), &fresh(), weak, vary);
    check(&known("gzip", "*"), &fresh(), weak, vary);
    check(&known("gzip", "\"x\", \"v1\""), &fresh(), strong, vary);
    check(&known("gzip", "\"v1\", W/\"v1\""), &fresh(), weak, vary);
    check(&known("identity", "W/\"v1\""), &fresh(), strong, vary);
    check(&accepting("gzip"), &fresh().with_header("content-length", "0"), weak, vary);
    check(&accepting("gzip"), &fresh().with_header("content-type", "text/css"), weak, vary);
    check(&accepting("gzip"), &fresh().with_header("content-type", "image/png"), strong, None);
    check(&accepting("gzip"), &fresh().with_header("content-encoding", "br"), strong, None);
    check(&accepting("gzip"), &fresh().with_header("cache-control", "no-transform"), strong, None);
    check(&accepting("gzip"), &fresh().with_header("vary", "Origin"), weak, Some("Origin, Accept-Encoding"));
}

#[test]
fn types_and_lengths_decide() {
    let plugin = plugin(json!({}));
    let send = |content_type: &str, length: usize| {
        let body = text(length);
        let response = Response::new(200)
            .with_header("content-type", content_type)
            .with_header("content-length", length.to_string())
            .with_body(&body);
        plugin.send(accepting("gzip")).respond(response).header("content-encoding").is_some()
    };
    for content_type in [
        "text/html",
        "Text/CSS; charset=utf-8",
        "application/problem+json",
        "application/javascript",
        "application/wasm",
        "application/atom+xml",
        "image/svg+xml",
    ] {
        assert!(send(content_type, 5000), "{content_type}");
    }
    for content_type in ["image/png", "application/octet-stream", "application/gzip", "text/event-stream", ""]
    {
        assert!(!send(content_type, 5000), "{content_type}");
    }
    assert!(!send("text/html", 1023));
    assert!(send("text/html", 1024));
    assert!(send("text/html", 1 << 20));
    assert!(!send("text/html", (1 << 20) + 1));
    let small = crate::plugin(json!({ "min_length": "0B", "types": ["a/b"] }));
    let response = Response::new(200).with_header("content-type", "a/b");
    let one = small
        .send(accepting("br"))
        .respond(response.clone().with_header("content-length", "1").with_body("x"));
    assert_eq!((one.header("content-encoding"), decoded(&one)), (Some("br"), b"x".to_vec()));
    let none = response.with_header("content-length", "0");
    assert_eq!(small.send(accepting("br")).respond(none.clone()), none);
}

#[test]
fn of_a_body_whose_end_is_not_known_every_piece_goes_at_once() {
    let plugin = plugin(json!({ "types": ["text/event-stream"] }));
    for accepted in ["gzip", "br", "zstd"] {
        let events = ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"];
        let stream = Response::new(200).with_header("content-type", "text/event-stream").with_chunks(events);
        let response = plugin.send(accepting(accepted)).respond(stream);
        assert_eq!(response.header("content-encoding"), Some(accepted));
        assert_eq!(response.chunks().len(), 4, "{accepted}: one for each, and the end");
        assert_eq!(decoded(&response), events.concat().as_bytes());
    }
}

#[test]
fn a_long_body_of_unknown_length_is_compressed_up_to_the_limit() {
    let plugin = plugin(json!({ "max_length": "100KiB" }));
    let body = text(400 << 10);
    for accepted in ["gzip", "br", "zstd"] {
        let stream =
            Response::new(200).with_header("content-type", "text/plain").with_chunks(body.chunks(15_000));
        let response = plugin.send(accepting(accepted)).respond(stream);
        assert_eq!(decoded(&response), body, "{accepted}");
        let (least, most) = (300 << 10, 345 << 10);
        assert!((least..most).contains(&response.body().len()), "{accepted}: {}", response.body().len());
    }
    // As one chunk, so that no call takes too long.
    let whole = Response::new(200).with_header("content-type", "text/plain").with_body(&body);
    let response = crate::plugin(json!({})).send(accepting("br")).respond(whole);
    assert_eq!(decoded(&response), body);
    assert!(response.body().len() > 144 << 10, "256 KiB of it were compressed");
}

#[test]
fn the_highest_levels_and_the_largest_bodies_fit_the_usual_limits() {
    let levels = json!({ "zstd": 6, "br": 6, "gzip": 9 });
    let plugin = plugin(json!({ "level": levels, "decode_requests": {} }));
    let body = text(1 << 20);
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        let request = accepting(coding.name())
            .with_header("content-encoding", coding.name())
            .with_body(encode(coding, 6, &body).unwrap());
        let mut exchange = plugin.send(request);
        assert_eq!(exchange.forwarded().body().len(), body.len(), "{coding}");
        let response = exchange.respond(json_response(&body));
        assert_eq!(
            (response.header("content-encoding"), decoded(&response)),
            (Some(coding.name()), body.clone())
        );
    }
}

#[test]
fn exchanges_do_not_mix() {
    let plugin = plugin(json!({}));
    let (one, two) = (text(3000), text(4000));
    let mut first = plugin.send(accepting("gzip"));
    let mut second = plugin.send(accepting("br"));
    let second = second.respond(json_response(&two));
    let first = first.respond(json_response(&one));
    assert_eq!((first.header("content-encoding"), decoded(&first)), (Some("gzip"), one));
    assert_eq!((second.header("content-encoding"), decoded(&second)), (Some("br"), two));
}

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

#[test]
fn a_bad_configuration_is_refused() {
    for (config, reason) in [
        (json!({ "codings": [] }), ""),
        (json!({ "codings": ["gzip", "br", "gzip"] }), "`codings` names a coding twice"),
        (json!({ "codings": ["deflate"] }), ""),
        (json!({ "level": { "br": 7 } }), ""),
        (json!({ "level": { "gzip": 0 } }), ""),
        (json!({ "level": { "deflate": 1 } }), ""),
        (json!({ "types": [] }), ""),
        (json!({ "types": ["text"] }), "`types` has `text`"),
        (json!({ "types": vec!["a/b"; 65] }), ""),
        (json!({ "min_length": "2MiB" }), "`min_length` is larger"),
        (json!({ "min_length": "1 KiB" }), ""),
        (json!({ "decode_requests": true }), ""),
        (json!({ "decode_requests": { "max": "0B" } }), "`decode_requests.max`"),
        (json!({ "vary": true }), ""),
    ] {
        let refused = Harness::<Compress>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}

#[test]
fn however_it_is_cut_the_body_comes_back() {
    // One plugin for all cases: loading the compiled one takes longer than they do.
    let plugin = plugin(json!({ "min_length": "0B", "max_length": "64KiB" }));
    let coding = prop::sample::select(&["gzip", "br", "zstd"][..]);
    let chunks = prop::collection::vec((0..40_000_usize, any::<bool>()), 0..6);
    let cases = (coding, chunks, any::<bool>());
    let mut runner = TestRunner::new(ProptestConfig::with_cases(64));
    let outcome = runner.run(&cases, |(coding, chunks, tells_length)| {
        let cut = |(length, compresses)| if compresses { text(length) } else { noise(length) };
        let chunks: Vec<Vec<u8>> = chunks.into_iter().map(cut).collect();
        let body = chunks.concat();
        let mut response = Response::new(200).with_header("content-type", "text/plain").with_chunks(chunks);
        if tells_length {
            response = response.with_header("content-length", body.len().to_string());
        }
        let response = plugin.send(accepting(coding)).respond(response);
        let fits = (1..=64 << 10).contains(&body.len());
        prop_assert_eq!(response.header("content-encoding").is_some(), !tells_length || fits);
        prop_assert_eq!(decoded(&response), body);
        Ok(())
    });
    outcome.unwrap();
}

/// What no coding makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = length as u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}
