//! Which headers responses come with.

use std::collections::BTreeMap;

use security_headers::SecurityHeaders;
use sluice_sdk_testing::{Harness, Request, Response, TestPlugin, Value, json};

const PUT: [&str; 12] = [
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "content-security-policy",
    "content-security-policy-report-only",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-embedder-policy",
    "cross-origin-resource-policy",
    "x-permitted-cross-domain-policies",
    "x-dns-prefetch-control",
];

fn plugin(config: Value) -> TestPlugin {
    Harness::<SecurityHeaders>::new(config).start().expect("the configuration is good")
}

/// What a response over https comes with.
fn put(config: Value, response: Response) -> BTreeMap<&'static str, String> {
    let plugin = plugin(config);
    let response = plugin.send(Request::get("/").https()).respond(response);
    let found = PUT.iter().map(|&name| (name, response.header_all(name).join("|")));
    found.filter(|(_, value)| !value.is_empty()).collect()
}

#[test]
fn the_web_preset_is_for_pages_of_one_origin() {
    let mut found = put(json!({ "preset": "web" }), Response::new(200));
    let parts = |value: Option<String>, separator: &str| -> BTreeMap<String, String> {
        let value = value.expect("the preset has it");
        let parts = value.split(separator).map(|part| part.split_once([' ', '=']).unwrap_or((part, "")));
        parts.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let policy = parts(found.remove("content-security-policy"), "; ");
    let expected = [
        ("base-uri", "'self'"),
        ("default-src", "'self'"),
        ("form-action", "'self'"),
        ("frame-ancestors", "'none'"),
        ("object-src", "'none'"),
        ("upgrade-insecure-requests", ""),
    ];
    assert_eq!(policy, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let features = parts(found.remove("permissions-policy"), ", ");
    for feature in
        ["camera", "microphone", "geolocation", "payment", "usb", "serial", "hid", "midi", "fullscreen"]
    {
        assert_eq!(features.get(feature).map(String::as_str), Some("()"), "{feature}");
    }
    assert!(features.values().all(|origins| ["()", "(self)"].contains(&&**origins)), "{features:?}");
    let expected = [
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "deny"),
        ("x-permitted-cross-domain-policies", "none"),
    ];
    assert_eq!(found, expected.map(|(name, value)| (name, value.to_owned())).into());
}

#[test]
fn the_api_preset_is_the_default() {
    let expected = [
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "deny"),
        ("x-permitted-cross-domain-policies", "none"),
    ];
    let found = put(json!({}), Response::new(404));
    assert_eq!(found, expected.map(|(name, value)| (name, value.to_owned())).into());
}

/// What frameworks, servers and proxies are known to call themselves by. The preset has more.
const TELLING: [&str; 14] = [
    "Server",
    "X-Powered-By",
    "X-AspNet-Version",
    "X-AspNetMvc-Version",
    "X-Generator",
    "X-Powered-CMS",
    "X-Redirect-By",
    "X-Php-Version",
    "X-Varnish-Server",
    "X-LiteSpeed-Cache",
    "X-Nextjs-Cache",
    "X-Kong-Upstream-Latency",
    "X-Envoy-Upstream-Service-Time",
    "X-CF-Powered-By",
];

#[test]
fn a_failure_of_the_gateway_has_them_too() {
    let of_upstream = put(json!({}), Response::new(502));
    assert!(!of_upstream.is_empty());
    assert_eq!(put(json!({}), Response::new(502).of_gateway()), of_upstream);
    assert_eq!(put(json!({}), Response::new(429).of_step()), of_upstream);
}

#[test]
fn what_tells_on_servers_is_removed() {
    let all = TELLING
        .iter()
        .fold(Response::new(200).with_header("x-own", "1"), |response, name| response.with_header(name, "1"));
    let left = |config: Value| {
        let plugin = plugin(config);
        let response = plugin.send(Request::get("/")).respond(all.clone());
        assert_eq!(response.header("x-own"), Some("1"));
        TELLING.iter().filter(|name| response.header(name).is_some()).count()
    };
    assert_eq!(left(json!({})), 0);
    assert_eq!(left(json!({ "preset": "web" })), 0);
    assert_eq!(left(json!({ "remove": ["Server", "server"] })), TELLING.len() - 1);
    assert_eq!(left(json!({ "remove": [] })), TELLING.len());
    assert_eq!(left(json!({ "preset": "none", "nosniff": true })), TELLING.len());
}

#[test]
fn hsts_is_for_https_alone() {
    let plugin = plugin(json!({}));
    let upstream = || Response::new(200).with_header("strict-transport-security", "max-age=1");
    for response in [Response::new(200), upstream()] {
        assert_eq!(
            plugin.send(Request::get("/")).respond(response).header("strict-transport-security"),
            None
        );
    }
    let response = plugin.send(Request::get("/").https()).respond(upstream());
    assert_eq!(response.header_all("strict-transport-security"), ["max-age=1"]);
}

#[test]
fn a_trusted_proxy_says_by_which_way_the_client_came() {
    let plugin = plugin(json!({}));
    let told = |request: Request| {
        plugin.send(request).respond(Response::new(200)).header("strict-transport-security").is_some()
    };
    for (proto, secure) in
        [("https", true), ("HTTPS", true), ("https, http", true), ("http, https", false), ("", false)]
    {
        assert_eq!(told(Request::get("/").with_header("x-forwarded-proto", proto)), secure, "{proto}");
    }
    assert!(!told(Request::get("/").https().with_header("x-forwarded-proto", "http")));
}

#[test]
fn the_upstream_has_the_last_word_unless_overridden() {
    let upstream = || {
        Response::new(200)
            .with_header("referrer-policy", "origin")
            .with_header("referrer-policy", "same-origin")
            .with_header("content-security-policy", "img-src *")
    };
    let found = put(json!({}), upstream());
    assert_eq!(found["referrer-policy"], "origin|same-origin");
    assert_eq!(found["content-security-policy"], "img-src *");
    assert_eq!(found["x-frame-options"], "deny");
    let found = put(json!({ "override": true, "csp": false }), upstream());
    assert_eq!(found["referrer-policy"], "no-referrer");
    // What is left out is not taken away either.
    assert_eq!(found["content-security-policy"], "img-src *");
    // One header alone is overridden by removing it first.
    let found = put(json!({ "remove": ["referrer-policy"] }), upstream());
    assert_eq!(found["referrer-policy"], "no-referrer");
}

#[test]
fn every_key_can_be_given_and_left_out() {
    let config = json!({
        "preset": "none",
        "hsts": { "max_age": "365d", "preload": true },
        "nosniff": true,
        "frame_options": "sameorigin",
        "referrer_policy": "strict-origin-when-cross-origin",
        "csp": { "default-src": ["'self'"], "img-src": ["*", "data:"], "upgrade-insecure-requests": [] },
        "csp_report_only": "default-src 'none'; report-to main",
        "permissions_policy": { "camera": [], "geolocation": ["self", "https://maps.example"] },
        "cross_origin_opener_policy": "same-origin-allow-popups",
        "cross_origin_embedder_policy": "credentialless",
        "cross_origin_resource_policy": "same-site",
        "permitted_cross_domain_policies": "master-only",
    });
    let expected = [
        ("content-security-policy", "default-src 'self'; img-src * data:; upgrade-insecure-requests"),
        ("content-security-policy-report-only", "default-src 'none'; report-to main"),
        ("cross-origin-embedder-policy", "credentialless"),
        ("cross-origin-opener-policy", "same-origin-allow-popups"),
        ("cross-origin-resource-policy", "same-site"),
        ("permissions-policy", "camera=(), geolocation=(self \"https://maps.example\")"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "sameorigin"),
        ("x-permitted-cross-domain-policies", "master-only"),
    ];
    let found = put(config, Response::new(200));
    assert_eq!(found, expected.map(|(name, value)| (name, value.to_owned())).into());
    let off = json!({
        "preset": "web", "hsts": false, "nosniff": false, "frame_options": false, "csp": false,
        "permissions_policy": false, "cross_origin_opener_policy": false, "cross_origin_embedder_policy": false,
        "cross_origin_resource_policy": false, "permitted_cross_domain_policies": false,
    });
    let found = put(off, Response::new(200));
    assert_eq!(found, [("referrer-policy", "no-referrer".to_owned())].into());
}

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    for (config, reason) in [
        (json!({ "preset": "none" }), "there is nothing to do"),
        (json!({ "preset": "strict" }), ""),
        (
            json!({ "hsts": { "preload": true, "max_age": "364d" } }),
            "`hsts`: `preload` asks for a `max_age` of at least",
        ),
        (
            json!({ "hsts": { "preload": true, "include_subdomains": false } }),
            "`hsts`: `preload` asks for `include_subdomains`",
        ),
        (json!({ "hsts": { "max_age": "3651d" } }), "`hsts`: `max_age` is at most \"3650d\""),
        (json!({ "hsts": { "max_age": "500ms" } }), "`hsts`: `max_age` is less than a second"),
        (json!({ "hsts": { "maxage": "1d" } }), ""),
        (json!({ "hsts": true }), ""),
        (json!({ "csp": "default-src self" }), "`csp`: `default-src`: `self` is a host like this"),
        (json!({ "csp": {} }), "`csp`: the policy is empty"),
        (
            json!({ "csp_report_only": { "img": ["*"] } }),
            "`csp_report_only`: `img`: there is no such directive",
        ),
        (json!({ "permissions_policy": "camera 'none'" }), "`permissions_policy`: `camera 'none'`: write"),
        (json!({ "frame_options": "allow-from https://a.example" }), ""),
        (json!({ "remove": ["Host"] }), "`remove`: `host` belongs to the gateway"),
        (json!({ "remove": ["Content-Length"] }), "`remove`: `content-length` belongs to the gateway"),
        (json!({ "remove": ["x y"] }), ""),
        (json!({ "xss_protection": "0" }), ""),
    ] {
        let refused = Harness::<SecurityHeaders>::new(config.clone()).start().unwrap_err();
        assert!(refused.message.contains(reason), "{config}: {refused}");
    }
}
