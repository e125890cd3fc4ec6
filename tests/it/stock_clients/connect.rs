//! Connect's own libraries, for browsers and for Node.js: their clients call both gRPC services, in Connect and in gRPC-Web, and
//! Google's gRPC client calls their server.

use serde_json::{Value, json};

use super::browser;
use super::grpc::{self, Way};
use crate::harness::library::{Library, everything, seconds};
use crate::harness::peers::{self, Program, call};
use crate::harness::{Gateway, Setup, config};

/// How the clients are set up: all that a service in front of which there is no gateway would take.
const BROWSER: [&str; 5] = ["web-proto", "web-json", "web-get-proto", "web-get-json", "web-grpc-web"];
const NODE: [&str; 6] =
    ["node-h1-json", "node-h1-proto", "node-h1-grpc-web", "node-h2-json", "node-h2-proto", "node-h2-grpc"];

/// Messages that are compressed, which tonic is built without.
const GZIP: [&str; 2] = ["node-h1-json-gzip", "node-h1-proto-gzip"];

/// What clients saw that are set up so.
#[track_caller]
fn calls(gateway: &Gateway, transports: &[&str]) -> Vec<Value> {
    let mut command = peers::node("connect_client.mjs");
    command.args([transports.join(","), gateway.public.to_string()]);
    command.arg(Library::path()).arg(everything().to_string());
    peers::run(command)
}

/// Every kind of method that the transport can, errors with details, metadata both ways, and a call that is given up.
#[track_caller]
fn all_is_as_without_a_gateway(seen: &[Value], transport: &str) {
    let call = |name: &str| call(seen, &format!("{transport} {name}"));
    let got = call("get");
    assert_eq!(
        got["book"],
        json!({
            "name": "shelves/1/books/2", "title": "Moby-Dick", "authors": ["Herman Melville"],
            "published": "1851-08-28T00:00:00Z", "copies": "9007199254740993"
        })
    );
    assert_eq!(
        (&got["head"]["x-said"], &got["head"]["x-said-bin"]),
        (&json!("hello"), &json!("AAEC")),
        "{got}"
    );
    let left = seconds(got["head"]["x-timeout"].as_str().expect("the service knows of the deadline"));
    assert!((1.0..21.0).contains(&left), "{got}");
    let details = |name: &str| json!([{ "resourceType": "library.v1.Book", "resourceName": name }]);
    for (name, missing) in [("missing", "shelves/1/books/– 9"), ("list missing", "shelves/– 7")] {
        let seen = call(name);
        assert_eq!((&seen["code"], &seen["details"]), (&json!("NotFound"), &details(missing)), "{seen}");
        assert_eq!(seen["message"], format!("there is no `{missing}`"), "{seen}");
    }
    assert_eq!(call("echo")["document"], everything());
    for name in ["large", "empty"] {
        assert_eq!(call(name)["equal"], true, "{transport} {name}");
    }
    assert_eq!(call("list")["titles"], json!(["Middlemarch", "Moby-Dick", "The Waves"]));
    assert_eq!(call("list none")["titles"], json!([]));
    assert_eq!(call("count")["sum"], 2_001_000);
    let cancelled = call("cancelled");
    assert_eq!((&cancelled["first"], &cancelled["code"]), (&json!("1"), &json!("Canceled")));
    if transport.starts_with("node") {
        assert_eq!(call("add")["added"], 300);
        let failure = call("talk fails");
        assert_eq!((&failure["said"], &failure["code"]), (&json!(["one, you say"]), &json!("Aborted")));
        assert_eq!(failure["message"], "as it was asked to");
    }
    if transport.starts_with("node-h2") {
        let said: Vec<_> = (0..20).map(|number| format!("{number}, you say")).collect();
        assert_eq!((&call("talk")["said"], &call("talk")["rest"]), (&json!(said), &json!([])));
        let late = call("late");
        assert_eq!((&late["said"], &late["code"]), (&json!(["one, you say"]), &json!("DeadlineExceeded")));
    }
}

/// What the head and the trailers repeat of the call.
#[track_caller]
fn metadata_crosses_in_head_and_trailers(seen: &[Value], transport: &str) {
    let calls = ["get", "count", "talk"]
        .into_iter()
        .filter(|name| *name != "talk" || transport.starts_with("node-h2"));
    for name in calls {
        let seen = call(seen, &format!("{transport} {name}"));
        assert_eq!(seen["trailers"], json!({ "x-parted": "hello", "x-parted-bin": "AAEC" }), "{seen}");
        assert_eq!(seen["head"]["x-said-bin"], "AAEC", "{seen}");
    }
}

#[test]
fn browsers_call_the_service_in_rust() {
    let library = Library::start();
    let gateway = browser::gateway(&library);
    let seen = calls(&gateway, &BROWSER);
    for transport in BROWSER {
        all_is_as_without_a_gateway(&seen, transport);
        let asked = call(&seen, &format!("{transport} asked"));
        browser::may_send(&gateway, asked);
        assert_eq!(
            asked["sent"].as_array().unwrap().contains(&json!("GET")),
            transport.contains("get"),
            "{asked}"
        );
    }
}

#[test]
fn browsers_call_the_service_in_python() {
    let library = Library::grpcio();
    let gateway = browser::gateway(&library);
    let seen = calls(&gateway, &BROWSER);
    for transport in BROWSER {
        all_is_as_without_a_gateway(&seen, transport);
        metadata_crosses_in_head_and_trailers(&seen, transport);
        library.wait_for_cancelled("Count");
    }
}

#[test]
fn node_calls_the_service_in_rust() {
    let library = Library::start();
    let seen = calls(&browser::gateway(&library), &NODE);
    for transport in NODE {
        all_is_as_without_a_gateway(&seen, transport);
    }
}

#[test]
fn node_calls_the_service_in_python() {
    let library = Library::grpcio();
    let gateway = browser::gateway(&library);
    let transports = [&NODE[..], &GZIP].concat();
    let seen = calls(&gateway, &transports);
    for transport in transports {
        all_is_as_without_a_gateway(&seen, transport);
        metadata_crosses_in_head_and_trailers(&seen, transport);
        library.wait_for_cancelled("Count");
    }
}

/// Their server speaks nothing but Connect here, and the client nothing but gRPC.
fn googles_grpc_client_calls_a_connect_service(version: &str, way: Way) {
    let mut command = peers::node("connect_server.mjs");
    command.arg(version).arg(Library::path());
    let program = Program::start(command);
    let upstream = config::upstream("service", program.address())
        .replace("[upstreams.service]\n", &format!("[upstreams.service]\nprotocol = \"{version}\"\n"));
    let step = "config = { descriptors = \"${asset:library.binpb}\", upstream = \"connect\" }";
    let text = config::plugin("connect", step)
        + &upstream
        + "[routes.all]\nsteps = [\"connect\"]\nto = \"service\"\n";
    let gateway = Setup::new()
        .plugin("connect", crate::harness::plugin("connect"))
        .file("library.binpb", Library::descriptors())
        .start(&text);
    let seen = grpc::calls(gateway.public, way);
    grpc::all_is_as_without_a_gateway(&seen, way);
    grpc::metadata_crosses_in_head_and_trailers(&seen, way);
    assert_eq!(call(&seen, "compressed")["equal"], true);
    program.wait_for("cancelled Count");
}

#[test]
fn googles_grpc_client_calls_a_connect_service_over_http1() {
    googles_grpc_client_calls_a_connect_service("h1", Way::Half);
}

#[test]
fn googles_grpc_client_calls_a_connect_service_over_http2() {
    googles_grpc_client_calls_a_connect_service("h2", Way::Duplex);
}
