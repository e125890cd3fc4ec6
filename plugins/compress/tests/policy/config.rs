//! Configurations that are refused.

use compress::Compress;
use sluice_sdk_testing::{Harness, json};

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
