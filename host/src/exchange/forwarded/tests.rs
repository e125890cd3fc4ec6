//! What upstreams are told of who asked, and what clients cannot make them believe.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

use super::*;

fn peer(address: &str, trusted: bool) -> Peer {
    Peer::for_tests(format!("{address}:1234").parse().unwrap(), trusted)
}

fn map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    headers
}

#[test]
fn a_stranger_s_claims_are_replaced() {
    let mut headers = map(&[
        ("host", "shop.example"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil"),
        ("x-forwarded-prefix", "/admin"),
        ("forwarded", "for=10.0.0.1"),
        ("x-request-id", "mine"),
    ]);
    let id = prepare_request(&mut headers, &peer("192.0.2.7", false), &[], Version::HTTP_11);
    assert_eq!(headers[&X_FORWARDED_FOR], "192.0.2.7");
    assert_eq!(headers[&X_FORWARDED_PROTO], "http");
    assert_eq!(headers[&X_FORWARDED_HOST], "shop.example");
    assert_eq!(headers[VIA], "1.1 sluice");
    assert_eq!(headers["x-request-id"], id);
    assert_ne!(id, "mine");
    assert!(!headers.contains_key(FORWARDED) && !headers.contains_key("x-forwarded-prefix"));
}

#[test]
fn cookies_are_one_field() {
    let mut headers = map(&[("host", "a"), ("cookie", "a=1"), ("cookie", "b=2; c=3"), ("cookie", "d=4")]);
    prepare_request(&mut headers, &peer("192.0.2.7", false), &[], Version::HTTP_2);
    assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2; c=3; d=4"]);
}

#[test]
fn nobody_says_himself_who_he_is() {
    for trusted in [false, true] {
        let mut headers = map(&[
            ("host", "inner"),
            ("x-consumer-username", "admin"),
            ("x-consumer-groups", "staff"),
            ("x-consumer-groups", "more"),
            ("x_consumer_username", "admin"),
            ("x-credential-identifier", "k1"),
            ("x-anonymous-consumer", "true"),
            ("x_forwarded_for", "10.0.0.1"),
            ("client_cert", ":AAAA:"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("x_original_url", "/admin"),
            ("api_key", "kept"),
        ]);
        prepare_request(&mut headers, &peer("10.0.0.2", trusted), &[], Version::HTTP_11);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        let expected = [
            "host",
            "api_key",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "via",
            "x-request-id",
        ];
        assert_eq!(left.len(), expected.len(), "{left:?}");
        assert!(expected.iter().all(|name| left.contains(name)), "{left:?}");
    }
}

#[test]
fn a_trusted_proxy_is_believed_and_added_to_the_trail() {
    let mut headers = map(&[
        ("host", "inner"),
        ("x-forwarded-for", "203.0.113.5"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-request-id", "abc-1"),
        ("via", "1.1 front"),
    ]);
    let id = prepare_request(&mut headers, &peer("10.0.0.2", true), &[], Version::HTTP_2);
    assert_eq!(headers[&X_FORWARDED_FOR], "203.0.113.5, 10.0.0.1, 10.0.0.2");
    assert_eq!(headers[&X_FORWARDED_PROTO], "https");
    assert_eq!(headers[&X_FORWARDED_HOST], "shop.example");
    assert_eq!(id, "abc-1");
    assert_eq!(headers.get_all(VIA).iter().collect::<Vec<_>>(), ["1.1 front", "2 sluice"]);
}

#[test]
fn a_trusted_proxy_may_speak_forwarded() {
    let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
    let told = |lines: &[(&str, &str)]| {
        let mut headers = map(&[&[("host", "inner")], lines].concat());
        let peer = peer("10.0.0.2", true);
        prepare_request(&mut headers, &peer, &trusted, Version::HTTP_11);
        let client = client_address(&headers, &peer, &trusted).to_string();
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        (
            client,
            text("x-forwarded-for"),
            text("x-forwarded-proto"),
            text("x-forwarded-host"),
            text("forwarded"),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    // What comes before the nearest that is not trusted is made up by it, or may be.
    let spoofed = "for=1.1.1.1;proto=http;host=evil";
    let line = format!("{spoofed}, for=203.0.113.5;proto=https;host=shop.example, for=10.0.0.1;proto=http");
    assert_eq!(
        told(&[("forwarded", &line)]),
        (
            "203.0.113.5".to_owned(),
            some("1.1.1.1, 203.0.113.5, 10.0.0.1, 10.0.0.2"),
            some("https"),
            some("shop.example"),
            Some(format!("{line}, for=10.0.0.2;proto=http")),
        )
    );
    // One that also writes the other fields means these.
    let both = told(&[("forwarded", "for=203.0.113.5"), ("x-forwarded-for", "203.0.113.6")]);
    assert_eq!((both.0.as_str(), both.1), ("203.0.113.6", some("203.0.113.6, 10.0.0.2")));
    let broken = told(&[("forwarded", "for=203.0.113.5, rubbish")]);
    assert_eq!((broken.0.as_str(), broken.1, broken.4), ("10.0.0.2", some("10.0.0.2"), None));
    let binary = HeaderValue::from_bytes(b"for=\xff").unwrap();
    let mut headers = HeaderMap::from_iter([(FORWARDED, binary)]);
    prepare_request(&mut headers, &peer("10.0.0.2", true), &trusted, Version::HTTP_11);
    assert!(!headers.contains_key(FORWARDED));
    let hidden = told(&[("forwarded", "for=_hidden;proto=https, for=10.0.0.1")]);
    assert_eq!((hidden.0.as_str(), hidden.2), ("10.0.0.1", some("https")));
}

#[test]
fn the_client_is_the_last_address_nobody_vouches_for() {
    let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
    let client = |trail: &str, from: &str| {
        let peer = peer(from, is_trusted(from.parse().unwrap(), &trusted));
        let headers = map(&[("x-forwarded-for", trail)]);
        client_address(&headers, &peer, &trusted).to_string()
    };
    assert_eq!(client("1.1.1.1, 203.0.113.5, 10.0.0.1, 10.0.0.2", "10.0.0.2"), "203.0.113.5");
    assert_eq!(client("203.0.113.5", "192.0.2.1"), "192.0.2.1");
    assert_eq!(client("rubbish, 10.0.0.1", "10.0.0.2"), "10.0.0.1");
    assert_eq!(client("::ffff:203.0.113.9, 10.0.0.1", "10.0.0.2"), "203.0.113.9");
}

fn names() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("x-forwarded-for"),
        Just("x-forwarded-proto"),
        Just("x-forwarded-host"),
        Just("forwarded"),
        Just("x-request-id"),
        Just("connection"),
        Just("via"),
        Just("te"),
    ]
}

proptest! {
    #[test]
    fn the_trail_never_ends_in_anything_but_the_peer(
        lines in prop::collection::vec((names(), "[ -~]{0,30}"), 0..8),
        trusted in any::<bool>(),
    ) {
        let mut headers = map(&[("host", "a.example")]);
        for (name, value) in &lines {
            headers.append(*name, value.parse().unwrap());
        }
        let id = prepare_request(&mut headers, &peer("192.0.2.7", trusted), &[], Version::HTTP_11);
        let trail: Vec<_> = headers.get_all(&X_FORWARDED_FOR).iter().collect();
        assert_eq!(trail.len(), 1);
        assert!(trail[0].as_bytes().ends_with(b"192.0.2.7"));
        assert!(trusted || trail[0] == "192.0.2.7");
        assert!(headers.contains_key(&X_FORWARDED_PROTO) && headers.contains_key(&X_FORWARDED_HOST));
        assert!(request_id::is_well_formed(&id));
        assert_eq!(headers.get_all("x-request-id").iter().collect::<Vec<_>>(), [&id]);
        assert_eq!(headers.get_all(VIA).iter().next_back().unwrap(), "1.1 sluice");
        assert_eq!(headers[HOST], "a.example");
    }
}
