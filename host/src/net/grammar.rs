//! Parts of HTTP's grammar that both edges and plugins are held to.

/// A table of letters, digits and `others`.
pub(crate) const fn alphanumeric_and(others: &[u8]) -> [bool; 256] {
    let mut class = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        class[others[at] as usize] = true;
        at += 1;
    }
    class
}

/// A registered name or an address, and perhaps a port; never a user (RFC 3986, 3.2).
pub(crate) fn is_authority(bytes: &[u8]) -> bool {
    let (host, rest) = match bytes {
        [b'[', inside @ ..] => {
            let Some(end) = inside.iter().position(|byte| *byte == b']') else { return false };
            let address = std::str::from_utf8(&inside[..end])
                .ok()
                .and_then(|text| text.parse::<std::net::Ipv6Addr>().ok());
            (address.is_some(), &inside[end + 1..])
        }
        _ => {
            let end = bytes.iter().position(|byte| !NAME[*byte as usize]).unwrap_or(bytes.len());
            (end > 0, &bytes[end..])
        }
    };
    let port = match rest {
        [] | [b':'] => true,
        [b':', digits @ ..] => {
            digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit) && number(digits) <= 65_535
        }
        _ => false,
    };
    host && port
}

/// The bytes of a registered name (RFC 3986, 3.2.2), but for percent-encoding, since no host has it in its name and HTTP/2 upstreams could
/// not be told, and for the comma, which to some makes a list.
const NAME: [bool; 256] = alphanumeric_and(b"-._~!$&'()*+;=");

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

/// An authority without its port.
pub(crate) fn host_of(authority: &str) -> &str {
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']').map(|at| at + 2),
        None => authority.find(':'),
    };
    &authority[..end.unwrap_or(authority.len())]
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_port_is_not_part_of_the_host() {
        assert_eq!(host_of("shop.example:8080"), "shop.example");
        assert_eq!(host_of("shop.example"), "shop.example");
        assert_eq!(host_of("[2001:db8::1]:443"), "[2001:db8::1]");
        assert_eq!(host_of("[2001:db8::1]"), "[2001:db8::1]");
        assert_eq!(host_of(""), "");
    }
}
