//! Streams, both ways.

use rest_grpc::RestGrpc;
use sluice_sdk_grpc::frame;
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, Value, json};

use crate::common::{books, frames, get, grpc, plugin, read, refused, set_of_streams, wire};

fn book(title: &str) -> Vec<u8> {
    frame(0, &wire("Book", &json!({ "title": title })))
}

fn watch(accept: &str) -> Request {
    get("/v1/shelves/1/books:watch").with_header("accept", accept)
}

fn pieces(response: &Response) -> Vec<String> {
    response.chunks().iter().map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
}

#[test]
fn each_message_goes_on_as_it_comes() {
    let plugin = books();
    for (accept, content_type, expected) in [
        ("*/*", "application/x-ndjson", ["{\"title\":\"a\"}\n", "{\"title\":\"b\"}\n", ""]),
        (
            "text/event-stream",
            "text/event-stream",
            ["data: {\"title\":\"a\"}\n\n", "data: {\"title\":\"b\"}\n\n", ""],
        ),
        ("application/json", "application/json", ["[{\"title\":\"a\"}", ",{\"title\":\"b\"}", "]"]),
    ] {
        let mut exchange = plugin.send(watch(accept));
        assert_eq!(exchange.forwarded().path(), "/shop.v1.Books/Watch");
        let response = grpc()
            .with_chunks([book("a"), book("b")])
            .with_trailer("grpc-status", "0")
            .with_trailer("x-late", "l");
        let response = exchange.respond(response);
        assert_eq!((response.status(), response.header("content-type")), (200, Some(content_type)));
        let expected: Vec<_> = expected.into_iter().filter(|piece| !piece.is_empty()).collect();
        assert_eq!(pieces(&response), expected);
        assert_eq!((response.trailer("x-late"), response.trailer("grpc-status")), (Some("l"), None));
    }
    let sse = plugin_of("sse");
    let response =
        sse.send(watch("*/*")).respond(grpc().with_body(book("a")).with_trailer("grpc-status", "0"));
    assert_eq!(response.text(), "data: {\"title\":\"a\"}\n\n");
}

fn plugin_of(streaming: &str) -> TestPlugin {
    plugin(json!({ "streaming": streaming }))
}

#[test]
fn any_cut_gives_the_same() {
    let plugin = books();
    let body = [book("a"), book(&"b".repeat(300)), book(""), book("c")].concat();
    let whole =
        plugin.send(watch("*/*")).respond(grpc().with_body(&body).with_trailer("grpc-status", "0")).text();
    assert_eq!(whole.lines().count(), 4);
    for size in [1, 3, 5, 7, 100] {
        let response = grpc().with_chunks(body.chunks(size)).with_trailer("grpc-status", "0");
        assert_eq!(plugin.send(watch("*/*")).respond(response).text(), whole, "{size}");
    }
}

#[test]
fn one_call_does_so_much() {
    let plugin = books();
    let body: Vec<_> = (0..1_200).flat_map(|number| book(&number.to_string())).collect();
    let response =
        plugin.send(watch("*/*")).respond(grpc().with_body(&body).with_trailer("grpc-status", "0"));
    assert_eq!(response.chunks().len(), 3);
    let lines: Vec<Value> = response.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1_200);
    assert_eq!(lines[1_199], json!({ "title": "1199" }));
}

#[test]
fn an_error_is_the_last_value() {
    let plugin = books();
    let failed = || {
        grpc().with_body(book("a")).with_trailer("grpc-status", "8").with_trailer("grpc-message", "enough")
    };
    for (accept, last) in [
        ("*/*", "{\"title\":\"a\"}\n{\"error\":{\"code\":8,\"message\":\"enough\"}}\n"),
        (
            "text/event-stream",
            "data: {\"title\":\"a\"}\n\nevent: error\ndata: {\"error\":{\"code\":8,\"message\":\"enough\"}}\n\n",
        ),
        ("application/json", "[{\"title\":\"a\"},{\"error\":{\"code\":8,\"message\":\"enough\"}}]"),
    ] {
        assert_eq!(plugin.send(watch(accept)).respond(failed()).text(), last);
    }
    // Before the first message it is a status.
    let early = grpc().with_header("grpc-status", "5").with_header("grpc-message", "none");
    let response = plugin.send(watch("*/*")).respond(early);
    assert_eq!((response.status(), response.text()), (404, r#"{"code":5,"message":"none"}"#.to_owned()));
    for (accept, text) in [("*/*", ""), ("application/json", "[]")] {
        let response = plugin.send(watch(accept)).respond(grpc().with_header("grpc-status", "0"));
        assert_eq!((response.status(), response.text()), (200, text.to_owned()));
        let response =
            plugin.send(watch(accept)).respond(grpc().with_body("").with_trailer("grpc-status", "0"));
        assert_eq!((response.status(), response.text()), (200, text.to_owned()));
    }
}

#[test]
fn what_makes_no_sense_ends_the_stream() {
    let plugin = plugin(json!({ "max_message": "1KB" }));
    let good = book("a");
    for (body, code, reason) in [
        ([good.clone(), vec![0, 0, 0, 9]].concat(), 13, "the last message is cut off"),
        (
            [good.clone(), vec![9, 0, 0, 0, 0]].concat(),
            13,
            "a message begins with the byte 0x09, which has no meaning",
        ),
        (
            [good.clone(), vec![0, 0, 0, 9, 9]].concat(),
            8,
            "a message of 2313 bytes is larger than 1000 bytes",
        ),
        ([good.clone(), frame(1, b"")].concat(), 13, "a message is compressed"),
        (
            [good.clone(), frame(0, b"\xff"), good.clone()].concat(),
            13,
            "a message of the service makes no sense",
        ),
    ] {
        for size in [1, 1_000] {
            let response = grpc().with_chunks(body.chunks(size)).with_trailer("grpc-status", "0");
            let text = plugin.send(watch("*/*")).respond(response).text();
            let expected =
                format!("{{\"title\":\"a\"}}\n{{\"error\":{{\"code\":{code},\"message\":\"{reason}\"}}}}\n");
            assert_eq!(text, expected, "in pieces of {size}");
        }
    }
    let response = plugin.send(watch("*/*")).respond(grpc().with_body(good));
    assert!(
        response
            .text()
            .ends_with("{\"error\":{\"code\":2,\"message\":\"the service did not say how it went\"}}\n")
    );
}

#[test]
fn a_stream_of_values_is_a_stream_of_messages() {
    let plugin = books();
    let expected: Vec<_> = ["a", "b\"}", ""]
        .iter()
        .map(|title| read("Book", &wire("Book", &json!({ "title": title }))))
        .collect();
    for text in [
        "{\"title\":\"a\"}\n{\"title\":\"b\\\"}\"}\n{}",
        " [ {\"title\":\"a\"},{\"title\":\"b\\\"}\"} , {}]\n",
    ] {
        for size in [1, 2, 5, 100] {
            let exchange = plugin.send(Request::post("/v1/chat").with_chunks(text.as_bytes().chunks(size)));
            let messages: Vec<_> =
                frames(&exchange.forwarded().body()).iter().map(|message| read("Book", message)).collect();
            assert_eq!(messages, expected, "{text} in {size}");
        }
    }
}

#[test]
fn messages_are_sent_as_they_come() {
    let plugin = books();
    let exchange =
        plugin.send(Request::post("/v1/chat").with_chunks(["{\"title\":\"a\"}", "{\"title\":\"b\"}"]));
    assert_eq!(exchange.forwarded().chunks(), [book("a"), book("b")]);
}

#[test]
fn what_is_no_value_ends_the_call() {
    let plugin = plugin(json!({ "max_message": "1KB" }));
    for (text, message) in [
        ("{\"title\":\"a\"", "the body ends within a value"),
        ("{\"title\":1}", "it is a number, not a string"),
        ("[{},", "the list has no end"),
        ("}", "there is no value"),
        ("{} x", "the JSON has no value at byte 0"),
    ] {
        for size in [1, 100] {
            let exchange = plugin.send(Request::post("/v1/chat").with_chunks(text.as_bytes().chunks(size)));
            let (status, kind, error) = refused(&exchange);
            assert_eq!((status, kind), (400, json!("request-invalid")), "{text}");
            assert_eq!(error["message"], json!(message), "{text}");
        }
    }
    for text in
        [format!("{{\"title\":\"{}\"}}", "x".repeat(2_000)), format!("{{\"title\":\"{}", "x".repeat(2_000))]
    {
        for size in [100, 5_000] {
            let exchange = plugin.send(Request::post("/v1/chat").with_chunks(text.as_bytes().chunks(size)));
            assert_eq!(refused(&exchange).0, 413);
        }
    }
}

#[test]
fn raw_data_is_streamed_as_it_is() {
    let plugin = books();
    let part = |data: &str| {
        frame(0, &wire("google.api.HttpBody", &json!({ "contentType": "text/csv", "data": data })))
    };
    let response = grpc().with_chunks([part("YSxi"), part("Cg==")]).with_trailer("grpc-status", "0");
    let response = plugin.send(get("/v1/download")).respond(response);
    assert_eq!(response.header("content-type"), Some("application/octet-stream"));
    assert_eq!(response.chunks(), [&b"a,b"[..], b"\n"]);

    let request =
        Request::post("/v1/upload/parts").with_header("content-type", "text/csv").with_chunks(["a,b", "\n"]);
    let exchange = plugin.send(request);
    let messages: Vec<_> =
        frames(&exchange.forwarded().body()).iter().map(|part| read("google.api.HttpBody", part)).collect();
    assert_eq!(messages, [json!({ "contentType": "text/csv", "data": "YSxi" }), json!({ "data": "Cg==" })]);
}

#[test]
fn raw_data_that_fails_is_broken_off() {
    let plugin = books();
    let part = || frame(0, &wire("google.api.HttpBody", &json!({ "data": "YSxi" })));
    for (response, reason) in [
        (grpc().with_trailer("grpc-status", "13").with_trailer("grpc-message", "lost"), "INTERNAL: lost"),
        (grpc(), "UNKNOWN: the service did not say how it went"),
    ] {
        let mut exchange = plugin.send(get("/v1/download"));
        exchange.respond(response.with_chunks([part(), part()]));
        assert_eq!(exchange.failure(), Some(&*format!("a stream of data failed: {reason}")));
    }
    let mut exchange = plugin.send(get("/v1/download"));
    let cut = [part(), vec![0, 0, 0]].concat();
    exchange.respond(grpc().with_chunks([cut]).with_trailer("grpc-status", "0"));
    assert_eq!(exchange.failure(), Some("a stream of data failed: INTERNAL: the last message is cut off"));
}

#[test]
fn a_message_within_its_bound_may_come_slowly() {
    let text = format!("{{\"title\":\"{}\"}}", "x".repeat(1_020_000));
    let plugin = books();
    let exchange = plugin.send(Request::post("/v1/chat").with_chunks(text.as_bytes().chunks(8_000)));
    assert_eq!(frames(&exchange.forwarded().body()).len(), 1);
}

#[test]
fn what_grows_too_long_is_an_error_of_the_stream() {
    let plugin = books();
    let error = "{\"error\":{\"code\":8,\"message\":\"a message is larger than is allowed\"}}";
    // Six bytes in JSON for each.
    let long = book(&"\u{1}".repeat(200_000));
    for (accept, expected) in [
        ("*/*", format!("{{\"title\":\"a\"}}\n{error}\n")),
        ("application/json", format!("[{{\"title\":\"a\"}},{error}]")),
    ] {
        let body = [book("a"), long.clone(), book("b")].concat();
        for pieces in [vec![body.clone()], vec![book("a"), long.clone(), book("b")]] {
            let response = grpc().with_chunks(pieces).with_trailer("grpc-status", "0");
            let mut exchange = plugin.send(watch(accept));
            assert_eq!(exchange.respond(response).text(), expected);
            assert_eq!((exchange.failure(), exchange.fault()), (None, None));
        }
    }
}

#[test]
fn what_grows_too_long_on_the_way_there_is_refused() {
    let plugin = books();
    // The path and the query are kept until the first message.
    let long = "x".repeat(60_000);
    let exchange = plugin.send(Request::post(&format!("/v1/shelves/1/books:import?bookId={long}")));
    assert_eq!((refused(&exchange).0, refused(&exchange).1), (413, json!("request-message-too-large")));
}

fn streams() -> TestPlugin {
    let harness = Harness::<RestGrpc>::new(json!({ "descriptors": "asset:set" }));
    harness.asset("set", set_of_streams()).start().expect("a set")
}

/// Also if its last value is more than one call does, and the end comes with it.
#[test]
fn a_list_that_is_broken_off_is_refused() {
    let plugin = books();
    let send = |end: &str| {
        let pieces = std::iter::repeat_n("a".repeat(1_000), 70);
        let chunks = std::iter::once("[{\"title\":\"".to_owned()).chain(pieces).chain([end.to_owned()]);
        plugin.send(Request::post("/v1/chat").with_chunks(chunks))
    };
    assert!(send("\"}]").is_forwarded());
    let (status, kind, error) = refused(&send("\"}"));
    assert_eq!((status, kind), (400, json!("request-invalid")));
    assert_eq!(error["message"], json!("the list has no end"));
}

#[test]
fn a_value_that_grows_is_refused() {
    let plugin = streams();
    // Ten bytes of a `Value` for two of JSON.
    let text = format!("{{\"list\":[{}1]}}", "1,".repeat(200_000));
    for size in [text.len(), 50_000] {
        let exchange = plugin.send(Request::post("/stream").with_chunks(text.as_bytes().chunks(size)));
        assert_eq!((refused(&exchange).0, refused(&exchange).1), (413, json!("request-message-too-large")));
    }
}

#[test]
fn a_path_without_values_is_a_message() {
    let plugin = books();
    let sent = |plugin: &TestPlugin, request: Request, name: &str| -> Vec<Value> {
        let exchange = plugin.send(request);
        frames(&exchange.forwarded().body()).iter().map(|message| read(name, message)).collect()
    };
    let import = |body: &str| Request::post("/v1/shelves/1/books:import?bookId=x").with_body(body);
    for body in ["", " \n", "[]"] {
        let expected = json!({ "parent": "shelves/1", "bookId": "x" });
        assert_eq!(sent(&plugin, import(body), "CreateBookRequest"), [expected], "{body:?}");
    }
    // Where nothing is said there is no message.
    assert_eq!(sent(&plugin, Request::post("/v1/chat").with_body(""), "Book"), [] as [Value; 0]);
    let plugin = streams();
    for body in ["", "{}{}", "no JSON"] {
        let request = Request::post("/alone/x?code=3").with_body(body);
        let expected = json!({ "code": 3, "message": "x" });
        assert_eq!(sent(&plugin, request, "google.rpc.Status"), [expected], "{body:?}");
    }
}
