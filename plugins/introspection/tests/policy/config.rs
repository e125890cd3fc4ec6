//! Configurations that are refused.

use sluice_sdk_testing::json;

use crate::common::world;

/// Without a word, it is the schema that refuses.
#[test]
fn a_bad_configuration_is_refused() {
    for (more, word) in [
        (json!({ "path": "introspect" }), "path"),
        (json!({ "upstream": "" }), "upstream"),
        (json!({ "client_id": null }), "client_id"),
        (json!({ "client_id": null, "client_secret": null }), "client_id"),
        (json!({ "client_secret": "" }), "client_secret"),
        (json!({ "credential": "Bearer x" }), "credential"),
        (json!({ "timeout": "0s" }), "timeout"),
        (json!({ "timeout": "31s" }), "timeout"),
        (json!({ "cache": "2h" }), "cache"),
        (json!({ "cache": "0s", "stale_if_error": "1m" }), "stale_if_error"),
        (json!({ "leeway": "6m" }), "leeway"),
        (json!({ "audiences": "" }), "audiences"),
        (json!({ "required_scopes": ["a b"] }), "required_scopes"),
        (json!({ "claims_to_headers": { "Authorization": "sub" } }), "authorization"),
        (json!({ "claims_to_headers": { "x-consumer-id": "sub" } }), "x-consumer-id"),
        (json!({ "header": "cookie" }), "header"),
        (json!({ "realm": "a\"b" }), ""),
        (json!({ "anonymous": "nobody" }), "nobody"),
        (json!({ "anonymous": "" }), "anonymous"),
        (json!({ "cashe": "1s" }), ""),
    ] {
        let refused = world(more.clone()).start().expect_err(&more.to_string());
        assert!(refused.message.contains(word), "{more}: {refused}");
        assert!(!refused.message.contains("s3cret"));
    }
}
