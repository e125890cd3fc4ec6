//! The reference implementation of GraphQL in JavaScript, behind both plugins: REST clients get its data, and a library for
//! browsers is held to the guard's limits.

use serde_json::{Value, json};

use crate::harness::peers::{self, Program};
use crate::harness::{Gateway, Setup, config};

/// What the service executes from here on is told by it, a line each.
#[track_caller]
fn start() -> (Program, std::net::SocketAddr) {
    let service = Program::start(peers::node("graphql_server.mjs"));
    let address = service.address();
    (service, address)
}

#[track_caller]
fn executed(service: &Program) -> Value {
    let line = service.line().expect("an operation");
    serde_json::from_str(&line).expect(&line)
}

#[track_caller]
fn before(service: std::net::SocketAddr, name: &str, step: &str) -> Gateway {
    let text = format!("[plugins.{name}]\nmodule = \"plugins/{name}.wasm\"\n{step}\n")
        + &config::upstream("service", service)
        + &format!("[routes.all]\nsteps = [\"{name}\"]\nto = \"service\"\n");
    let documents = json!({ "product-1": "query P($id: ID!) { product(id: $id) { name } }" });
    Setup::new()
        .plugin(name, crate::harness::plugin(name))
        .file("operations.json", documents.to_string())
        .start(&text)
}

const ROUTES: &str = r#"
[plugins.rest-graphql.config]
schema = """
  enum Sort { PRICE NAME }
  input ReviewInput { text: String! stars: Int! = 5 }
"""
errors = [{ code = "OUT_OF_STOCK", status = 409, kind = "out-of-stock" }]

[[plugins.rest-graphql.config.routes]]
method = "GET"
path = "/products/{id}"
query = """
  query Product($id: ID!, $reviews: Int = 3) {
    product(id: $id) { id name price reviews(first: $reviews) { text stars } }
  }
"""
result = "product"
cache_control = "public, max-age=60"

[[plugins.rest-graphql.config.routes]]
method = "GET"
path = "/products"
query = """
  query Products($q: String, $sort: Sort! = NAME, $first: Int! = 20, $tags: [String!], $tenant: ID!) {
    products(search: $q, sort: $sort, first: $first, tags: $tags, tenant: $tenant) { edges { node { id name } } }
  }
"""
variables = { tenant = "header:x-tenant" }
result = "products.edges.*.node"

[[plugins.rest-graphql.config.routes]]
method = "GET"
path = "/stock/{id}"
query = "query Stock($id: ID!) { product(id: $id) { name stock } }"
result = "product"

[[plugins.rest-graphql.config.routes]]
method = "GET"
path = "/partial/{id}"
query = "query Partial($id: ID!) { product(id: $id) { name stock } }"
result = "product"
partial = "accept"

[[plugins.rest-graphql.config.routes]]
method = "POST"
path = "/products/{id}/reviews"
query = """
  mutation Review($id: ID!, $input: ReviewInput!, $author: String!) {
    addReview(product: $id, review: $input, author: $author) { id text stars author }
  }
"""
variables = { input = "body", author = "header:x-author" }
result = "addReview"
status = 201
errors = [{ path = "addReview", code = "NOT_FOUND", status = 404, kind = "product-unknown", detail = "there is no such product" }]
"#;

#[test]
fn rest_clients_call_a_graphql_service() {
    let (service, address) = start();
    let gateway = before(address, "rest-graphql", ROUTES);
    let chair = gateway.get("/products/7?reviews=1").expect(200);
    assert_eq!(
        chair.json(),
        json!({ "id": "7", "name": "Chair", "price": 49.5, "reviews": [{ "text": "good", "stars": 4 }] })
    );
    assert_eq!(chair.header("cache-control"), Some("public, max-age=60"));
    let asked = json!({ "operation": "Product", "variables": { "id": "7", "reviews": 1 } });
    assert_eq!(executed(&service), asked, "a number is one");
    let known = [("if-none-match", chair.header("etag").expect("an etag"))];
    gateway.get_with("/products/7?reviews=1", &known).expect(304);
    executed(&service);
    // Texts become what the types say.
    let path = "/products?sort=PRICE&first=1&tags=new&tags=r%22%7Bd&q=%24id%7D";
    let listed = gateway.get_with(path, &[("x-tenant", "acme")]).expect(200).json();
    assert_eq!(listed, json!([{ "id": "7", "name": "Chair" }]));
    let variables =
        json!({ "q": "$id}", "sort": "PRICE", "first": 1, "tags": ["new", "r\"{d"], "tenant": "acme" });
    assert_eq!(executed(&service), json!({ "operation": "Products", "variables": variables }));
    let author = [("content-type", "application/json"), ("x-author", "ann")];
    let review = |id: &str, body: &str| {
        gateway.connect().request("POST", &format!("/products/{id}/reviews"), &author, body.as_bytes())
    };
    let reviewed = review("7", "{\"text\":\"fine\"}").expect(201).json();
    assert_eq!(reviewed, json!({ "id": "r9", "text": "fine", "stars": 5, "author": "ann" }));
    executed(&service);
    // What is wrong is refused before the service is asked.
    for (path, name) in
        [("/products?first=many", "first"), ("/products?sort=COLOUR", "sort"), ("/products", "tenant")]
    {
        let tenant: &[_] = if name == "tenant" { &[] } else { &[("x-tenant", "acme")] };
        let problem = gateway.get_with(path, tenant).problem(400);
        assert_eq!(problem["type"], "urn:sluice:problem:variable-invalid", "{problem}");
        assert_eq!(
            (problem["errors"][0]["name"].as_str(), problem["errors"].as_array().map(Vec::len)),
            (Some(if name == "tenant" { "x-tenant" } else { name }), Some(1)),
            "{problem}"
        );
    }
    for body in ["{}", "{\"text\":7}", "{\"text\":\"a\",\"stars\":1.5}", "{\"text\":\"a\",\"more\":1}", "["] {
        review("7", body).problem(400);
    }
    // What fails is told as it was declared, and the rest by its code.
    for (answer, status, kind) in [
        (gateway.get("/products/9"), 404, "result-null"),
        (gateway.get("/products/secret"), 403, "graphql-error"),
        (gateway.get("/products/broken"), 502, "graphql-error"),
        (gateway.get("/stock/7"), 502, "graphql-error"),
        (review("9", "{\"text\":\"fine\"}"), 404, "product-unknown"),
        (review("7", "{\"text\":\"none left\"}"), 409, "out-of-stock"),
    ] {
        assert!(!answer.text().contains("password"), "{}", answer.text());
        let problem = answer.problem(status);
        assert_eq!(problem["type"], format!("urn:sluice:problem:{kind}"), "{problem}");
        // None but those was executed.
        executed(&service);
    }
    let partial = gateway.get("/partial/7").expect(200);
    assert_eq!(
        (partial.json(), partial.header("graphql-errors")),
        (json!({ "name": "Chair", "stock": null }), Some("1"))
    );
    drop(service);
    gateway.get("/products/7").problem(502);
}

const LIMITS: &str = r#"
[plugins.graphql-guard.config]
max_depth = 4
max_aliases = 2
max_root_fields = 3
cost = { max = 100, sizes = { related = 10 } }
"#;

/// What the client saw of these calls.
#[track_caller]
fn calls(gateway: &Gateway, calls: &Value) -> Vec<Value> {
    let mut command = peers::node("graphql_client.mjs");
    command.arg(gateway.public.to_string()).arg(calls.to_string());
    peers::run(command)
}

#[test]
fn a_library_for_browsers_is_held_to_limits() {
    let (service, address) = start();
    let gateway = before(address, "graphql-guard", LIMITS);
    let good = "query P($id: ID!) { product(id: $id) { name reviews(first: 1) { text } } }";
    let refused = [
        (
            "POST",
            "{ product(id: 7) { related { related { related { name } } } } }",
            json!({}),
            400,
            "GRAPHQL_TOO_DEEP",
        ),
        ("POST", "{ product(id: 7) { related { related { name } } } }", json!({}), 400, "GRAPHQL_TOO_COSTLY"),
        (
            "GET",
            "query R($n: Int) { product(id: 7) { reviews(first: $n) { id } } }",
            json!({ "n": 100 }),
            400,
            "GRAPHQL_TOO_COSTLY",
        ),
        (
            "POST",
            "{ product(id: 7) { a: name b: name c: name } }",
            json!({}),
            400,
            "GRAPHQL_TOO_MANY_ALIASES",
        ),
        ("POST", "{ __schema { types { name } } }", json!({}), 403, "INTROSPECTION_DISABLED"),
        ("POST", "{ product(id: 7) {", json!({}), 400, "GRAPHQL_PARSE_FAILED"),
    ];
    let mut asked = vec![json!(["POST", good, { "id": "7" }]), json!(["GET", good, { "id": "8" }])];
    asked
        .extend(refused.iter().map(|(method, document, variables, ..)| json!([method, document, variables])));
    // What the service itself fails with passes.
    asked.push(json!(["POST", "{ product(id: \"secret\") { name } }", {}]));
    let seen = calls(&gateway, &json!(asked));
    let data = |name: &str| json!({ "product": { "name": name, "reviews": [{ "text": "good" }] } });
    assert_eq!((&seen[0]["data"], &seen[1]["data"]), (&data("Chair"), &data("Table")));
    for ((_, document, _, status, code), seen) in refused.iter().zip(&seen[2..]) {
        let told = &seen["errors"][0]["extensions"]["code"];
        assert_eq!((&seen["status"], told), (&json!(status), &json!(code)), "{document} {seen}");
    }
    assert_eq!(seen[8]["errors"][0]["extensions"]["code"], "FORBIDDEN", "{}", seen[8]);
    // Nothing that was refused reached the service.
    let names: Vec<_> = (0..3).map(|_| executed(&service)["operation"].clone()).collect();
    assert_eq!(names, [json!("P"), json!("P"), json!(null)]);
}

/// What «GraphQL over HTTP» demands of a server holds with the guard before it, as it does without.
#[test]
fn the_audit_of_graphql_over_http_holds_behind_the_guard() {
    let (service, address) = start();
    let gateway = before(address, "graphql-guard", "config = { introspection = true }");
    let mut command = peers::node("graphql_client.mjs");
    command.arg(gateway.public.to_string()).arg("audit");
    let seen = peers::run(command);
    assert!(seen.len() > 50, "{}", seen.len());
    let short: Vec<_> = seen.iter().filter(|demand| demand["status"] != "ok").collect();
    // Of clients that only know `application/json` it is said that they should get 200, whatever is wrong with their document.
    let expected = ["SHOULD use 200 status code on document"; 2];
    let names: Vec<_> = short.iter().map(|demand| demand["name"].as_str().unwrap_or_default()).collect();
    assert!(
        names.iter().zip(expected).all(|(name, start)| name.starts_with(start)) && names.len() == 2,
        "{short:#?}"
    );
    drop(service);
}

#[test]
fn documents_are_known_by_the_guard_alone() {
    let (service, address) = start();
    let step = "config = { persisted = { documents = \"${asset:operations.json}\" } }";
    let gateway = before(address, "graphql-guard", step);
    let post = |body: &Value| {
        let headers = [("content-type", "application/json")];
        gateway.connect().request("POST", "/graphql", &headers, body.to_string().as_bytes())
    };
    let answer =
        post(&json!({ "documentId": "product-1", "operationName": "P", "variables": { "id": "8" } }))
            .expect(200);
    assert_eq!(answer.json()["data"]["product"]["name"], "Table");
    assert_eq!(executed(&service), json!({ "operation": "P", "variables": { "id": "8" } }));
    let by_query =
        gateway.get("/graphql?documentId=product-1&variables=%7B%22id%22%3A%227%22%7D").expect(200);
    assert_eq!(by_query.json()["data"]["product"]["name"], "Chair");
    post(&json!({ "documentId": "product-2" })).problem(404);
    post(&json!({ "query": "{ product(id: 7) { name } }" })).problem(403);
}
