//! Variables: where they come from, and what they may be.

use sluice_sdk_testing::{Request, Value, json};

use crate::common::{asked, findings, plugin, refused, route};

#[test]
fn texts_become_what_their_types_say() {
    let plugin = route(json!({
        "method": "GET", "path": "/p/{id}",
        "query": "query($id: ID!, $n: Int = 3, $f: Float, $b: Boolean, $s: Sort, $t: [String!], $m: Money, $h: String, $who: String, $k: Int) { a }",
        "variables": { "h": "header:X-Tenant", "who": "consumer", "k": { "value": 7 }, "n": "query:first" },
    }));
    assert_eq!(asked(&plugin, Request::get("/p/7")), "{\"id\":\"7\",\"k\":7}");
    let target = "/p/a%22%2F?first=-5&f=1.50e3&b=true&s=PRICE&t=x&t=y%22&m=1.0&unknown=1";
    let request = Request::get(target).with_header("x-tenant", "t").consumer("acme");
    assert_eq!(
        asked(&plugin, request),
        "{\"id\":\"a\\\"/\",\"n\":-5,\"f\":1.50e3,\"b\":true,\"s\":\"PRICE\",\"t\":[\"x\",\"y\\\"\"],\"m\":\"1.0\",\"h\":\"t\",\"who\":\"acme\",\"k\":7}"
    );
}

#[test]
fn texts_that_are_something_else_are_refused_all_at_once() {
    let plugin = route(json!({
        "method": "GET", "path": "/p/{id}",
        "query": "query($id: Int!, $n: Int!, $f: Float, $b: Boolean, $s: Sort, $t: [Int], $h: String!) { a }",
        "variables": { "h": "header:x-tenant" },
    }));
    let found = findings(&plugin.send(Request::get("/p/x?f=NaN&b=yes&s=price&t=1&t=2.5")));
    assert_eq!(
        found,
        [
            "path id: is not a whole number of 32 bits",
            "query n: is required",
            "query f: is not a number",
            "query b: is neither `true` nor `false`",
            "query s: is none of PRICE, NAME, STARS",
            "query t: is not a whole number of 32 bits",
            "header x-tenant: is required",
        ]
    );
    for (target, finding) in [
        ("/p/1?n=1&n=2", "query n: is there more than once"),
        ("/p/1?n=2147483648", "query n: is not a whole number of 32 bits"),
        ("/p/1?n=%2B1", "query n: is not a whole number of 32 bits"),
        ("/p/1?n=1&f=%201", "query f: is not a number"),
        ("/p/1?n=1&f=1e999", "query f: is not a number"),
        ("/p/1?n=", "query n: is not a whole number of 32 bits"),
    ] {
        let request = Request::get(target).with_header("x-tenant", "t");
        assert_eq!(findings(&plugin.send(request)), [finding], "{target}");
    }
}

#[test]
fn bodies_go_on_as_they_are_written() {
    let plugin = route(json!({
        "method": "POST", "path": "/p/{id}/reviews",
        "query": "mutation($id: ID!, $input: ReviewInput!, $dry: Boolean) { review(id: $id, input: $input) { id } }",
        "variables": { "input": "body", "dry": "query:dry" },
    }));
    let send = |body: &str| {
        Request::post("/p/7/reviews").with_header("content-type", "application/json").with_body(body)
    };
    let dry = send("{\"text\":\"t\"}");
    refused(
        &plugin.send(Request::post("/p/7/reviews").with_body("{}")).answer(),
        415,
        "media-type-unsupported",
    );
    refused(
        &plugin.send(dry.clone().with_header("content-encoding", "gzip")).answer(),
        415,
        "content-coding-unsupported",
    );
    let body = "{ \"text\": \"\\u00e9\", \"stars\": 4.0, \"tags\": \"one\", \"price\": 1.10, \"replies\": [{\"text\":\"a\"}] }";
    assert_eq!(asked(&plugin, send(body)), format!("{{\"id\":\"7\",\"input\":{body}}}"));
    for (body, expected) in [
        ("{}", vec!["body /text: is required"]),
        ("", vec!["body : is required"]),
        ("null", vec!["body : is not of the type `ReviewInput!`"]),
        (
            "{\"text\":7,\"stars\":null,\"tags\":[\"a\",null],\"x\":1}",
            vec![
                "body /text: is not of the type `String!`",
                "body /stars: is not of the type `Int!`",
                "body /tags/1: is not of the type `[String!]`",
                "body /x: is not known",
            ],
        ),
        (
            "{\"text\":\"a\",\"stars\":2.5,\"replies\":[{\"text\":\"b\",\"replies\":[{}]}]}",
            vec!["body /stars: is not of the type `Int!`", "body /replies/0/replies/0/text: is required"],
        ),
        (
            "{\"text\":\"a\",\"text\":\"b\"}",
            vec!["body : cannot be read: a name is there twice at line 1 column 18"],
        ),
        ("[]", vec!["body : is not of the type `ReviewInput!`"]),
    ] {
        assert_eq!(findings(&plugin.send(send(body))), expected, "{body}");
    }
    // Nothing gets beside the value.
    for body in ["{\"text\":\"a\"},\"dry\":true", "{\"text\":\"a\"}}", "{", "{\"text\":\"a\"} {}"] {
        refused(&plugin.send(send(body)).answer(), 400, "body-malformed");
    }
}

#[test]
fn members_of_a_body_are_variables() {
    let plugin = route(json!({
        "method": "PATCH", "path": "/p",
        "query": "mutation($name: String!, $by: By, $deep: Int, $sort: [Sort!]) { a }",
        "variables": { "deep": "body:/a/b~1c/d" },
    }));
    let send = |body: Value| Request::new("PATCH", "/p").with_json(&body);
    let body =
        json!({ "name": "n", "by": { "id": 7 }, "a": { "b/c": { "d": 5, "e": 6 } }, "sort": ["NAME"] });
    assert_eq!(
        asked(&plugin, send(body)),
        "{\"name\":\"n\",\"by\":{\"id\":7},\"deep\":5,\"sort\":[\"NAME\"]}"
    );
    for (body, expected) in [
        (json!({}), vec!["body /name: is required"]),
        (json!({ "name": "n", "nam": "m" }), vec!["body /nam: is not known"]),
        (json!({ "name": "n", "by": {} }), vec!["body /by: has to have exactly one member"]),
        (
            json!({ "name": "n", "by": { "id": null } }),
            vec!["body /by/id: has to be there: `null` is nothing"],
        ),
        (
            json!({ "name": "n", "by": { "id": "a", "name": "b" } }),
            vec!["body /by: has to have exactly one member"],
        ),
        (json!({ "name": "n", "sort": ["name"] }), vec!["body /sort/0: is not of the type `[Sort!]`"]),
        (
            json!({ "name": "n", "a": { "b/c": { "d": "x" } } }),
            vec!["body /a/b~1c/d: is not of the type `Int`"],
        ),
    ] {
        assert_eq!(findings(&plugin.send(send(body.clone()))), expected, "{body}");
    }
    refused(&plugin.send(send(json!([]))).answer(), 400, "body-malformed");
    let lenient = route(json!({
        "method": "POST", "path": "/p", "query": "mutation($a: Int) { a(x: $a) }", "unknown_body": "ignore",
    }));
    assert_eq!(asked(&lenient, Request::post("/p").with_json(&json!({ "a": 1, "b": 2 }))), "{\"a\":1}");
    assert_eq!(asked(&lenient, Request::post("/p")), "{}");
}

#[test]
fn unknown_parameters_are_refused_if_that_is_wanted() {
    let strict = plugin(json!({ "unknown_query": "refuse", "routes": [
        { "method": "GET", "path": "/p", "query": "query($a: Int) { a(x: $a) }" },
    ] }));
    assert_eq!(asked(&strict, Request::get("/p?a=1")), "{\"a\":1}");
    assert_eq!(findings(&strict.send(Request::get("/p?a=1&b=2"))), ["query b: is not known"]);
}
