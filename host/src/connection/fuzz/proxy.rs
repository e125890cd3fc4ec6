//! The PROXY protocol: no byte behind a header is taken, and the address is the one that stands there.

use std::net::{IpAddr, SocketAddr};

use crate::net::{Progress, announced};

/// Bytes of the longest header that is taken: of version 2, with addresses and TLVs of 4 KiB.
const LONGEST: usize = 16 + (4 << 10);

/// Any bytes as the beginning of a connection.
pub(crate) fn proxy(bytes: &[u8]) {
    let Some((address, length)) = read(bytes) else { return };
    let header = &bytes[..length];
    // However few bytes come at a time, none behind the header is asked for.
    for end in 0..length {
        match announced(&header[..end]) {
            Ok(Progress::Needs(more)) => assert!(more > 0 && end + more <= length, "{end}"),
            other => panic!("{end}: {other:?}"),
        }
    }
    let Some(address) = address else { return };
    let told = if header.starts_with(b"PROXY ") { line(header) } else { binary(header) };
    assert_eq!(told, address);
    for again in [as_line(address), as_binary(address)] {
        assert_eq!(read(&again), Some((Some(address), again.len())));
    }
}

/// Reads as a connection is read: never more than was asked for.
fn read(bytes: &[u8]) -> Option<(Option<SocketAddr>, usize)> {
    let mut had = 0;
    loop {
        match announced(bytes.get(..had)?).ok()? {
            Progress::Whole(address) => return Some((address, had)),
            Progress::Needs(more) => {
                assert!(more > 0);
                had += more;
                assert!(had <= LONGEST, "{had}");
            }
        }
    }
}

fn line(header: &[u8]) -> SocketAddr {
    assert!(header.len() <= 107);
    let text = std::str::from_utf8(header).expect("text").strip_suffix("\r\n").expect("a line");
    let words: Vec<&str> = text.split(' ').collect();
    let ["PROXY", family, from, to, port, to_port] = words[..] else { panic!("{words:?}") };
    let ips: [IpAddr; 2] = [from, to].map(|ip| ip.parse().expect("an address"));
    let ports: [u16; 2] = [port, to_port].map(|port| port.parse().expect("a port"));
    assert_eq!([port, to_port], ports.map(|port| port.to_string()));
    assert!(ips.iter().all(|ip| if ip.is_ipv4() { family == "TCP4" } else { family == "TCP6" }));
    SocketAddr::new(ips[0], ports[0])
}

fn binary(header: &[u8]) -> SocketAddr {
    assert_eq!(header.len(), 16 + usize::from(u16::from_be_bytes([header[14], header[15]])));
    assert_eq!(header[12], 0x21);
    let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    match header[13] >> 4 {
        1 => SocketAddr::new(<[u8; 4]>::try_from(&header[16..20]).expect("four bytes").into(), port(24)),
        2 => SocketAddr::new(<[u8; 16]>::try_from(&header[16..32]).expect("sixteen bytes").into(), port(48)),
        family => panic!("no address of an internet: {family}"),
    }
}

fn as_line(address: SocketAddr) -> Vec<u8> {
    let (ip, port) = (address.ip(), address.port());
    let family = if ip.is_ipv4() { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {ip} {ip} {port} 80\r\n").into_bytes()
}

fn as_binary(address: SocketAddr) -> Vec<u8> {
    let (family, ip) = match address.ip() {
        IpAddr::V4(ip) => (0x11, ip.octets().to_vec()),
        IpAddr::V6(ip) => (0x21, ip.octets().to_vec()),
    };
    let length = u16::try_from(2 * ip.len() + 4).expect("a few bytes");
    let first = [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x21, family], &length.to_be_bytes()].concat();
    [&first[..], &ip, &ip, &address.port().to_be_bytes(), &[0, 80]].concat()
}
