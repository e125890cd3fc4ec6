//! What gRPC-Web clients get from gRPC services through the plugin.

use data_encoding::BASE64;
use grpc_web::GrpcWeb;
use proptest::prelude::*;
use sluice_sdk_grpc::{Frame, Framing, Next, frame};
use sluice_sdk_testing::{Exchange, Harness, Request, Response, TestPlugin, json};

fn plugin() -> TestPlugin {
    Harness::<GrpcWeb>::new(json!({})).start().expect("the configuration is good")
}

fn call(content_type: &str) -> Request {
    Request::post("/shop.v1.Books/Get")
        .with_header("content-type", content_type)
        .with_header("x-grpc-web", "1")
}

fn grpc() -> Response {
    Response::new(200).with_header("content-type", "application/grpc")
}

/// Messages, and the block of trailers.
fn read(response: &Response) -> (Vec<Vec<u8>>, String) {
    let mut body = response.body();
    if response.header("content-type").is_some_and(|kind| kind.contains("-text")) {
        body = BASE64.decode(&body).expect("it is Base64");
    }
    let (mut messages, mut rest) = (Vec::new(), &body[..]);
    while let Next::Frame(frame, after) = Framing::grpc_web(usize::MAX).next(rest).expect("frames") {
        rest = after;
        if frame.flags & Frame::TRAILERS != 0 {
            assert!(rest.is_empty(), "trailers come last");
            return (messages, String::from_utf8_lossy(frame.message).into_owned());
        }
        messages.push(frame.message.to_vec());
    }
    panic!("no trailers in {body:?}");
}

fn told(exchange: &Exchange<'_>) -> (u16, sluice_sdk_testing::Value) {
    let answer = exchange.answer();
    (answer.status(), answer.problem()["type"].clone())
}

#[test]
fn a_call_in_binary() {
    let plugin = plugin();
    for (content_type, forwarded) in [
        ("application/grpc-web+proto", "application/grpc+proto"),
        ("application/grpc-web", "application/grpc"),
        ("Application/gRPC-Web+JSON; charset=utf-8", "application/grpc+json"),
    ] {
        let request = call(content_type).with_header("grpc-timeout", "5S").with_header("x-tenant", "a");
        let mut exchange = plugin.send(request.with_body(frame(0, b"question")));
        let seen = exchange.forwarded();
        assert_eq!((seen.header("content-type"), seen.header("x-grpc-web")), (Some(forwarded), None));
        assert_eq!((seen.header("grpc-timeout"), seen.header("x-tenant")), (Some("5S"), Some("a")));
        assert_eq!(seen.body(), frame(0, b"question"));

        let response = exchange.respond(
            grpc()
                .with_header("x-leading", "1")
                .with_body(frame(0, b"answer"))
                .with_trailer("grpc-status", "0")
                .with_trailer("x-trailing-bin", "AAE"),
        );
        let (messages, trailers) = read(&response);
        assert_eq!(messages, [b"answer"]);
        assert_eq!(trailers, "grpc-status: 0\r\nx-trailing-bin: AAE\r\n");
        assert_eq!((response.header("x-leading"), response.trailer("grpc-status")), (Some("1"), None));
        let kind = if forwarded.ends_with("json") { "json" } else { "proto" };
        assert_eq!(response.header("content-type"), Some(&*format!("application/grpc-web+{kind}")));
    }
}

#[test]
fn a_call_in_text() {
    let plugin = plugin();
    let message = frame(0, b"question");
    // In one, with padding in the middle, and byte by byte.
    let one = BASE64.encode(&message);
    let two = [BASE64.encode(&message[..4]), BASE64.encode(&message[4..])].concat();
    for (text, size) in [(&one, 100), (&two, 100), (&two, 1), (&one, 3)] {
        let request = call("application/grpc-web-text").with_chunks(text.as_bytes().chunks(size));
        let mut exchange = plugin.send(request);
        assert_eq!(exchange.forwarded().header("content-type"), Some("application/grpc"));
        assert_eq!(exchange.forwarded().body(), message);
        let response = exchange.respond(grpc().with_body(frame(0, b"a")).with_trailer("grpc-status", "0"));
        assert_eq!(response.header("content-type"), Some("application/grpc-web-text+proto"));
        assert_eq!(read(&response), (vec![b"a".to_vec()], "grpc-status: 0\r\n".to_owned()));
    }
}

/// What a head says of bytes that are no longer these.
#[test]
fn digests_hold_of_the_body_that_goes_on() {
    let plugin = plugin();
    let digests = ["content-digest", "content-md5", "digest", "repr-digest"];
    for (content_type, body, stays) in [
        ("application/grpc-web-text", BASE64.encode(&frame(0, b"question")).into_bytes(), false),
        ("application/grpc-web", frame(0, b"question"), true),
    ] {
        let request = digests.iter().fold(call(content_type), |request, name| request.with_header(name, "x"));
        let mut exchange = plugin.send(request.with_body(body));
        for name in digests {
            assert_eq!(exchange.forwarded().header(name).is_some(), stays, "{name} of {content_type}");
        }
        let response = digests.iter().fold(grpc(), |response, name| response.with_header(name, "x"));
        let response = response.with_header("etag", "\"1\"").with_header("accept-ranges", "bytes");
        let response =
            exchange.respond(response.with_body(frame(0, b"answer")).with_trailer("grpc-status", "0"));
        for name in digests.into_iter().chain(["accept-ranges"]) {
            assert_eq!(response.header(name), None, "{name}");
        }
        assert_eq!(response.header("etag"), Some("W/\"1\""));
    }
}

#[test]
fn accept_says_how_the_response_is_written() {
    let plugin = plugin();
    for (content_type, accept, expected) in [
        ("application/grpc-web", Some("application/grpc-web-text"), "application/grpc-web-text+proto"),
        ("application/grpc-web-text", Some("application/grpc-web"), "application/grpc-web+proto"),
        ("application/grpc-web-text", Some("*/*"), "application/grpc-web-text+proto"),
        ("application/grpc-web-text", None, "application/grpc-web-text+proto"),
        (
            "application/grpc-web",
            Some("text/html, application/grpc-web-text+proto;q=0.5"),
            "application/grpc-web-text+proto",
        ),
    ] {
        let request = call(content_type);
        let request = if let Some(accept) = accept { request.with_header("accept", accept) } else { request };
        let response = plugin.send(request).respond(grpc().with_trailer("grpc-status", "0"));
        assert_eq!(response.header("content-type"), Some(expected), "{content_type} {accept:?}");
        assert_eq!(read(&response).1, "grpc-status: 0\r\n");
    }
}

#[test]
fn each_message_goes_on_as_it_comes() {
    let plugin = plugin();
    let messages = [frame(0, b"one"), frame(1, b"two, compressed"), frame(0, b"")];
    for content_type in ["application/grpc-web+proto", "application/grpc-web-text+proto"] {
        let mut exchange = plugin.send(call(content_type));
        let response = exchange.respond(
            grpc()
                .with_header("grpc-encoding", "gzip")
                .with_chunks(&messages)
                .with_trailer("grpc-status", "0"),
        );
        let chunks = response.chunks();
        assert_eq!(chunks.len(), 4, "each by itself, and the trailers");
        for (chunk, message) in chunks.iter().zip(&messages) {
            let decoded =
                if content_type.contains("text") { BASE64.decode(chunk).unwrap() } else { chunk.to_vec() };
            assert_eq!(&decoded, message, "it can be read without what follows");
        }
        assert_eq!(response.header("grpc-encoding"), Some("gzip"));
    }
}

#[test]
fn answers_without_messages_have_their_trailers_in_the_body() {
    let plugin = plugin();
    for content_type in ["application/grpc-web+proto", "application/grpc-web-text+proto"] {
        let mut exchange = plugin.send(call(content_type));
        let response = exchange.respond(
            grpc()
                .with_header("grpc-status", "5")
                .with_header("grpc-message", "no%20such book")
                .with_header("grpc-status-details-bin", "CAU")
                .with_header("x-shard", "7"),
        );
        assert_eq!((response.status(), response.header("content-type")), (200, Some(content_type)));
        assert_eq!((response.header("grpc-status"), response.header("x-shard")), (None, Some("7")));
        let trailers = "grpc-status: 5\r\ngrpc-message: no%20such book\r\ngrpc-status-details-bin: CAU\r\nx-shard: 7\r\n";
        assert_eq!(read(&response), (Vec::new(), trailers.to_owned()));
    }
    // Without messages and with trailers of their own.
    let response = plugin
        .send(call("application/grpc-web"))
        .respond(grpc().with_trailer("grpc-status", "16").with_trailer("grpc-message", "who?"));
    assert_eq!(read(&response).1, "grpc-status: 16\r\ngrpc-message: who?\r\n");
}

#[test]
fn failures_are_told_in_grpc() {
    let plugin = plugin();
    let problem = |status, document| {
        Response::new(status)
            .with_header("content-type", "application/problem+json")
            .with_body(document)
            .of_step()
    };
    for (response, trailers) in [
        (
            problem(429, r#"{"status":429,"title":"Too Many Requests","detail":"100 an hour – no more"}"#)
                .with_header("retry-after", "17"),
            "grpc-status: 8\r\ngrpc-message: 100 an hour %E2%80%93 no more\r\n",
        ),
        (problem(401, r#"{"title":"Unauthorized"}"#), "grpc-status: 16\r\ngrpc-message: Unauthorized\r\n"),
        (problem(403, "not JSON"), "grpc-status: 7\r\n"),
        (Response::new(302).of_step(), "grpc-status: 2\r\ngrpc-message: answered with 302\r\n"),
        (
            Response::new(503).of_gateway(),
            "grpc-status: 14\r\ngrpc-message: the gateway answered with 503\r\n",
        ),
        (
            Response::new(504).of_gateway(),
            "grpc-status: 4\r\ngrpc-message: the gateway answered with 504\r\n",
        ),
        (
            Response::new(404).with_header("content-type", "text/html").with_body("<html>"),
            "grpc-status: 12\r\ngrpc-message: the service answered with 404 and not in gRPC\r\n",
        ),
        (
            Response::new(200).with_json(&json!({})),
            "grpc-status: 2\r\ngrpc-message: the service answered with 200 and not in gRPC\r\n",
        ),
        (
            Response::new(503).with_header("content-type", "application/grpc"),
            "grpc-status: 14\r\ngrpc-message: the service answered with 503 and not in gRPC\r\n",
        ),
        (
            grpc().with_body(frame(0, b"")),
            "grpc-status: 13\r\ngrpc-message: the service ended its response without a status\r\n",
        ),
    ] {
        for content_type in ["application/grpc-web+proto", "application/grpc-web-text+proto"] {
            let told = plugin.send(call(content_type)).respond(response.clone());
            assert_eq!(
                (told.status(), told.header("content-type")),
                (200, Some(content_type)),
                "{response:?}"
            );
            assert_eq!(read(&told).1, trailers, "{response:?}");
            assert_eq!(told.header("retry-after"), response.header("retry-after"));
        }
    }
}

#[test]
fn what_is_malformed_is_refused() {
    let plugin = Harness::<GrpcWeb>::new(json!({ "max_message": "10B" })).start().unwrap();
    let send = |content_type: &str, body: &[u8]| {
        let chunks = body.chunks(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
        told(&plugin.send(call(content_type).with_chunks(chunks)))
    };
    let malformed = (400, json!("grpc-web-malformed"));
    let binary = "application/grpc-web";
    assert_eq!(send(binary, &frame(0, &[1; 11])), (413, json!("grpc-message-too-large")));
    assert_eq!(send(binary, &[0, 255, 255, 255, 255]), (413, json!("grpc-message-too-large")));
    assert_eq!(send(binary, &frame(0, &[1; 10])[..14]), malformed);
    assert_eq!(send(binary, &[0, 0, 0]), malformed);
    assert_eq!(send(binary, &frame(0x80, b"a: b\r\n")), malformed, "requests have no trailers");
    assert_eq!(send(binary, b"{\"a\":1}"), malformed);
    let text = "application/grpc-web-text";
    assert_eq!(send(text, b"AAAAAAA"), malformed, "cut off");
    assert_eq!(send(text, b"AAAA$$$$"), malformed);
    assert_eq!(
        send(text, BASE64.encode(&frame(0, &[1; 11])).as_bytes()),
        (413, json!("grpc-message-too-large"))
    );
    assert_eq!(send(text, BASE64.encode(&frame(0, &[1; 9])[..12]).as_bytes()), malformed);
    // What the client sees of it.
    let response = Response::new(400).with_header("content-type", "application/problem+json").of_step();
    let mut exchange = plugin.send(call(text).with_body("$$$$"));
    let response = exchange.respond(response.with_body(r#"{"detail":"the body is not valid Base64"}"#));
    assert_eq!(read(&response).1, "grpc-status: 3\r\ngrpc-message: the body is not valid Base64\r\n");
}

#[test]
fn a_broken_response_is_cut_off() {
    let plugin = plugin();
    for (body, message) in
        [(frame(0, b"answer")[..8].to_vec(), "ends within a message"), (frame(2, b"answer"), "0x02")]
    {
        let mut exchange = plugin.send(call("application/grpc-web"));
        exchange.respond(grpc().with_body(body).with_trailer("grpc-status", "0"));
        let failure = exchange.failure().expect("it cannot be told otherwise any more");
        assert!(failure.contains("the upstream's response") && failure.contains(message), "{failure}");
    }
}

#[test]
fn everything_else_passes_untouched() {
    let plugin = plugin();
    let preflight = Request::new("OPTIONS", "/shop.v1.Books/Get")
        .with_header("origin", "https://shop.example")
        .with_header("access-control-request-headers", "content-type,x-grpc-web");
    for request in [
        preflight,
        Request::post("/").with_json(&json!({ "a": 1 })),
        Request::post("/a.B/C").with_header("content-type", "application/grpc").with_body("not even frames"),
        Request::post("/").with_body("nothing is said of it"),
        Request::new("PUT", "/").with_header("content-type", "application/grpc-web").with_body("odd"),
    ] {
        let mut exchange = plugin.send(request.clone());
        assert_eq!(exchange.forwarded(), &request);
        let response = grpc().with_header("grpc-status", "5").with_body("x").with_trailer("grpc-status", "0");
        assert_eq!(exchange.respond(response.clone()), response);
    }
    // A service that speaks it itself.
    let spoken = Response::new(200).with_header("content-type", "application/grpc-web+proto").with_body("x");
    assert_eq!(plugin.send(call("application/grpc-web")).respond(spoken.clone()), spoken);
}

#[test]
fn a_large_chunk_is_written_in_pieces() {
    let message = frame(0, &vec![7; 900_000]);
    let response = plugin()
        .send(call("application/grpc-web-text"))
        .respond(grpc().with_body(&message).with_trailer("grpc-status", "0"));
    assert_eq!(read(&response), (vec![vec![7; 900_000]], "grpc-status: 0\r\n".to_owned()));
}

#[test]
fn a_configuration_without_sense_is_refused() {
    for config in [json!({ "max_message": "0B" }), json!({ "max_message": "4GiB" }), json!({ "text": true })]
    {
        assert!(Harness::<GrpcWeb>::new(config.clone()).start().is_err(), "{config}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn however_it_is_cut(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..5), size in 1_usize..20, is_text: bool) {
        let plugin = plugin();
        let body: Vec<u8> = messages.iter().flat_map(|message| frame(0, message)).collect();
        let sent = if is_text { BASE64.encode(&body).into_bytes() } else { body.clone() };
        let request = call(if is_text { "application/grpc-web-text" } else { "application/grpc-web" });
        let mut exchange = plugin.send(request.with_chunks(sent.chunks(size)));
        prop_assert_eq!(exchange.forwarded().body(), body.clone());
        let response = exchange.respond(grpc().with_chunks(body.chunks(size)).with_trailer("grpc-status", "0"));
        prop_assert_eq!(read(&response), (messages, "grpc-status: 0\r\n".to_owned()));
    }
}
