//! What browsers are told, and when.

use cors::Cors;
use sluice_sdk_testing::{Answer, Harness, Request, Response, TestPlugin, Value, json};

const SHOP: &str = "https://shop.example";

fn plugin(config: Value) -> TestPlugin {
    Harness::<Cors>::new(config).start().expect("the configuration is good")
}

fn from(origin: &str) -> Request {
    Request::get("/").with_header("origin", origin)
}

fn preflight(origin: &str, method: &str) -> Request {
    Request::new("OPTIONS", "/")
        .with_header("origin", origin)
        .with_header("access-control-request-method", method)
}

/// The CORS headers of an answer, and its `Vary`.
fn told(answer: &Answer) -> Vec<(&'static str, String)> {
    let names =
        ["allow-origin", "allow-credentials", "allow-methods", "allow-headers", "max-age", "expose-headers"];
    let full = |name: &str| answer.header_all(&format!("access-control-{name}")).join("|");
    let mut told: Vec<_> = names.iter().map(|&name| (name, full(name))).collect();
    told.push(("allow-private-network", full("allow-private-network")));
    told.push(("vary", answer.header_all("vary").join("|")));
    told.retain(|(_, value)| !value.is_empty());
    told
}

#[test]
fn a_preflight_is_answered_here() {
    let plugin = plugin(json!({
        "origins": [SHOP, "https://*.shop.example"],
        "methods": ["GET", "PUT", "X-OWN"],
        "headers": ["Content-Type", "authorization"],
        "expose": ["x-total"],
        "credentials": true,
        "max_age": "1h",
    }));
    for origin in [SHOP, "https://eu.shop.example"] {
        let request = preflight(origin, "PUT").with_header("access-control-request-headers", "x-other");
        let mut exchange = plugin.send(request);
        let answer = exchange.answer();
        assert_eq!((answer.status(), answer.text().as_str()), (204, ""));
        let expected = [
            ("allow-origin", origin),
            ("allow-credentials", "true"),
            ("allow-methods", "GET, PUT, X-OWN"),
            ("allow-headers", "content-type, authorization"),
            ("max-age", "3600"),
            ("vary", "Origin, Access-Control-Request-Method"),
        ];
        assert_eq!(told(&answer), expected.map(|(name, value)| (name, value.to_owned())));
        // The answer passes the step's response phase, which leaves it as it is.
        let passed =
            Response::new(204).with_header("access-control-allow-origin", origin).with_header("vary", "x");
        assert_eq!(exchange.respond(passed.clone()), passed);
    }
}

#[test]
fn a_preflight_of_another_origin_is_refused_without_a_word_on_who_may() {
    let plugin = plugin(json!({ "origins": [SHOP] }));
    for request in [
        preflight("https://evil.example", "GET"),
        preflight("null", "GET"),
        preflight(SHOP, "GET").with_header("origin", SHOP),
    ] {
        let exchange = plugin.send(request);
        let answer = exchange.answer();
        assert_eq!(answer.status(), 403);
        assert_eq!(answer.problem()["type"], "origin-denied");
        assert_eq!(told(&answer), [("vary", "Origin, Access-Control-Request-Method".to_owned())]);
    }
}

#[test]
fn what_is_no_preflight_goes_on() {
    let plugin = plugin(json!({ "origins": [SHOP] }));
    let options = || Request::new("OPTIONS", "/");
    for request in [
        options(),
        options().with_header("origin", SHOP),
        options().with_header("access-control-request-method", "GET"),
        from(SHOP).with_header("access-control-request-method", "GET"),
        from("https://evil.example"),
    ] {
        assert!(plugin.send(request).is_forwarded());
    }
}

#[test]
fn headers_that_are_asked_for_can_be_reflected() {
    let plugin = plugin(json!({ "origins": [SHOP], "headers": "reflect", "methods": "*" }));
    let ask = |names: &[&str]| {
        let request = preflight(SHOP, "PATCH");
        let request = names
            .iter()
            .fold(request, |request, name| request.with_header("access-control-request-headers", name));
        plugin.send(request).answer()
    };
    let answer = ask(&["content-type,X-One", " x-two , "]);
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type, x-one, x-two"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("*"));
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    assert_eq!(answer.header("vary"), Some(vary));
    assert_eq!(ask(&[]).header("access-control-allow-headers"), None);
    let many = vec!["x"; 101].join(",");
    for bad in ["x y", "x\u{e9}", "a;b", &*many, &*"x".repeat(5_000)] {
        let answer = ask(&[bad]);
        assert_eq!((answer.status(), answer.problem()["type"].as_str()), (400, Some("preflight-malformed")));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn a_public_api_tells_everybody_the_same() {
    let plugin = plugin(json!({ "origins": ["*"], "headers": "*", "expose": "*" }));
    let answer = plugin.send(preflight("https://any.example", "GET")).answer();
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("*"));
    for request in [from("https://any.example"), from("null"), Request::get("/")] {
        let response = plugin.send(request).respond(Response::new(200));
        assert_eq!(response.header_all("access-control-allow-origin"), ["*"]);
        assert_eq!(response.header("access-control-expose-headers"), Some("*"));
        assert_eq!(response.header("access-control-allow-credentials"), None);
        // It depends on nothing, so a cache may keep one for all.
        assert_eq!(response.header("vary"), None);
    }
}

#[test]
fn responses_name_the_origin_that_asked() {
    let config = json!({ "origins": [SHOP, "null"], "expose": ["X-Total", "link"] });
    let plugin = plugin(config);
    for origin in [SHOP, "null"] {
        // Errors too: a script that cannot read them only sees a failed request.
        for status in [200, 401, 503] {
            let response = plugin.send(from(origin)).respond(Response::new(status));
            assert_eq!(response.header_all("access-control-allow-origin"), [origin]);
            assert_eq!(response.header("access-control-expose-headers"), Some("x-total, link"));
            assert_eq!(response.header("access-control-allow-methods"), None);
            assert_eq!(response.header_all("vary"), ["Origin"]);
        }
    }
    for request in [from("https://evil.example"), Request::get("/"), from(SHOP).with_header("origin", "null")]
    {
        let response = plugin.send(request).respond(Response::new(200));
        assert_eq!(response.header("access-control-allow-origin"), None);
        // It would have been there for another origin: a cache has to know.
        assert_eq!(response.header_all("vary"), ["Origin"]);
    }
}

#[test]
fn a_failure_of_the_gateway_can_be_read_too() {
    let plugin = plugin(json!({ "origins": [SHOP] }));
    for response in [Response::new(502).of_gateway(), Response::new(429).of_step()] {
        let response = plugin.send(from(SHOP)).respond(response);
        assert_eq!(response.header("access-control-allow-origin"), Some(SHOP));
    }
}

#[test]
fn the_upstream_has_no_voice_of_its_own() {
    let plugin = plugin(json!({ "origins": [SHOP] }));
    let upstream = || {
        Response::new(200)
            .with_header("access-control-allow-origin", "*")
            .with_header("Access-Control-Allow-Credentials", "true")
            .with_header("access-control-expose-headers", "x-a")
            .with_header("vary", "Accept-Encoding, origin")
    };
    let response = plugin.send(from(SHOP)).respond(upstream());
    assert_eq!(response.header_all("access-control-allow-origin"), [SHOP]);
    assert_eq!(response.header("access-control-allow-credentials"), None);
    assert_eq!(response.header("access-control-expose-headers"), None);
    assert_eq!(response.header_all("vary"), ["Accept-Encoding, origin"]);
    let response = plugin.send(Request::get("/")).respond(upstream());
    assert_eq!(response.header("access-control-allow-origin"), None);
    let response = plugin.send(from(SHOP)).respond(Response::new(200).with_header("vary", "accept, *"));
    assert_eq!(response.header_all("vary"), ["accept, *"]);
}

#[test]
fn preflights_can_go_on() {
    let plugin = plugin(json!({ "origins": [SHOP], "methods": ["PUT"], "pass_preflight": true }));
    let mut exchange = plugin.send(preflight(SHOP, "PUT"));
    assert_eq!(exchange.forwarded().header("access-control-request-method"), Some("PUT"));
    let upstream =
        Response::new(200).with_header("access-control-allow-methods", "TRACE").with_header("vary", "accept");
    let response = exchange.respond(upstream);
    assert_eq!((response.status(), response.header("access-control-allow-origin")), (200, Some(SHOP)));
    assert_eq!(response.header_all("access-control-allow-methods"), ["PUT"]);
    assert_eq!(response.header("access-control-max-age"), Some("600"));
    assert_eq!(response.header_all("vary"), ["accept", "Origin, Access-Control-Request-Method"]);
    let response = plugin
        .send(preflight("https://evil.example", "PUT"))
        .respond(Response::new(200).with_header("access-control-allow-origin", "*"));
    assert_eq!(response.header("access-control-allow-origin"), None);
}

#[test]
fn a_private_network_is_opened_only_if_wanted_and_asked_for() {
    let asks = |config: Value, asked: &str| {
        let request = preflight(SHOP, "GET").with_header("access-control-request-private-network", asked);
        let answer = plugin(config).send(request).answer();
        answer.header("access-control-allow-private-network").map(str::to_owned)
    };
    let open = json!({ "origins": [SHOP], "private_network": true });
    assert_eq!(asks(open.clone(), "true").as_deref(), Some("true"));
    assert_eq!(asks(open, "false"), None);
    assert_eq!(asks(json!({ "origins": [SHOP] }), "true"), None);
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    for (config, reason) in [
        (json!({}), ""),
        (json!({ "origins": [] }), ""),
        (
            json!({ "origins": ["https://shop.example/"] }),
            "`origins`: `https://shop.example/`: an origin ends",
        ),
        (json!({ "origins": ["*"], "credentials": true }), "`origins` is `*` and `credentials` is true"),
        (
            json!({ "origins": ["null"], "credentials": true }),
            "`origins` has `null` and `credentials` is true",
        ),
        (json!({ "origins": [SHOP], "credentials": true, "methods": "*" }), "`methods` is `*` and"),
        (json!({ "origins": [SHOP], "credentials": true, "headers": ["*"] }), "`headers` is `*` and"),
        (json!({ "origins": [SHOP], "credentials": true, "expose": "*" }), "`expose` is `*` and"),
        (json!({ "origins": [SHOP], "headers": ["*", "x"] }), "`*` is all of them"),
        (json!({ "origins": [SHOP], "methods": "reflect" }), "`methods`: name them, or `*`"),
        (json!({ "origins": [SHOP], "expose": "reflect" }), "`expose`: name them, or `*`"),
        (json!({ "origins": [SHOP], "methods": ["get"] }), "`methods`: `get` is not `GET`"),
        (json!({ "origins": [SHOP], "methods": ["TRACE"] }), "`methods`: browsers never send `TRACE`"),
        (json!({ "origins": [SHOP], "max_age": "2d" }), "`max_age` is at most \"1d\""),
        (json!({ "origins": [SHOP], "max_age": -1 }), ""),
        (json!({ "origins": [SHOP], "headers": ["x y"] }), ""),
        (json!({ "origins": [SHOP], "method": [] }), ""),
    ] {
        let refused = Harness::<Cors>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
