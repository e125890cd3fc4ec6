//! gRPC goes through as it is: every kind of method, to a real service.

use crate::harness::h2::H2;
use crate::harness::library::{Library, field, framed};
use crate::harness::{Gateway, config};

fn call(client: &mut H2, method: &str, body: &[u8]) -> crate::harness::Response {
    let headers = [("content-type", "application/grpc"), ("te", "trailers"), ("x-say", "hello")];
    client.request("POST", &format!("/library.v1.Library/{method}"), &headers, body).expect(200)
}

#[test]
fn every_kind_of_method_passes() {
    let library = Library::start();
    let gateway = Gateway::start(&(library.upstream() + "[routes.all]\nto = \"service\"\n"));
    let mut client = H2::open(gateway.public);
    let answer = call(&mut client, "GetBook", &framed(&field(1, "shelves/1/books/1")));
    assert_eq!((answer.trailer("grpc-status"), answer.header("x-said")), (Some("0"), Some("hello")));
    assert!(answer.text().contains("Middlemarch"));
    // A failure has no body: its status stands in the head or in the trailers.
    let answer = call(&mut client, "GetBook", &framed(&field(1, "none")));
    let status = answer.trailer("grpc-status").or(answer.header("grpc-status"));
    assert_eq!(status, Some("5"));
    // Many answers to one call, one answer to many messages, many to many.
    let answer = call(&mut client, "ListBooks", &framed(&field(1, "shelves/1")));
    assert!(["Middlemarch", "Moby-Dick", "The Waves"].iter().all(|title| answer.text().contains(title)));
    assert_eq!(answer.trailer("grpc-status"), Some("0"));
    let books: Vec<u8> = (0..100).flat_map(|_| framed(&field(2, "A book"))).collect();
    let answer = call(&mut client, "AddBooks", &books);
    assert_eq!((answer.body.as_slice(), answer.trailer("grpc-status")), (&framed(&[8, 100])[..], Some("0")));
    let lines = [framed(&field(1, "one")), framed(&field(1, "two"))].concat();
    let answer = call(&mut client, "Talk", &lines);
    let said = [framed(&field(1, "one, you say")), framed(&field(1, "two, you say"))].concat();
    assert_eq!((answer.body, answer.trailers.len()), (said, 1));
    // Nobody answers.
    drop(library);
    let answer =
        client.request("POST", "/library.v1.Library/Talk", &[("content-type", "application/grpc")], b"");
    assert_eq!(answer.problem(502)["upstream"], "service");
}

#[test]
fn an_upstream_that_does_not_speak_http2_is_told_from_one_that_is_away() {
    let service = config::service(crate::harness::Origin::echo(), &[]);
    let text = service.replace("[upstreams.service]\n", "[upstreams.service]\nprotocol = \"h2\"\n");
    let gateway = Gateway::start(&text);
    let problem = gateway.get("/").problem(502);
    assert_eq!(problem["type"], "urn:sluice:problem:upstream-protocol", "{problem}");
}
