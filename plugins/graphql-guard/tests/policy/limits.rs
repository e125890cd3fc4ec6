//! Depth, fields, aliases, directives, introspection and kinds of operations.

use sluice_sdk_testing::{Request, json};

use crate::common::{guard, passes, post, query, raw, refused};

#[test]
fn depth_counts_fields_within_one_another_also_through_fragments() {
    let guard = guard(json!({ "max_depth": 3 }));
    passes(&guard, query("{ a { b { c } } }"));
    passes(&guard, query("{ a { ... on A { ... { b { ...F } } } } } fragment F on C { c }"));
    for text in [
        "{ a { b { c { d } } } }",
        "{ a { ...F } } fragment F on A { b { ...G } } fragment G on C { c { d } }",
        "{ a { ... on A { b { ... @include(if: true) { c { d } } } } } }",
    ] {
        let problem = refused(&guard.send(query(text)), 400, "graphql-too-deep", "at most 3 are allowed");
        assert_eq!(
            (&problem["limit"], &problem["errors"][0]["extensions"]["code"]),
            (&json!(3), &json!("GRAPHQL_TOO_DEEP"))
        );
    }
}

#[test]
fn what_fragments_bring_counts_wherever_they_bring_it() {
    let guard = guard(json!({
        "max_fields": 12, "max_root_fields": 4, "max_aliases": 3, "max_directives": 2, "cost": { "max": 1_000_000 },
    }));
    let twice = |body: &str| format!("{{ x {{ ...F }} y {{ ...F }} }} fragment F on T {{ {body} }}");
    passes(&guard, query(&twice("a b c d e")));
    refused(&guard.send(query(&twice("a b c d e f"))), 400, "graphql-too-many-fields", "fields: at most 12");
    passes(&guard, query(&twice("a: b")));
    refused(&guard.send(query(&twice("a: b c: d"))), 400, "graphql-too-many-aliases", "aliases: at most 3");
    passes(&guard, query(&twice("a @x")));
    refused(&guard.send(query(&twice("a @x ... @y { b }"))), 400, "graphql-too-many-directives", "at most 2");
    refused(&guard.send(query("query @x ($a: Int @y) @z { a }")), 400, "graphql-syntax", "");
    refused(&guard.send(query("query ($a: Int @y) @z { a @w }")), 400, "graphql-too-many-directives", "");
    let root = |body: &str| format!("{{ ...F ...F }} fragment F on Query {{ {body} }}");
    passes(&guard, query(&root("a b")));
    refused(&guard.send(query(&root("a ... { b c }"))), 400, "graphql-too-many-root-fields", "at most 4");
}

#[test]
fn only_the_operation_that_is_executed_counts() {
    let guard = guard(json!({ "max_depth": 2 }));
    let text = "query A { a } query B { a { b { c } } }";
    passes(&guard, post(&json!({ "query": text, "operationName": "A" })));
    let named = |name| post(&json!({ "query": text, "operationName": name }));
    refused(&guard.send(named("B")), 400, "graphql-too-deep", "");
    refused(&guard.send(named("C")), 400, "graphql-invalid", "there is no operation `C`");
    refused(&guard.send(query(text)), 400, "graphql-invalid", "`operationName` is missing");
    refused(&guard.send(query("fragment F on T { a }")), 400, "graphql-invalid", "no operation");
}

#[test]
fn introspection_is_off_unless_it_is_wanted() {
    let closed = guard(json!({}));
    passes(&closed, query("{ __typename a { __typename } }"));
    for text in [
        "{ __schema { types { name } } }",
        "{ ...F } fragment F on Query { a: __type(name: \"A\") { name } }",
    ] {
        let problem = refused(&closed.send(query(text)), 403, "graphql-introspection", "not served");
        assert_eq!(problem["errors"][0]["extensions"]["code"], "INTROSPECTION_DISABLED");
    }
    let open = guard(json!({ "introspection": true, "max_depth": 3, "cost": { "max": 10 } }));
    let full = "query IntrospectionQuery { __schema { queryType { name } types { ...FullType } directives { args { ...InputValue } } } } \
        fragment FullType on __Type { kind fields(includeDeprecated: true) { name args { ...InputValue } type { ...TypeRef } } \
        inputFields { ...InputValue } interfaces { ...TypeRef } enumValues { name } possibleTypes { ...TypeRef } } \
        fragment InputValue on __InputValue { name type { ...TypeRef } defaultValue } \
        fragment TypeRef on __Type { kind name ofType { kind ofType { kind ofType { kind ofType { kind ofType { kind ofType { kind ofType { name } } } } } } } }";
    passes(&open, query(full));
    let bomb = "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }";
    refused(&open.send(query(bomb)), 400, "graphql-too-deep", "lists of an introspection within one another");
    let long = format!("{{ __type(name: \"A\") {} name {} }}", "{ ofType ".repeat(30), "}".repeat(30));
    refused(
        &open.send(query(&long.replace("ofType  name", "name"))),
        400,
        "graphql-too-deep",
        "fields of an introspection",
    );
}

#[test]
fn kinds_of_operations_are_served_or_not() {
    let default = guard(json!({}));
    passes(&default, query("mutation { a }"));
    refused(&default.send(query("subscription { a }")), 403, "graphql-operation", "`subscription`");
    let reads = guard(json!({ "operations": ["query", "subscription"] }));
    passes(&reads, query("subscription { a }"));
    refused(&reads.send(query("mutation { a }")), 403, "graphql-operation", "`mutation`");
}

#[test]
fn a_batch_is_bounded_and_costs_what_its_operations_cost() {
    let one = json!({ "query": "{ a { b } }" });
    let single = guard(json!({}));
    passes(&single, post(&json!([one])));
    let two = post(&json!([one, one]));
    refused(
        &single.send(two.clone()),
        400,
        "graphql-too-many-operations",
        "operations of one request: at most 1",
    );
    let batches = guard(json!({ "max_batch": 3, "cost": { "max": 2 } }));
    passes(&batches, two);
    refused(
        &batches.send(post(&json!([one, one, one]))),
        400,
        "graphql-too-costly",
        "a cost of 3: at most 2",
    );
    let deep = json!({ "query": "{ a { a { a { a { a { a { a { a { a { a { a } } } } } } } } } } }" });
    refused(
        &batches.send(post(&json!([one, deep]))),
        400,
        "graphql-too-deep",
        "operation 1 of the request: ",
    );
    refused(&batches.send(raw("[]")), 400, "graphql-request-malformed", "the array has no operation");
    refused(&batches.send(raw("[[]]")), 400, "graphql-request-malformed", "");
}

#[test]
fn a_report_lets_through_what_it_tells() {
    let guard = guard(json!({ "mode": "report", "max_depth": 1 }));
    for (request, line) in [
        (
            query("{ a { b } }"),
            "would be refused: graphql-too-deep: fields within one another: at most 1 are allowed",
        ),
        (raw("no"), "would be refused: graphql-request-malformed: "),
        (Request::get("/graphql?query={a"), "would be refused: graphql-syntax: "),
        (Request::post("/graphql").with_body("x"), "would be refused: graphql-media-type: "),
        (Request::new("PUT", "/graphql"), "would be refused: graphql-method: "),
    ] {
        let exchange = guard.send(request.clone());
        assert_eq!(exchange.forwarded().text(), request.text());
        let [(level, told)] = exchange.logs()[..] else { panic!("{:?}", exchange.logs()) };
        assert!(level == "warn" && told.starts_with(line), "{told}");
    }
}

/// What a step behind and the upstream see is what they will see once it is enforced.
#[test]
fn a_report_still_tells_the_cost_and_puts_documents_in() {
    let document = "query { a(first: 9) { b { c } } }";
    let guard = guard(json!({
        "mode": "report", "max_depth": 1, "max_batch": 3, "cost_header": "x-cost", "persisted": { "documents": { "a": document } },
    }));
    let sent = |request: Request| {
        let exchange = guard.send(request.with_header("x-cost", "7"));
        assert_eq!(exchange.logs().len(), 1, "{:?}", exchange.logs());
        let forwarded = exchange.forwarded();
        let cost = forwarded.header("x-cost").map(str::to_owned);
        (forwarded.text(), forwarded.query().map(str::to_owned), cost)
    };
    let text = json!({ "query": document }).to_string();
    assert_eq!(sent(post(&json!({ "documentId": "a" }))), (text.clone(), None, Some("18".to_owned())));
    let (_, query, cost) = sent(Request::get("/graphql?documentId=a"));
    assert!(query.is_some_and(|query| query.starts_with("query=query")) && cost.as_deref() == Some("18"));
    let unlisted = json!({ "query": "{ a { b } }" });
    assert_eq!(sent(post(&unlisted)), (unlisted.to_string(), None, Some("1".to_owned())));
    // What nobody knows the cost of has none.
    let unknown = json!({ "documentId": "b" });
    assert_eq!(sent(post(&unknown)), (unknown.to_string(), None, None));
    let (both, _, cost) = sent(post(&json!([{ "documentId": "a" }, { "documentId": "b" }])));
    assert_eq!((both, cost), (format!("[{text},{unknown}]"), None));
}
