//! Bodies that are too much: they are refused, and nothing is cut off.

use body_map::BodyMap;
use sluice_sdk_coding::Coding;
use sluice_sdk_testing::{Harness, json};

use crate::common::{operations, plugin, post, refused};

#[test]
fn a_coded_body_is_decoded_within_its_bound() {
    let config = json!({ "request": { "operations": [{ "remove": "$.a" }], "max_size": "64KiB" } });
    let plugin = plugin(config);
    let coded = |coding: Coding, body: &[u8]| {
        let encoded = sluice_sdk_coding::encode(coding, 5, body).unwrap();
        plugin.send(post("").with_body(encoded).with_header("content-encoding", coding.name()))
    };
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        let exchange = coded(coding, br#"{"a":1,"b":2}"#);
        assert_eq!(exchange.forwarded().text(), r#"{"b":2}"#);
        assert_eq!(exchange.forwarded().header("content-encoding"), None);
        let bomb = format!("{{\"a\":\"{}\"}}", "x".repeat(64 << 10));
        refused(&coded(coding, bomb.as_bytes()).answer(), 413, "body-too-large", "65536 bytes of `max_size`");
    }
}

#[test]
fn nothing_is_cut_off() {
    let copies: Vec<_> =
        (0..8).map(|n| json!({ "copy": { "from": "/a", "to": format!("/b{n}") } })).collect();
    let bounded = plugin(json!({ "request": { "operations": copies, "max_size": "100B" } }));
    let body = |length| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
    assert!(bounded.send(post(&body(1))).is_forwarded());
    refused(&bounded.send(post(&body(20))).answer(), 413, "body-too-large", "the 100 bytes of `max_size`");
    refused(&bounded.send(post(&body(200))).answer(), 413, "body-too-large", "the 100 bytes of `max_size`");
    let limited = Harness::<BodyMap>::new(json!({ "request": { "operations": copies } }))
        .limits(|limits| limits.body = 100)
        .start()
        .unwrap();
    refused(&limited.send(post(&body(20))).answer(), 413, "body-too-large", "`limits.body`");
}

#[test]
fn a_body_that_is_too_much_is_refused() {
    let plugin = operations(json!([{ "pick": { "path": "$..[?@..x]", "into": "list" } }]));
    let wide = format!("[{}0]", "[[[[0]]]],".repeat(2_000));
    assert!(plugin.send(post(&wide)).is_forwarded());
    let nested = format!("{}0{}", "[0,".repeat(100), "]".repeat(100));
    let large = format!("[{}0]", format!("{nested},").repeat(100));
    refused(&plugin.send(post(&large)).answer(), 413, "body-too-complex", "more than 1000000 values");
}

/// A few values, each of them long to look at, are as much as many.
#[test]
fn what_is_compared_counts() {
    let digits = "7".repeat(300 << 10);
    let list = |count: usize| format!("[{}0]", "1,".repeat(count));
    let body = |count| {
        let (many, items) = (list(5_000), list(count));
        format!(r#"{{"number":{digits},"text":"{digits}","one":{many},"other":{many},"items":{items}}}"#)
    };
    for filter in ["@ < $.number", "length($.text) < 3", "$.text == $.text", "$.one == $.other"] {
        let path = format!("$.items[?{filter}]");
        let plugin = operations(json!([{ "pick": { "path": path, "into": "list" } }]));
        refused(&plugin.send(post(&body(250))).answer(), 413, "body-too-complex", "more than 1000000 values");
        assert!(plugin.send(post(&body(5))).is_forwarded(), "{filter}");
    }
}
