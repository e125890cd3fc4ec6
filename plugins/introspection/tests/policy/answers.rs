//! What becomes of the server's answer, and of none.

use sluice_sdk_testing::{Request, Response, json};

use crate::common::{NOW, active, answered, shown, with, world};

#[test]
fn what_the_server_says_is_checked() {
    let wants = json!({
        "issuers": "https://login.example", "audiences": ["api"], "clients": ["app", "web"], "token_types": "bearer",
        "required_scopes": ["read"],
    });
    for (answer, expected) in [
        (json!({ "active": false }), Some((401, "token-inactive"))),
        (active(), None),
        (with(json!({ "aud": "api" })), None),
        (with(json!({ "exp": NOW - 29 })), None),
        (with(json!({ "exp": NOW - 30 })), Some((401, "token-expired"))),
        (with(json!({ "nbf": NOW + 30 })), None),
        (with(json!({ "nbf": NOW + 31 })), Some((401, "token-not-yet-valid"))),
        (with(json!({ "exp": NOW - 30, "aud": "other" })), Some((401, "token-invalid"))),
        (with(json!({ "exp": "tomorrow" })), Some((401, "token-invalid"))),
        (with(json!({ "iss": "https://else.example" })), Some((401, "token-invalid"))),
        (with(json!({ "iss": null })), Some((401, "token-invalid"))),
        (with(json!({ "aud": "apis" })), Some((401, "token-invalid"))),
        (with(json!({ "aud": [["api"]] })), Some((401, "token-invalid"))),
        (with(json!({ "aud": ["api", 7] })), Some((401, "token-invalid"))),
        (with(json!({ "client_id": "cli" })), Some((401, "token-invalid"))),
        (with(json!({ "token_type": "mac" })), Some((401, "token-invalid"))),
        (
            with(json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } })),
            Some((401, "token-invalid")),
        ),
        (with(json!({ "scope": "reader write" })), Some((403, "insufficient-scope"))),
    ] {
        let plugin = answered(wants.clone(), answer.clone());
        let exchange = plugin.send(shown("t"));
        match expected {
            None => assert!(exchange.is_forwarded(), "{answer}"),
            Some((status, kind)) => {
                let given = exchange.answer();
                assert_eq!((given.status(), &given.problem()["type"]), (status, &json!(kind)), "{answer}");
                let error = if status == 403 { "insufficient_scope" } else { "invalid_token" };
                assert!(given.header("www-authenticate").unwrap().contains(error));
            }
        }
    }
}

#[test]
fn a_token_that_is_bound_to_a_certificate_wants_it() {
    // The SHA-256 of "not really DER", which nobody parses here.
    let bound = with(json!({ "cnf": { "x5t#S256": "THUMBPRINT" } }));
    let thumbprint = "R2W5kOJzI22JQYZk1Rg3ufDQdmt7oSnGmKPLIiXrnMY";
    let right = with(json!({ "cnf": { "x5t#S256": thumbprint } }));
    let certificate = |request: Request| request.certificate(b"not really DER");
    assert!(answered(json!({}), right.clone()).send(certificate(shown("t"))).is_forwarded());
    assert_eq!(answered(json!({}), right).send(shown("t")).answer().status(), 401);
    assert_eq!(answered(json!({}), bound).send(certificate(shown("t"))).answer().status(), 401);
}

#[test]
fn a_server_that_cannot_be_asked_lets_nobody_in() {
    let answers = [
        Response::new(401),
        Response::new(403),
        Response::new(500),
        Response::new(204),
        Response::new(302).with_header("location", "/elsewhere"),
        Response::new(200).with_body("<html>"),
        Response::new(200).with_json(&json!({ "active": "true" })),
        Response::new(200).with_json(&json!({ "active": true, "x": "y".repeat(16 << 10) })),
    ];
    let worlds =
        answers.into_iter().map(|answer| world(json!({})).fetch("login", "POST", "/introspect", answer));
    let silent = [
        world(json!({})).fetch_unavailable("login", "POST", "/introspect"),
        world(json!({})).fetch_timeout("login", "POST", "/introspect"),
    ];
    for world in worlds.chain(silent) {
        let plugin = world.start().unwrap();
        for _ in 0..2 {
            let exchange = plugin.send(shown("t-0123456789"));
            let answer = exchange.answer();
            assert_eq!(
                (answer.status(), &answer.problem()["type"]),
                (503, &json!("introspection-unavailable"))
            );
            assert_eq!(answer.header("retry-after"), Some("5"));
            assert_eq!(exchange.fetched().len(), 1, "a failure is not kept");
            let [("error", line)] = exchange.logs()[..] else { panic!("{:?}", exchange.logs()) };
            assert!(!line.contains("t-0123456789") && !line.contains("s3cret"), "{line}");
        }
    }
}
