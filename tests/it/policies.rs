//! The three policies end to end: configured, loaded, passed by real requests, together in one chain.

use crate::harness::{Gateway, Origin, Setup, config, h2::H2, plugin};

/// `printf acme-key | openssl sha256 -hmac 'a pepper for tests alone'`
const ACME: &str = "ed921c6dfb6821332ee0ce13619e10d3413b6440522be7d026cb58317e0d1f1c";

fn start(chain: &str, routes: &str) -> Gateway {
    let text = config::plugin("api-key", "capabilities = [\"consumers\"]")
        + &config::plugin(
            "rate-limit",
            "capabilities = [\"store\"]\nconfig = { limits = [{ q = 3, w = \"1h\" }] }",
        )
        + &config::plugin("headers", "config = { request = { remove = [\"x-nothing\"] } }")
        + &config::upstream("service", Origin::echo())
        + &format!("[chains.default]\nsteps = [{chain}]\n")
        + routes
        + "[credentials]\npepper = \"a pepper for tests alone\"\n"
        + &format!(
            "[consumers.acme]\ncustom_id = \"crm-17\"\nkeys = [{{ hash = \"hmac-sha256:{ACME}\" }}]\n"
        );
    ["api-key", "rate-limit", "headers"]
        .iter()
        .fold(Setup::new(), |setup, name| setup.plugin(name, plugin(name)))
        .start(&text)
}

const ALL: &str = "[routes.all]\nchain = \"default\"\nto = \"service\"\n";

#[test]
fn a_key_lets_its_consumer_in_and_nobody_else() {
    let gateway = start("\"api-key\"", ALL);
    let refused = gateway.get("/");
    assert!(refused.header("www-authenticate").is_some());
    let problem = refused.problem(401);
    assert_eq!(problem["step"], "api-key");
    assert!(problem["type"].as_str().unwrap().ends_with("api-key-missing"), "{problem}");
    gateway.get_with("/", &[("x-api-key", "wrong")]).problem(401);

    let answer = gateway
        .get_with("/marker-in", &[("x-api-key", "acme-key"), ("x-consumer-username", "admin")])
        .expect(200);
    assert_eq!(answer.sent("x-consumer-username").as_deref(), Some("acme"));
    assert_eq!(answer.sent("x-consumer-custom-id").as_deref(), Some("crm-17"));
    assert_eq!(answer.sent("x-api-key"), None);
    assert_eq!(gateway.wait_for_access(&["/marker-in"])["consumer"], "acme");
    H2::open(gateway.public).request("GET", "/", &[("x-api-key", "acme-key")], b"").expect(200);
}

#[test]
fn exactly_the_quota_passes_over_all_workers_and_connections() {
    let gateway = start("\"rate-limit\"", ALL);
    let first = gateway.get("/").expect(200);
    assert_eq!(first.header("ratelimit-policy"), Some("\"1h\";q=3;w=3600"));
    assert!(first.header("ratelimit").unwrap().contains("r=2"), "{:?}", first.headers);
    let mut passed = 1;
    for _ in 0..20 {
        let answer = gateway.get("/");
        if answer.status == 200 {
            passed += 1;
        } else {
            assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
            assert_eq!(answer.problem(429)["step"], "rate-limit");
        }
    }
    assert_eq!(passed, 3);
}

#[test]
fn counting_by_key_and_by_algorithm() {
    let by_header = "{ use = \"rate-limit\", config = { key = \"header:x-tenant\", algorithm = \"sliding-window\", limits = [{ q = 2, w = \"1h\" }] } }";
    let gateway = start(by_header, ALL);
    let ask = |tenant: &str| gateway.get_with("/", &[("x-tenant", tenant)]).status;
    assert_eq!([ask("a"), ask("a"), ask("a"), ask("b"), ask("b"), ask("b")], [200, 200, 429, 200, 200, 429]);

    let by_consumer = "\"api-key\", { use = \"rate-limit\", config = { key = [\"consumer\", \"route\"] } }";
    let routes = "[routes.one]\nmatch = { path = \"/one\" }\nchain = \"default\"\nto = \"service\"\n\
                  [routes.two]\nmatch = { path = \"/two\" }\nchain = \"default\"\nto = \"service\"\n";
    let gateway = start(by_consumer, routes);
    let ask = |path: &str| gateway.get_with(path, &[("x-api-key", "acme-key")]).status;
    assert_eq!([ask("/one"), ask("/one"), ask("/one"), ask("/one")], [200, 200, 200, 429]);
    assert_eq!(ask("/two"), 200);
}

#[test]
fn headers_are_rewritten_both_ways_with_variables() {
    let step = r#"{ use = "headers", config = {
        request = { remove = ["x-gone"], rename = { x-old = "x-new" }, replace = { x-there = "replaced", x-absent = "never" },
                    set = { x-who = "{client_address} {route} {method} {path}" }, add = { x-there = "not this", x-added = "added" },
                    append = { x-list = "two" } },
        response = { remove = ["content-type"], set = { x-id = "{request_id}", x-from = "{header:x-there}" } } } }"#;
    // An inline table may not span lines in TOML 1.0.
    let gateway = start(&step.split_whitespace().collect::<Vec<_>>().join(" "), ALL);
    let sent = [("x-gone", "1"), ("x-old", "moved"), ("x-there", "1"), ("x-list", "one")];
    let answer = gateway.get_with("/a/b", &sent).expect(200);
    assert_eq!(answer.sent("x-gone"), None);
    assert_eq!((answer.sent("x-old"), answer.sent("x-new").as_deref()), (None, Some("moved")));
    assert_eq!((answer.sent("x-there").as_deref(), answer.sent("x-absent")), (Some("replaced"), None));
    assert_eq!(answer.sent("x-who").as_deref(), Some("127.0.0.1 all GET /a/b"));
    assert_eq!(answer.sent("x-added").as_deref(), Some("added"));
    assert_eq!(answer.sent("x-list").as_deref(), Some("one, two"));
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(answer.header("x-id"), answer.header("x-request-id"));
    assert_eq!(answer.header("x-from"), Some("1"), "as it came to the step");
}

#[test]
fn together_each_does_its_part() {
    let chain = "\"api-key\", { use = \"rate-limit\", config = { key = \"consumer\" } }, \
                 { use = \"headers\", config = { request = { set = { x-user = \"{consumer}\" } } } }";
    let gateway = start(chain, ALL);
    for _ in 0..3 {
        let answer = gateway.get_with("/", &[("x-api-key", "acme-key"), ("x-user", "forged")]).expect(200);
        assert_eq!(answer.sent("x-user").as_deref(), Some("acme"));
    }
    gateway.get_with("/", &[("x-api-key", "acme-key")]).problem(429);
    for _ in 0..5 {
        gateway.get("/").problem(401);
    }
    let wrong = config::plugin("headers", "config = { request = { set = { x-a = \"{nobody}\" } } }")
        + &config::service("127.0.0.1:1", &["headers"]);
    let (code, told) = Setup::new().plugin("headers", plugin("headers")).check(&wrong);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("nobody"), "{told}");
}
