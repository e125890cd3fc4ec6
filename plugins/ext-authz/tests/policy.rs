//! What the policy asks, lets through and answers.

use std::time::Duration;

use ext_authz::ExtAuthz;
use sluice_sdk_testing::{Consumer, Exchange, Harness, Request, Response, TestPlugin, Value, json};

fn config(more: &Value) -> Value {
    let mut config = json!({ "upstream": "authz", "path": "/check" });
    let members =
        config.as_object_mut().into_iter().flat_map(|into| more.as_object().map(|more| (into, more)));
    members.for_each(|(into, more)| into.extend(more.clone()));
    config
}

fn world(more: Value) -> Harness<ExtAuthz> {
    Harness::new(config(&more))
}

fn answered(more: Value, answer: Response) -> TestPlugin {
    world(more).fetch("authz", "GET", "/check", answer).start().expect("the configuration is good")
}

/// What the service was told in a header.
fn told(exchange: &Exchange<'_>, name: &str) -> Vec<String> {
    let sent = exchange.fetched().last().expect("the service was asked");
    sent.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.to_text()).collect()
}

#[test]
fn the_service_is_told_of_the_request() {
    let world =
        world(json!({})).consumer(Consumer::new("acme").id("17").custom_id("crm").group("gold").group("eu"));
    let plugin = world.fetch("authz", "GET", "/check", Response::new(204)).start().unwrap();
    let request = Request::new("DELETE", "/orders/7?force=1")
        .host("shop.example:8443")
        .https()
        .request_id("r-1")
        .consumer("acme")
        .with_header("authorization", "Bearer t")
        .with_header("cookie", "a=1")
        .with_header("cookie", "b=2")
        .with_header("accept", "text/html")
        .with_header("x-forwarded-for", "192.0.2.7")
        .with_header("x-forwarded-uri", "/public")
        .with_header("x-forwarded-method", "GET")
        .with_header("x-original-path", "/public")
        .with_header("x-consumer-groups", "admin");
    let exchange = plugin.send(request);
    assert!(exchange.is_forwarded());
    for (name, value) in [
        ("x-original-method", "DELETE"),
        ("x-original-path", "/orders/7?force=1"),
        ("x-original-host", "shop.example:8443"),
        ("x-original-url", "https://shop.example:8443/orders/7?force=1"),
        ("x-forwarded-method", "DELETE"),
        ("x-forwarded-uri", "/orders/7?force=1"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-request-id", "r-1"),
        ("authorization", "Bearer t"),
        ("cookie", "a=1; b=2"),
        ("x-consumer-id", "17"),
        ("x-consumer-username", "acme"),
        ("x-consumer-custom-id", "crm"),
        ("x-consumer-groups", "gold,eu"),
    ] {
        assert_eq!(told(&exchange, name), [value], "{name}");
    }
    for name in ["accept", "host", "content-type"] {
        assert!(told(&exchange, name).is_empty(), "{name}");
    }
    assert!(exchange.fetched()[0].body.as_slice().is_empty());
    let request = exchange.forwarded();
    assert_eq!(
        (request.header("authorization"), request.header("accept")),
        (Some("Bearer t"), Some("text/html"))
    );
    assert_eq!(request.header_all("x-consumer-groups"), ["gold,eu"], "the upstream is told the same");
    assert_eq!(exchange.consumer(), Some("acme"));
}

#[test]
fn what_nobody_found_out_is_not_told() {
    let plugin = answered(json!({ "headers": ["x-*"] }), Response::new(200));
    let exchange =
        plugin.send(Request::get("/").with_header("x-consumer-username", "root").with_header("x-a", "1"));
    assert!(told(&exchange, "x-consumer-username").is_empty());
    assert_eq!(told(&exchange, "x-a"), ["1"]);
    assert_eq!(told(&exchange, "x-original-method"), ["GET"]);
    let request = exchange.forwarded();
    assert_eq!((request.header("x-consumer-username"), request.header("x-a")), (None, Some("1")));
}

#[test]
fn the_path_may_follow_the_requests() {
    let config = json!({ "path": null, "path_prefix": "/authorize", "method": "POST" });
    let plugin =
        world(config).fetch("authz", "POST", "/authorize/a%2Fb?c=d", Response::new(200)).start().unwrap();
    assert!(plugin.send(Request::get("/a%2Fb?c=d")).is_forwarded());
}

#[test]
fn a_permission_gives_headers_and_nobody_else_does() {
    let answer = Response::new(200)
        .with_header("x-user", "jdoe")
        .with_header("X-Role", "a")
        .with_header("x-role", "b")
        .with_header("x-secret", "1")
        .with_header("set-cookie", "s=1")
        .with_header("set-cookie", "t=2")
        .with_header("x-quota", "7");
    let config = json!({ "allow_headers": ["x-user", "x-role", "x-email", "authorization"],
        "response_headers": ["set-cookie", "x-quota"] });
    let plugin = answered(config, answer);
    let request = Request::get("/")
        .with_header("x-user", "root")
        .with_header("x-role", "admin")
        .with_header("x-email", "root@example.org")
        .with_header("authorization", "Bearer t");
    let mut exchange = plugin.send(request);
    assert_eq!(told(&exchange, "authorization"), ["Bearer t"], "the service sees what the upstream does not");
    let forwarded = exchange.forwarded();
    assert_eq!(forwarded.header_all("x-user"), ["jdoe"]);
    assert_eq!(forwarded.header_all("x-role"), ["a", "b"]);
    for name in ["x-email", "authorization", "x-secret", "set-cookie"] {
        assert_eq!(forwarded.header(name), None, "{name}");
    }
    let response =
        exchange.respond(Response::new(200).with_header("set-cookie", "u=3").with_header("x-quota", "1"));
    assert_eq!(response.header_all("set-cookie"), ["u=3", "s=1", "t=2"]);
    assert_eq!(response.header_all("x-quota"), ["7"]);
    assert_eq!(response.header("x-user"), None);
}

#[test]
fn a_refusal_is_the_services() {
    let login = Response::new(302)
        .with_header("location", "https://login.example/?next=1")
        .with_header("set-cookie", "s=1")
        .with_header("server", "authz")
        .with_header("content-type", "text/html")
        .with_body("<a>");
    let exchange = answered(json!({ "client_headers": ["location", "set-cookie"] }), login);
    let answer = exchange.send(Request::get("/")).answer();
    assert_eq!((answer.status(), answer.text().as_str()), (302, "<a>"));
    assert_eq!(answer.header("location"), Some("https://login.example/?next=1"));
    assert_eq!(answer.header_all("set-cookie"), ["s=1"]);
    assert_eq!(answer.header_all("content-type"), ["text/html"]);
    assert_eq!(answer.header("server"), None);

    let silent =
        Response::new(401).with_header("www-authenticate", "Bearer").with_header("set-cookie", "s=1");
    let answer = answered(json!({}), silent).send(Request::get("/")).answer();
    assert_eq!((answer.status(), &answer.problem()["type"]), (401, &json!("not-permitted")));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!(answer.header("set-cookie"), None);

    let redirect = answered(json!({}), Response::new(307).with_header("location", "/login"));
    let answer = redirect.send(Request::get("/")).answer();
    assert_eq!(
        (answer.status(), answer.header("location"), answer.text().as_str()),
        (307, Some("/login"), "")
    );

    for status in [400, 403, 404, 429, 499] {
        assert_eq!(
            answered(json!({}), Response::new(status)).send(Request::get("/")).answer().status(),
            status
        );
    }
}

#[test]
fn a_service_that_cannot_be_asked_permits_nothing() {
    let answers = [
        Response::new(500),
        Response::new(503),
        Response::new(599),
        Response::new(200).with_header("x-user", b"\xff"),
        Response::new(200).with_header("x-user", "x".repeat(20_000)),
        Response::new(403).with_body("x".repeat(70_000)),
    ];
    let config = || json!({ "allow_headers": ["x-user"] });
    let worlds = answers.into_iter().map(|answer| world(config()).fetch("authz", "GET", "/check", answer));
    let silent = [
        world(config()).fetch_unavailable("authz", "GET", "/check"),
        world(config()).fetch_timeout("authz", "GET", "/check"),
    ];
    for world in worlds.chain(silent) {
        let plugin = world.start().unwrap();
        let exchange = plugin.send(Request::get("/").with_header("authorization", "Bearer t-0123456789"));
        let answer = exchange.answer();
        assert_eq!((answer.status(), &answer.problem()["type"]), (503, &json!("authorization-unavailable")));
        assert_eq!(answer.header("retry-after"), Some("5"));
        let [("error", line)] = exchange.logs()[..] else { panic!("{:?}", exchange.logs()) };
        assert!(!line.contains("t-0123456789"), "{line}");
    }
    let plugin = world(json!({ "status": 403 })).fetch_timeout("authz", "GET", "/check").start().unwrap();
    let answer = plugin.send(Request::get("/")).answer();
    assert_eq!((answer.status(), answer.header("retry-after")), (403, None));
}

#[test]
fn the_body_is_sent_where_it_is_wanted() {
    let config = || json!({ "body": { "max": "8B" } });
    let permitted = |answer| world(config()).fetch("authz", "POST", "/check", answer).start().unwrap();
    let plugin = permitted(Response::new(200));
    let request = |body: &str| {
        Request::post("/")
            .with_header("content-type", "text/plain")
            .with_header("accept", "*/*")
            .with_body(body)
    };
    let exchange = plugin.send(request("12345678"));
    assert_eq!(exchange.forwarded().text(), "12345678");
    assert_eq!(exchange.fetched().len(), 1);
    assert_eq!(exchange.fetched()[0].body.to_text(), "12345678");
    assert_eq!(told(&exchange, "content-type"), ["text/plain"]);
    assert!(told(&exchange, "accept").is_empty());
    assert_eq!(plugin.send(Request::get("/")).fetched().len(), 1, "without a body it is asked too");
    let longer = plugin.send(request("123456789"));
    let answer = longer.answer();
    assert_eq!((answer.status(), &answer.problem()["type"]), (413, &json!("authorization-body-too-large")));
    assert_eq!(answer.problem()["limit"], 8);
    assert!(longer.fetched().is_empty());
    assert_eq!(permitted(Response::new(403)).send(request("1")).answer().status(), 403);
}

#[test]
fn without_a_body_wanted_it_passes_unread() {
    let plugin = answered(json!({}), Response::new(200));
    let exchange = plugin.send(Request::post("/").with_chunks(["abc", "def"]));
    assert_eq!((exchange.forwarded().text().as_str(), exchange.fetched().len()), ("abcdef", 1));
    assert!(exchange.fetched()[0].body.as_slice().is_empty());
}

fn twice(first: Response, second: Response, more: Value) -> TestPlugin {
    world(more)
        .fetch("authz", "GET", "/check", first)
        .fetch("authz", "GET", "/check", second)
        .start()
        .expect("good")
}

#[test]
fn a_permission_may_be_kept_for_a_time() {
    let config = || json!({ "cache": "10s", "allow_headers": ["x-user"], "response_headers": ["x-quota"] });
    let permitted = Response::new(200).with_header("x-user", "jdoe").with_header("x-quota", "7");
    let plugin = twice(permitted, Response::new(403), config());
    let request =
        || Request::get("/a").with_header("authorization", "Bearer t").with_header("x-user", "root");
    assert_eq!(plugin.send(request().request_id("1")).fetched().len(), 1);
    plugin.advance(Duration::from_millis(9_999));
    let mut again = plugin.send(request().request_id("2").with_header("accept", "untold"));
    assert!(again.fetched().is_empty());
    assert_eq!(again.forwarded().header_all("x-user"), ["jdoe"]);
    assert_eq!(again.respond(Response::new(200)).header("x-quota"), Some("7"));
    drop(again);
    plugin.advance(Duration::from_millis(1));
    for _ in 0..2 {
        let refused = plugin.send(request());
        assert_eq!((refused.answer().status(), refused.fetched().len()), (403, 1), "a refusal is not kept");
    }
}

#[test]
fn a_permission_is_for_what_was_told() {
    let plugin = twice(Response::new(200), Response::new(403), json!({ "cache": "10s" }));
    let request = || Request::get("/a").with_header("authorization", "Bearer t");
    assert!(plugin.send(request()).is_forwarded());
    for other in [
        Request::get("/b").with_header("authorization", "Bearer t"),
        Request::get("/a?b").with_header("authorization", "Bearer t"),
        Request::post("/a").with_header("authorization", "Bearer t"),
        request().host("other.example"),
        request().https(),
        request().with_header("cookie", "a=1"),
        Request::get("/a").with_header("authorization", "Bearer u"),
        Request::get("/a"),
    ] {
        assert!(!plugin.send(other.clone()).is_forwarded(), "{other:?}");
    }
    assert!(plugin.send(request()).is_forwarded());
    let body = json!({ "cache": "10s", "body": {} });
    let world = world(body).fetch("authz", "POST", "/check", Response::new(200));
    let plugin = world.fetch("authz", "POST", "/check", Response::new(403)).start().unwrap();
    assert!(plugin.send(Request::post("/").with_body("a")).is_forwarded());
    assert!(!plugin.send(Request::post("/").with_body("b")).is_forwarded());
    assert!(plugin.send(Request::post("/").with_body("a")).is_forwarded());
}

#[test]
fn a_permission_for_one_is_not_kept() {
    for permitted in [
        Response::new(200).with_header("cache-control", "max-age=5, No-Store"),
        Response::new(200).with_header("set-cookie", "s=1"),
    ] {
        let config = json!({ "cache": "10s", "response_headers": ["set-cookie"] });
        let plugin = twice(permitted, Response::new(403), config);
        assert!(plugin.send(Request::get("/")).is_forwarded());
        assert!(!plugin.send(Request::get("/")).is_forwarded());
    }
}

/// Without a word, it is the schema that refuses.
#[test]
fn a_bad_configuration_is_refused() {
    for (more, word) in [
        (json!({ "upstream": "" }), "upstream"),
        (json!({ "path": "check" }), "path"),
        (json!({ "path": null }), "path"),
        (json!({ "path_prefix": "/x" }), "path_prefix"),
        (json!({ "path": null, "path_prefix": "/x/" }), "path_prefix"),
        (json!({ "path": null, "path_prefix": "/x?y=" }), "path_prefix"),
        (json!({ "method": "CONNECT" }), "method"),
        (json!({ "method": "GET", "body": {} }), "method"),
        (json!({ "headers": ["*"] }), "headers"),
        (json!({ "headers": ["x-*-y"] }), "headers"),
        (json!({ "headers": ["content-length"] }), "headers"),
        (json!({ "body": { "max": "2MiB" } }), "body.max"),
        (json!({ "body": { "max": "0B" } }), "body.max"),
        (json!({ "timeout": "0s" }), "timeout"),
        (json!({ "cache": "11m" }), "cache"),
        (json!({ "allow_headers": ["x-*"] }), "allow_headers"),
        (json!({ "allow_headers": ["host"] }), "allow_headers"),
        (json!({ "allow_headers": ["X-Consumer-Groups"] }), "x-consumer-groups"),
        (json!({ "response_headers": ["transfer-encoding"] }), "response_headers"),
        (json!({ "client_headers": ["connection"] }), "client_headers"),
        (json!({ "status": 200 }), ""),
        (json!({ "on_unavailable": "allow" }), ""),
    ] {
        let refused = world(more.clone()).start().expect_err(&more.to_string());
        assert!(refused.message.contains(word), "{more}: {refused}");
    }
}
