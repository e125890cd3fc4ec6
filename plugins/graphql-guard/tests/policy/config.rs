//! Configurations that are refused.

use graphql_guard::GraphqlGuard;
use sluice_sdk_testing::{Harness, json};

#[test]
fn a_bad_configuration_is_refused_with_its_key() {
    for (config, reason) in [
        (json!({ "operations": [] }), "`operations` is empty"),
        (json!({ "operations": ["queries"] }), ""),
        (json!({ "max_query_size": "2MiB" }), "`max_query_size` lies between"),
        (json!({ "cost_header": "content-length" }), "`cost_header`: `content-length` is the gateway's"),
        (json!({ "extra_members": ["id", "query"] }), "`extra_members`: `query` has a meaning"),
        (json!({ "cost": { "weights": { "a.b": 1 } } }), "`cost.weights`: `a.b` is not the name of a field"),
        (json!({ "cost": { "sizes": { "a": 1_000_001 } } }), "`cost.sizes.a` is more than 1000000"),
        (json!({ "cost": { "size_arguments": ["a..b"] } }), "`cost.size_arguments`: `a..b`"),
        (json!({ "persisted": {} }), "`persisted` names no document"),
        (json!({ "persisted": { "sha256": ["abc"] } }), "`persisted.sha256[0]` is not 64"),
        (json!({ "persisted": { "documents": { "": "{a}" } } }), "`persisted.documents`: an id is empty"),
        (
            json!({ "persisted": { "documents": { "x": "{a" } } }),
            "`persisted.documents`: `x`: graphql-syntax: ",
        ),
        (
            json!({ "persisted": { "documents": "asset:none" } }),
            "`persisted.documents`: find an asset: there is none",
        ),
        (json!({ "max_dept": 3 }), ""),
    ] {
        let refused = Harness::<GraphqlGuard>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
    assert!(Harness::<GraphqlGuard>::new(json!({})).start().is_ok());
}
