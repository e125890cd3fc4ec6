//! What becomes of requests and responses.

use body_map::BodyMap;
use sluice_sdk_coding::Coding;
use sluice_sdk_testing::{Answer, Consumer, Harness, Request, Response, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    Harness::<BodyMap>::new(config)
        .consumer(Consumer::new("acme"))
        .start()
        .expect("the configuration is good")
}

/// A plugin whose requests go through these operations.
fn operations(operations: Value) -> TestPlugin {
    plugin(json!({ "request": { "operations": operations } }))
}

fn post(body: &str) -> Request {
    Request::post("/orders").with_header("content-type", "application/json").with_body(body)
}

#[track_caller]
fn becomes(plugin: &TestPlugin, body: &str, expected: &str) {
    let exchange = plugin.send(post(body));
    assert_eq!(exchange.forwarded().text(), expected);
}

#[track_caller]
fn refused(answer: &Answer, status: u16, kind: &str, detail: &str) {
    let problem = answer.problem();
    assert_eq!((answer.status(), &problem["type"]), (status, &json!(kind)), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|said| said.contains(detail)), "{problem}");
}

#[test]
fn what_is_not_touched_keeps_its_text() {
    let plugin = operations(json!([{ "set": { "at": "/seen", "value": true } }]));
    becomes(
        &plugin,
        "{\"z\": 1.0, \"big\": 12345678901234567890.10, \"a\": [1e2, -0]}",
        "{\"z\":1.0,\"big\":12345678901234567890.10,\"a\":[1e2,-0],\"seen\":true}",
    );
}

#[test]
fn patches_apply_as_a_whole() {
    let plugin = operations(json!([{ "patch": [
        { "op": "test", "path": "/version", "value": 1 },
        { "op": "replace", "path": "/version", "value": 2 },
        { "op": "add", "path": "/items/-", "value": { "sku": "gift" } },
        { "op": "remove", "path": "/debug" },
    ]}]));
    becomes(&plugin, r#"{"version":1.0,"items":[],"debug":{}}"#, r#"{"version":2,"items":[{"sku":"gift"}]}"#);
    let exchange = plugin.send(post(r#"{"version":3,"items":[],"debug":{}}"#));
    let answer = exchange.answer();
    refused(
        &answer,
        422,
        "body-mismatch",
        "request.operations[0].patch: operation 0 (`test`): `/version` has another value",
    );
    assert_eq!(answer.problem()["operation"], json!("request.operations[0].patch"));
}

#[test]
fn merges_may_be_written_as_text_to_have_null() {
    let plugin = operations(json!([{ "merge": r#"{"b":null,"c":{"d":1.50}}"# }, { "merge": { "e": "f" } }]));
    becomes(&plugin, r#"{"a":1,"b":2}"#, r#"{"a":1,"c":{"d":1.50},"e":"f"}"#);
}

#[test]
fn documents_are_made_of_what_paths_select() {
    let body = r#"{"order":{"id":7},"items":[{"id":1,"n":2},{"id":3,"n":0}]}"#;
    for (operation, expected) in [
        (json!({ "pick": { "path": "$.items[*].id", "into": "list" } }), "[1,3]"),
        (json!({ "pick": { "path": "$.items[*].id", "into": "first" } }), "1"),
        (json!({ "pick": { "path": "$.items[?@.n > 1]" } }), r#"{"id":1,"n":2}"#),
        (json!({ "pick": "$.order" }), r#"{"id":7}"#),
        (json!({ "pick": { "path": "$.none", "into": "list" } }), "[]"),
        (json!({ "pick": { "path": "$.none", "optional": true } }), body),
        (
            json!({ "build": {
                "id": "$.order.id",
                "lines": { "path": "$.items[*].id", "into": "list" },
                "note": { "path": "$.note", "optional": true },
            }}),
            r#"{"id":7,"lines":[1,3]}"#,
        ),
    ] {
        becomes(&operations(json!([operation])), body, expected);
    }
    for (operation, detail) in [
        (json!({ "pick": "$.none" }), "request.operations[0].pick: `$.none` selects nothing"),
        (json!({ "pick": "$.items[*]" }), "`$.items[*]` selects 2 values, not one"),
        (json!({ "build": { "a": "$.none" } }), "`$.none` selects nothing"),
    ] {
        let plugin = operations(json!([operation]));
        refused(&plugin.send(post(body)).answer(), 422, "body-mismatch", detail);
    }
}

#[test]
fn values_move_and_are_copied() {
    for (operation, body, expected) in [
        (
            json!({ "move": { "from": "/a/b", "to": "/x/y" } }),
            r#"{"a":{"b":1},"c":2}"#,
            r#"{"a":{},"c":2,"x":{"y":1}}"#,
        ),
        (json!({ "move": { "from": "/a", "to": "/a/inner" } }), r#"{"a":1}"#, r#"{"a":{"inner":1}}"#),
        (
            json!({ "move": { "from": "$.items[?@.main]", "to": "/main" } }),
            r#"{"items":[{"n":1},{"main":1}]}"#,
            r#"{"items":[{"n":1}],"main":{"main":1}}"#,
        ),
        (
            json!({ "copy": { "from": "/a", "to": "/list/-" } }),
            r#"{"a":1.0,"list":[0]}"#,
            r#"{"a":1.0,"list":[0,1.0]}"#,
        ),
        (json!({ "copy": { "from": "", "to": "/self" } }), r#"{"a":1}"#, r#"{"a":1,"self":{"a":1}}"#),
        (json!({ "copy": { "from": "/none", "to": "/x", "optional": true } }), "{}", "{}"),
    ] {
        becomes(&operations(json!([operation])), body, expected);
    }
    for (operation, detail) in [
        (json!({ "move": { "from": "/none", "to": "/x" } }), "there is nothing at `/none`"),
        (json!({ "copy": { "from": "$.l[*]", "to": "/x" } }), "selects 2 values, not one"),
        (json!({ "copy": { "from": "/l", "to": "/l/9" } }), "there is no place for `/l/9` in its array"),
        (json!({ "copy": { "from": "/l", "to": "/s/x" } }), "what should hold `/s/x` is a string"),
    ] {
        let plugin = operations(json!([operation]));
        refused(&plugin.send(post(r#"{"l":[1,2],"s":""}"#)).answer(), 422, "body-mismatch", detail);
    }
}

#[test]
fn values_disappear_wherever_they_are() {
    let plugin = operations(json!([{ "remove": ["$..ssn", "$.items[?@.hidden == true]", "/debug"] }]));
    becomes(
        &plugin,
        r#"{"ssn":{"ssn":1},"items":[{"hidden":true,"ssn":2},{"ssn":3,"n":1},{"hidden":true}],"debug":0}"#,
        r#"{"items":[{"n":1}]}"#,
    );
    refused(&plugin.send(post("{}")).answer(), 422, "body-mismatch", "there is nothing at `/debug`");
}

#[test]
fn members_get_other_names_in_their_place() {
    let plugin = operations(json!([{ "rename": { "path": "$.items[*].sku", "to": "code" } }]));
    becomes(
        &plugin,
        r#"{"items":[{"sku":1,"n":2},{"code":"old","sku":3}]}"#,
        r#"{"items":[{"code":1,"n":2},{"code":3}]}"#,
    );
    refused(&plugin.send(post("{}")).answer(), 422, "body-mismatch", "selects nothing");
    let several = operations(json!([{ "rename": { "path": "$[*]", "to": "x" } }]));
    refused(&several.send(post(r#"{"a":1,"b":2}"#)).answer(), 422, "body-mismatch", "several members");
    refused(&several.send(post("[1]")).answer(), 422, "body-mismatch", "an item of an array has no name");
}

#[test]
fn values_are_set_with_variables() {
    let plugin = operations(json!([
        { "set": { "at": "/meta/by", "value": "{consumer}" } },
        { "set": { "at": "/meta/trace", "value": ["{request_id}", "{{}} {header:x-in}", 1] } },
        { "set": { "at": "/meta/none", "json": "null" } },
    ]));
    let request = || post("{}").request_id("r1").with_header("x-in", "\"in\"");
    let exchange = plugin.send(request().consumer("acme"));
    let expected = r#"{"meta":{"by":"acme","trace":["r1","{} \"in\"",1],"none":null}}"#;
    assert_eq!(exchange.forwarded().text(), expected);
    let nobody = plugin.send(request().with_header("x-by", "acme"));
    assert!(nobody.forwarded().text().starts_with(r#"{"meta":{"by":null,"#), "nobody is not an empty name");
}

#[test]
fn the_variables_are_those_of_the_plugin_headers() {
    let text = "{claim:sub}|{cookie:sid}|{param:id}|{query:q}|{groups}|{consumer_id}|{path_after:1}";
    let config = json!({ "request": { "operations": [{ "set": { "at": "/v", "value": text } }] } });
    let acme = Consumer::new("acme").id("c-1").group("gold").group("beta");
    let plugin = Harness::<BodyMap>::new(config).consumer(acme).start().unwrap();
    let request = Request::post("/o/7?q=a+b")
        .with_json(&json!({}))
        .path_param("id", "7%20x")
        .with_header("cookie", "sid=s-1")
        .consumer("acme")
        .value("auth.claims", &json!({ "sub": "u-1" }));
    let exchange = plugin.send(request);
    assert_eq!(exchange.forwarded().text(), r#"{"v":"u-1|s-1|7 x|a b|gold,beta|c-1|7"}"#);
}

#[test]
fn a_response_knows_the_request() {
    let plugin = plugin(json!({ "response": { "operations": [
        { "set": { "at": "/trace", "value": "{header:x-trace} {path}" } },
        { "remove": "$..internal" },
    ]}}));
    let request = Request::get("/a")
        .with_header("x-trace", "t1")
        .with_header("range", "bytes=0-5")
        .with_header("accept-encoding", "br, gzip");
    let mut exchange = plugin.send(request);
    assert_eq!(exchange.forwarded().header("range"), None, "a part could not be transformed");
    assert_eq!(exchange.forwarded().header_all("accept-encoding"), ["identity"]);
    let response = Response::new(200)
        .with_header("content-digest", "sha-256=:AA==:")
        .with_header("content-type", "application/hal+json")
        .with_body(r#"{"a":{"internal":1}}"#);
    let response = exchange.respond(response);
    assert_eq!(response.text(), r#"{"a":{},"trace":"t1 /a"}"#);
    assert_eq!(response.header("content-digest"), None);
    assert_eq!(response.header("content-type"), Some("application/hal+json"));
}

#[test]
fn a_response_that_does_not_suit_is_the_upstreams_fault() {
    let plugin = plugin(json!({ "response": { "operations": [{ "remove": "/a" }] } }));
    let json = "application/json";
    for (response, kind) in [
        (Response::new(200).with_header("content-type", json).with_body("{]"), "body-not-json"),
        (Response::new(200).with_header("content-type", json).with_body("{}"), "body-mismatch"),
        (Response::new(206).with_header("content-type", json).with_body("{"), "content-partial"),
        (
            Response::new(200).with_header("content-type", json).with_header("content-type", "text/html"),
            "content-type-ambiguous",
        ),
        (
            Response::new(200).with_header("content-type", json).with_body("{\"a\":1,\"a\":2}"),
            "body-duplicate-member",
        ),
    ] {
        let mut exchange = plugin.send(Request::get("/"));
        assert_eq!(exchange.respond(response).status(), 502, "{kind}");
        refused(&exchange.answer(), 502, kind, "of the upstream's response: ");
    }
}

#[test]
fn only_responses_of_the_statuses_are_meant() {
    let plugin = plugin(json!({
        "response": { "operations": [{ "pick": "$.data" }] },
        "response_statuses": ["2xx"],
    }));
    let answered = |status, body: &Value| {
        plugin.send(Request::get("/")).respond(Response::new(status).with_json(body)).text()
    };
    assert_eq!(answered(201, &json!({ "data": 1 })), "1");
    assert_eq!(answered(404, &json!({ "error": 1 })), r#"{"error":1}"#);
}

#[test]
fn the_steps_own_answer_is_no_upstreams_response() {
    let plugin = plugin(json!({
        "request": { "operations": [{ "remove": "/a" }] },
        "response": { "operations": [{ "pick": "$.data" }] },
    }));
    let mut exchange = plugin.send(post("{}"));
    assert_eq!(exchange.answer().status(), 422);
    let own = Response::new(422).with_header("content-type", "application/problem+json").with_body("{}");
    assert_eq!(exchange.respond(own.of_step()).status(), 422);
}

#[test]
fn refusals_of_steps_and_failures_of_the_gateway_pass() {
    for types in [Value::Null, json!(["+json", "application/json"])] {
        let mut rules = json!({ "operations": [{ "pick": "$.detail" }], "require_json": true });
        if !types.is_null() {
            rules["types"] = types;
        }
        let plugin = plugin(json!({ "response": rules }));
        let text = |response| plugin.send(Request::get("/")).respond(response).text();
        let document = r#"{"detail":"no"}"#;
        let problem = || {
            let problem = Response::new(429).with_header("content-type", "Application/Problem+json; x=y");
            problem.with_body(document)
        };
        assert_eq!(text(problem().of_step()), document);
        assert_eq!(text(problem().of_gateway()), document);
        assert_eq!(text(problem()), "\"no\"", "the upstream's are JSON like any other");
        // What a cache has kept is the upstream's, though a step answers with it.
        let kept = Response::new(200).with_header("content-type", "application/json").with_body(document);
        assert_eq!(text(kept.of_step()), "\"no\"");
    }
}

fn tagged(status: u16, content_type: &str) -> Response {
    let response = Response::new(status)
        .with_header("etag", "\"a\"")
        .with_header("accept-ranges", "bytes")
        .with_header("repr-digest", "sha-256=:AA==:");
    if content_type.is_empty() { response } else { response.with_header("content-type", content_type) }
}

fn tags(response: &Response) -> [Option<&str>; 3] {
    ["etag", "accept-ranges", "repr-digest"].map(|name| response.header(name))
}

const WEAK: [Option<&str>; 3] = [Some("W/\"a\""), None, None];
const KEPT: [Option<&str>; 3] = [Some("\"a\""), Some("bytes"), Some("sha-256=:AA==:")];

#[test]
fn a_rewritten_response_has_another_tag_and_no_ranges() {
    let plugin = plugin(json!({ "response": { "operations": [{ "remove": "$..internal" }] } }));
    let get = |response: Response| plugin.send(Request::get("/")).respond(response);
    assert_eq!(tags(&get(tagged(200, "application/json").with_body("{}"))), WEAK);
    assert_eq!(tags(&get(tagged(200, "text/plain").with_body("{}"))), KEPT);
    assert_eq!(tags(&get(tagged(200, "application/json"))), KEPT, "nothing is rewritten");
    for (etag, made) in [("W/\"a\"", Some("W/\"a\"")), ("a", None)] {
        let response = Response::new(200).with_json(&json!({})).with_header("etag", etag);
        assert_eq!(get(response).header("etag"), made);
    }
}

/// `HEAD` and 304 tell of the body that `GET` brings.
#[test]
fn a_head_without_its_body_tells_of_the_rewritten_one() {
    let plugin = plugin(json!({
        "response": { "operations": ["form_to_json"] },
        "response_statuses": ["200"],
    }));
    let form = "application/x-www-form-urlencoded";
    let head = |response: Response| plugin.send(Request::new("HEAD", "/")).respond(response);
    let rewritten = head(tagged(200, form).with_header("content-length", "7"));
    assert_eq!((tags(&rewritten), rewritten.header("content-type")), (WEAK, Some("application/json")));
    for kept in [
        tagged(200, "text/plain"),
        tagged(200, ""),
        tagged(404, form),
        tagged(200, form).with_header("content-length", "0"),
        tagged(200, form).of_gateway(),
    ] {
        assert_eq!(tags(&head(kept)), KEPT);
    }
    let get = |response: Response| plugin.send(Request::get("/")).respond(response);
    let typed = get(tagged(304, form));
    assert_eq!((tags(&typed), typed.header("content-type")), (WEAK, Some("application/json")));
    // It need not say the type: then it may be what was rewritten.
    let untyped = get(tagged(304, ""));
    assert_eq!((tags(&untyped), untyped.header("content-type")), (WEAK, None));
    assert_eq!(tags(&get(tagged(304, "text/plain"))), KEPT);
}

#[test]
fn headers_that_are_too_large_to_be_remembered_are_refused() {
    let plugin = plugin(json!({ "response": { "operations": [
        { "set": { "at": "/a", "value": "{header:x-a}" } },
    ]}}));
    let answer = plugin.send(Request::get("/").with_header("x-a", "x".repeat(64 << 10))).answer();
    refused(&answer, 431, "headers-too-large", "64 KiB");
}

#[test]
fn malformed_json_is_refused_with_its_place() {
    let plugin = operations(json!([{ "remove": "$.a" }]));
    for (body, kind, detail) in [
        ("{\n \"a\": tru }", "body-not-json", "a value is missing at line 2, column 7"),
        ("{\"a\":1,\"\\u0061\":2}", "body-duplicate-member", "the member `a` occurs twice at line 1"),
        ("\u{feff}", "body-not-json", "a value is missing"),
    ] {
        refused(&plugin.send(post(body)).answer(), 400, kind, detail);
    }
    let deep = "[".repeat(200);
    refused(&plugin.send(post(&deep)).answer(), 413, "body-too-complex", "more than 128 arrays and objects");
    let both = post("{}").with_header("content-type", "text/plain");
    refused(&plugin.send(both).answer(), 400, "content-type-ambiguous", "several");
}

#[test]
fn other_bodies_pass_or_are_refused() {
    let rules =
        |require| json!({ "request": { "operations": [{ "remove": "/a" }], "require_json": require } });
    let text = || Request::post("/").with_header("content-type", "text/plain").with_body("hello");
    let lenient = plugin(rules(false));
    assert_eq!(lenient.send(text()).forwarded().text(), "hello");
    assert_eq!(lenient.send(Request::post("/").with_body("hello")).forwarded().text(), "hello");
    let strict = plugin(rules(true));
    refused(&strict.send(text()).answer(), 415, "media-type-unsupported", "application/json, +json");
    refused(&strict.send(Request::post("/").with_body("{}")).answer(), 415, "media-type-unsupported", "");
    assert!(strict.send(Request::get("/")).is_forwarded(), "no body is of no type");
    assert!(strict.send(Request::get("/").with_header("content-type", "application/json")).is_forwarded());
    let own = plugin(json!({ "request": { "operations": [{ "remove": "/a" }], "types": ["text/json"] } }));
    let request =
        Request::post("/").with_header("content-type", "Text/JSON; charset=utf-8").with_body("{\"a\":1}");
    assert_eq!(own.send(request).forwarded().text(), "{}");
}

#[test]
fn a_mismatch_may_pass_without_any_of_the_operations() {
    let plugin = plugin(json!({ "request": {
        "operations": [{ "set": { "at": "/seen", "value": true } }, { "remove": "/a" }],
        "on_mismatch": "pass",
    }}));
    becomes(&plugin, "{ \"b\" : 1.0 }", "{ \"b\" : 1.0 }");
    becomes(&plugin, "{\"a\":1}", "{\"seen\":true}");
    refused(&plugin.send(post("{")).answer(), 400, "body-not-json", "");
}

#[test]
fn forms_become_json_and_json_becomes_forms() {
    let read = operations(json!(["form_to_json", { "rename": { "path": "/a[b]", "to": "ab" } }]));
    let form = |body: &str| {
        Request::post("/").with_header("content-type", "application/x-www-form-urlencoded").with_body(body)
    };
    let exchange = read.send(form("a[b]=1&tag=x&tag=y+z%21"));
    let request = exchange.forwarded();
    assert_eq!(request.text(), r#"{"ab":"1","tag":["x","y z!"]}"#);
    assert_eq!(request.header_all("content-type"), ["application/json"]);
    refused(&read.send(form("a=%ff")).answer(), 400, "body-not-form", "the value of field 1");
    assert_eq!(read.send(post("{}")).forwarded().text(), "{}", "it is no form");

    let write = operations(json!([{ "remove": "$.x" }, "json_to_form"]));
    let exchange = write.send(post(r#"{"a":[1,"b c"],"x":0}"#));
    let request = exchange.forwarded();
    assert_eq!(request.text(), "a=1&a=b+c");
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    refused(
        &write.send(post(r#"{"a":{}}"#)).answer(),
        422,
        "body-mismatch",
        "request.operations[1].json_to_form: a form cannot hold an object",
    );
}

#[test]
fn a_coded_body_is_not_guessed_at() {
    let plugin = operations(json!([{ "remove": "$.a" }]));
    let coded = |coding: &str| plugin.send(post("{}").with_header("content-encoding", coding));
    refused(&coded("compress").answer(), 415, "content-coding-unsupported", "`compress`");
    refused(&coded("gzip").answer(), 400, "content-coding-malformed", "`gzip`");
    let identity = coded("Identity");
    assert_eq!(identity.forwarded().header("content-encoding"), None);
}

#[test]
fn a_coded_body_is_decoded_within_its_bound() {
    let config = json!({ "request": { "operations": [{ "remove": "$.a" }], "max_size": "64KiB" } });
    let plugin = plugin(config);
    let coded = |coding: Coding, body: &[u8]| {
        let encoded = sluice_sdk_coding::encode(coding, 5, body).unwrap();
        plugin.send(post("").with_body(encoded).with_header("content-encoding", coding.name()))
    };
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        let exchange = coded(coding, br#"{"a":1,"b":2}"#);
        assert_eq!(exchange.forwarded().text(), r#"{"b":2}"#);
        assert_eq!(exchange.forwarded().header("content-encoding"), None);
        let bomb = format!("{{\"a\":\"{}\"}}", "x".repeat(64 << 10));
        refused(&coded(coding, bomb.as_bytes()).answer(), 413, "body-too-large", "65536 bytes of `max_size`");
    }
}

#[test]
fn nothing_is_cut_off() {
    let copies: Vec<_> =
        (0..8).map(|n| json!({ "copy": { "from": "/a", "to": format!("/b{n}") } })).collect();
    let bounded = plugin(json!({ "request": { "operations": copies, "max_size": "100B" } }));
    let body = |length| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
    assert!(bounded.send(post(&body(1))).is_forwarded());
    refused(&bounded.send(post(&body(20))).answer(), 413, "body-too-large", "the 100 bytes of `max_size`");
    refused(&bounded.send(post(&body(200))).answer(), 413, "body-too-large", "the 100 bytes of `max_size`");
    let limited = Harness::<BodyMap>::new(json!({ "request": { "operations": copies } }))
        .limits(|limits| limits.body = 100)
        .start()
        .unwrap();
    refused(&limited.send(post(&body(20))).answer(), 413, "body-too-large", "`limits.body`");
}

#[test]
fn a_body_that_is_too_much_is_refused() {
    let plugin = operations(json!([{ "pick": { "path": "$..[?@..x]", "into": "list" } }]));
    let wide = format!("[{}0]", "[[[[0]]]],".repeat(2_000));
    assert!(plugin.send(post(&wide)).is_forwarded());
    let nested = format!("{}0{}", "[0,".repeat(100), "]".repeat(100));
    let large = format!("[{}0]", format!("{nested},").repeat(100));
    refused(&plugin.send(post(&large)).answer(), 413, "body-too-complex", "more than 1000000 values");
}

/// A few values, each of them long to look at, are as much as many.
#[test]
fn what_is_compared_counts() {
    let digits = "7".repeat(300 << 10);
    let list = |count: usize| format!("[{}0]", "1,".repeat(count));
    let body = |count| {
        let (many, items) = (list(5_000), list(count));
        format!(r#"{{"number":{digits},"text":"{digits}","one":{many},"other":{many},"items":{items}}}"#)
    };
    for filter in ["@ < $.number", "length($.text) < 3", "$.text == $.text", "$.one == $.other"] {
        let path = format!("$.items[?{filter}]");
        let plugin = operations(json!([{ "pick": { "path": path, "into": "list" } }]));
        refused(&plugin.send(post(&body(250))).answer(), 413, "body-too-complex", "more than 1000000 values");
        assert!(plugin.send(post(&body(5))).is_forwarded(), "{filter}");
    }
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let one = |operation: Value| json!({ "request": { "operations": [operation] } });
    for (config, reason) in [
        (json!({}), "there is nothing to do"),
        (json!({ "request": { "operations": [] } }), "`request.operations` is empty"),
        (one(json!({ "remove": "a" })), "request.operations[0].remove: `a` begins neither with `/`"),
        (one(json!({ "remove": "$" })), "request.operations[0].remove: `$` is the whole document"),
        (
            one(json!({ "pick": "$.a[" })),
            "request.operations[0].pick: `$.a[` is not a JSONPath, at character 5",
        ),
        (one(json!({ "build": { "x": "@" } })), "request.operations[0].build: x: `@` is not a JSONPath"),
        (one(json!({ "patch": [{ "op": "tset" }] })), "request.operations[0].patch: operation 0: "),
        (one(json!({ "merge": "{" })), "request.operations[0].merge: the text is not JSON: "),
        (
            one(json!({ "move": { "from": "/a", "to": "b" } })),
            "request.operations[0].move: `to`: `b` is not a JSON Pointer",
        ),
        (one(json!({ "rename": { "path": "", "to": "b" } })), "request.operations[0].rename: `path`: "),
        (
            one(json!({ "set": { "at": "/a", "value": ["{requestid}"] } })),
            "request.operations[0].set: `{requestid}`: there is no variable",
        ),
        (
            one(json!({ "set": { "at": "/a", "value": "{status}" } })),
            "request.operations[0].set: `{status}`: `{status}` is known only where",
        ),
        (one(json!({ "set": { "at": "/a" } })), "give either `value` or `json`"),
        (
            json!({ "request": { "operations": [{ "remove": "/a" }, "form_to_json"] } }),
            "request.operations[1].form_to_json: a form can only be read first",
        ),
        (
            json!({ "request": { "operations": ["json_to_form", { "remove": "/a" }] } }),
            "can only be written last",
        ),
        (
            json!({ "request": { "operations": ["form_to_json"], "types": ["a/b"] } }),
            "`request.types` has no meaning",
        ),
        (
            json!({ "request": { "operations": [{ "remove": "/a" }], "types": ["json"] } }),
            "request.types: `json` is neither",
        ),
        (
            json!({ "request": { "operations": [{ "remove": "/a" }], "max_size": "1GiB" } }),
            "`request.max_size` lies between",
        ),
        (
            json!({ "request": { "operations": [{ "remove": "/a" }] }, "response_statuses": ["2xx"] }),
            "has no meaning without `response`",
        ),
        (
            json!({ "response": { "operations": [{ "remove": "/a" }] }, "response_statuses": ["7xx"] }),
            "response_statuses: `7xx` is neither",
        ),
        (one(json!({ "remov": "/a" })), ""),
        (one(json!({ "pick": { "path": "$", "int": "list" } })), ""),
    ] {
        let refused = Harness::<BodyMap>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
