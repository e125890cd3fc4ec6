//! Requests: which call they become.

use rest_grpc::RestGrpc;
use sluice_sdk_testing::{Harness, Request, Value, json};

use crate::common::{books, frames, get, plugin, read, refused, sent, set_of_groups, set_of_known};

#[test]
fn every_rule_makes_its_call() {
    let plugin = books();
    for (request, method, name, message) in [
        (get("/v1/shelves/1/books/2"), "GetBook", "GetBookRequest", json!({ "name": "shelves/1/books/2" })),
        (get("/v1/books/b%20c"), "GetBook", "GetBookRequest", json!({ "name": "b c" })),
        (Request::new("PURGE", "/v1/any/x"), "GetBook", "GetBookRequest", json!({ "name": "x" })),
        (
            get("/v1/books/x?readMask=title,pages"),
            "GetBook",
            "GetBookRequest",
            json!({ "name": "x", "readMask": "title,pages" }),
        ),
        (
            get(
                "/v1/shelves/1/books?pageSize=5&filter.author=A&filter.min_pages=3&filter.since=2020-01-01T00:00:00Z&genres=NOVEL&genres=2&filter.years=1&filter.years=2&filter.labels[a]=b&filter.isbn=i",
            ),
            "ListBooks",
            "ListBooksRequest",
            json!({ "parent": "shelves/1", "pageSize": 5, "genres": ["NOVEL", "POETRY"],
                "filter": { "author": "A", "minPages": 3, "since": "2020-01-01T00:00:00Z", "isbn": "i", "years": ["1", "2"],
                    "labels": { "a": "b" } } }),
        ),
        (
            Request::post("/v1/shelves/1/books?bookId=x&validate_only=true")
                .with_json(&json!({ "title": "T", "pages": "5" })),
            "CreateBook",
            "CreateBookRequest",
            json!({ "parent": "shelves/1", "bookId": "x", "validateOnly": true, "book": { "title": "T", "pages": "5" } }),
        ),
        (
            // The path counts more than the body.
            Request::new("PATCH", "/v1/shelves/1/books/2?updateMask=title")
                .with_json(&json!({ "title": "T", "name": "other" })),
            "UpdateBook",
            "UpdateBookRequest",
            json!({ "book": { "name": "shelves/1/books/2", "title": "T" }, "updateMask": "title" }),
        ),
        (
            Request::new("DELETE", "/v1/shelves/1/books/2"),
            "DeleteBook",
            "GetBookRequest",
            json!({ "name": "shelves/1/books/2" }),
        ),
        (
            Request::post("/v1/shelves/1/2%2F3:archive").with_json(&json!({ "reason": "old", "name": "n" })),
            "Archive",
            "ArchiveRequest",
            json!({ "name": "shelves/1/2%2F3", "reason": "old" }),
        ),
        (Request::post("/v1/echo"), "Echo", "Everything", json!({})),
        (
            get("/v1/echo/a%2Fb/7?nested.text=n"),
            "Echo",
            "Everything",
            json!({ "anInt32": 7, "nested": { "text": "n", "nested": { "text": "a/b" } } }),
        ),
        (
            Request::new("PUT", "/v1/echo/nested?aBool=true").with_json(&json!({ "text": "t" })),
            "Echo",
            "Everything",
            json!({ "aBool": true, "nested": { "nested": { "text": "t" } } }),
        ),
    ] {
        let exchange = plugin.send(request);
        let forwarded = exchange.forwarded();
        assert_eq!(forwarded.path(), format!("/shop.v1.Books/{method}"));
        assert_eq!((forwarded.method(), forwarded.query()), ("POST", None));
        assert_eq!(forwarded.header("content-type"), Some("application/grpc"));
        assert_eq!(sent(&exchange, name), message, "{method}");
    }
}

#[test]
fn queries_become_fields() {
    let plugin = books();
    let cases: Vec<Value> = serde_json::from_str(include_str!("../data/queries.json")).unwrap();
    assert!(cases.len() > 35);
    for case in cases {
        let query = case["query"].as_str().unwrap();
        let exchange = plugin.send(get(&format!("/v1/echo?{query}")));
        if case["wrong"].is_null() {
            assert_eq!(sent(&exchange, "Everything"), case["message"], "{query}");
            continue;
        }
        let (status, kind, error) = refused(&exchange);
        assert_eq!((status, kind), (400, json!("request-invalid")), "{query}");
        let expected = json!({ "in": "query", "name": case["name"], "message": case["wrong"] });
        assert_eq!(error, expected, "{query}");
    }
}

#[test]
fn what_a_method_does_not_take_is_refused() {
    let plugin = books();
    let json_body = |body: &str| Request::post("/v1/echo").with_body(body);
    for (request, error) in [
        (
            json_body("{\"anInt32\":\"x\"}"),
            json!({ "in": "body", "name": "an_int32", "message": "it is no integer" }),
        ),
        (
            json_body("{\"nested\":{\"nope\":1}}"),
            json!({ "in": "body", "name": "nested", "message": "there is no field `nope`" }),
        ),
        (json_body("{"), json!({ "in": "body", "name": "", "message": "the JSON ends too early" })),
        (
            json_body("\u{feff}{}"),
            json!({ "in": "body", "name": "", "message": "the JSON has no value at byte 0" }),
        ),
        (json_body("[]"), json!({ "in": "body", "name": "", "message": "it is a list, not an object" })),
        (
            Request::post("/v1/shelves/1/books").with_body("{\"pages\":true}"),
            json!({ "in": "body", "name": "book.pages", "message": "it is a boolean, not a number" }),
        ),
        (get("/v1/echo/a/x"), json!({ "in": "path", "name": "an_int32", "message": "it is no integer" })),
        (
            get("/v1/books/%ff"),
            json!({ "in": "path", "name": "name", "message": "its percent-encoding is wrong" }),
        ),
        // What the body or the path sets, the query cannot.
        (
            Request::post("/v1/echo?aBool=true").with_body("{}"),
            json!({ "in": "query", "name": "aBool", "message": "the method has no such parameter" }),
        ),
        (
            get("/v1/books/x?name=y"),
            json!({ "in": "query", "name": "name", "message": "the method has no such parameter" }),
        ),
        (
            Request::post("/v1/shelves/1/books?book.title=x"),
            json!({ "in": "query", "name": "book.title", "message": "the method has no such parameter" }),
        ),
        (
            get("/v1/shelves/1/books?filter.title=a&filter.isbn=b"),
            json!({ "in": "query", "name": "filter.isbn", "message": "another field of its `oneof` is there" }),
        ),
    ] {
        assert_eq!(refused(&plugin.send(request)), (400, json!("request-invalid"), error));
    }
    let deep = format!("{}1{}", "{\"nested\":".repeat(200), "}".repeat(200));
    assert_eq!(refused(&plugin.send(json_body(&deep))).1, json!("request-too-complex"));
    let many = "genres=1&".repeat(1_001);
    let (status, _, error) = refused(&plugin.send(get(&format!("/v1/shelves/1/books?{many}"))));
    assert_eq!((status, error["message"].as_str()), (400, Some("there are more than 1000 parameters")));
}

#[test]
fn what_no_rule_matches_is_refused_or_passes() {
    let plugin = books();
    let exchange = plugin.send(get("/v2/books"));
    assert_eq!(
        (exchange.answer().status(), &exchange.answer().problem()["type"]),
        (404, &json!("path-unknown"))
    );
    let exchange = plugin.send(Request::post("/v1/shelves/1/books/2"));
    assert_eq!(
        (exchange.answer().status(), exchange.answer().header("allow")),
        (405, Some("DELETE, GET, PATCH"))
    );
    assert_eq!(plugin.send(get("/v1/hidden/x")).answer().status(), 404);
    assert_eq!(plugin.send(Request::post("/shop.v1.Books/Plain")).answer().status(), 404);

    let passing = crate::common::plugin(json!({ "unmatched": "pass" }));
    let mut exchange = passing.send(Request::post("/elsewhere?a=1").with_body("as it is"));
    let forwarded = exchange.forwarded();
    assert_eq!(
        (forwarded.path(), forwarded.query(), forwarded.text()),
        ("/elsewhere", Some("a=1"), "as it is".to_owned())
    );
    let response = exchange.respond(sluice_sdk_testing::Response::new(200).with_body("as it is"));
    assert_eq!(response.text(), "as it is");
}

#[test]
fn calls_in_grpc_pass() {
    let plugin = books();
    for content_type in ["application/grpc", "application/grpc+proto", "Application/gRPC-Web"] {
        let request = Request::post("/shop.v1.Books/GetBook")
            .with_header("content-type", content_type)
            .with_body("\0\0");
        let exchange = plugin.send(request);
        assert_eq!(
            (exchange.forwarded().path(), exchange.forwarded().body()),
            ("/shop.v1.Books/GetBook", vec![0, 0])
        );
    }
}

#[test]
fn methods_without_a_rule_are_mapped_if_wanted() {
    let plugin = plugin(json!({ "auto_mapping": true, "base_path": "/api" }));
    let request = Request::post("/api/shop.v1.Books/Plain").with_json(&json!({ "name": "x" }));
    let exchange = plugin.send(request);
    assert_eq!(exchange.forwarded().path(), "/shop.v1.Books/Plain");
    assert_eq!(sent(&exchange, "GetBookRequest"), json!({ "name": "x" }));
    assert_eq!(plugin.send(get("/api/v1/hidden/x")).forwarded().path(), "/shop.v1.Hidden/Get");
    assert_eq!(plugin.send(get("/v1/hidden/x")).answer().status(), 404);
    // Those that have one have no other.
    assert_eq!(plugin.send(Request::post("/api/shop.v1.Books/GetBook")).answer().status(), 404);
}

#[test]
fn raw_bodies_are_http_bodies() {
    let plugin = books();
    let body = [0, 159, 146, 150];
    let image = |request: Request| request.with_header("content-type", "image/png").with_body(body);
    let exchange = plugin.send(image(Request::post("/v1/upload")));
    let message = json!({ "contentType": "image/png", "data": "AJ+Slg==" });
    assert_eq!(sent(&exchange, "google.api.HttpBody"), message);
    let exchange = plugin.send(image(Request::new("PUT", "/v1/shelves/1/books/2/cover")));
    assert_eq!(sent(&exchange, "SetCoverRequest"), json!({ "name": "shelves/1/books/2", "image": message }));
}

#[test]
fn media_types_and_codings_are_looked_at() {
    let strict = plugin(json!({ "require_json": true }));
    for (content_type, status) in [
        ("text/plain", Some(415)),
        ("application/json; charset=utf-8", None),
        ("application/vnd.a+json", None),
    ] {
        let request = Request::post("/v1/echo").with_header("content-type", content_type).with_body("{}");
        let exchange = strict.send(request);
        match status {
            Some(status) => assert_eq!(exchange.answer().status(), status),
            None => assert_eq!(exchange.forwarded().path(), "/shop.v1.Books/Echo"),
        }
    }
    // `curl -d` says that it sends a form.
    let form = Request::post("/v1/echo")
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_body("{}");
    assert_eq!(books().send(form).forwarded().path(), "/shop.v1.Books/Echo");
    for path in ["/v1/echo", "/v1/upload", "/v1/upload/parts"] {
        let coded = Request::post(path).with_header("content-encoding", "gzip").with_body("x");
        assert_eq!(books().send(coded).answer().status(), 415, "{path}");
    }
    let raw = Request::post("/v1/upload").with_header("content-type", "image/png").with_body("x");
    assert_eq!(strict.send(raw).forwarded().path(), "/shop.v1.Books/Upload");
}

#[test]
fn metadata_are_headers() {
    let request = || {
        get("/v1/books/x")
            .with_header("authorization", "Bearer t")
            .with_header("x-tenant", "a")
            .with_header("trace-bin", "AAE")
            .with_header("accept", "application/json")
            .with_header("accept-encoding", "gzip")
            .with_header("grpc-encoding", "gzip")
            .with_header("grpc-metadata-x-more", "b")
            .with_header("grpc-metadata-x-consumer-username", "admin")
            .with_header("grpc-metadata-content-length", "1")
    };
    let plain = books();
    let exchange = plain.send(request());
    let seen = exchange.forwarded();
    assert_eq!(seen.header("authorization"), Some("Bearer t"));
    assert_eq!((seen.header("x-tenant"), seen.header("trace-bin")), (Some("a"), Some("AAE")));
    for gone in ["accept", "accept-encoding", "grpc-encoding", "grpc-metadata-x-more", "x-more"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    let prefixed = plugin(json!({ "metadata_prefix": "grpc-metadata-" }));
    let exchange = prefixed.send(request());
    let seen = exchange.forwarded();
    assert_eq!((seen.header("x-more"), seen.header("x-tenant")), (Some("b"), Some("a")));
    assert_eq!((seen.header("x-consumer-username"), seen.header("content-length")), (None, None));
    assert_eq!(seen.header("grpc-metadata-x-more"), None);
}

#[test]
fn nobody_writes_who_it_is() {
    let plugin = plugin(json!({ "metadata_prefix": "grpc-metadata-" }));
    for name in [
        "x-consumer-id",
        "x_consumer_id",
        "x-credential-identifier",
        "x-anonymous-consumer",
        "client-cert",
        "client_cert_chain",
        "forwarded",
        "x-forwarded-for",
        "x_forwarded-host",
        "content_length",
    ] {
        let request = get("/v1/books/x").with_header(&format!("grpc-metadata-{name}"), "forged");
        let exchange = plugin.send(request.with_header("grpc-metadata-x-more", "b"));
        let seen = exchange.forwarded();
        assert_eq!((seen.header(name), seen.header("x-more")), (None, Some("b")), "{name}");
    }
    // A prefix without a name behind it.
    let exchange = plugin.send(get("/v1/books/x").with_header("grpc-metadata-", "x"));
    assert_eq!(exchange.forwarded().path(), "/shop.v1.Books/GetBook");
}

#[test]
fn deadlines_are_told() {
    let limited = plugin(json!({ "timeout": "5s" }));
    let unlimited = books();
    for (header, value, within, without) in [
        ("x-other", "1", Some("5000000u"), None),
        ("x-request-timeout", "2", Some("2000000u"), Some("2000000u")),
        ("x-request-timeout", "250ms", Some("250000u"), Some("250000u")),
        ("x-request-timeout", "10", Some("5000000u"), Some("10000000u")),
        ("grpc-timeout", "1S", Some("1000000u"), Some("1000000u")),
    ] {
        let told = |plugin: &sluice_sdk_testing::TestPlugin| {
            let exchange = plugin.send(get("/v1/books/x").with_header(header, value));
            exchange.forwarded().header("grpc-timeout").map(|told| {
                sluice_sdk_grpc::timeout::from_grpc(told.as_bytes()).expect("a timeout").as_micros()
            })
        };
        let micros =
            |text: Option<&str>| text.map(|text| text.trim_end_matches('u').parse::<u128>().unwrap());
        assert_eq!(
            (told(&limited), told(&unlimited)),
            (micros(within), micros(without)),
            "{header}: {value}"
        );
    }
    let exchange = unlimited.send(get("/v1/books/x").with_header("x-request-timeout", "soon"));
    assert_eq!(
        (exchange.answer().status(), &exchange.answer().problem()["type"]),
        (400, &json!("timeout-invalid"))
    );
}

#[test]
fn options_of_reading() {
    let lenient = plugin(json!({
        "unknown_query": "ignore", "unknown_fields": "ignore", "json": { "enums_in_any_case": true },
    }));
    let request =
        Request::post("/v1/echo?nope=1&aBool=true").with_json(&json!({ "nope": {}, "aGenre": "novel" }));
    assert_eq!(sent(&lenient.send(request), "Everything"), json!({ "aGenre": "NOVEL" }));
    let ignoring = plugin(json!({ "ignored_query": ["key"] }));
    assert_eq!(sent(&ignoring.send(get("/v1/echo?key=1")), "Everything"), json!({}));
    assert_eq!(ignoring.send(get("/v1/echo?other=1")).answer().status(), 400);
    for (unescape, name) in [
        ("all-but-slash", "shelves/a%2Fb:c+d"),
        ("all-but-reserved", "shelves/a%2Fb%3Ac%2Bd"),
        ("all", "shelves/a/b:c+d"),
    ] {
        let plugin = plugin(json!({ "unescape": unescape }));
        let exchange = plugin.send(Request::post("/v1/shelves/a%2Fb%3Ac%2Bd:archive"));
        assert_eq!(sent(&exchange, "ArchiveRequest"), json!({ "name": name }), "{unescape}");
    }
}

#[test]
fn fields_of_streams_are_those_of_the_first_message() {
    let plugin = books();
    let exchange = plugin.send(
        Request::post("/v1/shelves/1/books:import?bookId=x")
            .with_body("{\"title\":\"a\"}\n{\"title\":\"b\"}"),
    );
    assert_eq!(exchange.forwarded().path(), "/shop.v1.Books/Import");
    let messages: Vec<_> = frames(&exchange.forwarded().body())
        .iter()
        .map(|message| read("CreateBookRequest", message))
        .collect();
    assert_eq!(
        messages,
        [
            json!({ "parent": "shelves/1", "bookId": "x", "book": { "title": "a" } }),
            json!({ "book": { "title": "b" } })
        ]
    );
}

#[test]
fn trailers_of_requests_do_not_go_on() {
    let plugin = books();
    for path in ["/v1/echo", "/v1/chat"] {
        let request = Request::post(path).with_body("{}").with_trailer("x-late", "l");
        let exchange = plugin.send(request);
        assert_eq!(exchange.forwarded().body(), [0; 5]);
        assert_eq!(exchange.forwarded().trailer("x-late"), None, "{path}");
    }
}

#[test]
fn values_of_maps_are_never_delimited() {
    let harness = Harness::<RestGrpc>::new(json!({ "descriptors": "asset:set" }));
    let plugin = harness.asset("set", set_of_groups()).start().expect("a set");
    let exchange = plugin.send(Request::post("/maps").with_json(&json!({ "map": { "a": {} }, "one": {} })));
    assert_eq!(frames(&exchange.forwarded().body()), [b"\x0a\x05\x0a\x01a\x12\x00\x13\x14"]);
}

#[test]
fn messages_of_the_path_are_not_merged_with_the_bodys() {
    let harness = Harness::<RestGrpc>::new(json!({ "descriptors": "asset:set" }));
    let plugin = harness.asset("set", set_of_known()).start().expect("a set");
    let message = |body: Value| {
        let request = Request::post("/known/2020-01-01T00:00:00Z/0").with_json(&body);
        frames(&plugin.send(request).forwarded().body()).remove(0)
    };
    let of_path = b"\x0a\x06\x08\x80\xc2\xaf\xf0\x05\x1a\x04\x12\x02\x08\x00";
    assert_eq!(message(json!({})), of_path);
    assert_eq!(message(json!({ "when": "2001-01-01T00:00:00.5Z" })), of_path);
    let nested = message(json!({ "count": 1, "more": { "count": 7, "when": "1970-01-01T00:00:01Z" } }));
    assert_eq!(nested, [&b"\x12\x02\x08\x01\x1a\x04\x0a\x02\x08\x01"[..], of_path].concat());
}
