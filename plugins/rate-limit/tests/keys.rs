//! Whom the policy counts together.

mod common;

use common::{admits, plugin};
use proptest::prelude::{any, proptest};
use proptest::{collection, prop_assert_eq};
use sluice_sdk_testing::{Request, json};

#[test]
fn counters_belong_to_the_key() {
    let one = json!([{ "q": 1, "w": "1m" }]);
    let by_ip = plugin(json!({ "limits": one }));
    assert!(admits(&by_ip, Request::get("/").client("192.0.2.1")));
    assert!(admits(&by_ip, Request::get("/").client("192.0.2.2")));
    assert!(!admits(&by_ip, Request::get("/").client("::ffff:192.0.2.1")), "the same address");
    assert!(admits(&by_ip, Request::get("/").client("2001:db8:1:2::1")));
    assert!(!admits(&by_ip, Request::get("/").client("2001:db8:1:2:ffff::9")), "the same /64");
    assert!(admits(&by_ip, Request::get("/").client("2001:db8:1:3::1")));

    let by_consumer = plugin(json!({ "key": "consumer", "limits": one }));
    assert!(admits(&by_consumer, Request::get("/").consumer("acme").client("192.0.2.1")));
    assert!(!admits(&by_consumer, Request::get("/").consumer("acme").client("192.0.2.2")));
    assert!(admits(&by_consumer, Request::get("/").consumer("bolt")));

    let by_both = plugin(json!({ "key": ["consumer", "route"], "limits": one }));
    assert!(admits(&by_both, Request::get("/").consumer("acme").route("a")));
    assert!(admits(&by_both, Request::get("/").consumer("acme").route("b")));
    assert!(!admits(&by_both, Request::get("/").consumer("acme").route("a")));
}

#[test]
fn a_header_cannot_reach_into_another_counter() {
    let plugin = plugin(json!({ "key": ["header:x-a", "header:x-b"], "limits": [{ "q": 1, "w": "1m" }] }));
    let request = |a: &str, b: &str| Request::get("/").with_header("x-a", a).with_header("x-b", b);
    assert!(admits(&plugin, request("ab", "c")));
    assert!(admits(&plugin, request("a", "bc")));
    assert!(!admits(&plugin, request("ab", "c")));
    let long = "x".repeat(4000);
    assert!(admits(&plugin, request(&long, "c")), "long values are as good as others");
    assert!(admits(&plugin, request(&long[1..], "c")));
    assert!(!admits(&plugin, request(&long, "c")));
}

#[test]
fn without_the_key_the_address_counts_unless_said_otherwise() {
    let config =
        |missing: &str| json!({ "key": "consumer", "missing": missing, "limits": [{ "q": 1, "w": "1m" }] });
    let by_ip = plugin(config("ip"));
    assert!(admits(&by_ip, Request::get("/")));
    assert!(!admits(&by_ip, Request::get("/")));
    assert!(admits(&by_ip, Request::get("/").client("192.0.2.9")));
    let free = plugin(config("allow"));
    assert!((0..3).all(|_| admits(&free, Request::get("/"))));
    let answer = plugin(config("deny")).send(Request::get("/")).answer();
    assert_eq!((answer.status(), &answer.problem()["type"]), (403, &json!("rate-limit-key-missing")));
}

/// Longer than what stands in a counter's name.
const LONG: &str =
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789x";

#[test]
fn every_kind_of_key_is_one() {
    let one = json!([{ "q": 1, "w": "1m" }]);
    let claims = |tenant: &str| json!({ "tenant": tenant, "seats": 7, "roles": ["a"] });
    let get = || Request::get("/");
    for (key, first, second) in [
        ("route", get().route("a"), get().route("b")),
        ("host", get().host("a.example:81"), get().host("b.example")),
        ("header:x-tenant", get().with_header("x-tenant", "a"), get().with_header("x-tenant", "b")),
        ("query:tenant", Request::get("/?tenant=a"), Request::get("/?tenant=b")),
        ("cookie:sid", get().with_header("cookie", "x=1; sid=a"), get().with_header("cookie", "sid=b")),
        ("claim:tenant", get().value("auth.claims", &claims("a")), get().value("auth.claims", &claims("b"))),
        ("path-param:id", get().path_param("id", "a"), get().path_param("id", "b")),
        ("path-param:id", get().path_param("id", LONG), get().path_param("id", &LONG[1..])),
        (
            "claim:tenant",
            get().value("auth.claims", &claims(LONG)),
            get().value("auth.claims", &claims(&LONG[1..])),
        ),
    ] {
        let plugin = plugin(json!({ "key": key, "missing": "deny", "limits": one }));
        assert!(admits(&plugin, first.clone()), "{key}");
        assert!(admits(&plugin, second), "{key}");
        assert!(!admits(&plugin, first.client("192.0.2.99")), "{key}");
    }
    let plugin = plugin(json!({ "key": "host", "limits": one }));
    assert!(admits(&plugin, get().host("A.example:81")));
    assert!(!admits(&plugin, get().host("a.example")), "the host alone, in any case");
}

#[test]
fn what_is_no_plain_claim_is_none() {
    let deny = |key: &str| plugin(json!({ "key": key, "missing": "deny", "minute": 1 }));
    let claims =
        json!({ "roles": ["a"], "org": { "id": 1 }, "none": null, "seats": 7, "free": false, "empty": "" });
    for claim in ["roles", "org", "none", "unknown", "empty"] {
        let answer =
            deny(&format!("claim:{claim}")).send(Request::get("/").value("auth.claims", &claims)).answer();
        assert_eq!(
            (answer.status(), &answer.problem()["type"]),
            (403, &json!("rate-limit-key-missing")),
            "{claim}"
        );
    }
    for claim in ["seats", "free"] {
        assert!(admits(&deny(&format!("claim:{claim}")), Request::get("/").value("auth.claims", &claims)));
    }
    let nonsense = Request::get("/").value("auth.claims", &json!("no claims"));
    assert_eq!(deny("claim:sub").send(nonsense).answer().status(), 403);
    assert_eq!(deny("credential").send(Request::get("/").consumer("acme")).answer().status(), 403);
}

#[test]
fn one_header_does_not_count_for_another() {
    // Two steps of one plugin share its counters; a value that both headers have is not the same key.
    let a = Request::get("/").with_header("x-a", "v").with_header("x-b", "v");
    let plugin = plugin(json!({ "key": ["header:x-a", "header:x-b"], "missing": "ip", "minute": 1 }));
    assert!(admits(&plugin, a));
    assert!(admits(&plugin, Request::get("/").with_header("x-a", "v")));
    assert!(admits(&plugin, Request::get("/").with_header("x-b", "v")));
}

#[test]
fn prefixes_say_how_much_of_an_address_counts() {
    let config = json!({ "minute": 1, "ipv4_prefix": 24, "ipv6_prefix": 48 });
    let plugin = plugin(config);
    assert!(admits(&plugin, Request::get("/").client("192.0.2.1")));
    assert!(!admits(&plugin, Request::get("/").client("192.0.2.254")));
    assert!(admits(&plugin, Request::get("/").client("192.0.3.1")));
    assert!(admits(&plugin, Request::get("/").client("2001:db8:1::1")));
    assert!(!admits(&plugin, Request::get("/").client("2001:db8:1:ffff::1")));
    assert!(admits(&plugin, Request::get("/").client("2001:db8:2::1")));
}

proptest! {
    #[test]
    fn different_values_are_different_keys(
        one in (collection::vec(any::<u8>(), 0..6), collection::vec(any::<u8>(), 0..6)),
        two in (collection::vec(any::<u8>(), 0..6), collection::vec(any::<u8>(), 0..6)),
    ) {
        let plugin = plugin(json!({ "key": ["header:x-a", "header:x-b"], "missing": "deny", "minute": 1 }));
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "-";
        let request = |(a, b): &(Vec<u8>, Vec<u8>)| Request::get("/").with_header("x-a", hex(a)).with_header("x-b", hex(b));
        admits(&plugin, request(&one));
        prop_assert_eq!(admits(&plugin, request(&two)), one != two);
    }
}
