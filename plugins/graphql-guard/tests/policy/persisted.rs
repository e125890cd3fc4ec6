//! Documents that are known.

use graphql_guard::GraphqlGuard;
use sluice_sdk_testing::{Harness, Request, Value, json};

use crate::common::{guard, passes, post, query, refused};

const DOCUMENT: &str = "query Me($n: Int) { me { orders(first: $n) { id } } }";
/// Its SHA-256.
const DIGEST: &str = "88e17fab3858431f804c1d10171ebd36eaf8d1726676cc31e2efc42e958806fa";

fn hash(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

fn documents() -> Value {
    json!({ "persisted": { "documents": { "me": DOCUMENT } } })
}

#[test]
fn what_refers_to_a_document_gets_its_text() {
    let guard = guard(documents());
    let expected = json!({ "query": DOCUMENT, "variables": { "n": 1.0 }, "operationName": "Me" });
    for (member, value) in [
        ("documentId", json!("me")),
        ("documentId", json!(format!("sha256:{}", DIGEST))),
        ("documentId", json!(DIGEST)),
        ("extensions", hash(DIGEST)),
        ("extensions", hash("me")),
    ] {
        let mut body = json!({ "variables": { "n": 1.0 }, "operationName": "Me" });
        body[member] = value;
        let exchange = guard.send(post(&body));
        let text = exchange.forwarded().text();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{body}");
        assert!(text.contains("\"n\":1.0"), "numbers stay as they are: {text}");
    }
    let mut extensions = hash(DIGEST);
    extensions["trace"] = json!(true);
    let exchange = guard.send(post(&json!({ "extensions": extensions })));
    let text = exchange.forwarded().text();
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({ "query": DOCUMENT, "extensions": { "trace": true } })
    );
}

#[test]
fn what_refers_to_a_document_with_get_gets_its_text() {
    let guard = guard(json!({ "persisted": { "documents": { "q": "{ a(x: \"&\") }" } } }));
    let sent = guard.send(Request::get("/graphql?documentId=q&operationName="));
    assert_eq!(sent.forwarded().query(), Some("operationName=&query=%7B%20a%28x%3A%20%22%26%22%29%20%7D"));
    let extensions = "%7B%22persistedQuery%22:%7B%22sha256Hash%22:%22q%22%7D,%22b%22:1%7D";
    let sent = guard.send(Request::get(&format!("/graphql?extensions={extensions}")));
    let expected = "extensions=%7B%22b%22%3A1%7D&query=%7B%20a%28x%3A%20%22%26%22%29%20%7D";
    assert_eq!(sent.forwarded().query(), Some(expected));
}

#[test]
fn no_other_document_is_served() {
    let only = guard(documents());
    passes(&only, query(DOCUMENT));
    refused(&only.send(query("{ a }")), 403, "graphql-document-unlisted", "");
    refused(&only.send(query(&format!("{DOCUMENT} "))), 403, "graphql-document-unlisted", "");
    let problem = refused(
        &only.send(post(&json!({ "documentId": "you" }))),
        404,
        "graphql-document-unknown",
        "PersistedQueryNotFound",
    );
    assert_eq!(problem["errors"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
    let both = |text: &str| post(&json!({ "documentId": "me", "query": text }));
    refused(&only.send(both("{ a }")), 400, "graphql-request-malformed", "is not that of its id");
    let sent = only.send(both(DOCUMENT));
    assert_eq!(sent.forwarded().text(), json!({ "query": DOCUMENT }).to_string());

    let mut config = documents();
    config["persisted"]["only"] = json!(false);
    let others = guard(config);
    passes(&others, query("{ a }"));
    assert!(others.send(post(&json!({ "documentId": "me" }))).is_forwarded());
}

#[test]
fn known_documents_are_measured_too() {
    let mut config = documents();
    config["cost"] = json!({ "max": 10 });
    let guard = guard(config);
    let sent = |n: u64| guard.send(post(&json!({ "documentId": "me", "variables": { "n": n } })));
    assert!(sent(5).is_forwarded());
    refused(&sent(50), 400, "graphql-too-costly", "a cost of 51");
}

#[test]
fn digests_alone_let_texts_through() {
    let guard = guard(json!({ "persisted": { "sha256": [DIGEST] } }));
    passes(&guard, query(DOCUMENT));
    refused(&guard.send(query("{ a }")), 403, "graphql-document-unlisted", "");
    refused(&guard.send(post(&json!({ "documentId": DIGEST }))), 404, "graphql-document-unknown", "");
}

#[test]
fn manifests_are_read() {
    let apollo = json!({
        "format": "apollo-persisted-query-manifest", "version": 1,
        "operations": [{ "id": "me", "name": "Me", "type": "query", "body": DOCUMENT }],
    });
    for file in [apollo, json!({ "me": DOCUMENT })] {
        let config = json!({ "persisted": { "documents": "asset:operations.json" } });
        let harness = Harness::<GraphqlGuard>::new(config).asset("operations.json", file.to_string());
        let guard = harness.start().unwrap();
        let sent = guard.send(post(&json!({ "documentId": "me" })));
        assert_eq!(sent.forwarded().text(), json!({ "query": DOCUMENT }).to_string());
    }
}

/// Without documents a reference is nothing that could be looked at.
#[test]
fn automatic_persisted_queries_fall_back_to_texts() {
    let unknown = json!({ "errors": [{
        "message": "PersistedQueryNotFound", "extensions": { "code": "PERSISTED_QUERY_NOT_FOUND" },
    }] });
    let request = || post(&json!({ "extensions": hash(&DIGEST.replace('8', "9")) }));
    let (json, response) = ("application/json", "application/graphql-response+json");
    for config in [json!({}), documents(), json!({ "persisted": { "sha256": [DIGEST] } })] {
        let guard = guard(config);
        for (accept, content_type) in [
            ("*/*", json),
            ("application/json, Application/GraphQL-Response+JSON;q=0.9", response),
            ("application/graphql-response+json; q=0, application/json", json),
        ] {
            let exchange = guard.send(request().with_header("accept", accept));
            let answer = exchange.answer();
            assert_eq!(
                (answer.status(), answer.header("content-type")),
                (200, Some(content_type)),
                "{accept}"
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(serde_json::from_str::<Value>(&answer.text()).unwrap(), unknown);
        }
        let extensions = "%7B%22persistedQuery%22:%7B%22sha256Hash%22:%22x%22%7D%7D";
        let exchange = guard.send(Request::get(&format!("/graphql?extensions={extensions}")));
        assert_eq!(exchange.answer().status(), 200);
    }
    let batches = guard(json!({ "max_batch": 2 }));
    let exchange = batches.send(post(&json!([{ "query": "{ a }" }, { "extensions": hash(DIGEST) }])));
    assert_eq!(exchange.answer().status(), 200);
    let answered: Value = serde_json::from_str(&exchange.answer().text()).unwrap();
    assert_eq!(answered, json!([unknown, unknown]));
    let guard = guard(json!({}));
    let problem = refused(
        &guard.send(post(&json!({ "documentId": DIGEST }))),
        400,
        "graphql-request-malformed",
        "PersistedQueryNotSupported",
    );
    assert_eq!(problem["errors"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_SUPPORTED");
    passes(&guard, post(&json!({ "query": DOCUMENT, "extensions": hash(DIGEST) })));
    let other = post(&json!({ "query": "{ a }", "extensions": hash(DIGEST) }));
    refused(&guard.send(other), 400, "graphql-request-malformed", "is not that of its id");
    let other = post(&json!({ "query": "{ a }", "documentId": "me" }));
    refused(&guard.send(other), 400, "graphql-request-malformed", "is not that of its id");
}
