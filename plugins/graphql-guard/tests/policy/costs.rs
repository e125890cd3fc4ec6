//! What operations cost.

use sluice_sdk_testing::{Request, Value, json};

use crate::common::{guard, post, query, refused};

/// What the guard says that a request costs.
#[track_caller]
fn cost(config: &Value, request: Request) -> u64 {
    let config = json!({ "cost": config, "cost_header": "x-graphql-cost" });
    let guard = guard(config);
    let exchange = guard.send(request.with_header("x-graphql-cost", "0"));
    let [told] = exchange.forwarded().header_all("x-graphql-cost")[..] else { panic!("one header") };
    told.parse().expect("a cost is a number")
}

#[test]
fn what_is_selected_counts_as_often_as_there_are_items() {
    let config =
        json!({ "max": 1_000_000_000, "weights": { "search": 10, "total": 2 }, "sizes": { "friends": 50 } });
    for (text, expected) in [
        ("{ a b }", 0),
        ("{ a { b } c { d } }", 2),
        ("{ search { a } }", 10),
        ("{ total }", 2),
        ("{ users(first: 20) { name } }", 20),
        // 20 users, each with 5 orders, each with an owner.
        ("{ users(first: 20) { orders(last: 5) { owner { id } } } }", 20 * (1 + 5 * (1 + 1))),
        ("{ friends { name } }", 50),
        ("{ friends(first: 3) { name } }", 3),
        ("{ friends(first: 0) { name } }", 50),
        ("{ friends(first: null) { name } }", 50),
        ("{ users(first: 3, last: 7) { a } }", 7),
        ("{ ...F ...F } fragment F on Query { users(first: 2) { a } }", 4),
        ("{ a: users(first: 2) { a } b: users(first: 3) { a } }", 5),
    ] {
        assert_eq!(cost(&config, query(text)), expected, "{text}");
    }
}

#[test]
fn sizes_are_read_where_they_are() {
    let config = json!({ "max": 1_000_000, "size_arguments": ["first", "page.limit", "ids"] });
    let with = |text: &str, variables: Value| post(&json!({ "query": text, "variables": variables }));
    for (text, variables, expected) in [
        ("query($n: Int) { users(first: $n) { a } }", json!({ "n": 9 }), 9),
        ("query($n: Int) { users(first: $n) { a } }", json!({ "n": 9.0 }), 9),
        ("query($n: Int = 7) { users(first: $n) { a } }", json!({}), 7),
        ("query($n: Int = 7) { users(first: $n) { a } }", json!({ "n": null }), 1),
        ("query($n: Int = 7) { ...F } fragment F on Q { users(first: $n) { a } }", json!({ "n": 3 }), 3),
        ("{ users(page: { limit: 4, at: 2 }) { a } }", json!({}), 4),
        ("query($n: Int) { users(page: { limit: $n }) { a } }", json!({ "n": 6 }), 6),
        ("query($p: Page) { users(page: $p) { a } }", json!({ "p": { "limit": 8 } }), 8),
        ("query($p: Page = { limit: 5 }) { users(page: $p) { a } }", json!({}), 5),
        ("{ nodes(ids: [\"a\", \"b\", [\"c\"]]) { a } }", json!({}), 3),
        ("query($i: [ID!]) { nodes(ids: $i) { a } }", json!({ "i": ["a", "b"] }), 2),
        ("query($i: ID) { nodes(ids: [$i, $i, $i]) { a } }", json!({ "i": "a" }), 3),
    ] {
        assert_eq!(cost(&config, with(text, variables)), expected, "{text}");
    }
}

#[test]
fn a_size_that_is_none_does_not_pass() {
    let guard = guard(json!({ "cost": { "max": 1_000_000_000, "max_items": 100 } }));
    for (text, status, kind) in [
        ("{ users(first: 101) { a } }", 400, "graphql-too-many-items"),
        ("{ users(first: 99999999999999999999999999) { a } }", 400, "graphql-too-many-items"),
        ("{ users(first: 101) }", 400, "graphql-too-many-items"),
        ("{ users(first: -1) { a } }", 400, "graphql-invalid"),
        ("{ users(first: 1.5) { a } }", 400, "graphql-invalid"),
        ("{ users(first: \"5\") { a } }", 400, "graphql-invalid"),
        ("{ users(first: MANY) { a } }", 400, "graphql-invalid"),
        ("{ users(first: { a: 1 }) { a } }", 400, "graphql-invalid"),
    ] {
        let problem = refused(&guard.send(query(text)), status, kind, "");
        assert_eq!(problem["errors"][0]["locations"], json!([{ "line": 1, "column": 3 }]));
    }
    let sent = |value: Value| {
        let text = "query($n: Int) { users(first: $n) { a } }";
        guard.send(post(&json!({ "query": text, "variables": { "n": value } })))
    };
    for value in [json!(-1), json!("5"), json!(1.5), json!(true), json!({})] {
        refused(&sent(value), 400, "graphql-invalid", "argument `first` is neither");
    }
    refused(&sent(json!(1e300)), 400, "graphql-too-many-items", "");
}

#[test]
fn costs_do_not_overflow() {
    let guard =
        guard(json!({ "max_depth": 1_000, "cost": { "max": 1_000_000_000, "max_items": 1_000_000 } }));
    let text = format!("{{{}b{}}}", "a(first: 1000000) {".repeat(100), "}".repeat(100));
    refused(&guard.send(query(&text)), 400, "graphql-too-costly", &format!("a cost of {}", u64::MAX));
}
