//! The header by which a balancer announces whose connection it passes on: the PROXY protocol, versions 1 and 2, as
//! `proxy-protocol.txt` of HAProxy has it. Reads bytes that it is given, and says how many more are certain to belong to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A line of version 1, with its end (section 2.1).
const LONGEST_LINE: usize = 107;

/// The shortest line of version 1: `PROXY UNKNOWN` and its end. Version 2 has no shorter header.
const SHORTEST: usize = 15;

/// What follows the first 16 bytes of version 2: addresses and TLVs. The document allows 64 KiB; nobody needs as much.
const MOST: usize = 4 << 10;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The type of the TLV with a checksum of the whole header (section 2.2.2).
const CRC32C: u8 = 0x03;

/// What is known of a header by the bytes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It has at least so many bytes more, one or more.
    Needs(usize),
    /// It is whole: the client's address, or `None` where the sender speaks for itself or does not know one.
    Whole(Option<SocketAddr>),
}

/// The bytes are no such header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoHeader;

/// Looks at the first bytes of a connection, of which there are never more than were asked for.
pub(crate) fn announced(bytes: &[u8]) -> Result<Progress, NoHeader> {
    // Nothing tells the version yet: no more may be asked for than the shorter one has.
    if bytes.is_empty() {
        return Ok(Progress::Needs(SHORTEST));
    }
    let begins = |with: &[u8]| {
        let seen = bytes.len().min(with.len());
        bytes[..seen] == with[..seen]
    };
    if begins(SIGNATURE) {
        return binary(bytes);
    }
    if begins(b"PROXY ") { line(bytes) } else { Err(NoHeader) }
}

fn line(bytes: &[u8]) -> Result<Progress, NoHeader> {
    if bytes.len() < SHORTEST {
        return Ok(Progress::Needs(SHORTEST - bytes.len()));
    }
    if let Some(line) = bytes.strip_suffix(b"\r\n") {
        let text = line.strip_prefix(b"PROXY ").ok_or(NoHeader)?;
        return Ok(Progress::Whole(source(std::str::from_utf8(text).map_err(|_| NoHeader)?)?));
    }
    // A line feed ends a line: one that stands alone, or that something follows, is none of this protocol.
    if bytes.contains(&b'\n') || bytes.len() >= LONGEST_LINE {
        return Err(NoHeader);
    }
    let rest = if bytes.last() == Some(&b'\r') { 1 } else { 2 };
    Ok(Progress::Needs(rest.min(LONGEST_LINE - bytes.len())))
}

/// What stands after `PROXY `.
fn source(text: &str) -> Result<Option<SocketAddr>, NoHeader> {
    // Whatever follows is to be ignored (section 2.1).
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Ok(None);
    }
    let parts: Vec<&str> = text.split(' ').collect();
    let [family, from, to, from_port, to_port] = parts[..] else { return Err(NoHeader) };
    let address = |text: &str| match family {
        "TCP4" => text.parse().map(IpAddr::V4).map_err(|_| NoHeader),
        "TCP6" => text.parse().map(IpAddr::V6).map_err(|_| NoHeader),
        _ => Err(NoHeader),
    };
    let (from, _) = (address(from)?, address(to)?);
    let (port, _) = (port(from_port)?, port(to_port)?);
    Ok(Some(SocketAddr::new(from, port)))
}

/// Decimal, without a sign and without zeros before it.
fn port(text: &str) -> Result<u16, NoHeader> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| canonical).ok_or(NoHeader)
}

fn binary(bytes: &[u8]) -> Result<Progress, NoHeader> {
    let Some((first, rest)) = bytes.split_first_chunk::<16>() else {
        return Ok(Progress::Needs(16 - bytes.len()));
    };
    let [.., command, family, high, low] = *first;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MOST {
        return Err(NoHeader);
    }
    let local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(NoHeader),
    };
    if rest.len() < length {
        return Ok(Progress::Needs(length - rest.len()));
    }
    // All that `LOCAL` brings is to be discarded, the family too (section 2.2).
    if local {
        return Ok(Progress::Whole(None));
    }
    // A client of HTTP/3 reaches us by a datagram's family: the client's address is what counts.
    let (address, more) = match family {
        0x11 | 0x12 => ipv4(rest).ok_or(NoHeader)?,
        0x21 | 0x22 => ipv6(rest).ok_or(NoHeader)?,
        0x31 | 0x32 => (None, rest.get(216..).ok_or(NoHeader)?),
        0x00 => return Ok(Progress::Whole(None)),
        _ => return Err(NoHeader),
    };
    check_tlvs(bytes, more)?;
    Ok(Progress::Whole(address))
}

fn ipv4(bytes: &[u8]) -> Option<(Option<SocketAddr>, &[u8])> {
    let (block, more) = bytes.split_first_chunk::<12>()?;
    let [a, b, c, d, _, _, _, _, high, low, ..] = *block;
    let port = u16::from_be_bytes([high, low]);
    Some((Some(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port)), more))
}

fn ipv6(bytes: &[u8]) -> Option<(Option<SocketAddr>, &[u8])> {
    let (from, rest) = bytes.split_first_chunk::<16>()?;
    let (ports, more) = rest.get(16..)?.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([ports[0], ports[1]]);
    Some((Some(SocketAddr::new(Ipv6Addr::from(*from).into(), port)), more))
}

/// They fill their room, and the checksum is right if there is one.
fn check_tlvs(header: &[u8], mut tlvs: &[u8]) -> Result<(), NoHeader> {
    while !tlvs.is_empty() {
        let ([kind, high, low], rest) = tlvs.split_first_chunk::<3>().ok_or(NoHeader)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, after) = rest.split_at_checked(length).ok_or(NoHeader)?;
        if *kind == CRC32C {
            let at = header.len() - rest.len();
            let told = value.try_into().map(u32::from_be_bytes).map_err(|_| NoHeader)?;
            // It is made with zeros in its own place.
            let found = crc32c(header[..at].iter().chain(&[0; 4]).chain(&header[at + 4..]));
            if told != found {
                return Err(NoHeader);
            }
        }
        tlvs = after;
    }
    Ok(())
}

/// The checksum of RFC 9260, appendix A. Bit by bit: there is one header for each connection.
fn crc32c<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    !bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ (0x82f6_3b78 & (sum & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    /// Reads as a connection is read: never more than was asked for. The rest is what is left.
    fn read(bytes: &[u8]) -> Result<(Option<SocketAddr>, &[u8]), Option<NoHeader>> {
        let mut had = 0;
        loop {
            match announced(&bytes[..had]).map_err(Some)? {
                Progress::Whole(address) => return Ok((address, &bytes[had..])),
                Progress::Needs(more) => {
                    assert!(more > 0);
                    had += more;
                    if had > bytes.len() {
                        return Err(None);
                    }
                }
            }
        }
    }

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend(u16::try_from(block.len()).unwrap().to_be_bytes());
        bytes.extend(block);
        bytes
    }

    fn v2_of(address: SocketAddr, tlvs: &[u8]) -> Vec<u8> {
        let port = address.port().to_be_bytes();
        let (family, block) = match address.ip() {
            IpAddr::V4(ip) => (0x11, [&ip.octets()[..], &[10, 0, 0, 1], &port, &[0, 80], tlvs].concat()),
            IpAddr::V6(ip) => (0x21, [&ip.octets()[..], &[0; 16], &port, &[0, 80], tlvs].concat()),
        };
        v2(0x21, family, &block)
    }

    #[test]
    fn lines_are_read_or_refused() {
        let good = [
            ("PROXY TCP4 192.0.2.7 10.0.0.1 4321 80", Some("192.0.2.7:4321")),
            ("PROXY TCP4 0.0.0.0 0.0.0.0 0 0", Some("0.0.0.0:0")),
            ("PROXY TCP6 2001:db8::7 ::1 65535 80", Some("[2001:db8::7]:65535")),
            ("PROXY TCP6 :: :: 0 0", Some("[::]:0")),
            ("PROXY UNKNOWN", None),
            ("PROXY UNKNOWN whatever  it says", None),
        ];
        for (line, address) in good {
            let bytes = format!("{line}\r\nGET");
            let expected = address.map(|text| text.parse().unwrap());
            assert_eq!(read(bytes.as_bytes()), Ok((expected, &b"GET"[..])), "{line}");
        }
        for line in [
            "PROXY TCP4 192.0.2.7 10.0.0.1 4321",
            "PROXY TCP4 192.0.2.7 10.0.0.1 4321 80 1",
            "PROXY TCP4  192.0.2.7 10.0.0.1 4321 80",
            "PROXY TCP4 192.0.2.7 10.0.0.1 04321 80",
            "PROXY TCP4 192.0.2.7 10.0.0.1 +1 80",
            "PROXY TCP4 192.0.2.7 10.0.0.1 1 65536",
            "PROXY TCP4 192.0.2.07 10.0.0.1 1 80",
            "PROXY TCP4 ::1 ::1 1 80",
            "PROXY TCP6 192.0.2.7 ::1 1 80",
            "PROXY tcp4 192.0.2.7 10.0.0.1 1 80",
            "PROXY TCP4 192.0.2.7 10.0.0.1 1 80 ",
            "PROXY UNKNOWNS 192.0.2.7",
            "PROXY UNKNOWN \n",
            "proxy UNKNOWN",
            "GET / HTTP/1.1",
        ] {
            assert_eq!(read(format!("{line}\r\n{line}").as_bytes()), Err(Some(NoHeader)), "{line}");
        }
    }

    #[test]
    fn a_line_is_bounded() {
        let fits = format!("PROXY UNKNOWN {}\r\n", "a".repeat(LONGEST_LINE - 16));
        assert_eq!((fits.len(), read(fits.as_bytes())), (LONGEST_LINE, Ok((None, &b""[..]))));
        let long = format!("PROXY UNKNOWN {}\r\n", "a".repeat(LONGEST_LINE - 15));
        assert_eq!(read(long.as_bytes()), Err(Some(NoHeader)));
    }

    #[test]
    fn the_binary_form_is_read_or_refused() {
        let block = v2_of("192.0.2.7:1".parse().unwrap(), b"")[16..].to_vec();
        for (command, family, block, known) in [
            (0x21, 0x11, &block[..], true),
            (0x21, 0x12, &block, true),
            (0x20, 0x11, &block, false),
            (0x20, 0xff, b"x", false),
            (0x21, 0x00, b"", false),
            (0x21, 0x00, b"x", false),
            (0x21, 0x31, &[1; 216], false),
        ] {
            let header = v2(command, family, block);
            let found = read(&header).map(|(address, rest)| (address.is_some(), rest));
            assert_eq!(found, Ok((known, &b""[..])), "{command:x} {family:x}");
        }
        for (command, family, block) in [
            (0x11, 0x11, &block[..]),
            (0x22, 0x11, &block),
            (0x21, 0x41, &block),
            (0x21, 0x13, &block),
            (0x21, 0x01, &block),
            (0x21, 0x11, &block[..11]),
            (0x21, 0x21, &[0; 35]),
            (0x21, 0x31, &[0; 215]),
            (0x21, 0x11, &[0; MOST + 1]),
            (0x21, 0x11, &[&block[..], &[4, 0]].concat()),
            (0x21, 0x11, &[&block[..], &[4, 0, 2, 0]].concat()),
        ] {
            assert_eq!(read(&v2(command, family, block)), Err(Some(NoHeader)), "{command:x} {family:x}");
        }
    }

    #[test]
    fn a_checksum_is_held_against_the_header() {
        assert_eq!(crc32c(b"123456789".iter()), 0xe306_9283);
        let address = "192.0.2.7:1".parse().unwrap();
        let mut header = v2_of(address, &[CRC32C, 0, 4, 0, 0, 0, 0, 4, 0, 0]);
        let sum = crc32c(header.iter()).to_be_bytes();
        let at = header.len() - 7;
        header[at..at + 4].copy_from_slice(&sum);
        assert_eq!(read(&header), Ok((Some(address), &b""[..])));
        header[17] ^= 1;
        assert_eq!(read(&header), Err(Some(NoHeader)));
        assert_eq!(read(&v2_of(address, &[CRC32C, 0, 1, 0])), Err(Some(NoHeader)));
    }

    proptest! {
        #[test]
        fn an_announced_address_is_found_and_nothing_behind_it_is_touched(
            ip in any::<IpAddr>(),
            port in any::<u16>(),
            rest in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let address = SocketAddr::new(ip, port);
            let family = if ip.is_ipv4() { "TCP4" } else { "TCP6" };
            let line = format!("PROXY {family} {ip} {ip} {port} 80\r\n");
            for header in [line.into_bytes(), v2_of(address, &[0x04, 0, 1, 9])] {
                let whole = [&header[..], &rest].concat();
                assert_eq!(read(&whole), Ok((Some(address), &rest[..])));
                for cut in 0..header.len() {
                    assert_eq!(read(&header[..cut]), Err(None), "{cut}");
                }
            }
        }

        #[test]
        fn nothing_makes_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..300), family in any::<u8>()) {
            let _ = read(&bytes);
            let _ = read(&v2(0x21, family, &bytes));
            let _ = read(&[b"PROXY TCP6 ", &bytes[..]].concat());
        }
    }
}
