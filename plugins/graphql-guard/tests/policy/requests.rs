//! How operations come.

use sluice_sdk_testing::{Exchange, Request, Value, json};

use crate::common::{guard, passes, post, query, raw, refused};

#[test]
fn a_body_is_json_that_can_be_read_in_one_way() {
    let guard = guard(json!({ "extra_members": ["traceId"] }));
    passes(
        &guard,
        raw(
            "{\"query\":\"{a}\",\"operationName\":null,\"variables\":null,\"extensions\":{\"a\":1},\"traceId\":[1]}",
        ),
    );
    for (body, detail) in [
        ("", "EOF"),
        ("{}", "there is no `query`"),
        ("1", "expected an object"),
        ("{\"query\":null}", "there is no `query`"),
        ("{\"query\":7}", "`query` is not a string"),
        ("{\"query\":\"{a}\",\"query\":\"{b}\"}", "a name is there twice"),
        ("{\"query\":\"{a}\",\"qu\\u0065ry\":\"{b}\"}", "a name is there twice"),
        ("{\"query\":\"{a}\"}{}", "trailing characters"),
        ("{\"query\":\"{a}\",\"id\":\"7\"}", "member `id` is none"),
        ("{\"query\":\"{a}\",\"variables\":[]}", "`variables`: not an object"),
        ("{\"query\":\"{a}\",\"variables\":\"{}\"}", "`variables`: not an object"),
        ("{\"query\":\"{a}\",\"variables\":{\"n\":1,\"n\":2}}", "`variables`: a name is there twice"),
        ("{\"query\":\"{a}\",\"operationName\":{}}", "`operationName` is not a string"),
        ("{\"query\":\"\\ud800\"}", "`query` is not a string"),
    ] {
        refused(&guard.send(raw(body)), 400, "graphql-request-malformed", detail);
    }
    let latin = Request::post("/graphql")
        .with_header("content-type", "application/json")
        .with_body(b"{\"query\":\"{a}#\xe9\"}");
    refused(&guard.send(latin), 400, "graphql-request-malformed", "UTF-8");
}

#[test]
fn what_is_wrong_with_a_document_is_told_with_its_place() {
    let guard = guard(json!({}));
    let problem =
        refused(&guard.send(query("{\n  a(\n}")), 400, "graphql-syntax", "`}` where an argument is expected");
    assert_eq!(problem["errors"][0]["locations"], json!([{ "line": 3, "column": 1 }]));
    assert_eq!(problem["errors"][0]["extensions"]["code"], "GRAPHQL_PARSE_FAILED");
    refused(&guard.send(query("{ a } { b }")), 400, "graphql-syntax", "not alone");
    refused(&guard.send(query("{ ...F }")), 400, "graphql-invalid", "there is no fragment `F`");
    refused(
        &guard.send(query("{ ...F } fragment F on T { ...G } fragment G on T { ...F }")),
        400,
        "graphql-invalid",
        "uses itself",
    );
}

fn parsed(exchange: &Exchange<'_>) -> Value {
    serde_json::from_str(&exchange.answer().text()).expect("JSON")
}

/// Libraries read the errors of what is of GraphQL's own type, and of nothing else.
#[test]
fn a_client_that_knows_graphqls_type_is_told_in_it() {
    let guard = guard(json!({ "max_aliases": 1 }));
    let many = query("{ x: a y: a }");
    for accept in [
        "application/graphql-response+json",
        "Application/GraphQL-Response+JSON; charset=utf-8, application/json;q=0.9",
        "text/html, application/graphql-response+json;q=0.1",
    ] {
        let exchange = guard.send(many.clone().with_header("accept", accept));
        let answer = exchange.answer();
        assert_eq!(
            (answer.status(), answer.header("content-type"), answer.header("vary")),
            (400, Some("application/graphql-response+json; charset=utf-8"), Some("accept")),
            "{accept}"
        );
        let error = json!({
            "message": "aliases: at most 1 are allowed",
            "extensions": { "code": "GRAPHQL_TOO_MANY_ALIASES", "limit": 1 }
        });
        assert_eq!(parsed(&exchange), json!({ "errors": [error] }), "{accept}");
    }
    let syntax = query("{").with_header("accept", "application/graphql-response+json");
    let told = parsed(&guard.send(syntax));
    assert_eq!(told["errors"][0]["locations"], json!([{ "line": 1, "column": 2 }]), "{told}");
    // In the phase before the body.
    let put = Request::new("DELETE", "/graphql").with_header("accept", "application/graphql-response+json");
    let exchange = guard.send(put);
    assert_eq!((exchange.answer().status(), exchange.answer().header("allow")), (405, Some("GET, POST")));
    assert!(parsed(&exchange)["errors"][0]["message"].is_string());
    for accept in
        ["application/json", "*/*", "application/graphql-response+json;q=0.0", "application/graphql+json"]
    {
        let exchange = guard.send(many.clone().with_header("accept", accept));
        refused(&exchange, 400, "graphql-too-many-aliases", "aliases");
        assert_eq!(exchange.answer().header("vary"), Some("accept"));
    }
}

#[test]
fn a_body_is_of_one_type_and_in_no_coding() {
    let guard = guard(json!({}));
    let body = "{\"query\":\"{a}\"}";
    let typed = |content_type: &str| {
        Request::post("/graphql").with_header("content-type", content_type).with_body(body)
    };
    for good in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json ;\tCharset=utf8",
        "application/json;charset=\"UTF-8\"",
    ] {
        passes(&guard, typed(good));
        let sent = guard.send(typed(good));
        assert_eq!(sent.forwarded().header("content-type"), Some("application/json"), "{good}");
    }
    for bad in [
        "application/graphql",
        "text/plain",
        "application/json; charset=latin1",
        "application/json; charset =utf-7",
        "application/json; charset\t=utf-7",
        "application/json; charset =utf-8",
        "application/json; charset= utf-8",
        "application/json; charset*=utf-8''utf-7",
        "application/json; charset",
        "application/json; charset=\"utf-8",
        "application/json; charset=utf-8; charset=utf-7",
        "application/json; x=\"a; charset=utf-7\"",
        "application/json; x=1",
        "application/json;",
        "multipart/form-data; boundary=a",
        "application/jsonx",
    ] {
        let exchange = guard.send(typed(bad));
        refused(&exchange, 415, "graphql-media-type", "");
        assert_eq!(exchange.answer().header("accept-post"), Some("application/json"));
    }
    refused(&guard.send(Request::post("/graphql").with_body(body)), 415, "graphql-media-type", "");
    refused(&guard.send(raw(body).with_header("content-type", "text/plain")), 415, "graphql-media-type", "");
    refused(
        &guard.send(raw(body).with_header("content-encoding", "gzip")),
        415,
        "graphql-content-coding",
        "",
    );
    passes(&guard, raw(body).with_header("content-encoding", "identity"));
}

#[test]
fn queries_may_come_with_get_and_mutations_never() {
    let guard = guard(json!({ "max_depth": 2 }));
    for target in [
        "/graphql?query=%7Ba%7D",
        "/graphql?query=query+A($n:Int){a(first:$n){b}}&operationName=A&variables=%7B%22n%22:2%7D&extensions=null",
    ] {
        passes(&guard, Request::get(target));
        passes(&guard, Request::new("HEAD", target));
    }
    let answered = guard.send(Request::get("/graphql?query=mutation{a}"));
    refused(&answered, 405, "graphql-method", "`GET` is for queries");
    assert_eq!(answered.answer().header("allow"), Some("POST"));
    for (target, status, kind) in [
        ("/graphql", 400, "graphql-request-malformed"),
        ("/graphql?query=", 400, "graphql-request-malformed"),
        ("/graphql?query={a}&query={b}", 400, "graphql-request-malformed"),
        ("/graphql?query={a}&id=7", 400, "graphql-request-malformed"),
        ("/graphql?query={a}&variables=7", 400, "graphql-request-malformed"),
        ("/graphql?query={a{b{c}}}", 400, "graphql-too-deep"),
        ("/graphql?query=%00", 400, "graphql-syntax"),
    ] {
        refused(&guard.send(Request::get(target)), status, kind, "");
    }
    refused(
        &guard.send(Request::get("/graphql?query={a}").with_body("{}")),
        400,
        "graphql-request-malformed",
        "has a body",
    );
}

#[test]
fn other_methods_are_not_for_graphql() {
    let default = guard(json!({}));
    assert!(default.send(Request::new("OPTIONS", "/graphql")).is_forwarded());
    let answered = default.send(Request::new("PUT", "/graphql"));
    refused(&answered, 405, "graphql-method", "");
    assert_eq!(answered.answer().header("allow"), Some("GET, POST"));
    let no_get = guard(json!({ "get": false }));
    let answered = no_get.send(Request::get("/graphql?query={a}"));
    refused(&answered, 405, "graphql-method", "");
    assert_eq!(answered.answer().header("allow"), Some("POST"));
}

#[test]
fn nothing_is_said_in_two_places() {
    let guard = guard(json!({}));
    let body = json!({ "query": "{a}" });
    let to = |target: &str| Request::post(target).with_json(&body);
    passes(&self::guard(json!({ "extra_members": ["key"] })), to("/graphql?key=7"));
    refused(&guard.send(to("/graphql?key=7")), 400, "graphql-request-malformed", "`key` is none of");
    for target in ["/graphql?x=1;query={evil}", "/graphql?;"] {
        refused(&guard.send(to(target)), 400, "graphql-request-malformed", "has a `;`");
    }
    let target = "/graphql?query={a}%23;query={evil}";
    refused(&guard.send(Request::get(target)), 400, "graphql-request-malformed", "has a `;`");
    for name in ["query", "operationName", "variables", "extensions", "documentId", "%71uery"] {
        refused(
            &guard.send(to(&format!("/graphql?{name}=x"))),
            400,
            "graphql-request-malformed",
            "differ in what counts",
        );
    }
    let both = json!({ "query": "{a}", "documentId": "a", "extensions": { "persistedQuery": { "sha256Hash": "b" } } });
    refused(&guard.send(post(&both)), 400, "graphql-request-malformed", "name different documents");
}
