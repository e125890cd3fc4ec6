//! The examples and the gateway at the root, run as they are but for their addresses.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::harness::{Gateway, Origin, Setup, root};

/// Starts the gateway of a folder. Each address of the original is replaced by a free one, or by what `upstreams` says.
fn start(folder: &str, public: &str, admin: &str, upstreams: &HashMap<&str, String>) -> Gateway {
    start_in(Setup::new(), folder, public, admin, upstreams)
}

/// The same, with a setup of the caller's.
pub(crate) fn start_in(
    mut setup: Setup,
    folder: &str,
    public: &str,
    admin: &str,
    upstreams: &HashMap<&str, String>,
) -> Gateway {
    let from = root().join(folder);
    let mut text = adapt(&fs::read_to_string(from.join("gateway.toml")).unwrap(), &from, upstreams);
    text = text.replace(public, "@public@").replace(admin, "@admin@");
    for directory in ["conf.d", "consumers.d"] {
        for part in fs::read_dir(from.join(directory)).into_iter().flatten() {
            let path = part.unwrap().path();
            let name = format!("{directory}/{}", path.file_name().unwrap().to_str().unwrap());
            setup = setup.file(&name, fs::read(path).unwrap());
        }
    }
    setup.start(&text)
}

fn adapt(text: &str, from: &Path, upstreams: &HashMap<&str, String>) -> String {
    let mut text = text
        .replace("\"../../target/", &format!("\"{}/target/", root().display()))
        .replace("\"target/", &format!("\"{}/target/", from.display()));
    for (address, own) in upstreams {
        text = text.replace(*address, own);
    }
    text
}

fn named(name: &str) -> String {
    let body = format!("{name} ");
    Origin::always(format!(
        "HTTP/1.1 200 OK\r\nserver: secret/1.0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .address
    .to_string()
}

#[test]
fn the_gateway_at_the_root() {
    let upstreams = HashMap::from([("127.0.0.1:9000", Origin::echo().to_string())]);
    let gateway = start("", "127.0.0.1:8080", "127.0.0.1:9901", &upstreams);
    gateway.get("/hello").problem(401);
    let answer = gateway.get_with("/hello", &[("x-api-key", "demo-key")]).expect(200);
    assert_eq!(answer.sent("x-consumer").as_deref(), Some("demo"));
    assert_eq!(answer.header("x-powered-by"), Some("sluice"));
    let statuses: Vec<_> =
        (0..12).map(|_| gateway.get_with("/hello", &[("x-api-key", "demo-key")]).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 3);
}

#[test]
fn the_first_plugin() {
    let kitchen = Origin::echo().to_string();
    let gateway = start(
        "examples/first-plugin",
        "127.0.0.1:8081",
        "127.0.0.1:9902",
        &HashMap::from([("127.0.0.1:9000", kitchen)]),
    );
    let problem = gateway.get("/brew/coffee").problem(418);
    assert_eq!(problem["step"], "teapot");
    let tea = gateway.get("/brew/tea").expect(200);
    assert_eq!(tea.header("x-brewed-by"), Some("teapot"));
    assert_eq!(tea.sent("x-brewed-by").as_deref(), Some("teapot"));
}

#[test]
fn the_shop() {
    let upstreams = HashMap::from([
        ("127.0.0.1:9101", named("catalogue-1")),
        ("127.0.0.1:9102", named("catalogue-2")),
        ("127.0.0.1:9103", named("orders")),
        ("127.0.0.1:9104", named("accounts")),
    ]);
    let gateway = start("examples/e-commerce", "127.0.0.1:8082", "127.0.0.1:9903", &upstreams);
    let acme = [("x-api-key", "acme-key")];

    let mut client = gateway.connect();
    let shelves: Vec<_> = (0..4).map(|_| client.get("/catalogue/shoes").expect(200)).collect();
    assert!(shelves.iter().any(|answer| answer.text() == "catalogue-1 "));
    assert!(shelves.iter().any(|answer| answer.text() == "catalogue-2 "));
    assert_eq!(shelves[0].header("server"), None);
    assert_eq!(shelves[0].header("x-content-type-options"), Some("nosniff"));
    assert_eq!(client.request("DELETE", "/catalogue/shoes", &[], b"").status, 405);
    let busy = (0..60).filter(|_| client.get("/catalogue/shoes").status == 429).count();
    assert!(busy > 10, "{busy}");

    gateway.get("/orders/17").problem(401);
    assert_eq!(gateway.get_with("/orders/17", &acme).expect(200).text(), "orders ");
    let placed: Vec<_> =
        (0..7).map(|_| gateway.connect().request("POST", "/orders", &acme, b"{}").status).collect();
    assert_eq!(placed, [200, 200, 200, 200, 200, 429, 429]);
    gateway.connect().request("POST", "/orders", &[("x-api-key", "bolt-key")], b"{}").expect(200);

    let account = gateway.get_with("/accounts/17", &acme).expect(200);
    assert_eq!(account.header("cache-control"), Some("private, no-store"));
    assert_eq!(account.text(), "accounts ");
    gateway.get_with("/nothing", &acme).problem(404);
}

#[test]
fn what_a_kong_has() {
    let redis = crate::harness::redis::RedisServer::start();
    let upstreams = HashMap::from([
        ("127.0.0.1:9000", Origin::echo().to_string()),
        ("127.0.0.1:6379", redis.address().to_string()),
    ]);
    let gateway = start("examples/kong-style", "127.0.0.1:8084", "127.0.0.1:9905", &upstreams);
    crate::harness::wait::until("the server is asked", || gateway.snapshot()["store"]["connected"] == true);
    gateway.get("/orders/17").problem(401);
    let acme = [("x-api-key", "acme-key")];
    let mut client = gateway.connect();
    // A minute of the clock may end in between; then the quota begins anew.
    let answers: Vec<_> = (0..250).map(|_| client.request("GET", "/orders/17", &acme, b"")).collect();
    assert_eq!(answers[0].header("x-ratelimit-limit-minute"), Some("100"));
    assert_eq!(answers[0].sent("x-consumer-custom-id").as_deref(), Some("crm-17"));
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((100..=200).contains(&passed), "{passed}");
    assert!(answers.iter().any(|answer| answer.status == 429));
    assert_ne!(redis.ask(&["DBSIZE"]), "0", "counted there");
}

#[test]
fn every_example_is_in_order() {
    let mut folders = vec![root().to_owned()];
    folders.extend(fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path()));
    for folder in folders {
        let file = folder.join("gateway.toml");
        let (code, told) = Setup::new().run(&["check", file.to_str().unwrap()]);
        assert_eq!(code, 0, "{}: {told}", file.display());
        assert!(folder.join("README.md").is_file(), "{} has no README", folder.display());
    }
}
