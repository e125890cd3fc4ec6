//! The field `Forwarded` as proxies in front write it (RFC 7239 section 4): elements, the first of which is the nearest to the client. Pure.

use std::net::{IpAddr, SocketAddr};

/// What one proxy tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Whom it has the request from: an address without its port, or the word for somebody that it does not name.
    pub(super) client: Option<String>,
    pub(super) proto: Option<String>,
    pub(super) host: Option<String>,
}

/// What stands in a trail for somebody that is not named (RFC 7239 section 6.2).
const UNKNOWN: &str = "unknown";

/// The elements of a field; `None` if it breaks its grammar anywhere.
pub(super) fn parse(text: &str) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    let mut rest = text;
    loop {
        let (element, after) = element(rest)?;
        elements.extend(element);
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return after.is_empty().then_some(elements),
        }
    }
}

/// One element and what follows it. Empty ones of a list are none (RFC 9110 section 5.6.1.2).
fn element(text: &str) -> Option<(Option<Element>, &str)> {
    let (mut element, mut is_empty) = (Element::default(), true);
    let mut rest = text.trim_start_matches([' ', '\t']);
    loop {
        if !rest.starts_with([',', ';']) && !rest.is_empty() {
            let (name, value, after) = pair(rest)?;
            let place = match name.to_ascii_lowercase().as_str() {
                "for" => Some((&mut element.client, node(&value)?)),
                "proto" => Some((&mut element.proto, value)),
                "host" => Some((&mut element.host, value)),
                _ => None,
            };
            if let Some((place, value)) = place
                && place.replace(value).is_some()
            {
                // Each occurs once.
                return None;
            }
            (rest, is_empty) = (after, false);
        }
        rest = rest.trim_start_matches([' ', '\t']);
        match rest.strip_prefix(';') {
            Some(after) => rest = after.trim_start_matches([' ', '\t']),
            None => return Some(((!is_empty).then_some(element), rest)),
        }
    }
}

/// A name, a value, and what follows them.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.split_once('=')?;
    if name.is_empty() || !name.bytes().all(is_token) {
        return None;
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.bytes().position(|byte| !is_token(byte)).unwrap_or(rest.len());
        return (end > 0).then(|| (name, rest[..end].to_owned(), &rest[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((name, value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// The byte may stand in a token (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A node as an entry of `X-Forwarded-For` (RFC 7239 section 6).
fn node(text: &str) -> Option<String> {
    let address = text.parse::<IpAddr>().ok().filter(IpAddr::is_ipv4);
    let address =
        address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip())).or_else(|| {
            let inside = text.strip_prefix('[')?.strip_suffix(']')?;
            inside.parse::<IpAddr>().ok().filter(IpAddr::is_ipv6)
        });
    match address {
        Some(address) => Some(address.to_canonical().to_string()),
        // A name that means something to that proxy alone, or a port that does.
        None if text.eq_ignore_ascii_case(UNKNOWN) || text.starts_with('_') => Some(UNKNOWN.to_owned()),
        None => None,
    }
}

/// What the gateway adds to the field for the peer that it has the request from.
pub(super) fn own(peer: IpAddr, proto: &str) -> String {
    match peer.to_canonical() {
        IpAddr::V4(address) => format!("for={address};proto={proto}"),
        IpAddr::V6(address) => format!("for=\"[{address}]\";proto={proto}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::*;

    fn clients(text: &str) -> Option<Vec<String>> {
        Some(parse(text)?.into_iter().map(|element| element.client.unwrap_or_default()).collect())
    }

    #[test]
    fn the_examples_of_the_specification_are_read() {
        let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(clients("for=\"_gazonk\""), list(&["unknown"]));
        assert_eq!(clients("For=\"[2001:db8:cafe::17]:4711\""), list(&["2001:db8:cafe::17"]));
        assert_eq!(clients("for=192.0.2.43, for=198.51.100.17"), list(&["192.0.2.43", "198.51.100.17"]));
        let one = parse("for=192.0.2.60;proto=http; by=203.0.113.43;host=\"a.example:80\"").unwrap();
        assert_eq!((one[0].proto.as_deref(), one[0].host.as_deref()), (Some("http"), Some("a.example:80")));
        assert_eq!(
            clients("for=192.0.2.43,,for=\"[2001:db8::1]\";secret=x,"),
            list(&["192.0.2.43", "2001:db8::1"])
        );
        assert_eq!(clients("for=\"192.0.2.43:47011\""), list(&["192.0.2.43"]));
    }

    #[test]
    fn what_breaks_the_grammar_is_not_read_at_all() {
        for text in [
            "192.0.2.1",
            "for=",
            "for=192.0.2.1;for=192.0.2.2",
            "for=\"192.0.2.1",
            "for=192.0.2.1 for=192.0.2.2",
            "for=2001:db8::1",
            "for=nobody",
            "for =192.0.2.1",
            "for=192.0.2.1, rubbish",
            "=x",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_the_gateway_adds_reads_back(v4: u32, v6: u128) {
            for address in [IpAddr::V4(v4.into()), IpAddr::V6(v6.into())] {
                let text = format!("for=_x, {}", own(address, "https"));
                let read = parse(&text).unwrap();
                assert_eq!(read[1].client.as_deref(), Some(address.to_canonical().to_string().as_str()));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "(for|proto|host|x|=|;|,|\"|\\\\| |[a-z0-9.:\\[\\]]){0,30}") {
            let _ = parse(&text);
        }
    }
}
