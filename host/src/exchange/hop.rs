//! Fields that belong to one connection and never travel on (RFC 9110, 7.6.1).

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, DATE,
    EXPECT, Entry, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::net::{Field, Present};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Removes them from a request. `TE` survives as `trailers`, the one value that the gateway can keep.
pub(super) fn strip_request(headers: &mut HeaderMap, present: Present) {
    let trailers = present.has(Field::Te) && wants_trailers(headers);
    strip(headers, present);
    if present.has(Field::ProxyAuthorization) {
        headers.remove(PROXY_AUTHORIZATION);
    }
    // Answered here: hyper sends `100 Continue` when the body is first read.
    if present.has(Field::Expect) {
        headers.remove(EXPECT);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Removes them from a response.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    let present = Present::of(headers);
    strip(headers, present);
    if present.has(Field::ProxyAuthenticate) {
        headers.remove(PROXY_AUTHENTICATE);
    }
}

fn strip(headers: &mut HeaderMap, present: Present) {
    if present.has(Field::Connection)
        && let Entry::Occupied(entry) = headers.entry(CONNECTION)
    {
        let (_, lines) = entry.remove_entry_mult();
        // Collecting an empty vector does not allocate: most lines say `close` or `keep-alive` and name no field.
        let named: Vec<HeaderName> = lines.flat_map(|line| nominated(&line)).collect();
        for name in named {
            headers.remove(name);
        }
    }
    for (field, name) in [
        (Field::KeepAlive, KEEP_ALIVE),
        (Field::ProxyConnection, PROXY_CONNECTION),
        (Field::Te, TE),
        (Field::TransferEncoding, TRANSFER_ENCODING),
        (Field::Upgrade, UPGRADE),
    ] {
        if present.has(field) {
            headers.remove(name);
        }
    }
}

/// The fields that one `Connection` line names and may name.
fn nominated(value: &HeaderValue) -> Vec<HeaderName> {
    value
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.eq_ignore_ascii_case(b"close") && !token.eq_ignore_ascii_case(b"keep-alive"))
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .filter(|name| !is_end_to_end(name))
        .collect()
}

/// What a sender must not take away from those behind the gateway by naming it in `Connection`: what routing, framing,
/// authentication and the trail of proxies rest on.
fn is_end_to_end(name: &HeaderName) -> bool {
    const ESSENTIAL: [HeaderName; 14] = [
        HOST,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        CONTENT_ENCODING,
        AUTHORIZATION,
        COOKIE,
        SET_COOKIE,
        CACHE_CONTROL,
        DATE,
        FORWARDED,
        VIA,
        TRAILER,
        CONNECTION,
        HeaderName::from_static("x-request-id"),
    ];
    ESSENTIAL.contains(name) || name.as_str().starts_with("x-forwarded-")
}

fn wants_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(TE).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|token| {
            let name = token.split(|byte| *byte == b';').next().unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"trailers")
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop, proptest};

    use super::*;

    fn strip(headers: &mut HeaderMap) {
        let present = Present::of(headers);
        strip_request(headers, present);
    }

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn fields_named_by_connection_go_with_it() {
        let mut headers = map(&[
            ("connection", "close, X-Foo"),
            ("connection", "x-bar"),
            ("x-foo", "1"),
            ("x-bar", "2"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("upgrade", "websocket"),
            ("transfer-encoding", "chunked"),
            ("proxy-authorization", "Basic x"),
            ("x-kept", "3"),
        ]);
        strip(&mut headers);
        assert_eq!(headers, map(&[("x-kept", "3")]));
    }

    #[test]
    fn a_client_cannot_take_away_what_others_rely_on() {
        let kept = [
            ("host", "shop.example"),
            ("x-forwarded-for", "10.0.0.9"),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "abc"),
            ("authorization", "Bearer x"),
            ("content-length", "3"),
            ("via", "1.1 front"),
        ];
        let mut headers = map(&kept);
        headers.insert(
            CONNECTION,
            HeaderValue::from_static("x-foo, host, x-forwarded-for, X-Forwarded-Proto, x-request-id, Authorization, content-length, via, connection"),
        );
        headers.insert("x-foo", HeaderValue::from_static("1"));
        strip(&mut headers);
        assert_eq!(headers, map(&kept));
    }

    #[test]
    fn te_keeps_trailers_and_nothing_else() {
        for (given, expected) in
            [("trailers", true), ("gzip;q=1, Trailers;q=0.5", true), ("gzip", false), ("trailersx", false)]
        {
            let mut headers = map(&[("te", given)]);
            strip(&mut headers);
            assert_eq!(
                headers.get(TE).map(HeaderValue::as_bytes),
                expected.then_some(&b"trailers"[..]),
                "{given}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_of_one_connection_survives_and_the_rest_does(
            tokens in prop::collection::vec("[a-zA-Z0-9 ,;\"-]{0,12}", 0..5),
            others in prop::collection::vec(("x-[a-z]{1,3}", any::<u8>().prop_map(|n| n.to_string())), 0..6),
        ) {
            let mut headers = HeaderMap::new();
            for (name, value) in &others {
                headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            for token in &tokens {
                headers.append(CONNECTION, token.parse().unwrap());
            }
            headers.insert(HOST, HeaderValue::from_static("a"));
            let before = headers.clone();
            strip(&mut headers);
            let named: Vec<String> = tokens.iter().flat_map(|t| t.split(',')).map(|t| t.trim().to_ascii_lowercase()).collect();
            for name in before.keys().filter(|name| **name != CONNECTION) {
                let gone = named.iter().any(|token| token == name.as_str()) && !is_end_to_end(name);
                let expected: Vec<_> = if gone { Vec::new() } else { before.get_all(name).iter().collect() };
                assert_eq!(headers.get_all(name).iter().collect::<Vec<_>>(), expected, "{name}");
            }
            assert!(!headers.contains_key(CONNECTION));
        }
    }
}
