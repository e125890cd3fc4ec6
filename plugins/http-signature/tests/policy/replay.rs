//! Signatures that are used once.

use std::time::Duration;

use data_encoding::BASE64;
use sluice_sdk_testing::{Request, Value, json};

use crate::sign::{NOW, Signed, is_let_in, is_refused, mac, plugin, world};

fn with_nonce(nonce: &str, created: i64) -> Signed {
    Signed::get().parameters(&format!("created={created};keyid=\"secret\";nonce=\"{nonce}\""))
}

#[test]
fn a_nonce_is_used_once() {
    let plugin = plugin(json!({ "replay": true, "require_nonce": true }));
    is_refused(&plugin, Signed::get().request(), 401, "signature-incomplete");
    is_let_in(&plugin, with_nonce("a", NOW).request());
    is_refused(&plugin, with_nonce("a", NOW).request(), 401, "signature-replayed");
    // Even in a signature of something else.
    is_refused(&plugin, with_nonce("a", NOW - 1).request(), 401, "signature-replayed");
    is_let_in(&plugin, with_nonce("b", NOW).request());
}

#[test]
fn without_a_nonce_the_signed_bytes_are_used_once() {
    let plugin = plugin(json!({ "replay": true }));
    is_let_in(&plugin, Signed::get().request());
    is_refused(&plugin, Signed::get().request(), 401, "signature-replayed");
    // Otherwise written, it is the same signature.
    let signed = Signed::get();
    let spaced = signed.input().replace("\" \"", "\"   \"");
    let request = signed.plain().with_header("signature-input", format!("other={spaced}"));
    let request = request.with_header("signature", format!("other=:{}:", BASE64.encode(&signed.signature())));
    is_refused(&plugin, request, 401, "signature-replayed");
    let later = Signed::get().parameters(&format!("created={};keyid=\"secret\"", NOW - 1));
    is_let_in(&plugin, later.request());
}

#[test]
fn what_is_refused_is_not_used() {
    let plugin = plugin(json!({ "replay": true }));
    let forged = Signed { secret: "guess".to_owned(), ..with_nonce("a", NOW) };
    is_refused(&plugin, forged.request(), 401, "signature-invalid");
    is_let_in(&plugin, with_nonce("a", NOW).request());
}

#[test]
fn a_signature_is_remembered_for_as_long_as_it_is_accepted() {
    let plugin = plugin(json!({ "replay": true, "max_age": "60s", "leeway": "10s" }));
    let early = with_nonce("a", NOW + 10);
    is_let_in(&plugin, early.request());
    plugin.advance(Duration::from_secs(79));
    is_refused(&plugin, early.request(), 401, "signature-replayed");
    plugin.advance(Duration::from_secs(2));
    is_refused(&plugin, early.request(), 401, "signature-expired");
    // By then the nonce is free.
    is_let_in(&plugin, with_nonce("a", NOW + 81).request());
}

#[test]
fn a_signature_is_remembered_through_its_last_second() {
    let config = json!({ "replay": true, "max_age": "59500ms", "leeway": "9500ms" });
    let plugin = world(config).start().unwrap();
    // Settings round up to whole seconds, and the time rounds down.
    let early = with_nonce("a", NOW + 10);
    is_let_in(&plugin, early.request());
    plugin.advance(Duration::from_millis(80_999));
    is_refused(&plugin, early.request(), 401, "signature-replayed");
    plugin.advance(Duration::from_millis(1));
    is_refused(&plugin, early.request(), 401, "signature-expired");
}

#[test]
fn without_replay_a_signature_may_come_again() {
    let plugin = plugin(json!({}));
    is_let_in(&plugin, with_nonce("a", NOW).request());
    is_let_in(&plugin, with_nonce("a", NOW).request());
}

#[test]
fn older_forms_are_used_once_too() {
    let plugin = world(json!({ "replay": true, "compat": "kong-hmac" })).start().unwrap();
    let date = "Thu, 01 Jan 2026 00:05:00 GMT";
    let text = format!("date: {date}\n@request-target: get /\nhost: api.example");
    let credentials = format!(
        "hmac username=\"secret\", algorithm=\"hmac-sha256\", headers=\"date @request-target host\", signature=\"{}\"",
        BASE64.encode(&mac(crate::sign::SECRET, &text))
    );
    let request = || Request::get("/").with_header("date", date).with_header("authorization", &credentials);
    is_let_in(&plugin, request());
    is_refused(&plugin, request(), 401, "signature-replayed");
    plugin.advance(Duration::from_millis(600_999));
    is_refused(&plugin, request(), 401, "signature-replayed");
    plugin.advance(Duration::from_millis(1));
    is_refused(&plugin, request(), 401, "signature-expired");
}

/// The order of the group of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The other signature of the same bytes, which anybody can make of one by ECDSA: r, and the order without s.
fn other(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    let mut borrow = 0;
    let mut digits: Vec<u8> = ORDER
        .iter()
        .zip(s)
        .rev()
        .map(|(order, s)| {
            let (digit, first) = order.overflowing_sub(*s);
            let (digit, second) = digit.overflowing_sub(borrow);
            borrow = u8::from(first || second);
            digit
        })
        .collect();
    digits.reverse();
    [r, &digits].concat()
}

#[test]
fn another_signature_of_the_same_bytes_is_the_same() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../data/interop.json")).unwrap();
    let case = cases.iter().find(|case| case["name"] == "without alg").unwrap();
    let field = |index: usize| case["headers"][index][1].as_str().unwrap().to_owned();
    let signature = field(2);
    let bytes = BASE64.decode(signature.split(':').nth(1).unwrap().as_bytes()).unwrap();
    let request = |signature: &[u8]| {
        let signature = format!("pyhms=:{}:", BASE64.encode(signature));
        let request = Request::get("/x").https().with_header("signature-input", field(1));
        request.with_header("signature", signature)
    };
    let forgiving = plugin(json!({}));
    is_let_in(&forgiving, request(&bytes));
    is_let_in(&forgiving, request(&other(&bytes)));
    let once = plugin(json!({ "replay": true }));
    is_let_in(&once, request(&bytes));
    is_refused(&once, request(&other(&bytes)), 401, "signature-replayed");
}
