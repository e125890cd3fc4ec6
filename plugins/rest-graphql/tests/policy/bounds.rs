//! Bodies and answers that are much, and what clients think of.

use proptest::prelude::*;
use sluice_sdk_testing::{Request, Response, json};

use crate::common::{data, findings, refused, route};

fn reviews() -> sluice_sdk_testing::TestPlugin {
    route(json!({
        "method": "POST", "path": "/r", "query": "mutation($input: ReviewInput!) { a }", "variables": { "input": "body" },
    }))
}

fn post(body: &str) -> Request {
    Request::post("/r").with_header("content-type", "application/json").with_body(body)
}

#[test]
fn bodies_are_bounded_in_depth_and_values() {
    let plugin = reviews();
    let deep = format!(
        "{}{{\"text\":\"a\"}}{}",
        "{\"text\":\"a\",\"replies\":[".repeat(10_000),
        "]}".repeat(10_000)
    );
    let found = findings(&plugin.send(post(&deep)));
    assert!(found[0].contains("recursion limit exceeded"), "{found:?}");
    let wide = format!("{{\"text\":\"a\",\"tags\":[{}\"z\"]}}", "\"a\",".repeat(100_000));
    let found = findings(&plugin.send(post(&wide)));
    assert!(found[0].contains("there are more than 20000 values"), "{found:?}");
    let wide = format!("{{\"text\":\"a\",\"tags\":[{}\"z\"]}}", "\"a\",".repeat(19_000));
    assert!(plugin.send(post(&wide)).is_forwarded());
    // Of a scalar of the schema's own, nobody knows what is in it.
    let any = format!("{{\"text\":\"a\",\"price\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    refused(&plugin.send(post(&format!("{any}}}"))).answer(), 400, "body-malformed");
    let wrong = format!("{{\"text\":\"a\",\"tags\":[{}1]}}", "1,".repeat(5_000));
    assert_eq!(findings(&plugin.send(post(&wrong))).len(), 20);
    let unknown: String = (0..10_000).map(|at| format!("\"{at}{}\":1,", "x".repeat(20))).collect();
    assert_eq!(findings(&plugin.send(post(&format!("{{{unknown}\"text\":\"a\"}}")))).len(), 20);
}

#[test]
fn members_that_nobody_wants_are_bounded_too() {
    let picks = |pointer: &str, unknown: &str| {
        route(json!({
            "method": "POST", "path": "/r", "query": "mutation($x: ID) { a(x: $x) }", "variables": { "x": pointer },
            "unknown_body": unknown,
        }))
    };
    let members = |count: usize| (0..count).map(|at| format!("\"a{at}\":1,")).collect::<String>();
    for (count, is_much) in [(19_999, false), (20_000, true)] {
        let body = format!("{{{}\"x\":\"7\"}}", members(count));
        let plugin = picks("body:/x", "ignore");
        let exchange = plugin.send(post(&body));
        if is_much {
            let problem = refused(&exchange.answer(), 400, "body-malformed");
            assert!(problem["detail"].as_str().unwrap().contains("more than 20000 members"), "{problem}");
        } else {
            assert!(exchange.forwarded().text().ends_with("\"variables\":{\"x\":\"7\"}}"));
        }
        let nested = format!("{{\"y\":{body}}}");
        let plugin = picks("body:/y/x", "refuse");
        let exchange = plugin.send(post(&nested));
        assert_eq!(exchange.is_forwarded(), !is_much);
        if is_much {
            let found = findings(&exchange);
            assert!(
                found[0].starts_with("body /y/x: cannot be read: there are more than 20000"),
                "{found:?}"
            );
        }
    }
    assert_eq!(
        findings(&picks("body:/x", "refuse").send(post(&format!("{{{}\"x\":1}}", members(100))))).len(),
        20
    );
}

#[test]
fn large_answers_pass() {
    let plugin =
        route(json!({ "method": "GET", "path": "/r", "query": "{ a { b { c } } }", "result": "a.*.b.c" }));
    let items = format!("[{}{{\"b\":{{\"c\":0}}}}]", "{\"b\":{\"c\":1}},".repeat(10_000));
    let response = plugin.send(Request::get("/r")).respond(data(&format!("{{\"a\":{items}}}")));
    assert_eq!(response.text(), format!("[{}0]", "1,".repeat(10_000)));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let response = plugin.send(Request::get("/r")).respond(data(&deep));
    assert!(response.status() == 200 || response.status() == 502, "{}", response.status());
}

#[test]
fn what_does_not_fit_is_refused() {
    let plugin = sluice_sdk_testing::Harness::<rest_graphql::RestGraphql>::new(json!({ "routes": [
        { "method": "POST", "path": "/r", "query": "mutation($a: String) { a(x: $a) }" },
    ] }));
    let plugin = plugin.limits(|limits| limits.body = 100).start().unwrap();
    let body = |length| json!({ "a": "x".repeat(length) });
    assert!(plugin.send(Request::post("/r").with_json(&body(5))).is_forwarded());
    refused(&plugin.send(Request::post("/r").with_json(&body(80))).answer(), 413, "body-too-large");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a client sends, the upstream is asked the operator's query and nothing else.
    #[test]
    fn no_body_gets_beside_its_variable(body in "[{}\\[\\]:,\"texa1\\\\ ]{0,40}") {
        let plugin = reviews();
        let exchange = plugin.send(post(&body));
        prop_assert!(exchange.fault().is_none() && exchange.failure().is_none(), "{:?}", exchange.decision());
        if exchange.is_forwarded() {
            let sent: serde_json::Value = serde_json::from_str(&exchange.forwarded().text()).unwrap();
            prop_assert_eq!(sent.as_object().unwrap().len(), 2);
            prop_assert_eq!(&sent["query"], "mutation($input: ReviewInput!) { a }");
            prop_assert_eq!(sent["variables"].as_object().unwrap().len(), 1);
        }
    }

    #[test]
    fn no_answer_is_too_odd(body in "[{}\\[\\]:,\"dataerospm1nul\\\\ ]{0,60}") {
        let plugin = route(json!({ "method": "GET", "path": "/r", "query": "{ a { b } }", "result": "a.*.b" }));
        let mut exchange = plugin.send(Request::get("/r"));
        let response = exchange.respond(Response::new(200).with_body(&body));
        prop_assert!(exchange.fault().is_none() && exchange.failure().is_none());
        prop_assert!(response.status() >= 400 || serde_json::from_str::<serde_json::Value>(&response.text()).is_ok());
    }
}
