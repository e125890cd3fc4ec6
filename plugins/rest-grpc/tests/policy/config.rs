//! Configurations that are refused, and why.

use rest_grpc::RestGrpc;
use sluice_sdk_testing::{Harness, Value, json};

use crate::common::harness;

fn refused(config: Value) -> String {
    harness(config).start().expect_err("a configuration that is refused").message
}

fn refused_set(set: &[u8]) -> String {
    let harness = Harness::<RestGrpc>::new(json!({ "descriptors": "asset:set" })).asset("set", set);
    harness.start().expect_err("a descriptor set that is refused").message
}

#[test]
fn what_is_wrong_is_told_at_load() {
    for (config, reason) in [
        (json!({ "services": ["shop.v1.Nope"] }), "`services`: `shop.v1.Nope` is not in the descriptor set"),
        (json!({ "services": [] }), "no method has `google.api.http`"),
        (json!({ "metadata_prefix": "grpc" }), "`metadata_prefix` does not end with `-`"),
        (json!({ "max_message": "0B" }), "`max_message` is nothing"),
    ] {
        let told = refused(config);
        assert!(told.contains(reason), "{told}");
    }
    for (set, reason) in [
        (&b"no set"[..], "it is no descriptor set"),
        (b"", "no method has `google.api.http`"),
        (
            include_bytes!("../data/twice.binpb"),
            "`GET /v1/x/{b}` is of both `/twice.Twice/One` and `/twice.Twice/Two`",
        ),
    ] {
        let told = refused_set(set);
        assert!(told.contains(reason), "{told}");
    }
}
