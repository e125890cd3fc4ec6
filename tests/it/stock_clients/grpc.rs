//! Google's gRPC library for Python: its client calls both services, and one that speaks Connect.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::harness::Gateway;
use crate::harness::library::{Library, everything, seconds};
use crate::harness::peers::{self, call};

/// Whether requests are still sent while they are answered.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// HTTP/1.1 servers of Connect refuse it.
    Half,
    Duplex,
}

/// What the client saw.
#[track_caller]
pub(super) fn calls(address: SocketAddr, way: Way) -> Vec<Value> {
    let mut command = peers::python("grpc_client.py");
    command.arg(address.to_string()).arg(Library::path()).arg(everything().to_string());
    command.args((way == Way::Half).then_some("half"));
    peers::run(command)
}

/// Every kind of method, errors with details, metadata both ways, deadlines and a call that is given up.
#[track_caller]
pub(super) fn all_is_as_without_a_gateway(seen: &[Value], way: Way) {
    let got = call(seen, "get");
    assert_eq!(
        got["book"],
        json!({
            "name": "shelves/1/books/2", "title": "Moby-Dick", "authors": ["Herman Melville"],
            "published": "1851-08-28T00:00:00Z", "copies": "9007199254740993"
        })
    );
    assert_eq!((&got["head"]["x-said"], &got["head"]["x-said-bin"]), (&json!("hello"), &json!("000102")));
    let left = seconds(got["head"]["x-timeout"].as_str().expect("the service knows of the deadline"));
    assert!((1.0..21.0).contains(&left), "{got}");
    let missing = json!({
        "call": "missing", "code": "NOT_FOUND", "message": "there is no `shelves/1/books/– 9`", "same": true,
        "details": [{
            "@type": "type.googleapis.com/google.rpc.ResourceInfo",
            "resourceType": "library.v1.Book", "resourceName": "shelves/1/books/– 9"
        }]
    });
    assert_eq!(call(seen, "missing"), &missing);
    assert_eq!(call(seen, "echo"), &json!({ "call": "echo", "equal": true, "document": everything() }));
    for name in ["large", "empty"] {
        assert_eq!(call(seen, name)["equal"], true, "{name}");
    }
    assert_eq!(call(seen, "list")["titles"], json!(["Middlemarch", "Moby-Dick", "The Waves"]));
    assert_eq!(call(seen, "list none")["titles"], json!([]));
    assert_eq!(call(seen, "add")["added"], 300);
    assert_eq!(call(seen, "count")["sum"], 2_001_000);
    let cancelled = json!({ "call": "count cancelled", "first": "1", "code": "CANCELLED" });
    assert_eq!(call(seen, "count cancelled"), &cancelled);
    assert_eq!(call(seen, "unknown")["code"], "UNIMPLEMENTED");
    assert_eq!(call(seen, "after")["title"], "Middlemarch");
    if way == Way::Duplex {
        what_is_said_is_answered_at_once(seen);
    }
}

#[track_caller]
fn what_is_said_is_answered_at_once(seen: &[Value]) {
    let said: Vec<_> = (0..20).map(|number| format!("{number}, you say")).collect();
    let talk = call(seen, "talk");
    assert_eq!((&talk["said"], &talk["rest"]), (&json!(said), &json!([])));
    let failure = json!({
        "call": "talk fails", "said": ["one, you say"], "code": "ABORTED", "message": "as it was asked to", "details": []
    });
    assert_eq!(call(seen, "talk fails"), &failure);
    let cancelled = json!({ "call": "cancelled", "said": "one, you say", "code": "CANCELLED" });
    assert_eq!(call(seen, "cancelled"), &cancelled);
    let late = json!({ "call": "late", "said": ["one, you say"], "code": "DEADLINE_EXCEEDED" });
    assert_eq!(call(seen, "late"), &late);
}

/// What the head and the trailers repeat of the call.
#[track_caller]
pub(super) fn metadata_crosses_in_head_and_trailers(seen: &[Value], way: Way) {
    for name in if way == Way::Half { &["get"][..] } else { &["get", "talk"] } {
        let seen = call(seen, name);
        assert_eq!(seen["trailers"], json!({ "x-parted": "hello", "x-parted-bin": "000102" }), "{name}");
        assert_eq!(seen["head"]["x-said-bin"], "000102", "{name}");
    }
}

#[test]
fn it_calls_the_service_in_rust() {
    let library = Library::start();
    let gateway = Gateway::start(&(library.upstream() + "[routes.all]\nto = \"service\"\n"));
    let seen = calls(gateway.public, Way::Duplex);
    all_is_as_without_a_gateway(&seen, Way::Duplex);
    // tonic is built without.
    assert_eq!(call(&seen, "compressed")["code"], "UNIMPLEMENTED");
}

#[test]
fn it_calls_the_service_in_python() {
    let library = Library::grpcio();
    let gateway = Gateway::start(&(library.upstream() + "[routes.all]\nto = \"service\"\n"));
    let seen = calls(gateway.public, Way::Duplex);
    all_is_as_without_a_gateway(&seen, Way::Duplex);
    metadata_crosses_in_head_and_trailers(&seen, Way::Duplex);
    assert_eq!(call(&seen, "compressed")["equal"], true);
    // That a client gives up reaches the service.
    library.wait_for_cancelled("Count");
}
