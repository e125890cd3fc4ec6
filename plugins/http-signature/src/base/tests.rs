//! The examples of RFC 9421 section 2 and 2.5, and what must not have a base.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use sluice_sdk::HeaderName;

use super::*;
use crate::input;

/// Fields of the examples of sections 2.1, 2.1.2 and 2.1.3.
const FIELDS: [(&str, &str); 11] = [
    ("host", "www.example.com"),
    ("date", "Tue, 20 Apr 2021 02:07:56 GMT"),
    ("x-ows-header", "   Leading and trailing whitespace.  "),
    ("x-obs-fold-header", "Obsolete\n    line folding."),
    ("cache-control", "max-age=60"),
    ("cache-control", "   must-revalidate"),
    ("example-dict", "  a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
    ("example-header", "value, with, lots"),
    ("example-header", "of, commas"),
    ("x-empty-header", ""),
    ("x-binary", "\u{fc}"),
];

fn message(method: &str, target: &str) -> Message {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    Message {
        method: method.to_owned(),
        scheme: "https".to_owned(),
        authority: "www.example.com".to_owned(),
        path: path.to_owned(),
        query: query.map(str::to_owned),
        fields: FIELDS.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec(),
    }
}

fn structured() -> Structured {
    let name = HeaderName::from_static("example-dict");
    Structured::new(BTreeMap::from([(name, Structure::Dictionary)]))
}

fn of(message: &Message, component: &str) -> Result<String, String> {
    let component = [Component::configured(component).unwrap()];
    let known = structured();
    value(&component[0], message, &known, &Parsed::of(&component, message, &known)?)
}

#[test]
fn derived_components_are_those_of_the_specification() {
    for (target, component, expected) in [
        ("/path?param=value", "@method", "POST"),
        ("/path?param=value", "@target-uri", "https://www.example.com/path?param=value"),
        ("/path?param=value", "@authority", "www.example.com"),
        ("/path?param=value", "@scheme", "https"),
        ("/path?param=value", "@request-target", "/path?param=value"),
        ("/path?param=value", "@path", "/path"),
        ("/path?param=value&foo=bar&baz=bat%2Dman", "@query", "?param=value&foo=bar&baz=bat%2Dman"),
        ("/path?queryString", "@query", "?queryString"),
        ("/path", "@query", "?"),
        ("/path", "@request-target", "/path"),
        ("", "@path", "/"),
        ("*", "@request-target", "*"),
        ("/p?param=value&foo=bar&baz=batman&qux=", "@query-param;name=\"baz\"", "batman"),
        ("/p?param=value&foo=bar&baz=batman&qux=", "@query-param;name=\"qux\"", ""),
        ("/p?param=value&foo=bar&baz=batman&qux=", "@query-param;name=\"param\"", "value"),
    ] {
        assert_eq!(
            of(&message("POST", target), component).as_deref(),
            Ok(expected),
            "{component} of {target}"
        );
    }
    let parameters = "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something";
    for (name, expected) in [
        ("var", "this%20is%20a%20big%0Amultiline%20value"),
        ("bar", "with%20plus%20whitespace"),
        ("fa%C3%A7ade%22%3A%20", "something"),
    ] {
        let component = format!("@query-param;name=\"{name}\"");
        assert_eq!(of(&message("GET", parameters), &component).as_deref(), Ok(expected));
    }
}

#[test]
fn fields_are_those_of_the_specification() {
    let message = message("GET", "/");
    for (component, expected) in [
        ("host", "www.example.com"),
        ("date", "Tue, 20 Apr 2021 02:07:56 GMT"),
        ("x-ows-header", "Leading and trailing whitespace."),
        ("x-obs-fold-header", "Obsolete line folding."),
        ("cache-control", "max-age=60, must-revalidate"),
        ("x-empty-header", ""),
        ("example-dict", "a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ("example-dict;sf", "a=1, b=2;x=1;y=2, c=(a b c), d"),
        ("example-dict;key=\"a\"", "1"),
        ("example-dict;key=\"d\"", "?1"),
        ("example-dict;key=\"b\"", "2;x=1;y=2"),
        ("example-dict;key=\"c\"", "(a b c)"),
        ("example-header", "value, with, lots, of, commas"),
        ("example-header;bs", ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"),
        ("x-binary;bs", ":w7w=:"),
    ] {
        assert_eq!(of(&message, component).as_deref(), Ok(expected), "{component}");
    }
}

#[test]
fn what_cannot_be_resolved_has_no_base() {
    let message = message("GET", "/p?a=1&a=2&b=%FF&%FF=c");
    for component in [
        "missing",
        "missing;bs",
        "missing;sf",
        "x-binary",
        "example-header;sf",
        "example-header;key=\"a\"",
        "date;sf",
        "example-dict;key=\"e\"",
        "example-dict;key=\"E\"",
        "@query-param;name=\"a\"",
        "@query-param;name=\"b\"",
        "@query-param;name=\"c\"",
        "@query-param;name=\"%FF\"",
        "@query-param;name=\"%ff\"",
    ] {
        assert!(of(&message, component).is_err(), "{component}");
    }
    let mut twice = message.clone();
    twice.fields.push(("example-dict".to_owned(), b"a=2".to_vec()));
    assert!(of(&twice, "example-dict;key=\"a\"").is_err() && of(&twice, "example-dict;sf").is_err());
    let odd = Message { path: "/a b\u{fc}".to_owned(), ..message };
    assert!(of(&odd, "@path").is_err());
}

#[test]
fn a_base_has_an_end() {
    let fields = vec![("x".to_owned(), vec![b'a'; MAX_BASE])];
    let message = Message { fields, ..Message::default() };
    assert!(base(&[Component::configured("x").unwrap()], "()", &message, &structured()).is_err());
}

/// `test-request` of appendix B.2.
fn test_request(input: &str, signature: &str) -> Message {
    let fields = [
        ("host", "example.com"),
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("content-type", "application/json"),
        (
            "content-digest",
            "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        ),
        ("content-length", "18"),
        ("signature-input", input),
        ("signature", signature),
    ];
    Message {
        authority: "example.com".to_owned(),
        fields: fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec(),
        ..message("POST", "/foo?param=Value&Pet=dog")
    }
}

#[test]
fn whole_bases_are_those_of_the_specification() {
    let input = r#"sig1=("@method" "@authority" "@path" "content-digest" "content-length" "content-type");created=1618884473;keyid="test-key-rsa-pss""#;
    let message = test_request(input, "sig1=:AA==:");
    let claim = input::claim(&message, None, None).unwrap();
    let expected = r#""@method": POST
"@authority": example.com
"@path": /foo
"content-digest": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:
"content-length": 18
"content-type": application/json
"@signature-params": ("@method" "@authority" "@path" "content-digest" "content-length" "content-type");created=1618884473;keyid="test-key-rsa-pss""#;
    assert_eq!(base(&claim.components, &claim.parameters, &message, &structured()).as_deref(), Ok(expected));
}

/// B.2.5 here and not through the harness: a consumer's secret is text, and this key is not.
#[test]
fn the_hmac_of_the_specification_is_reached() {
    let input =
        r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;
    let message = test_request(input, "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:");
    let claim = input::claim(&message, None, None).unwrap();
    let base = base(&claim.components, &claim.parameters, &message, &structured()).unwrap();
    let key = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    let key = BASE64.decode(key.as_bytes()).unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(base);
    assert!(mac.verify_slice(&claim.signature).is_ok());
}

#[test]
fn parameters_are_serialised_strictly_and_in_their_order() {
    let input = r#"a=(  "date"   "x";sf );keyid="k";  created=1;b=?1;c=1.50;nonce="\"\\""#;
    let claim = input::claim(&test_request(input, "a=:AA==:"), None, None).unwrap();
    assert_eq!(claim.parameters, r#"("date" "x";sf);keyid="k";created=1;b;c=1.5;nonce="\"\\""#);
}

#[test]
fn a_target_uri_is_normalised_or_as_it_was_sent() {
    let message = Message { authority: "API.example:443".to_owned(), ..message("GET", "/x?y") };
    let names = ["date", "@target-uri", "@authority"].map(|name| Component::configured(name).unwrap());
    let made = bases(&names, "()", &message, &structured()).unwrap();
    let expected = |authority: &str| {
        let lines = "\"date\": Tue, 20 Apr 2021 02:07:56 GMT\n\"@target-uri\": https://AUTHORITY/x?y\n\"@authority\": api.example\n\"@signature-params\": ()";
        lines.replace("AUTHORITY", authority)
    };
    assert_eq!(made, [expected("api.example"), expected("API.example:443")]);
    assert_eq!(
        bases(&names[1..2], "()", &message, &structured()).unwrap()[1].lines().next(),
        Some("\"@target-uri\": https://API.example:443/x?y")
    );
    assert_eq!(bases(&names[2..], "()", &message, &structured()).unwrap().len(), 1);
}
