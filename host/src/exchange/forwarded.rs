//! Who asked, and by which way: `X-Forwarded-*`, `Client-Cert`, `Via` and `X-Request-Id`.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{COOKIE, FORWARDED, HOST, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use ipnet::IpNet;

use super::peer::Peer;
use super::{hop, request_id};
use crate::net::{Field, Present, is_disguised, is_identity};

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// Room for the fields that the gateway and the steps add, so that the map grows once.
const ADDED: usize = 8;

/// Makes a client's head fit to be seen by the steps and sent on: fields of its connection go, then the gateway's own are set,
/// so that no client can strip them. Returns the request's identifier. Called once, before the first step.
pub(crate) fn prepare_request(headers: &mut HeaderMap, peer: &Peer, version: Version) -> HeaderValue {
    headers.reserve(ADDED);
    let present = Present::of(headers);
    hop::strip_request(headers, present);
    forget_identity(headers, present);
    join_cookies(headers);
    if peer.trusted.get() {
        append_client(headers, peer);
    } else {
        forget_claims(headers, present);
        headers.insert(X_FORWARDED_FOR, peer.address_value.clone());
        if let Some(shown) = &peer.client_cert {
            headers.insert(CLIENT_CERT, shown.leaf.clone());
            if let Some(chain) = &shown.chain {
                headers.insert(CLIENT_CERT_CHAIN, chain.clone());
            }
        }
    }
    let believed = peer.trusted.get() && present.has(Field::XForwarded);
    if !(believed && headers.contains_key(X_FORWARDED_PROTO)) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(peer.scheme));
    }
    if !(believed && headers.contains_key(X_FORWARDED_HOST))
        && let Some(host) = headers.get(HOST).cloned()
    {
        headers.insert(X_FORWARDED_HOST, host);
    }
    headers.append(VIA, via(version));
    identify(headers, peer)
}

/// Makes an upstream's head fit for the client.
pub(crate) fn prepare_response(headers: &mut HeaderMap) {
    hop::strip_response(headers);
    headers.append(VIA, via(Version::HTTP_11));
}

/// The address that the exchange is counted and limited by: the last one in the trail that no trusted proxy vouches for.
/// Meaningful after `prepare_request`.
pub(crate) fn client_address(headers: &HeaderMap, peer: &Peer, trusted: &[IpNet]) -> IpAddr {
    let mut address = peer.address.ip().to_canonical();
    if !peer.trusted.get() {
        return address;
    }
    let lines: Vec<&HeaderValue> = headers.get_all(X_FORWARDED_FOR).iter().collect();
    let trail = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for entry in trail {
        // Behind an entry that cannot be read nothing can be believed.
        let Some(found) = parse_address(entry.trim_ascii()) else { return address };
        address = found;
        if !is_trusted(address, trusted) {
            return address;
        }
    }
    address
}

/// Whether an address is one of the operator's own proxies.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|net| net.contains(&address))
}

fn parse_address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?;
    let address: IpAddr =
        text.parse().ok().or_else(|| text.parse().ok().map(|socket: std::net::SocketAddr| socket.ip()))?;
    Some(address.to_canonical())
}

/// A peer that is not trusted says nothing about those before it.
fn forget_claims(headers: &mut HeaderMap, present: Present) {
    if present.has(Field::Forwarded) {
        headers.remove(FORWARDED);
    }
    if present.has(Field::XForwarded) {
        remove_all(headers, |name| name.as_str().starts_with("x-forwarded-"));
    }
    if present.has(Field::ClientCert) {
        headers.remove(CLIENT_CERT);
        headers.remove(CLIENT_CERT_CHAIN);
    }
}

/// Who is asking is for the steps to say, whoever sends the request: a proxy in front passes on what its clients send.
fn forget_identity(headers: &mut HeaderMap, present: Present) {
    if present.has(Field::Identity) {
        remove_all(headers, is_identity);
    }
    if present.has(Field::Disguised) {
        remove_all(headers, is_disguised);
    }
}

/// HTTP/2 may split the cookies over several fields, which nobody behind expects (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut pieces = headers.get_all(COOKIE).iter();
    if pieces.next().and(pieces.next()).is_none() {
        return;
    }
    let pieces: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    let joined = HeaderValue::from_maybe_shared(bytes::Bytes::from(pieces.join(&b"; "[..])));
    headers.insert(COOKIE, joined.expect("joined from valid field values"));
}

fn remove_all(headers: &mut HeaderMap, is_meant: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| is_meant(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// The scheme that the client spoke: to the gateway, or as a trusted proxy in front tells. Meaningful after `prepare_request`.
pub(crate) fn scheme(headers: &HeaderMap, peer: &Peer) -> &'static str {
    if !peer.trusted.get() {
        return peer.scheme;
    }
    match headers.get(X_FORWARDED_PROTO).map(HeaderValue::as_bytes) {
        Some(proto) if proto.eq_ignore_ascii_case(b"https") => "https",
        Some(proto) if proto.eq_ignore_ascii_case(b"http") => "http",
        _ => peer.scheme,
    }
}

/// The certificate, in DER, that the client has shown: to the listener, or to a trusted proxy in front, which has verified it (RFC 9440 section 2.2: a byte sequence of RFC 9651).
/// Meaningful after `prepare_request`.
pub(crate) fn client_certificate(headers: &HeaderMap, peer: &Peer) -> Option<Arc<[u8]>> {
    // A proxy speaks for its clients, and not for itself.
    if !peer.trusted.get() {
        return peer.certificate().cloned();
    }
    let field = single(headers, &CLIENT_CERT)?.as_bytes().trim_ascii();
    let encoded = field.strip_prefix(b":")?.strip_suffix(b":")?;
    data_encoding::BASE64.decode(encoded).ok().filter(|der| !der.is_empty()).map(Arc::from)
}

fn append_client(headers: &mut HeaderMap, peer: &Peer) {
    let mut trail: Vec<u8> = Vec::new();
    for line in headers.get_all(X_FORWARDED_FOR) {
        trail.extend_from_slice(line.as_bytes());
        trail.extend_from_slice(b", ");
    }
    trail.extend_from_slice(peer.address_value.as_bytes());
    let value = HeaderValue::from_maybe_shared(bytes::Bytes::from(trail));
    headers.insert(X_FORWARDED_FOR, value.expect("joined from valid field values"));
}

fn via(received: Version) -> HeaderValue {
    HeaderValue::from_static(match received {
        Version::HTTP_10 => "1.0 sluice",
        Version::HTTP_2 => "2 sluice",
        _ => "1.1 sluice",
    })
}

fn identify(headers: &mut HeaderMap, peer: &Peer) -> HeaderValue {
    if peer.trusted.get()
        && let Some(known) = single(headers, &request_id::X_REQUEST_ID)
        && request_id::is_well_formed(known)
    {
        return known.clone();
    }
    let id = request_id::generate();
    headers.insert(request_id::X_REQUEST_ID, id.clone());
    id
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
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
        let id = prepare_request(&mut headers, &peer("192.0.2.7", false), Version::HTTP_11);
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
        prepare_request(&mut headers, &peer("192.0.2.7", false), Version::HTTP_2);
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
                ("api_key", "kept"),
            ]);
            prepare_request(&mut headers, &peer("10.0.0.2", trusted), Version::HTTP_11);
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
        let id = prepare_request(&mut headers, &peer("10.0.0.2", true), Version::HTTP_2);
        assert_eq!(headers[&X_FORWARDED_FOR], "203.0.113.5, 10.0.0.1, 10.0.0.2");
        assert_eq!(headers[&X_FORWARDED_PROTO], "https");
        assert_eq!(headers[&X_FORWARDED_HOST], "shop.example");
        assert_eq!(id, "abc-1");
        assert_eq!(headers.get_all(VIA).iter().collect::<Vec<_>>(), ["1.1 front", "2 sluice"]);
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
            let id = prepare_request(&mut headers, &peer("192.0.2.7", trusted), Version::HTTP_11);
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
}
