//! Who asked, and by which way: `X-Forwarded-*`, `Client-Cert`, `Via` and `X-Request-Id`.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{COOKIE, FORWARDED, HOST, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use ipnet::IpNet;

use super::peer::Peer;
use super::{elements, hop, request_id};
use crate::net::{Field, Present, is_authority, is_disguised, is_forwarding, is_identity};

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");
const X_REWRITE_URL: HeaderName = HeaderName::from_static("x-rewrite-url");
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// Room for the fields that the gateway and the steps add, so that the map grows once.
const ADDED: usize = 8;

/// Makes a client's head fit to be seen by the steps and sent on: fields of its connection go, then the gateway's own are set,
/// so that no client can strip them. Returns the request's identifier. Called once, before the first step.
pub(crate) fn prepare_request(
    headers: &mut HeaderMap,
    peer: &Peer,
    trusted: &[IpNet],
    version: Version,
) -> HeaderValue {
    headers.reserve(ADDED);
    let present = Present::of(headers);
    hop::strip_request(headers, present);
    forget_identity(headers, present);
    join_cookies(headers);
    if peer.trusted.get() {
        if present.has(Field::Forwarded) {
            adopt_forwarded(headers, peer, trusted);
        }
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
    let believed = peer.trusted.get() && (present.has(Field::XForwarded) || present.has(Field::Forwarded));
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
        remove_all(headers, is_forwarding);
    }
    if present.has(Field::ClientCert) {
        headers.remove(CLIENT_CERT);
        headers.remove(CLIENT_CERT_CHAIN);
    }
}

/// The trail of a trusted proxy that speaks `Forwarded` (RFC 7239). Where it writes no `X-Forwarded-*`, these are made of it, so that who
/// reads either learns the same; then the gateway adds its own element. One that breaks its grammar tells nothing.
fn adopt_forwarded(headers: &mut HeaderMap, peer: &Peer, trusted: &[IpNet]) {
    let lines: Vec<&[u8]> = headers.get_all(FORWARDED).iter().map(HeaderValue::as_bytes).collect();
    let text = String::from_utf8(lines.join(&b", "[..])).ok();
    let Some((elements, text)) = text.and_then(|text| Some((elements::parse(&text)?, text))) else {
        headers.remove(FORWARDED);
        return;
    };
    let client = |element: &elements::Element| element.client.clone().unwrap_or_else(|| "unknown".to_owned());
    let trail: Vec<String> = elements.iter().map(client).collect();
    // Those before it are the word of somebody whom nobody vouches for.
    let is_known = |client: &String| client.parse().is_ok_and(|address| is_trusted(address, trusted));
    let nearest = trail.iter().rposition(|client| !is_known(client)).unwrap_or_default();
    let (proto, host) = elements.get(nearest).map_or((None, None), |element| {
        let proto = element.proto.as_deref().filter(|proto| ["http", "https"].contains(proto));
        let host = element.host.as_deref().filter(|host| is_authority(host.as_bytes()));
        (proto, host)
    });
    let mut set = |name: HeaderName, value: Option<&str>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok())
            && !headers.contains_key(&name)
        {
            headers.insert(name, value);
        }
    };
    set(X_FORWARDED_FOR, Some(trail.join(", ")).as_deref().filter(|trail| !trail.is_empty()));
    set(X_FORWARDED_PROTO, proto);
    set(X_FORWARDED_HOST, host);
    let own = elements::own(peer.address.ip(), peer.scheme);
    let all = if trail.is_empty() { own } else { format!("{text}, {own}") };
    if let Ok(all) = HeaderValue::try_from(all) {
        headers.insert(FORWARDED, all);
    }
}

/// Who is asking is for the steps to say, and which path for the request line, whoever sends the request: a proxy in front passes on what its
/// clients send.
fn forget_identity(headers: &mut HeaderMap, present: Present) {
    if present.has(Field::Identity) {
        remove_all(headers, is_identity);
    }
    if present.has(Field::Disguised) {
        remove_all(headers, is_disguised);
    }
    if present.has(Field::OtherPath) {
        headers.remove(X_ORIGINAL_URL);
        headers.remove(X_REWRITE_URL);
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
mod tests;
