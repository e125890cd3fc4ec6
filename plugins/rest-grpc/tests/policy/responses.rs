//! Responses to calls that have one message.

use sluice_sdk_grpc::{Code, Detail, Status, frame};
use sluice_sdk_testing::{Response, Value, json};

use crate::common::{answer, books, get, grpc, plugin, wire};

fn failed(status: &Status) -> Response {
    status.trailers().into_iter().fold(grpc(), |response, (name, value)| response.with_trailer(name, value))
}

#[test]
fn a_message_is_json() {
    let plugin = books();
    let book = json!({ "name": "n", "title": "T", "pages": "5", "genre": "NOVEL", "published": "2020-01-01T00:00:00Z",
        "authors": ["a"], "labels": { "k": "v" },
        "extra": { "@type": "type.googleapis.com/google.protobuf.Duration", "value": "1s" } });
    let response = answer("Book", &book)
        .with_header("x-tenant", "a")
        .with_header("grpc-encoding", "identity")
        .with_trailer("x-late", "l");
    let response = plugin.send(get("/v1/books/x")).respond(response);
    assert_eq!((response.status(), response.header("content-type")), (200, Some("application/json")));
    assert_eq!(serde_json::from_slice::<Value>(&response.body()).unwrap(), book);
    assert_eq!((response.header("x-tenant"), response.header("grpc-encoding")), (Some("a"), None));
    assert_eq!((response.trailer("x-late"), response.trailer("grpc-status")), (Some("l"), None));
}

/// What a head says of bytes that are no longer these.
#[test]
fn digests_do_not_hold_of_what_is_translated() {
    let plugin = books();
    for target in ["/v1/books/x", "/v1/shelves/1/books:watch"] {
        let digests = ["content-digest", "content-md5", "digest", "repr-digest"];
        let request = digests.iter().fold(get(target), |request, name| request.with_header(name, "x"));
        let mut exchange = plugin.send(request);
        let answer = answer("Book", &json!({ "title": "T" }));
        let answer = digests.iter().fold(answer, |answer, name| answer.with_header(name, "x"));
        let answer = answer.with_header("etag", "\"1\"").with_header("accept-ranges", "bytes");
        for name in digests {
            assert_eq!(exchange.forwarded().header(name), None, "{name}");
        }
        let response = exchange.respond(answer);
        for name in digests.into_iter().chain(["accept-ranges"]) {
            assert_eq!(response.header(name), None, "{name}");
        }
        assert_eq!(response.header("etag"), Some("W/\"1\""), "{target}");
    }
}

#[test]
fn a_part_of_it_can_be_the_body() {
    let plugin = books();
    let list = json!({ "books": [{ "title": "a" }, {}], "nextPageToken": "t" });
    let response = plugin.send(get("/v1/titles")).respond(answer("ListBooksResponse", &list));
    assert_eq!(response.text(), r#"[{"title":"a"},{}]"#);
    let response = plugin.send(get("/v1/titles")).respond(answer("ListBooksResponse", &json!({})));
    assert_eq!(response.text(), "[]");
}

#[test]
fn options_of_writing() {
    for (options, text) in [
        (json!({}), r#"{"readMask":"a"}"#),
        (json!({ "field_names": "proto" }), r#"{"read_mask":"a"}"#),
        (json!({ "unset_fields": "print" }), r#"{"name":"","readMask":"a"}"#),
    ] {
        // The answer's type is a book's; its second field is a text too.
        let plugin = plugin(json!({ "json": options }));
        let response = plugin
            .send(get("/v1/echo"))
            .respond(answer("Everything", &json!({ "anInt64": 5, "aGenre": "NOVEL" })));
        let json: Value = serde_json::from_slice(&response.body()).unwrap();
        if text.contains("read_mask") {
            assert_eq!(json, json!({ "an_int64": "5", "a_genre": "NOVEL" }));
        } else if text.contains("\"name\"") {
            assert_eq!(
                (&json["anInt64"], &json["aString"], &json["many"]),
                (&json!("5"), &json!(""), &json!([]))
            );
        } else {
            assert_eq!(json, json!({ "anInt64": "5", "aGenre": "NOVEL" }));
        }
    }
    let numbers = plugin(json!({ "json": { "enums": "number" } }));
    let response = numbers.send(get("/v1/echo")).respond(answer("Everything", &json!({ "aGenre": "NOVEL" })));
    assert_eq!(response.text(), r#"{"aGenre":1}"#);
}

#[test]
fn raw_data_goes_as_it_is() {
    let plugin = books();
    let body = json!({ "contentType": "image/png", "data": "AJ+Slg==" });
    let response =
        plugin.send(get("/v1/shelves/1/books/2/cover")).respond(answer("google.api.HttpBody", &body));
    assert_eq!(
        (response.header("content-type"), response.body()),
        (Some("image/png"), vec![0, 159, 146, 150])
    );
    let put = sluice_sdk_testing::Request::new("PUT", "/v1/shelves/1/books/2/cover").with_body("x");
    let response = plugin.send(put).respond(answer("SetCoverRequest", &json!({ "image": body })));
    assert_eq!(
        (response.header("content-type"), response.body()),
        (Some("image/png"), vec![0, 159, 146, 150])
    );
    let odd = answer("google.api.HttpBody", &json!({ "contentType": "a\nb: c", "data": "" }));
    let response = plugin.send(get("/v1/shelves/1/books/2/cover")).respond(odd);
    assert_eq!(response.header("content-type"), Some("application/octet-stream"));
}

#[test]
fn every_code_has_its_status() {
    let plugin = books();
    for number in 1..=17_u8 {
        let code = Code::from_number(number.into()).unwrap_or(Code::Unknown);
        // In trailers, and in the head of an answer without messages.
        let late =
            grpc().with_trailer("grpc-status", number.to_string()).with_trailer("grpc-message", "a%20b");
        let early =
            grpc().with_header("grpc-status", number.to_string()).with_header("grpc-message", "a%20b");
        for response in [late, early] {
            let response = plugin.send(get("/v1/books/x")).respond(response.with_header("x-tenant", "a"));
            assert_eq!(response.status(), code.http_status(), "{code}");
            assert_eq!(response.header("content-type"), Some("application/json"));
            assert_eq!(response.header("x-tenant"), Some("a"));
            let body: Value = serde_json::from_slice(&response.body()).unwrap();
            assert_eq!(body, json!({ "code": code.number(), "message": "a b" }));
        }
    }
}

#[test]
fn details_are_told() {
    let status = Status {
        code: Code::InvalidArgument,
        message: "no".to_owned(),
        details: vec![
            Detail {
                type_url: "type.googleapis.com/google.rpc.BadRequest".to_owned(),
                value: b"\x0a\x06\x0a\x01f\x12\x01d".to_vec(),
            },
            Detail {
                type_url: "type.googleapis.com/shop.v1.ArchiveRequest".to_owned(),
                value: wire("ArchiveRequest", &json!({ "reason": "r" })),
            },
            Detail { type_url: "type.googleapis.com/un.Known".to_owned(), value: vec![7] },
        ],
    };
    let details = json!([
        { "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{ "field": "f", "description": "d" }] },
        { "@type": "type.googleapis.com/shop.v1.ArchiveRequest", "reason": "r" },
        { "@type": "type.googleapis.com/un.Known", "value": "Bw==" },
    ]);
    let response = books().send(get("/v1/books/x")).respond(failed(&status));
    let body: Value = serde_json::from_slice(&response.body()).unwrap();
    assert_eq!(body, json!({ "code": 3, "message": "no", "details": details }));

    let problems = plugin(json!({ "errors": "problem" }));
    let mut exchange = problems.send(get("/v1/books/x"));
    let response = exchange.respond(failed(&status));
    assert_eq!(response.status(), 400);
    let problem = exchange.answer().problem();
    assert_eq!((&problem["type"], &problem["detail"]), (&json!("invalid-argument"), &json!("no")));
    assert_eq!((&problem["code"], &problem["details"]), (&json!("INVALID_ARGUMENT"), &details));

    // Details that are no messages are left out.
    let broken =
        Detail { type_url: "type.googleapis.com/google.rpc.BadRequest".to_owned(), value: vec![0x0a, 9] };
    let gone = || Status::new(Code::NotFound, "gone");
    let response =
        books().send(get("/v1/books/x")).respond(failed(&Status { details: vec![broken.clone()], ..gone() }));
    assert_eq!((response.status(), response.text()), (404, r#"{"code":5,"message":"gone"}"#.to_owned()));
    // The others are not.
    let mixed = Status { details: [&status.details[..], &[broken]].concat(), ..gone() };
    let response = books().send(get("/v1/books/x")).respond(failed(&mixed));
    let body: Value = serde_json::from_str(&response.text()).expect("JSON");
    assert_eq!(body, json!({ "code": 5, "message": "gone", "details": details }));
}

#[test]
fn what_is_not_grpc_is_an_error() {
    let plugin = books();
    for (http, status) in
        [(200, 500), (404, 501), (401, 401), (403, 403), (429, 503), (503, 503), (502, 503), (500, 500)]
    {
        let response = Response::new(http).with_header("content-type", "text/html").with_body("<html>");
        let response = plugin.send(get("/v1/books/x")).respond(response);
        assert_eq!(response.status(), status, "{http}");
        assert!(response.text().contains("not in gRPC"), "{}", response.text());
    }
    // Answers of steps and of the gateway are HTTP's already.
    let problem =
        Response::new(429).with_header("content-type", "application/problem+json").with_body("{}").of_step();
    let response = plugin.send(get("/v1/books/x")).respond(problem);
    assert_eq!((response.status(), response.text()), (429, "{}".to_owned()));
}

#[test]
fn what_makes_no_sense_is_a_bad_gateway() {
    let plugin = books();
    let ok = |body: &[u8]| grpc().with_body(body).with_trailer("grpc-status", "0");
    let message = frame(0, b"\x0a\x01a");
    for (response, reason) in [
        (ok(b""), "the body has no message"),
        (ok(&message[..6]), "the body ends within a message"),
        (ok(&[message.clone(), message.clone()].concat()), "the body has more than one message"),
        (ok(&frame(1, b"\x0a\x01a")), "it is compressed"),
        (ok(b"\x80\0\0\0\0"), "a message begins with the byte 0x80, which has no meaning"),
        (ok(&[0, 255, 255, 255, 255]), "the body ends within a message"),
        (ok(&frame(0, b"\x0a\xff")), "the message ends in the midst of a field"),
        (ok(&frame(0, b"\x0a\x01\xff")), "`name`: it is not UTF-8"),
        (grpc().with_header("grpc-status", "0"), "it has no message"),
    ] {
        let mut exchange = plugin.send(get("/v1/books/x"));
        assert_eq!(exchange.respond(response).status(), 502, "{reason}");
        assert_eq!(exchange.answer().problem()["type"], json!("grpc-response-invalid"));
        assert!(exchange.logs().iter().any(|(_, line)| line.ends_with(reason)), "{:?}", exchange.logs());
    }
    let response = plugin.send(get("/v1/books/x")).respond(grpc().with_body(message));
    assert_eq!(response.status(), 500, "without a status");
}

#[test]
fn an_any_of_nothing_has_a_type_only() {
    let empty = json!({ "@type": "type.googleapis.com/google.protobuf.Empty" });
    let with_value = json!({ "@type": "type.googleapis.com/google.protobuf.Empty", "value": {} });
    for read in [&empty, &with_value] {
        let response = books().send(get("/v1/books/x")).respond(answer("Book", &json!({ "extra": read })));
        let body: Value = serde_json::from_str(&response.text()).expect("JSON");
        assert_eq!(body, json!({ "extra": empty }));
    }
}

#[test]
fn a_message_has_so_many_fields() {
    let authors = |count: usize| {
        // Empty ones, in two bytes each.
        let message = [0x32, 0].repeat(count);
        let response = grpc().with_body(frame(0, &message)).with_trailer("grpc-status", "0");
        books().send(get("/v1/books/x")).respond(response).status()
    };
    assert_eq!((authors(200_000), authors(200_001)), (200, 502));
}
