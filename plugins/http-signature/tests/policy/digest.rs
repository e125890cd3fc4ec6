//! Bodies and their digests (RFC 9530).

use data_encoding::BASE64;
use sha2::{Digest as _, Sha512};
use sluice_sdk_testing::{Request, json};

use crate::sign::{Signed, is_let_in, is_refused, outcome, plugin};

/// Appendix B of RFC 9530, as far as the examples have content; B.4's as erratum 8890 puts it.
const EXAMPLES: [(&[u8], &str); 6] = [
    (b"{\"hello\": \"world\"}\n", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
    (b"", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
    (b"\"world\"}\n", "sha-256=:jjcgBDWNAtbYUXI37CVG3gRuGOAjaaDRGpIUFsdyepQ=:"),
    (
        b"\x0b\x09\x80{\"hello\": \"world\"}\n\x03",
        "sha-256=:d435Qo+nKZ+gLcUHn7GQtQ72hiBVAgqoLsZnZPiTGPk=:, sha-512=:db7fdBbgZMgX1Wb2MjA8zZj+rSNgfmDCEEXM8qLWfpfoNY0sCpHAzZbj09X1/7HAb7Od5Qfto4QpuBsFbUO3dQ==:",
    ),
    (b"{\"title\": \"New Title\"}\n", "sha-256=:mEkdbO7Srd9LIOegftO0aBX+VPTVz7/CSHes2Z27gc4=:"),
    (
        b"{\n  \"title\": \"Not Found\",\n  \"detail\": \"Cannot PATCH a non-existent resource\",\n  \"status\": 404\n}\n",
        "sha-256=:EXB0S2VF2H7ijkAVJkH1Sm0pBho0iDZcvVUHHXTTZSA=:",
    ),
];

/// A request whose signature covers `field`, with these bytes as its body.
fn with(field: &str, value: &str, body: &[u8]) -> Request {
    Signed::get().covering(field, value).request().with_body(body)
}

#[test]
fn bodies_have_the_digests_of_the_specification() {
    let plugin = plugin(json!({ "repr_digest": true }));
    for (body, value) in EXAMPLES {
        for field in ["content-digest", "repr-digest"] {
            is_let_in(&plugin, with(field, value, body));
            is_refused(&plugin, with(field, value, &[body, b"x"].concat()), 400, "digest-mismatch");
        }
    }
}

#[test]
fn every_digest_that_is_understood_has_to_be_right() {
    let plugin = plugin(json!({}));
    let right = crate::sign::digest("body");
    let sha512 = BASE64.encode(&Sha512::digest("body"));
    is_let_in(&plugin, with("content-digest", &format!("{right}, sha-512=:{sha512}:, md5=:AA==:"), b"body"));
    is_refused(
        &plugin,
        with("content-digest", &format!("{right}, sha-512=:AA==:"), b"body"),
        400,
        "digest-mismatch",
    );
    is_refused(&plugin, with("content-digest", "sha-256=::", b"body"), 400, "digest-mismatch");
}

#[test]
fn a_body_without_a_digest_is_refused() {
    let plugin = plugin(json!({}));
    let bare = Signed { method: "POST".to_owned(), ..Signed::get() };
    let bare = || {
        let mut bare = bare.clone();
        bare.lines[0].1 = "POST".to_owned();
        bare.request()
    };
    is_let_in(&plugin, bare());
    // It is only seen once it is there, or its length tells before.
    for request in [
        bare().with_body("x"),
        bare().with_header("content-length", "1").with_body("x"),
        bare().with_chunks(["", "x"]),
    ] {
        let exchange = plugin.send(request);
        assert_eq!(outcome(&exchange), (400, "digest-missing".to_owned()));
        assert_eq!(exchange.answer().header("want-content-digest"), Some("sha-256=10, sha-512=9"));
    }
    for value in ["md5=:AA==:", "nonsense", "", "sha-256=1"] {
        is_refused(&plugin, with("content-digest", value, b"x"), 400, "digest-missing");
    }
}

#[test]
fn a_digest_that_is_not_covered_proves_nothing() {
    let mut signed = Signed::post("body");
    signed.lines.pop();
    let strict = plugin(json!({}));
    is_refused(&strict, signed.request(), 401, "signature-incomplete");
    // Over HTTP/2 the head need not tell that there is a body.
    signed.fields.retain(|(name, _)| name != "content-length");
    is_refused(&strict, signed.request(), 401, "signature-incomplete");
    let lax = plugin(json!({ "digest": "if-present" }));
    is_let_in(&lax, signed.request());
    is_refused(&lax, Signed { body: Some("other".to_owned()), ..signed }.request(), 400, "digest-mismatch");
}

#[test]
fn bodies_are_left_alone_where_they_are_not_looked_at() {
    let request = || Signed { body: Some("other".to_owned()), ..Signed::post("body") }.request();
    is_let_in(&plugin(json!({ "digest": "off" })), request());
    is_refused(&plugin(json!({ "digest": "if-present" })), request(), 400, "digest-mismatch");
    is_let_in(&plugin(json!({ "digest": "if-present" })), Signed::get().request().with_body("x"));
}

#[test]
fn the_digest_of_a_representation_is_for_all_of_it() {
    let right = crate::sign::digest("body");
    let whole = plugin(json!({ "repr_digest": true }));
    is_refused(
        &whole,
        with("repr-digest", &right, b"body").with_header("content-range", "bytes 0-3/4"),
        400,
        "digest-missing",
    );
    is_refused(&plugin(json!({})), with("repr-digest", &right, b"body"), 400, "digest-missing");
}

#[test]
fn a_covered_digest_is_checked_or_refused() {
    let right = crate::sign::digest("body");
    let part = ("content-range", "bytes 0-11/99");
    for mode in ["if-present", "required"] {
        let plugin = plugin(json!({ "digest": mode, "repr_digest": true }));
        let signed = |body: &[u8]| with("repr-digest", &right, body);
        is_let_in(&plugin, signed(b"body"));
        is_refused(&plugin, signed(b"other"), 400, "digest-mismatch");
        // What nobody signed makes it a digest of something else: of another body, or of none.
        for body in [&b"other"[..], b""] {
            is_refused(&plugin, signed(body).with_header(part.0, part.1), 400, "digest-missing");
        }
        // The digest of the part that was sent is covered as well.
        let both = Signed::get().covering("repr-digest", &right);
        let both = both.covering("content-digest", &crate::sign::digest("bo")).request();
        is_let_in(&plugin, both.clone().with_body("bo").with_header(part.0, part.1));
        is_refused(&plugin, both.with_body("od").with_header(part.0, part.1), 400, "digest-mismatch");
    }
    // It does not count here, is not of this form, or is by an algorithm that is not known.
    for mode in ["if-present", "required"] {
        let plugin = plugin(json!({ "digest": mode }));
        for field in ["repr-digest", "digest"] {
            for body in [&b"body"[..], b""] {
                is_refused(&plugin, with(field, &right, body), 400, "digest-missing");
            }
        }
    }
    let lax = plugin(json!({ "digest": "if-present" }));
    let mut signed = Signed::get();
    signed.fields.push(("content-digest".to_owned(), format!("md5=:AA==:, {right}")));
    signed.lines.push(("\"content-digest\";key=\"md5\"".to_owned(), ":AA==:".to_owned()));
    is_refused(&lax, signed.request().with_body("body"), 400, "digest-missing");
    signed.lines.push(("\"content-digest\";key=\"sha-256\"".to_owned(), right[8..].to_owned()));
    is_let_in(&lax, signed.request().with_body("body"));
}

#[test]
fn a_covered_digest_of_an_older_form_is_checked_or_refused() {
    let plugin = plugin(json!({ "digest": "if-present", "compat": "kong-hmac", "repr_digest": true }));
    let (date, right) = ("Thu, 01 Jan 2026 00:00:00 GMT", crate::sign::digest("body"));
    let text = format!("@request-target: post /\nhost: api.example\ndate: {date}\nrepr-digest: {right}");
    let credentials = format!(
        "hmac username=\"secret\", algorithm=\"hmac-sha256\", headers=\"@request-target host date repr-digest\", signature=\"{}\"",
        BASE64.encode(&crate::sign::mac(crate::sign::SECRET, &text))
    );
    let request = |body: &str| {
        let request = Request::post("/").with_header("date", date).with_header("repr-digest", &right);
        request.with_header("authorization", &credentials).with_body(body)
    };
    is_let_in(&plugin, request("body"));
    is_refused(&plugin, request("other"), 400, "digest-mismatch");
    is_refused(&plugin, request("other").with_header("content-range", "bytes 0-4/9"), 400, "digest-missing");
}
