//! Signing strings of Kong's documentation and of the draft, and what has none.

use super::*;

fn message() -> Message {
    let fields = [
        ("host", "example.com"),
        ("date", "Sun, 05 Jan 2014 21:31:40 GMT"),
        ("zero", ""),
        ("a", "b"),
        ("a", "  c "),
    ];
    Message {
        method: "GET".to_owned(),
        scheme: "https".to_owned(),
        authority: "example.com".to_owned(),
        path: "/foo".to_owned(),
        query: Some("a=b".to_owned()),
        fields: fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).to_vec(),
    }
}

fn signed(names: &str) -> Result<String, String> {
    let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
    let params = r#"keyId="k", created=1402170695, expires=1402170699, signature="AA==""#;
    lines(&names, &Params::read(params, "keyId").unwrap(), &message()).map(|lines| lines.join("\n"))
}

#[test]
fn every_name_has_its_line() {
    for (names, expected) in [
        // Section 2.3 of the draft.
        (
            "(request-target) (created) host date zero",
            "(request-target): get /foo?a=b\n(created): 1402170695\nhost: example.com\ndate: Sun, 05 Jan 2014 21:31:40 GMT\nzero: ",
        ),
        ("(expires) a", "(expires): 1402170699\na: b, c"),
        // Kong's documentation.
        ("date request-line", "date: Sun, 05 Jan 2014 21:31:40 GMT\nGET /foo?a=b HTTP/1.1"),
        ("@request-target", "@request-target: get /foo?a=b"),
        // Kong finds fields whatever the case and writes the names as they came.
        ("Date Request-Line A", "Date: Sun, 05 Jan 2014 21:31:40 GMT\nGET /foo?a=b HTTP/1.1\nA: b, c"),
    ] {
        assert_eq!(signed(names).as_deref(), Ok(expected));
    }
}

#[test]
fn what_is_not_there_has_no_line() {
    assert!(signed("missing").is_err());
    let long = Message { path: "/".repeat(crate::base::MAX_BASE), ..message() };
    for name in ["request-line", "@request-target"] {
        let params = Params::read(r#"username="k", signature="AA==""#, "username").unwrap();
        assert!(lines(&[name.to_owned()], &params, &long).is_err(), "{name}");
    }
    let other = Message { authority: "other.example".to_owned(), ..message() };
    assert!(host(&other).is_err());
    let (authority, fields) = ("Example.com:80".to_owned(), Vec::new());
    assert_eq!(host(&Message { authority, fields, ..message() }).as_deref(), Ok("Example.com:80"));
}
