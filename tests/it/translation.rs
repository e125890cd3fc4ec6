//! One real gRPC service behind the plugins that translate: REST, gRPC-Web and Connect, one message and streams, and what is broken.

use serde_json::{Value, json};

use crate::harness::Gateway;
use crate::harness::h2::H2;
use crate::harness::library::{Library, everything, field, framed, seconds};

const SET: &str = "{ descriptors = \"${asset:library.binpb}\" }";

/// These tests before each of the two services, which have no code in common.
macro_rules! before_both {
    ($($test:ident)*) => {
        mod tonic { $(#[test] fn $test() { super::$test(super::Library::start()); })* }
        mod grpcio { $(#[test] fn $test() { super::$test(super::Library::grpcio()); })* }
    };
}

before_both! {
    rest_clients_call_every_kind_of_method
    every_type_comes_back_from_the_service_as_it_was_sent
    errors_metadata_and_deadlines_cross
    what_is_said_is_answered_before_more_is_said
    browsers_call_through_grpc_web
    connect_clients_call_with_and_without_streams
}

fn get(gateway: &Gateway, path: &str) -> Value {
    gateway.get(path).expect(200).json()
}

fn post(gateway: &Gateway, path: &str, headers: &[(&str, &str)], body: &[u8]) -> crate::harness::Response {
    gateway.connect().request("POST", path, headers, body)
}

fn rest_clients_call_every_kind_of_method(library: Library) {
    let gateway = library.behind("rest-grpc", SET);
    let book = get(&gateway, "/v1/shelves/1/books/2");
    assert_eq!(
        book,
        json!({
            "name": "shelves/1/books/2", "title": "Moby-Dick", "authors": ["Herman Melville"],
            "published": "1851-08-28T00:00:00Z", "copies": "9007199254740993"
        })
    );
    let added = post(&gateway, "/v1/shelves/9/books", &[], b"{\"title\": \"Emma\", \"copies\": 2}")
        .expect(200)
        .json();
    assert_eq!((&added["name"], &added["copies"]), (&json!("shelves/9/books/1"), &json!("2")));
    assert_eq!(get(&gateway, "/v1/shelves/9/books/1")["title"], "Emma");
    // Many answers: a line each.
    let lines = gateway.get("/v1/shelves/1/books?prefix=M").expect(200);
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let titles: Vec<Value> = lines
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["title"].clone())
        .collect();
    assert_eq!(titles, ["Middlemarch", "Moby-Dick"]);
    let events = gateway.get_with("/v1/count?to=2", &[("accept", "text/event-stream")]).expect(200);
    assert_eq!(events.text(), "data: {\"text\":\"1\"}\n\ndata: {\"text\":\"2\"}\n\n");
    // Many messages.
    let books = "{\"title\":\"a\"}\n{\"title\":\"b\"} {\"title\":\"c\"}";
    assert_eq!(
        post(&gateway, "/v1/books:add", &[], books.as_bytes()).expect(200).json(),
        json!({ "added": 3 })
    );
    let said = post(&gateway, "/v1/talk", &[], b"{\"text\":\"one\"}\n{\"text\":\"two\"}").expect(200).text();
    assert_eq!(said, "{\"text\":\"one, you say\"}\n{\"text\":\"two, you say\"}\n");
    // An error within a stream is its last value.
    let said = post(&gateway, "/v1/talk", &[], b"{\"text\":\"one\"}\n{\"text\":\"fail\"}").expect(200).text();
    let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["error"]["code"], &last["error"]["message"]),
        (&json!(10), &json!("as it was asked to"))
    );
}

fn every_type_comes_back_from_the_service_as_it_was_sent(library: Library) {
    let gateway = library.behind("rest-grpc", SET);
    let answer = post(&gateway, "/v1/echo", &[], everything().to_string().as_bytes()).expect(200);
    assert_eq!(answer.json(), everything());
}

fn errors_metadata_and_deadlines_cross(library: Library) {
    let gateway = library.behind("rest-grpc", SET);
    let missing = gateway.get("/v1/shelves/1/books/9").expect(404).json();
    assert_eq!(missing["code"], 5);
    assert_eq!(
        missing["details"],
        json!([{
            "@type": "type.googleapis.com/google.rpc.ResourceInfo",
            "resourceType": "library.v1.Book", "resourceName": "shelves/1/books/9"
        }])
    );
    let headers = [("x-say", "hello"), ("x-say-bin", "AAEC"), ("x-request-timeout", "100.5")];
    let answer = gateway.get_with("/v1/shelves/1/books/1", &headers).expect(200);
    assert_eq!((answer.header("x-said"), answer.header("x-said-bin")), (Some("hello"), Some("AAEC")));
    // Some of it may have gone when the service tells how much is left; grpcio counts from a clock that is coarse.
    let left = seconds(answer.header("x-timeout").expect("a deadline"));
    assert!((70.0..101.0).contains(&left), "{answer:?}");
    for (method, path, body, status, kind) in [
        ("GET", "/v2/none", "", 404, "path-unknown"),
        ("DELETE", "/v1/shelves/1/books/1", "", 405, "method-unknown"),
        ("GET", "/v1/shelves/1/books?none=1", "", 400, "request-invalid"),
        ("POST", "/v1/shelves/1/books", "{\"copies\": \"many\"}", 400, "request-invalid"),
        ("POST", "/v1/shelves/1/books", "{", 400, "request-invalid"),
    ] {
        let problem = gateway.connect().request(method, path, &[], body.as_bytes()).problem(status);
        assert_eq!(problem["type"], format!("urn:sluice:problem:{kind}"), "{method} {path} {problem}");
    }
    let deep = "[".repeat(100_000);
    let problem = post(&gateway, "/v1/echo", &[], format!("{{\"list\":{deep}").as_bytes()).problem(400);
    assert_eq!(problem["type"], "urn:sluice:problem:request-too-complex");
    assert_eq!(get(&gateway, "/v1/shelves/1/books/1")["title"], "Middlemarch");
    drop(library);
    assert_eq!(gateway.get("/v1/shelves/1/books/1").status, 502);
}

/// The first message is there before the second is sent, in both directions.
fn what_is_said_is_answered_before_more_is_said(library: Library) {
    let gateway = library.behind("rest-grpc", SET);
    let mut client = gateway.connect();
    client.send("POST /v1/talk HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    client.send(chunk("{\"text\":\"0\"}\n"));
    assert_eq!(client.try_read_head().unwrap().status, 200);
    for number in 0..20 {
        let said = client.try_read_chunk().unwrap().unwrap();
        assert_eq!(String::from_utf8(said).unwrap(), format!("{{\"text\":\"{number}, you say\"}}\n"));
        // In two pieces, neither of which is a message.
        client.send(chunk("{\"text\":"));
        client.send(chunk(&format!("\"{}\"}}\n", number + 1)));
    }
}

/// The head of the response has gone, so there is no answer to give: the body is cut off, and the log says who did it.
#[test]
fn what_is_refused_in_the_middle_of_a_talk_ends_it() {
    let library = Library::start();
    let gateway = library.behind("rest-grpc", SET);
    let mut client = gateway.connect();
    client.send("POST /v1/talk HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send("d\r\n{\"text\":\"0\"}\n\r\n");
    assert_eq!(client.try_read_head().unwrap().status, 200);
    assert!(client.try_read_chunk().unwrap().is_some());
    client.send("8\r\nno json\n\r\n");
    assert!(client.try_read_chunk().is_err(), "the body has no end");
    let entry = gateway.wait_for_access(&["/v1/talk"]);
    assert_eq!(
        (&entry["failure"], &entry["step"]),
        (&"request-refused".into(), &"rest-grpc".into()),
        "{entry}"
    );
}

#[test]
fn a_hundred_thousand_messages_take_no_more_memory_than_a_hundred() {
    let library = Library::start();
    for (name, step, path, headers, body) in [
        ("rest-grpc", SET, "/v1/count?to=", [("accept", "application/x-ndjson")], Vec::new()),
        ("grpc-web", "{}", "", [("content-type", "application/grpc-web+proto")], framed(&[8, 160, 141, 6])),
        ("connect", SET, "", [("content-type", "application/connect+json")], framed(b"{\"to\":100000}")),
    ] {
        let gateway = library.behind(name, step);
        let call = |to: u32| {
            let mut client = gateway.connect();
            if body.is_empty() {
                return client.request("GET", &format!("{path}{to}"), &headers, b"").expect(200);
            }
            client.request("POST", "/library.v1.Library/Count", &headers, &body).expect(200)
        };
        call(100);
        let before = gateway.memory();
        let answer = call(100_000);
        assert!(String::from_utf8_lossy(&answer.body).contains("99999"), "{name}");
        let grown = gateway.memory().saturating_sub(before);
        assert!(grown < 8 << 20, "{name}: {} KiB more", grown >> 10);
    }
}

/// Frames of gRPC-Web: messages, and the trailers in the last one.
fn frames(body: &[u8]) -> (Vec<Vec<u8>>, String) {
    let (mut rest, mut messages) = (body, Vec::new());
    loop {
        let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
        let payload = rest[5..5 + length].to_vec();
        if rest[0] & 0x80 != 0 {
            assert_eq!(rest.len(), 5 + length, "nothing follows the trailers");
            return (messages, String::from_utf8(payload).unwrap());
        }
        messages.push(payload);
        rest = &rest[5 + length..];
    }
}

fn browsers_call_through_grpc_web(library: Library) {
    let gateway = library.behind("grpc-web", "{}");
    let web = [("content-type", "application/grpc-web+proto"), ("x-say", "hello")];
    let path = |method: &str| format!("/library.v1.Library/{method}");
    let answer = post(&gateway, &path("GetBook"), &web, &framed(&field(1, "shelves/1/books/1"))).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/grpc-web+proto"));
    let (messages, trailers) = frames(&answer.body);
    assert!(
        String::from_utf8_lossy(&messages[0]).contains("Middlemarch") && trailers.contains("grpc-status: 0")
    );
    let answer = post(&gateway, &path("ListBooks"), &web, &framed(&field(1, "shelves/1"))).expect(200);
    assert_eq!(frames(&answer.body).0.len(), 3);
    let answer = post(&gateway, &path("GetBook"), &web, &framed(&field(1, "none"))).expect(200);
    assert!(frames(&answer.body).1.contains("grpc-status: 5"), "{answer:?}");
    // Whoever speaks gRPC is let through.
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let native =
        H2::open(gateway.public).request("POST", &path("GetBook"), &headers, &framed(&field(1, "none")));
    assert_eq!(native.trailer("grpc-status").or(native.header("grpc-status")), Some("5"));
    // Frames that are none, that are cut off, that say they are huge.
    for (body, code) in
        [(&[7, 0, 0, 0, 1, 0][..], 3), (&[0, 0, 0, 0, 9, 1], 3), (&[0, 255, 255, 255, 255, 1], 8)]
    {
        let answer = post(&gateway, &path("Talk"), &web, body).expect(200);
        assert!(frames(&answer.body).1.contains(&format!("grpc-status: {code}")), "{body:?}: {answer:?}");
    }
    drop(library);
    let answer = post(&gateway, &path("Talk"), &web, b"").expect(200);
    assert!(frames(&answer.body).1.contains("grpc-status: 14"), "{answer:?}");
}

fn connect_clients_call_with_and_without_streams(library: Library) {
    let gateway = library.behind(
        "connect",
        "{ descriptors = \"${asset:library.binpb}\", get = [\"library.v1.Library/GetBook\"] }",
    );
    let path = |method: &str| format!("/library.v1.Library/{method}");
    let json_type =
        [("content-type", "application/json"), ("connect-protocol-version", "1"), ("x-say", "hello")];
    let answer =
        post(&gateway, &path("GetBook"), &json_type, b"{\"name\":\"shelves/1/books/3\"}").expect(200);
    assert_eq!((&answer.json()["title"], answer.header("x-said")), (&json!("The Waves"), Some("hello")));
    let query = "?connect=v1&encoding=json&message=%7B%22name%22%3A%22shelves%2F1%2Fbooks%2F1%22%7D";
    assert_eq!(get(&gateway, &(path("GetBook") + query))["title"], "Middlemarch");
    let error = post(&gateway, &path("GetBook"), &json_type, b"{\"name\":\"none\"}").expect(404).json();
    assert_eq!((&error["code"], &error["message"]), (&json!("not_found"), &json!("there is no `none`")));
    assert_eq!(error["details"][0]["type"], "google.rpc.ResourceInfo");
    let proto = [("content-type", "application/proto")];
    let answer = post(&gateway, &path("GetBook"), &proto, &field(1, "shelves/1/books/1")).expect(200);
    assert!(answer.text().contains("Middlemarch"));
    // Streams end with a frame that tells how.
    let stream = [("content-type", "application/connect+json")];
    let lines = [framed(b"{\"text\":\"one\"}"), framed(b"{\"text\":\"fail\"}")].concat();
    let answer = post(&gateway, &path("Talk"), &stream, &lines).expect(200);
    let first = framed(b"{\"text\":\"one, you say\"}");
    let rest = answer.body.strip_prefix(&first[..]).expect("the first line's answer");
    let end: Value = serde_json::from_slice(&rest[5..]).unwrap();
    assert_eq!((rest[0], &end["error"]["code"]), (2, &json!("aborted")));
    let problem = post(&gateway, &path("GetBook"), &json_type, b"{\"name\": 1}").expect(400).json();
    assert_eq!(problem["code"], "invalid_argument");
}
