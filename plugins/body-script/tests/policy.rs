//! What the plugin does to requests and responses, and what it answers.

use body_script::BodyScript;
use sluice_sdk_coding::Coding;
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    Harness::<BodyScript>::new(config).start().expect("the configuration is good")
}

fn posted(body: &str) -> Request {
    Request::post("/orders?page=2&tag=a%20b&tag=c")
        .with_header("content-type", "application/json")
        .with_body(body)
}

fn answered(config: Value, request: Request) -> (u16, String, String) {
    let plugin = plugin(config);
    let answer = plugin.send(request).answer();
    let problem = answer.problem();
    let member = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (answer.status(), member("type"), member("detail"))
}

#[test]
fn a_filter_transforms_the_request() {
    let plugin = plugin(json!({ "request": { "jq": "{id, total: (.items | map(.price) | add)}" } }));
    let request = posted(r#"{"id":7,"items":[{"price":1.5},{"price":2}],"secret":1}"#)
        .with_header("content-digest", "sha-256=:x:")
        .with_header("content-encoding", "identity");
    let exchange = plugin.send(request);
    let request = exchange.forwarded();
    assert_eq!(request.text(), r#"{"id":7,"total":3.5}"#);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!((request.header("content-digest"), request.header("content-encoding")), (None, None));
}

#[test]
fn a_filter_knows_the_request() {
    let filter = "$request | [.method, .path, .query, .headers[\"x-a\"], .consumer, .request_id, .route]";
    let plugin = plugin(json!({ "request": { "jq": filter }, "response": { "jq": filter } }));
    let request =
        posted("1").request_id("r1").route("orders").with_header("x-a", "1").with_header("x-a", "2");
    let mut exchange = plugin.send(request);
    let expected = r#"["POST","/orders",{"page":"2","tag":"a b"},"1, 2",null,"r1","orders"]"#;
    assert_eq!(exchange.forwarded().text(), expected);
    assert_eq!(exchange.respond(Response::new(200).with_json(&json!(1))).text(), expected);
}

#[test]
fn a_response_knows_its_status_and_headers() {
    let plugin = plugin(json!({ "response": { "jq": "{status: $status, etag: $headers.etag, body: .}" } }));
    let mut exchange = plugin.send(Request::get("/").with_header("range", "bytes=0-1"));
    assert_eq!(exchange.forwarded().header("range"), None);
    let response = Response::new(404)
        .with_header("etag", "\"a\"")
        .with_header("accept-ranges", "bytes")
        .with_header("content-type", "application/problem+json; charset=utf-8")
        .with_body("[1]");
    let response = exchange.respond(response);
    assert_eq!(response.text(), r#"{"status":404,"etag":"\"a\"","body":[1]}"#);
    assert_eq!((response.header("etag"), response.header("accept-ranges")), (Some("W/\"a\""), None));
}

#[test]
fn outputs_become_a_body() {
    for (outputs, filter, body, content_type) in [
        ("one", ".[0]", "1", "application/json"),
        ("array", ".[]", "[1,\"a\"]", "application/json"),
        ("array", "empty", "[]", "application/json"),
        ("lines", ".[]", "1\n\"a\"\n", "application/x-ndjson"),
        ("text", "map(tostring) | @csv", "\"1\",\"a\"", "text/plain; charset=utf-8"),
    ] {
        let plugin = plugin(json!({ "request": { "jq": filter, "outputs": outputs } }));
        let exchange = plugin.send(posted(r#"[1,"a"]"#));
        assert_eq!(exchange.forwarded().text(), body, "{outputs}");
        assert_eq!(exchange.forwarded().header("content-type"), Some(content_type), "{outputs}");
    }
    for (outputs, filter, reason) in [
        ("one", "empty", "the script failed: there is no output"),
        ("one", "1, 2", "the script failed: there is more than one output"),
        ("text", "1", "the script failed: the output is no string but number (1)"),
        ("lines", "1, error(\"no\")", "the script failed: no"),
        ("array", "1, .a", "the script failed: Cannot index array with string (\"a\")"),
    ] {
        let config = json!({ "request": { "jq": filter, "outputs": outputs }, "expose_errors": true });
        assert_eq!(answered(config, posted("[]")), (422, "body-script-failed".to_owned(), reason.to_owned()));
    }
}

#[test]
fn only_some_bodies_are_transformed() {
    let plugin = plugin(json!({ "request": { "jq": "1", "when": "$request.headers[\"x-a\"] == \"1\"" } }));
    let body = |request: Request| plugin.send(request).forwarded().text();
    assert_eq!(body(posted("[]").with_header("x-a", "1")), "1");
    assert_eq!(body(posted("[]").with_header("x-a", "2")), "[]");
    let other = Request::post("/").with_header("x-a", "1").with_header("content-type", "text/plain");
    assert_eq!(body(other.clone().with_body("{")), "{");
    assert_eq!(body(Request::post("/").with_header("x-a", "1").with_body("{")), "{");
    assert_eq!(body(posted("").with_header("x-a", "1")), "");
    // What does not apply is not decoded either.
    assert_eq!(body(posted("\u{1f}").with_header("content-encoding", "gzip")), "\u{1f}");
}

#[test]
fn a_text_may_be_the_input() {
    let config = json!({ "request": { "jq": "split(\",\")", "input": "text", "types": ["text/*"] } });
    let request = |body: &[u8]| Request::post("/").with_header("content-type", "text/csv").with_body(body);
    assert_eq!(plugin(config.clone()).send(request(b"a,b")).forwarded().text(), r#"["a","b"]"#);
    assert_eq!(answered(config, request(b"\xff")).1, "body-not-text");
}

#[test]
fn a_filter_may_set_more_than_the_body() {
    let plugin = plugin(json!({
        "request": { "jq": ".data", "sets": {
            "method": ".method", "path": "\"/v2\" + $request.path", "query": "\"id=\\(.id)\"",
            "headers": "{\"X-Id\": .id, \"x-list\": [\"a\", 1], \"x-old\": null}",
        } },
        "response": { "jq": ".", "sets": { "status": "if .error then 409 else $status end" } },
    }));
    let request = posted(r#"{"method":"PUT","id":7,"data":[1]}"#).with_header("x-old", "1");
    let mut exchange = plugin.send(request);
    let request = exchange.forwarded();
    assert_eq!((request.method(), request.path(), request.query()), ("PUT", "/v2/orders", Some("id=7")));
    assert_eq!((request.header("x-id"), request.header("x-old")), (Some("7"), None));
    assert_eq!((request.header_all("x-list"), request.text()), (vec!["a", "1"], "[1]".to_owned()));
    assert_eq!(exchange.respond(Response::new(200).with_json(&json!({ "error": "x" }))).status(), 409);
}

#[test]
fn what_cannot_be_set_is_a_failure() {
    for (sets, reason) in [
        (json!({ "path": "\"x\"" }), "sets.path: not a path"),
        (json!({ "path": "\"/a?b\"" }), "sets.path: not a path"),
        (json!({ "query": "\"a b\"" }), "sets.query: not a query"),
        (json!({ "path": "\"/a<b\"" }), "sets.path: not a path"),
        (json!({ "path": "\"/a>b\"" }), "sets.path: not a path"),
        (json!({ "path": "\"/a`b\"" }), "sets.path: not a path"),
        (
            json!({ "path": "\"/orders/\" + \"../admin\"" }),
            "sets.path: not a path without segments `.` and `..`",
        ),
        (
            json!({ "path": "\"/orders/%2E%2e/admin\"" }),
            "sets.path: not a path without segments `.` and `..`",
        ),
        (json!({ "path": "\"/.\"" }), "sets.path: not a path without segments `.` and `..`"),
        (json!({ "query": "\"a<b\"" }), "sets.query: not a query"),
        (json!({ "query": "\"a>b\"" }), "sets.query: not a query"),
        (json!({ "query": "\"a\\\"b\"" }), "sets.query: not a query"),
        (json!({ "query": "\"a#b\"" }), "sets.query: not a query"),
        (json!({ "method": "\"A B\"" }), "sets.method: not a method"),
        (json!({ "method": "\"CONNECT\"" }), "sets.method: not a method that can be sent"),
        (json!({ "method": "\"TRACE\"" }), "sets.method: not a method that can be sent"),
        (json!({ "headers": "1" }), "sets.headers: not an object"),
        (
            json!({ "headers": "{\"x-a\": \"b\\r\\nc: d\"}" }),
            "sets.headers: `x-a` would have a value that no header has",
        ),
        (
            json!({ "headers": "{\"Content-Length\": 1}" }),
            "sets.headers: `Content-Length` belongs to the gateway",
        ),
        (json!({ "headers": "{\"x-a\": {}}" }), "sets.headers: `x-a` would have a value that is no text"),
        (json!({ "headers": "empty" }), "sets.headers: there is no output"),
    ] {
        let config = json!({ "request": { "jq": ".", "sets": sets }, "expose_errors": true });
        let (status, kind, detail) = answered(config, posted("[]"));
        assert_eq!((status, kind.as_str()), (422, "body-script-failed"), "{sets}");
        assert!(detail.contains(reason), "{sets}: {detail}");
    }
}

/// Each value is good, but the gateway takes no more than so much.
#[test]
fn what_is_too_much_to_be_set_is_a_failure_that_names_the_bound() {
    let plugin = |config: Value, limit| {
        Harness::<BodyScript>::new(config).limits(|limits| limits.headers = limit).start().unwrap()
    };
    let path = "`sets.path` comes to more than 65534 bytes of path and query together";
    let query = "`sets.query` comes to more than 65534 bytes of path and query together";
    for (sets, limit, detail) in [
        (json!({ "path": "\"/\" + \"x\" * 65511" }), 80_000, path),
        (json!({ "query": "\"x\" * 65527" }), 80_000, query),
        (
            json!({ "path": "\"/\" + \"x\" * 50" }),
            70,
            "`sets.path` comes to more than this step's `limits.headers`",
        ),
        (
            json!({ "method": "\"X\" * 50" }),
            70,
            "`sets.method` comes to more than this step's `limits.headers`",
        ),
        (
            json!({ "headers": "{\"x-a\": (\"x\" * 40), \"x-b\": (\"x\" * 40)}" }),
            100,
            "`sets.headers` comes to more than this step's `limits.headers`, or 1,000 headers",
        ),
    ] {
        let plugin = plugin(json!({ "request": { "jq": ".", "sets": sets } }), limit);
        let answer = plugin.send(posted("[]")).answer();
        let problem = answer.problem();
        assert_eq!((answer.status(), problem["type"].as_str()), (422, Some("body-script-failed")));
        assert_eq!(problem["detail"].as_str(), Some(detail), "{sets}");
    }
    let longest =
        plugin(json!({ "request": { "jq": ".", "sets": { "path": "\"/\" + \"x\" * 65510" } } }), 80_000);
    assert_eq!(longest.send(posted("[]")).forwarded().path().len(), 65_511);
    let sets = json!({ "headers": "{\"x-a\": (\"x\" * 100)}" });
    let answered = plugin(json!({ "response": { "jq": ".", "sets": sets } }), 100);
    let mut exchange = answered.send(Request::get("/"));
    assert_eq!(exchange.respond(Response::new(200).with_json(&json!(1))).status(), 502);
    assert_eq!(exchange.answer().problem()["type"], "body-script-failed");
}

#[test]
fn a_request_that_is_too_large_to_be_remembered_is_refused() {
    let plugin = plugin(json!({ "response": { "jq": "$request.headers" } }));
    let exchange = plugin.send(Request::get("/").with_header("x-a", "\"".repeat(40_000)));
    let answer = exchange.answer();
    assert_eq!((answer.status(), answer.problem()["type"].as_str()), (431, Some("headers-too-large")));
}

#[test]
fn a_template_is_rendered_and_escapes_as_its_type_wants() {
    for (content_type, template, body) in [
        (None, "Hello {{ body.name }} of {{ request.path }}", "Hello <\"Ann\"> of /orders"),
        (Some("text/html; charset=utf-8"), "<b>{{ body.name }}</b>", "<b>&lt;&quot;Ann&quot;&gt;</b>"),
        (
            Some("application/json"),
            "{\"n\": {{ body.name }}, \"b\": {{ body.big }}}",
            "{\"n\": \"<\\\"Ann\\\">\", \"b\": 18446744073709551616}",
        ),
        (
            Some("application/soap+xml"),
            "{% for item in body.list %}<i>{{ item }}</i>{% endfor %}",
            "<i>1</i><i>&amp;</i>",
        ),
    ] {
        let mut script = json!({ "template": template });
        if let Some(content_type) = content_type {
            script["content_type"] = json!(content_type);
        }
        let plugin = plugin(json!({ "request": script }));
        let exchange =
            plugin.send(posted(r#"{"name":"<\"Ann\">","big":18446744073709551616,"list":[1,"&"]}"#));
        assert_eq!(exchange.forwarded().text(), body);
        assert_eq!(
            exchange.forwarded().header("content-type"),
            Some(content_type.unwrap_or("text/plain; charset=utf-8"))
        );
    }
}

#[test]
fn a_template_is_bounded_and_strict() {
    for template in [
        "{{ body.missing }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ \"x\" * 100000000 }}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    ] {
        let config = json!({ "request": { "template": template } });
        assert_eq!(answered(config, posted("{}")).1, "body-script-failed", "{template}");
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let config = json!({ "request": { "jq": ".", "max_values": 10 } });
    for (body, status, kind) in [
        ("{", 400, "body-not-json"),
        ("[1,]", 400, "body-not-json"),
        ("{} {}", 400, "body-not-json"),
        ("NaN", 400, "body-not-json"),
        ("# comment\n1", 400, "body-not-json"),
        ("[1,2,3,4,5,6,7,8,9,10]", 413, "body-too-complex"),
    ] {
        assert_eq!(answered(config.clone(), posted(body)).0, status, "{body}");
        assert_eq!(answered(config.clone(), posted(body)).1, kind, "{body}");
    }
    let deep = json!({ "request": { "jq": "." } });
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(plugin(deep.clone()).send(posted(&nested(128))).forwarded().text(), nested(128));
    assert_eq!(answered(deep.clone(), posted(&nested(129))).2, "the body is nested deeper than 128 levels");
}

#[test]
fn a_coded_body_is_decoded_within_its_bound() {
    let plugin = plugin(json!({ "request": { "jq": ".a", "max_size": "64KiB" } }));
    let send = |coding: &str, body: Vec<u8>| {
        plugin.send(posted("").with_body(body).with_header("content-encoding", coding))
    };
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        let encoded = |text: &str| sluice_sdk_coding::encode(coding, 5, text.as_bytes()).unwrap();
        let exchange = send(coding.name(), encoded(r#"{"a":[1.0]}"#));
        assert_eq!(exchange.forwarded().text(), "[1.0]");
        assert_eq!(exchange.forwarded().header("content-encoding"), None);
        let largest = format!("{{\"a\":\"{}\"}}", "x".repeat((64 << 10) - 8));
        assert_eq!(send(coding.name(), encoded(&largest)).forwarded().text().len(), (64 << 10) - 6);
        for (coding, body, status, kind) in [
            (coding.name(), encoded(&(largest + " ")), 413, "body-too-large"),
            (coding.name(), b"{}".to_vec(), 400, "content-coding-malformed"),
            ("x-unknown", b"{}".to_vec(), 415, "content-coding-unsupported"),
        ] {
            let answer = send(coding, body).answer();
            assert_eq!((answer.status(), answer.problem()["type"].as_str()), (status, Some(kind)));
            assert_eq!(answer.header("accept-encoding").is_some(), status == 415);
        }
    }
    let large = format!("[{}]", "1,".repeat(64 << 10));
    assert_eq!(send("identity", large.into_bytes()).answer().status(), 413);
}

#[test]
fn what_the_head_lets_pass_is_neither_waited_for_nor_bounded() {
    let large = "[1]".repeat(100);
    let when = "$request.headers[\"x-a\"] == \"1\"";
    let config = json!({
        "request": { "jq": "1", "when": when },
        "response": { "jq": "1", "when": "$status < 300" },
    });
    let plugin = Harness::<BodyScript>::new(config).limits(|limits| limits.body = 50).start().unwrap();
    let text = Request::post("/").with_header("content-type", "text/plain").with_header("x-a", "1");
    for request in [text.with_body(large.as_str()), posted(&large)] {
        let exchange = plugin.send(request);
        assert_eq!(exchange.forwarded().text(), large);
        assert_eq!(exchange.forwarded().header("accept-encoding"), Some("identity"));
    }
    for (status, content_type) in [(200, "text/plain"), (500, "application/json")] {
        let response = Response::new(status).with_header("content-type", content_type);
        let mut exchange = plugin.send(Request::get("/"));
        assert_eq!(exchange.respond(response.with_body(large.as_str())).text(), large);
    }
}

#[test]
fn a_refusal_of_its_own_is_no_response_to_transform() {
    let config = json!({ "request": { "jq": "." }, "response": { "jq": ".a.b.c" } });
    let plugin = plugin(config);
    let mut exchange = plugin.send(posted("{"));
    let refusal = exchange.answer();
    assert_eq!(refusal.status(), 400);
    let problem = Response::new(400).with_header("content-type", "application/problem+json");
    let problem = problem.with_body(refusal.problem().to_string());
    let passed = exchange.respond(problem.clone().of_step());
    assert!(passed.text().contains("body-not-json"), "{}", passed.text());
    // What refuses further on, and what fails, is no response to transform either.
    let get = |response: Response| plugin.send(posted("{}")).respond(response).text();
    assert_eq!(get(problem.clone().of_step()), problem.text());
    assert_eq!(get(problem.clone().of_gateway()), problem.text());
    assert_eq!(get(problem), "null", "the upstream's are JSON like any other");
    // What a cache has kept is the upstream's, though a step answers with it.
    assert_eq!(get(Response::new(200).with_json(&json!({})).of_step()), "null");
}

fn tagged(status: u16, content_type: &str) -> Response {
    let response = Response::new(status)
        .with_header("etag", "\"a\"")
        .with_header("accept-ranges", "bytes")
        .with_header("repr-digest", "sha-256=:AA==:");
    if content_type.is_empty() { response } else { response.with_header("content-type", content_type) }
}

/// `HEAD` and 304 tell of the body that `GET` brings.
#[test]
fn a_head_without_its_body_tells_of_the_transformed_one() {
    let script = json!({ "jq": ".a", "outputs": "text", "when": "$status == 200" });
    let plugin = plugin(json!({ "response": script }));
    let tags = |response: &Response| {
        let found = ["etag", "accept-ranges", "repr-digest", "content-type"];
        found.map(|name| response.header(name).map(str::to_owned))
    };
    let weak = |content_type: Option<&str>| {
        [Some("W/\"a\"".to_owned()), None, None, content_type.map(str::to_owned)]
    };
    let text = Some("text/plain; charset=utf-8");
    let head = |response: Response| plugin.send(Request::new("HEAD", "/")).respond(response);
    let get = |response: Response| plugin.send(Request::get("/")).respond(response);
    let json = "application/json";
    assert_eq!(tags(&get(tagged(200, json).with_body("{\"a\":\"b\"}"))), weak(text));
    assert_eq!(tags(&head(tagged(200, json).with_header("content-length", "9"))), weak(text));
    assert_eq!(tags(&get(tagged(304, json))), weak(text));
    assert_eq!(tags(&get(tagged(304, ""))), weak(None), "it may be what was transformed");
    for kept in [
        tagged(200, "text/html"),
        tagged(404, json),
        tagged(200, json).with_header("content-length", "0"),
        tagged(200, json).of_gateway(),
        tagged(200, "application/problem+json").of_step(),
    ] {
        assert_eq!(tags(&head(kept.clone())), tags(&kept));
    }
    let html = tagged(304, "text/html");
    assert_eq!(tags(&get(html.clone())), tags(&html));
}

#[test]
fn a_body_past_the_limit_is_an_answer_and_never_cut() {
    let config = json!({ "request": { "jq": "\"x\" * 100" } });
    let plugin = Harness::<BodyScript>::new(config).limits(|limits| limits.body = 50).start().unwrap();
    let answer = plugin.send(posted("1")).answer();
    assert_eq!((answer.status(), answer.problem()["type"].as_str()), (413, Some("body-too-large")));
    assert!(answer.problem()["detail"].as_str().unwrap().contains("`limits.body`"));
}

#[test]
fn a_response_that_cannot_be_transformed_is_a_bad_gateway() {
    let plugin = plugin(json!({ "response": { "jq": ".a.b" } }));
    for (body, kind) in [("{", "body-not-json"), ("[1]", "body-script-failed")] {
        let mut exchange = plugin.send(Request::get("/"));
        let _ = exchange
            .respond(Response::new(200).with_header("content-type", "application/json").with_body(body));
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.problem()["type"].as_str()), (502, Some(kind)), "{body}");
        assert_eq!(exchange.logs().len(), 1, "{body}");
    }
}

#[test]
fn the_reason_is_told_only_if_asked() {
    let request = || posted(r#"{"secret":"s3cret"}"#);
    let quiet = answered(json!({ "request": { "jq": "error(.secret)" } }), request());
    assert_eq!(quiet.2, "the body cannot be transformed");
    let loud = answered(json!({ "request": { "jq": "error(.secret)" }, "expose_errors": true }), request());
    assert_eq!(loud.2, "the script failed: s3cret");
}

#[test]
fn numbers_pass_as_they_were_written() {
    let plugin = plugin(json!({ "request": { "jq": "{a: ., b: .[0]}" } }));
    let numbers = "[18446744073709551616,1.0,1.10,1e400,-0,0.1,1E+2,123456789012345678901234567890.5]";
    let exchange = plugin.send(posted(numbers));
    assert_eq!(exchange.forwarded().text(), format!("{{\"a\":{numbers},\"b\":18446744073709551616}}"));
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    for (config, reason) in [
        (json!({}), "there is nothing to do"),
        (json!({ "request": {} }), "request: give either `jq` or `template`"),
        (json!({ "request": { "jq": ".", "template": "" } }), "request: give either `jq` or `template`"),
        (
            json!({ "request": { "jq": ".a |\n  foo(1)" } }),
            "request: jq: line 2, column 3: there is no filter `foo/1`",
        ),
        (
            json!({ "request": { "jq": "$status" } }),
            "request: jq: line 1, column 1: there is no variable `$status`",
        ),
        (json!({ "response": { "jq": "if . then" } }), "response: jq: line 1, column 10: expected"),
        (
            json!({ "response": { "jq": "\"é\" + (" } }),
            "response: jq: line 1, column 8: expected closing parenthesis",
        ),
        (
            json!({ "request": { "jq": "import \"a\" as a; ." } }),
            "request: jq: line 1, column 1: there are no modules",
        ),
        (
            json!({ "request": { "jq": ".", "when": "now" } }),
            "request: when: line 1, column 1: there is no filter `now/0`",
        ),
        (
            json!({ "request": { "jq": ".", "sets": { "path": "env" } } }),
            "request: sets: path: line 1, column 1",
        ),
        (json!({ "request": { "jq": ".", "sets": { "status": "1" } } }), "request: sets.status: not here"),
        (json!({ "response": { "jq": ".", "sets": { "path": "1" } } }), "response: sets.path: not here"),
        (json!({ "request": { "template": "{% if %}" } }), "request: template: line 1"),
        (
            json!({ "request": { "template": "", "outputs": "lines" } }),
            "request: outputs: a template has but one output",
        ),
        (
            json!({ "request": { "jq": ".", "types": ["json"] } }),
            "request: types: `json` is not a media type",
        ),
        (json!({ "request": { "jq": ".", "types": [] } }), "request: types: there are none"),
        // By the schema, in words of the host's.
        (json!({ "request": { "jq": ".", "max_values": 0 } }), ""),
        (json!({ "request": { "jq": ".", "max_size": "65MiB" } }), "request: max_size: not between"),
        (json!({ "request": { "jq": ".", "jqq": 1 } }), ""),
    ] {
        let refused = Harness::<BodyScript>::new(config.clone()).start().expect_err(&config.to_string());
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}

#[test]
fn nothing_reaches_outside() {
    for name in [
        "env",
        "$ENV",
        "now",
        "input",
        "inputs",
        "debug",
        "debug(1)",
        "stderr",
        "input_filename",
        "halt",
        "halt_error",
        "localtime",
        "strflocaltime(\"%Y\")",
        "get_search_list",
        "$__prog_args",
        "input_line_number",
    ] {
        let config = json!({ "request": { "jq": name } });
        let refused = Harness::<BodyScript>::new(config).start().expect_err(name);
        assert!(refused.message.contains("there is no"), "{name}: {refused}");
    }
}
