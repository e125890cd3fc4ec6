//! Google's gRPC-Web client for browsers calls both gRPC services, in text and in binary.

use serde_json::{Value, json};

use super::browser;
use crate::harness::Gateway;
use crate::harness::library::{Library, everything, seconds};
use crate::harness::peers::{self, call};

#[track_caller]
fn calls(gateway: &Gateway) -> Vec<Value> {
    let mut command = peers::node("grpc_web_client.mjs");
    command.arg(gateway.public.to_string()).arg(Library::path()).arg(everything().to_string());
    peers::run(command)
}

/// Calls with one answer and with many, errors with details, metadata both ways, and a stream that is given up.
#[track_caller]
fn all_is_as_without_a_gateway(seen: &[Value], format: &str) {
    let call = |name: &str| call(seen, &format!("{format} {name}"));
    let got = call("get");
    assert_eq!(
        (&got["book"]["title"], &got["book"]["copies"]),
        (&json!("Moby-Dick"), &json!("9007199254740993"))
    );
    assert_eq!(
        (&got["head"]["x-said"], &got["head"]["x-said-bin"]),
        (&json!("hello"), &json!("AAEC")),
        "{got}"
    );
    let left = seconds(got["head"]["x-timeout"].as_str().expect("the service knows of the deadline"));
    assert!((1.0..21.0).contains(&left), "{got}");
    for (name, missing) in [("missing", "shelves/1/books/– 9"), ("list missing", "shelves/– 7")] {
        let seen = call(name);
        let details = json!([{
            "@type": "type.googleapis.com/google.rpc.ResourceInfo", "resourceType": "library.v1.Book", "resourceName": missing
        }]);
        assert_eq!((&seen["code"], &seen["details"]), (&json!(5), &details), "{seen}");
        assert_eq!(seen["message"], format!("there is no `{missing}`"), "{seen}");
    }
    assert_eq!(call("echo")["document"], everything());
    assert_eq!(call("large")["equal"], true);
    assert_eq!(call("unknown")["code"], 12);
    assert_eq!(call("list")["titles"], json!(["Middlemarch", "Moby-Dick", "The Waves"]));
    assert_eq!((&call("count")["sum"], &call("count")["status"]), (&json!(2_001_000), &json!(0)));
    // In binary nothing is seen before the end.
    if format == "text" {
        assert_eq!(call("cancelled")["first"], "1");
    }
}

#[test]
fn it_calls_the_service_in_rust() {
    let library = Library::start();
    let gateway = browser::gateway(&library);
    let seen = calls(&gateway);
    for format in ["text", "binary"] {
        all_is_as_without_a_gateway(&seen, format);
    }
    browser::may_send(&gateway, call(&seen, "asked"));
}

#[test]
fn it_calls_the_service_in_python() {
    let library = Library::grpcio();
    let seen = calls(&browser::gateway(&library));
    for format in ["text", "binary"] {
        all_is_as_without_a_gateway(&seen, format);
        for name in ["get", "count"] {
            let seen = call(&seen, &format!("{format} {name}"));
            assert_eq!(seen["trailers"], json!({ "x-parted": "hello", "x-parted-bin": "AAEC" }), "{seen}");
            assert_eq!((&seen["head"]["x-said-bin"], &seen["status"]), (&json!("AAEC"), &json!(0)), "{seen}");
        }
    }
    library.wait_for_cancelled("Count");
}
