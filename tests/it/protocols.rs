//! The example `protocol-translation`, with its own configuration and service.

use std::collections::HashMap;

use serde_json::json;

use crate::examples::start_in;
use crate::harness::library::{Library, field, framed};
use crate::harness::{Gateway, Setup, root};

/// The example before a service of a test's.
#[track_caller]
pub(crate) fn start(library: &Library) -> Gateway {
    let upstreams = HashMap::from([("127.0.0.1:50051", library.address.to_string())]);
    let wsdl = std::fs::read(root().join("examples/protocol-translation/library.wsdl")).expect("it is there");
    let setup = Setup::new().file("library.binpb", Library::descriptors()).file("library.wsdl", wsdl);
    start_in(setup, "examples/protocol-translation", "127.0.0.1:8084", "127.0.0.1:9905", &upstreams)
}

const ENVELOPE: &str = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
                        <GetBook xmlns=\"urn:example:library\"><Shelf>1</Shelf><Book>NUMBER</Book></GetBook></s:Body></s:Envelope>";

#[test]
fn one_service_is_called_in_every_protocol() {
    let library = Library::start();
    let gateway = start(&library);
    let post = |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        gateway.connect().request("POST", path, headers, body)
    };
    let method = "/library.v1.Library/GetBook";
    assert_eq!(gateway.get("/v1/shelves/1/books/1").expect(200).json()["title"], "Middlemarch");
    let document = gateway.get("/openapi.json").expect(200).json();
    assert!(document["paths"].as_object().is_some_and(|paths| paths.len() >= 5), "{document}");
    let connect = post(method, &[("content-type", "application/json")], b"{\"name\":\"shelves/1/books/3\"}");
    assert_eq!(connect.expect(200).json()["title"], "The Waves");
    let origin = [("content-type", "application/grpc-web+proto"), ("origin", "http://localhost:3000")];
    let web = post(method, &origin, &framed(&field(1, "shelves/1/books/1"))).expect(200);
    assert!(web.text().contains("Middlemarch") && web.text().contains("grpc-status: 0"));
    assert_eq!(web.header("access-control-allow-origin"), Some("http://localhost:3000"));
    let soap = [("content-type", "text/xml"), ("soapaction", "\"urn:example:library/GetBook\"")];
    let answer = post("/soap", &soap, ENVELOPE.replace("NUMBER", "2").as_bytes()).expect(200).text();
    assert!(
        answer.contains("<tns:Title>Moby-Dick</tns:Title><tns:Author>Herman Melville</tns:Author>"),
        "{answer}"
    );
    let fault = post("/soap", &soap, ENVELOPE.replace("NUMBER", "9").as_bytes()).expect(500).text();
    assert!(fault.contains("NotFound") && fault.contains("NoSuchBook"), "{fault}");
}

/// A service that learns a method: its descriptors are replaced, and the next request knows it.
#[test]
fn a_new_descriptor_set_serves_from_the_next_request_on() {
    let library = Library::start();
    let gateway = start(&library);
    let generation = gateway.generation();
    gateway.write("library.binpb", b"this is none");
    gateway.wait_for_log(&["`descriptors`: it is no descriptor set"]);
    assert_eq!(gateway.get("/v1/shelves/1/books/1").expect(200).json()["title"], "Middlemarch");
    // With the path of one method changed, byte for byte as long.
    let old = b"/v1/{name=shelves/*/books/*}";
    let mut set = Library::descriptors();
    let at = set.windows(old.len()).position(|window| window == old).expect("the rule of GetBook");
    set[at..at + old.len()].copy_from_slice(b"/v2/{name=shelves/*/books/*}");
    gateway.write("library.binpb", set);
    gateway.wait_for_generation_after(generation);
    assert_eq!(gateway.get("/v2/shelves/1/books/1").expect(200).json()["name"], json!("shelves/1/books/1"));
    gateway.get("/v1/shelves/1/books/1").problem(404);
}
