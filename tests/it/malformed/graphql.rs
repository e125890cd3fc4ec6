//! GraphQL: documents, variables and bodies that the guard reads.

use serde_json::json;

use super::within_memory;
use crate::harness::{Gateway, Origin, Response, Setup, config};

fn before() -> Gateway {
    let listener = "[listeners.public]\nbind = \"@public@\"\nlimits = { uri_bytes = \"30KiB\" }\n";
    let text =
        config::plugin("graphql-guard", "") + &config::service(Origin::echo(), &["graphql-guard"]) + listener;
    Setup::new().plugin("graphql-guard", crate::harness::plugin("graphql-guard")).start(&text)
}

fn post(gateway: &Gateway, headers: &[(&str, &str)], body: &[u8]) -> Response {
    gateway.connect().request("POST", "/graphql", headers, body)
}

/// The guard lives.
#[track_caller]
fn serves(gateway: &Gateway) {
    post(gateway, &[("content-type", "application/json")], b"{\"query\":\"{ a }\"}").expect(200);
}

#[track_caller]
fn refused(answer: Response, status: u16, kind: &str) {
    let problem = answer.problem(status);
    assert_eq!(problem["type"], format!("urn:sluice:problem:graphql-{kind}"), "{problem}");
    assert!(problem["errors"][0]["message"].is_string(), "{problem}");
}

#[test]
fn documents_that_are_broken_or_huge() {
    let gateway = before();
    // Each fragment has the next one twice: two to the power of 400 fields.
    let laughs = (0..400).fold(String::from("{ ...F0 } fragment F400 on T { a }"), |all, number| {
        let next = number + 1;
        format!("{all} fragment F{number} on T {{ ...F{next} ...F{next} }}")
    });
    let aliases: String = (0..1000).map(|number| format!("a{number}: a ")).collect();
    let nested = "{ a ".repeat(20) + &"}".repeat(20);
    within_memory(&gateway, || {
        for (document, status, kind) in [
            ("{ a", 400, "syntax"),
            ("{ a(b: \"", 400, "syntax"),
            ("{ a(b: \"\"\"", 400, "syntax"),
            ("{ a(b: \"\\u{ffffffff}\") }", 400, "syntax"),
            ("{ a \u{1} }", 400, "syntax"),
            ("", 400, "syntax"),
            ("{ ...F } fragment F on T { ...F }", 400, "invalid"),
            ("{ __schema { types { name } } }", 403, "introspection"),
            (&nested, 400, "too-deep"),
            (&"{a".repeat(30_000), 413, "too-large"),
            (&"{a".repeat(100_000), 413, "too-large"),
            (&format!("{{ a(b: {}", "[".repeat(60_000)), 413, "too-large"),
            (&format!("{{ {} }}", "a ".repeat(30_000)), 413, "too-large"),
            (&laughs, 400, "too-many-fields"),
            (&format!("{{ x {{ {aliases} }} }}"), 400, "too-many-fields"),
            (&format!("{{ a {} }}", "@d ".repeat(1000)), 400, "too-many-directives"),
        ] {
            let body = json!({ "query": document }).to_string();
            refused(post(&gateway, &[("content-type", "application/json")], body.as_bytes()), status, kind);
            serves(&gateway);
        }
    });
    for (path, status, kind) in [
        ("/graphql?query=%7B", 400, "syntax"),
        ("/graphql?query=mutation%7Ba%7D", 405, "method"),
        ("/graphql?query=%7Ba%7D&query=%7Bb%7D", 400, "request-malformed"),
        (&format!("/graphql?query=%7B{}%7D", "a+".repeat(10_000)), 413, "too-large"),
    ] {
        refused(gateway.get(path), status, kind);
    }
    serves(&gateway);
}

#[test]
fn bodies_that_are_broken_or_huge() {
    let gateway = before();
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let many = "{\"query\":\"{a}\"},".repeat(1000);
    within_memory(&gateway, || {
        for (body, status, kind) in [
            ("", 400, "request-malformed"),
            ("{\"query\":\"{ a", 400, "request-malformed"),
            ("{\"query\":7}", 400, "request-malformed"),
            ("{\"query\":\"{a}\",\"query\":\"{b}\"}", 400, "request-malformed"),
            (&open, 400, "request-malformed"),
            (&format!("{{\"query\":\"{{a}}\",\"variables\":{{\"a\":{open}"), 400, "request-malformed"),
            (
                &format!("{{\"query\":\"{{a}}\",\"variables\":{{\"a\":{open}{close}}}}}"),
                400,
                "request-malformed",
            ),
            (
                &format!("{{\"query\":\"{{a}}\",\"variables\":{{\"a\":[{}0]}}}}", "0,".repeat(100_000)),
                413,
                "too-large",
            ),
            (&format!("[{many}{{\"query\":\"{{a}}\"}}]"), 400, "too-many-operations"),
        ] {
            refused(post(&gateway, &[("content-type", "application/json")], body.as_bytes()), status, kind);
            serves(&gateway);
        }
    });
    let json = ("content-type", "application/json");
    refused(post(&gateway, &[json], b"{\"query\":\"{a}\xff\"}"), 400, "request-malformed");
    let good = b"{\"query\":\"{ a }\"}";
    for headers in
        [&[][..], &[("content-type", "text/plain")], &[("content-type", "multipart/form-data; boundary=a")]]
    {
        refused(post(&gateway, headers, good), 415, "media-type");
    }
    refused(post(&gateway, &[json, ("content-encoding", "gzip")], good), 415, "content-coding");
    let problem = post(&gateway, &[json], &vec![b' '; 2 << 20]).problem(413);
    assert_eq!(problem["type"], "urn:sluice:problem:request-too-large", "{problem}");
    serves(&gateway);
}
