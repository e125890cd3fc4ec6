//! What the policy lets through and what it answers.

use basic_auth::BasicAuth;
use data_encoding::BASE64;
use sluice_sdk_testing::{Consumer, Harness, Request, TestPlugin, Value, json};

fn plugin(config: Value) -> TestPlugin {
    Harness::<BasicAuth>::new(config)
        .consumer(
            Consumer::new("acme").password("Aladdin", "open sesame").password("acme-2", "pass:with:colons"),
        )
        // RFC 7617 section 2.1
        .consumer(Consumer::new("bolt").password("test", "123\u{a3}").key("open sesame"))
        .consumer(Consumer::new("guest"))
        .start()
        .expect("the configuration is good")
}

fn request(scheme: &str, credentials: &str) -> Request {
    Request::get("/")
        .with_header("authorization", format!("{scheme} {}", BASE64.encode(credentials.as_bytes())))
}

#[test]
fn the_vectors_of_rfc_7617() {
    let plugin = plugin(json!({}));
    let aladdin = Request::get("/").with_header("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let exchange = plugin.send(aladdin);
    assert_eq!(exchange.consumer(), Some("acme"));
    assert_eq!(exchange.forwarded().header("authorization"), None, "the upstream does not see the password");
    assert_eq!(exchange.forwarded().header("x-credential-identifier"), Some("Aladdin"));
    let utf8 = Request::get("/").with_header("authorization", "basic dGVzdDoxMjPCow==");
    assert_eq!(plugin.send(utf8).consumer(), Some("bolt"));
}

#[test]
fn a_password_may_have_colons_and_a_name_may_not() {
    let plugin = plugin(json!({ "hide": false }));
    let exchange = plugin.send(request("BASIC", "acme-2:pass:with:colons"));
    assert_eq!(exchange.consumer(), Some("acme"));
    assert!(exchange.forwarded().header("authorization").is_some());
    assert_eq!(plugin.send(request("Basic", "acme-2:pass")).answer().status(), 401);
}

#[test]
fn whoever_is_not_known_is_refused() {
    let plugin = plugin(json!({ "realm": "orders" }));
    let header = |value: &str| Request::get("/").with_header("authorization", value);
    for (request, kind) in [
        (Request::get("/"), "missing"),
        (header("Bearer abc"), "missing"),
        (header("Basic"), "malformed"),
        (header("Basic !!!"), "malformed"),
        (header("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ"), "malformed"),
        (header("Basic QWxhZGRpbjpvcGVuIHNlc2FtZR=="), "malformed"),
        (header("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== x"), "malformed"),
        (request("Basic", "no colon"), "malformed"),
        (request("Basic", "Aladdin:open\u{0}sesame"), "malformed"),
        (request("Basic", &format!("Aladdin:{}", "x".repeat(5000))), "malformed"),
        (request("Basic", "Aladdin:open sesam"), "unknown"),
        (request("Basic", "aladdin:open sesame"), "unknown"),
        (request("Basic", ":open sesame"), "unknown"),
        (request("Basic", "Aladdin:"), "unknown"),
        // An API key is no password.
        (request("Basic", "open sesame:"), "unknown"),
        (
            header("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
                .with_header("authorization", "Basic dGVzdDoxMjPCow=="),
            "malformed",
        ),
        (header("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").with_header("authorization", "Bearer x"), "malformed"),
    ] {
        let exchange = plugin.send(request);
        let answer = exchange.answer();
        assert_eq!(answer.problem()["type"], format!("basic-auth-{kind}"));
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"orders\", charset=\"UTF-8\""));
        assert_eq!(exchange.consumer(), None);
    }
}

#[test]
fn who_shows_nothing_may_be_let_in_as_somebody() {
    let plugin = plugin(json!({ "anonymous": "guest" }));
    assert_eq!(plugin.send(Request::get("/")).consumer(), Some("guest"));
    assert_eq!(plugin.send(request("Basic", "Aladdin:wrong")).answer().status(), 401);
    let nobody = Harness::<BasicAuth>::new(json!({ "anonymous": "nobody" })).start();
    assert!(nobody.unwrap_err().message.contains("nobody"));
}

#[test]
fn a_bad_realm_is_refused() {
    for realm in ["", "a\"b", "a\\b", "a\nb"] {
        assert!(Harness::<BasicAuth>::new(json!({ "realm": realm })).start().is_err(), "{realm:?}");
    }
}
