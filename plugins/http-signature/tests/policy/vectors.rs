//! Signatures of RFC 9421 (sections 3.2 and 4.3, appendix B) and of another implementation.

use sluice_sdk_testing::{Request, Value, json};

use crate::sign::{is_let_in, is_refused, lax, plugin, world};

const DIGEST: &str =
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

/// `test-request` of appendix B.2.
fn test_request() -> Request {
    Request::post("/foo?param=Value&Pet=dog")
        .https()
        .host("example.com")
        .with_header("date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .with_header("content-type", "application/json")
        .with_header("content-digest", DIGEST)
        .with_header("content-length", "18")
        .with_body("{\"hello\": \"world\"}")
}

fn signed(request: Request, label: &str, input: &str, signature: &str) -> Request {
    let request = request.with_header("signature-input", format!("{label}={input}"));
    request.with_header("signature", format!("{label}=:{signature}:"))
}

/// Label, what stands in `Signature-Input`, signature. B.2.4 is of a response; B.2.5 is beside the code.
const VECTORS: [(&str, &str, &str); 5] = [
    (
        "sig-b21",
        r#"();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
        "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==",
    ),
    (
        "sig-b22",
        r#"("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#,
        "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==",
    ),
    (
        "sig-b23",
        r#"("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
        "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==",
    ),
    (
        "sig-b26",
        r#"("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
    ),
    // Section 3.2.
    (
        "sig1",
        r#"("@method" "@authority" "@path" "content-digest" "content-length" "content-type");created=1618884473;keyid="test-key-rsa-pss""#,
        "HIbjHC5rS0BYaa9v4QfD4193TORw7u9edguPh0AW3dMq9WImrlFrCGUDih47vAxi4L2YRZ3XMJc1uOKk/J0ZmZ+wcta4nKIgBkKq0rM9hs3CQyxXGxHLMCy8uqK488o+9jrptQ+xFPHK7a9sRL1IXNaagCNN3ZxJsYapFj+JXbmaI5rtAdSfSvzPuBCh+ARHBmWuNo1UzVVdHXrl8ePL4cccqlazIJdC4QEjrF+Sn4IxBQzTZsL9y9TP5FsZYzHvDqbInkTNigBcE9cKOYNFCn4D/WM7F6TNuZO9EgtzepLWcjTymlHzK7aXq6Am6sfOrpIC49yXjj3ae6HRalVc/g==",
    ),
];

#[test]
fn signatures_of_appendix_b2_are_right() {
    let plugin = world(lax()).at(1_618_884_474_000).start().unwrap();
    for (label, input, signature) in VECTORS {
        is_let_in(&plugin, signed(test_request(), label, input, signature));
        // The same signature of another input, and another signature of the same input.
        let other = input.replace("1618884473", "1618884472");
        is_refused(&plugin, signed(test_request(), label, &other, signature), 401, "signature-invalid");
        let bytes =
            signature.replacen(&signature[..1], if signature.starts_with('A') { "B" } else { "A" }, 1);
        is_refused(&plugin, signed(test_request(), label, input, &bytes), 401, "signature-invalid");
    }
}

#[test]
fn the_full_coverage_of_appendix_b23_is_what_is_required_by_default() {
    let plugin = world(json!({})).at(1_618_884_474_000).start().unwrap();
    let (label, input, signature) = VECTORS[2];
    is_let_in(&plugin, signed(test_request(), label, input, signature));
    let (label, input, signature) = VECTORS[3];
    let exchange = plugin.send(signed(test_request(), label, input, signature));
    assert_eq!(exchange.answer().problem()["missing"], json!(["@query", "content-digest"]));
}

#[test]
fn the_proxy_of_appendix_b3_is_known() {
    let certificate = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";
    let input = r#"("@path" "@query" "@method" "@authority" "client-cert");created=1618884473;keyid="test-key-ecc-p256""#;
    let signature =
        "xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==";
    let plugin = world(json!({ "digest": "off" })).at(1_618_884_474_000).start().unwrap();
    let request = test_request().host("service.internal.example").with_header("client-cert", certificate);
    is_let_in(&plugin, signed(request, "ttrp", input, signature));
}

#[test]
fn transformations_of_appendix_b4_change_what_they_should() {
    let input = r#"("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519""#;
    let signature =
        "ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==";
    let plugin = world(lax()).at(1_618_884_474_000).start().unwrap();
    let request = |method: &str, target: &str, host: &str, accept: &[&str]| {
        let request = Request::new(method, target).https().host(host);
        let request = accept.iter().fold(request, |request, value| request.with_header("accept", value));
        signed(request, "transform", input, signature)
    };
    let target = "/demo?name1=Value1&Name2=value2";
    let both = &["application/json", "*/*"][..];
    is_let_in(&plugin, request("GET", target, "example.org", both));
    is_let_in(
        &plugin,
        request("GET", &format!("{target}&param=added"), "example.org", both)
            .with_header("accept-language", "en"),
    );
    is_let_in(&plugin, request("GET", target, "example.org", &["application/json, */*"]));
    is_refused(&plugin, request("POST", target, "example.com", both), 401, "signature-invalid");
    is_refused(
        &plugin,
        request("GET", target, "example.org", &["*/*", "application/json"]),
        401,
        "signature-invalid",
    );
}

#[test]
fn of_two_signatures_the_named_one_counts() {
    // Section 4.3: `sig1` was made for another authority.
    let input = r#"sig1=("@method" "@authority" "@path" "content-digest" "content-type" "content-length");created=1618884475;keyid="test-key-ecc-p256", proxy_sig=("@method" "@authority" "@path" "content-digest" "content-type" "content-length" "forwarded");created=1618884480;keyid="test-key-rsa";alg="rsa-v1_5-sha256";expires=1618884540"#;
    let signature = "sig1=:X5spyd6CFnAG5QnDyHfqoSNICd+BUP4LYMz2Q0JXlb//4Ijpzp+kve2w4NIyqeAuM7jTDX+sNalzA8ESSaHD3A==:, proxy_sig=:S6ZzPXSdAMOPjN/6KXfXWNO/f7V6cHm7BXYUh3YD/fRad4BCaRZxP+JH+8XY1I6+8Cy+CM5g92iHgxtRPz+MjniOaYmdkDcnL9cCpXJleXsOckpURl49GwiyUpZ10KHgOEe11sx3G2gxI8S0jnxQB+Pu68U9vVcasqOWAEObtNKKZd8tSFu7LB5YAv0RAGhB8tmpv7sFnIm9y+7X5kXQfi8NMaZaA8i2ZHwpBdg7a6CMfwnnrtflzvZdXAsD3LH2TwevU+/PBPv0B6NMNk93wUs/vfJvye+YuI87HU38lZHowtznbLVdp770I6VHR6WfgS9ddzirrswsE1w5o0LV/g==:";
    let request = || {
        test_request()
            .host("origin.host.internal.example")
            .with_header("forwarded", "for=192.0.2.123;host=example.com;proto=https")
            .with_header("signature-input", input)
            .with_header("signature", signature)
    };
    let with = |label: &str, algorithm: &str| {
        let config = json!({ "required": ["@path"], "label": label, "algorithms": [algorithm] });
        world(config).at(1_618_884_481_000).start().unwrap()
    };
    is_let_in(&with("proxy_sig", "rsa-v1_5-sha256"), request());
    is_refused(&with("proxy_sig", "rsa-pss-sha512"), request(), 401, "signature-invalid");
    is_refused(&with("sig1", "ecdsa-p256-sha256"), request(), 401, "signature-invalid");
    is_let_in(&with("sig1", "ecdsa-p256-sha256"), request().host("example.com"));
    is_refused(&plugin(json!({})), request(), 400, "signature-malformed");
}

#[test]
fn requests_that_another_implementation_has_signed_are_let_in() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../data/interop.json")).unwrap();
    let algorithms = [
        "hmac-sha256",
        "ed25519",
        "ecdsa-p256-sha256",
        "ecdsa-p384-sha384",
        "rsa-pss-sha512",
        "rsa-v1_5-sha256",
    ];
    let plugin = plugin(json!({ "algorithms": algorithms }));
    assert_eq!(cases.len(), 16);
    for case in &cases {
        let text = |key: &str| case[key].as_str().unwrap_or_default();
        let (scheme, rest) = text("url").split_once("://").unwrap();
        let (host, target) = rest.split_at(rest.find('/').unwrap());
        let mut request = Request::new(text("method"), target);
        if scheme == "https" {
            request = request.https();
        }
        for field in case["headers"].as_array().unwrap() {
            let (name, value) = (field[0].as_str().unwrap(), field[1].as_str().unwrap());
            if name != "Host" {
                request = request.with_header(name, value);
            }
        }
        if let Some(body) = case["body"].as_str() {
            request = request.with_body(body);
        }
        let exchange = plugin.send(request.clone().host(host));
        assert_eq!(exchange.consumer(), Some("acme"), "{}: {:?}", text("name"), exchange.decision());
        is_refused(&plugin, request.host("other.example"), 401, "signature-invalid");
    }
}
