//! Bodies as they come: in pieces, long, several at once; each comes back whole.

use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq};
use proptest::test_runner::TestRunner;
use sluice_sdk_coding::{Coding, encode};
use sluice_sdk_testing::{Response, json};

use crate::common::{accepting, decoded, json_response, plugin, text};

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
    let response = crate::common::plugin(json!({})).send(accepting("br")).respond(whole);
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
