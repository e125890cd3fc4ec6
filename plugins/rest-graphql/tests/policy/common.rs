//! A shop, requests to it, and answers of its upstream.

use rest_graphql::RestGraphql;
use sluice_sdk_testing::{Answer, Consumer, Exchange, Harness, Request, Response, TestPlugin, Value, json};

pub(crate) const SCHEMA: &str = r##"
    "Ignored" schema @link(url: "x") { query: Query }
    directive @tag(name: String! = "input") repeatable on FIELD_DEFINITION | ENUM
    type Query implements Node & enum { product(id: ID!, input: [String!] = ["}"]): Product @tag(name: "scalar") }
    union Any @tag(name: "enum") = | Product | input
    interface Node { id: ID! }
    scalar Money @specifiedBy(url: "https://example.com")
    """Sorts, "in order", \""" and so on""" enum Sort { "By price" PRICE @deprecated NAME }
    extend enum Sort { STARS }
    input ReviewInput {
        "Text" text: String!
        stars: Int! = 5
        tags: [String!]
        price: Money @tag(name: "x")
        replies: [ReviewInput!] = [{ text: "}" }]
    }
    input By @oneOf { id: ID name: String }
    type Product { id: ID! }
"##;

pub(crate) fn plugin(config: Value) -> TestPlugin {
    Harness::<RestGraphql>::new(config)
        .consumer(Consumer::new("acme"))
        .start()
        .expect("the configuration is good")
}

/// A plugin of one route.
pub(crate) fn route(route: Value) -> TestPlugin {
    plugin(json!({ "schema": SCHEMA, "routes": [route] }))
}

/// The variables that the upstream is asked with.
#[track_caller]
pub(crate) fn asked(plugin: &TestPlugin, request: Request) -> String {
    let text = plugin.send(request).forwarded().text();
    let at = text.find("\"variables\":").expect("variables are always there");
    text[at + "\"variables\":".len()..text.len() - 1].to_owned()
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, kind: &str) -> Value {
    let problem = answer.problem();
    assert_eq!((answer.status(), problem["type"].as_str()), (status, Some(kind)), "{problem}");
    problem
}

/// The findings of a refusal as `place name-or-pointer: message`.
#[track_caller]
pub(crate) fn findings(exchange: &Exchange<'_>) -> Vec<String> {
    let problem = refused(&exchange.answer(), 400, "variable-invalid");
    let text = |error: &Value, member: &str| error[member].as_str().unwrap_or_default().to_owned();
    let line = |error: &Value| {
        let [place, name, pointer, message] =
            ["in", "name", "pointer", "message"].map(|member| text(error, member));
        format!("{place} {name}{pointer}: {message}")
    };
    problem["errors"].as_array().expect("a refusal has errors").iter().map(line).collect()
}

pub(crate) fn data(data: &str) -> Response {
    Response::new(200)
        .with_header("content-type", "application/json")
        .with_body(format!("{{\"data\":{data}}}"))
}

/// The problem that a response becomes.
#[track_caller]
pub(crate) fn problem(
    plugin: &TestPlugin,
    request: Request,
    response: Response,
    status: u16,
    kind: &str,
) -> Value {
    refused(&replaced(plugin, request, response), status, kind)
}

/// What is answered in place of a response.
#[track_caller]
pub(crate) fn replaced(plugin: &TestPlugin, request: Request, response: Response) -> Answer {
    let mut exchange = plugin.send(request);
    exchange.respond(response);
    exchange.answer()
}
