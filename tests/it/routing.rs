//! Which route a request takes: the precedence of the Kubernetes Gateway API.

use crate::harness::{Gateway, Origin, Setup, config};

/// An origin that answers with a name.
fn named(name: &str) -> String {
    let origin = Origin::always(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len()));
    config::upstream(name, origin.address)
}

fn table(routes: &[(&str, &str)]) -> Gateway {
    let text: String = routes
        .iter()
        .map(|(name, matches)| {
            named(name) + &format!("[routes.{name}]\nmatch = {{ {matches} }}\nto = \"{name}\"\n")
        })
        .collect();
    Gateway::start(&text)
}

#[track_caller]
fn expect(gateway: &Gateway, host: &str, path: &str, name: &str) {
    let answer = gateway.connect().host(host).get(path);
    assert_eq!((answer.status, answer.text().as_str()), (200, name), "{host}{path}");
}

#[test]
fn the_most_specific_host_wins() {
    let gateway = table(&[
        ("any", r#"path = "/**""#),
        ("exact", r#"hosts = ["api.shop.example"]"#),
        ("wild", r#"hosts = ["*.shop.example"]"#),
        ("wilder", r#"hosts = ["*.example"]"#),
    ]);
    expect(&gateway, "api.shop.example", "/", "exact");
    expect(&gateway, "API.Shop.Example:8080", "/", "exact");
    expect(&gateway, "b.shop.example", "/", "wild");
    expect(&gateway, "a.b.shop.example", "/", "wild");
    expect(&gateway, "shop.example", "/", "wilder");
    expect(&gateway, "else.where", "/", "any");
}

#[test]
fn the_most_specific_path_wins() {
    let gateway = table(&[
        ("all", r#"path = "/**""#),
        ("orders", r#"path = "/orders/**""#),
        ("items", r#"path = "/orders/items/**""#),
        ("one", r#"path = "/orders/{id}""#),
        ("new", r#"path = "/orders/new""#),
        ("lines", r#"path = "/orders/*/lines""#),
    ]);
    expect(&gateway, "a", "/", "all");
    expect(&gateway, "a", "/orders", "orders");
    expect(&gateway, "a", "/orders/", "orders");
    expect(&gateway, "a", "/orders/17/and/more", "orders");
    expect(&gateway, "a", "/orders/items/1", "items");
    expect(&gateway, "a", "/orders/17", "one");
    expect(&gateway, "a", "/orders/new", "new");
    expect(&gateway, "a", "/orders/17/lines", "lines");
    expect(&gateway, "a", "/ordersandmore", "all");
}

#[test]
fn methods_headers_and_queries_narrow_a_route() {
    let gateway = table(&[
        ("plain", r#"path = "/a""#),
        ("post", r#"path = "/a", methods = ["POST", "PUT"]"#),
        ("canary", r#"path = "/a", headers = { x-canary = "true" }"#),
        ("both", r#"path = "/a", headers = { x-canary = "true", x-beta = "1" }"#),
        ("query", r#"path = "/a", query = { v = "2" }"#),
    ]);
    let text = |method: &str, path: &str, headers: &[(&str, &str)]| {
        gateway.connect().request(method, path, headers, b"").expect(200).text()
    };
    assert_eq!(text("GET", "/a", &[]), "plain");
    assert_eq!(text("POST", "/a", &[]), "post");
    assert_eq!(text("GET", "/a", &[("x-canary", "true")]), "canary");
    assert_eq!(text("GET", "/a", &[("x-canary", "false")]), "plain");
    assert_eq!(text("GET", "/a", &[("x-canary", "true"), ("x-beta", "1")]), "both");
    assert_eq!(text("GET", "/a?v=2&w", &[]), "query");
    assert_eq!(text("GET", "/a?v=3", &[]), "plain");
    assert_eq!(text("POST", "/a", &[("x-canary", "true")]), "post", "a method goes before headers");
}

#[test]
fn ten_thousand_routes_find_their_upstreams() {
    let mut text = named("last");
    for number in 0..10_000 {
        text.push_str(&format!(
            "[routes.r{number}]\nmatch = {{ path = \"/api/{number}/**\" }}\nto = \"last\"\n"
        ));
    }
    let gateway = Gateway::start(&text);
    for number in [0, 1, 4_999, 9_999] {
        expect(&gateway, "a", &format!("/api/{number}/x"), "last");
        assert_eq!(gateway.wait_for_access(&[&format!("/api/{number}/x")])["route"], format!("r{number}"));
    }
    gateway.get("/api/10000/x").problem(404);
}

#[test]
fn a_tie_is_a_problem_that_names_both() {
    let text = config::service("127.0.0.1:1", &[]).replace("routes.all", "routes.first")
        + "[routes.second]\nto = \"service\"\n";
    let (code, told) = Setup::new().check(&text);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("`first`") && told.contains("`second`"), "{told}");
}
