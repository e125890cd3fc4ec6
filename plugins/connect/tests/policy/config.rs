//! Configurations that are refused.

use connect::Connect;
use sluice_sdk_testing::{Harness, json};

#[test]
fn a_bad_configuration_is_refused() {
    for (config, reason) in [
        (json!({ "max_message": "0B" }), "`max_message`"),
        (json!({ "get": ["shop.v1.Books"] }), "`get` has `shop.v1.Books`"),
        (json!({ "get": ["/shop.v1.Books/Get"] }), "`get` has"),
        (json!({ "get": ["*/Get"] }), "`get` has"),
        (json!({ "descriptors": "shop.binpb" }), ""),
        (json!({ "descriptors": "asset:none.binpb" }), ""),
        (json!({ "descriptors": "asset:empty.binpb" }), "`descriptors` has no service"),
        (json!({ "descriptors": "asset:damaged.binpb" }), "`descriptors`"),
        (json!({ "unknown_fields": "pass" }), ""),
        (json!({ "protocol": 1 }), ""),
    ] {
        let harness = Harness::<Connect>::new(config.clone())
            .asset("empty.binpb", "")
            .asset("damaged.binpb", [0x0a, 9]);
        let refused = harness.start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
