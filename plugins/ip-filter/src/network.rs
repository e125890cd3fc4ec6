//! Addresses and networks as configuration writes them, each as a range of numbers of its family.

use std::net::IpAddr;

use sluice_sdk::prelude::*;

/// The first and the last address of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    V4(u32, u32),
    V6(u128, u128),
}

/// An IPv4 address that is written as an IPv6 one is the IPv4 address.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

impl Network {
    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a single address.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (written, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let Ok(address) = written.parse::<IpAddr>() else {
            bail!("`{}` is no network such as `192.0.2.0/24` or `2001:db8::/32`", text.escape_debug());
        };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => read_prefix(prefix, width)
                .context(format_args!("`{text}`: a prefix is a number up to {width}"))?,
            None => width,
        };
        match (address, canonical(address)) {
            (IpAddr::V4(address), _) => Self::v4(text, address.to_bits(), prefix),
            // `::ffff:192.0.2.0/120` is `192.0.2.0/24`.
            (_, IpAddr::V4(mapped)) if prefix >= 96 => Self::v4(text, mapped.to_bits(), prefix - 96),
            (IpAddr::V6(address), _) => Self::v6(text, address.to_bits(), prefix),
        }
    }

    fn v4(text: &str, address: u32, prefix: u32) -> Result<Self> {
        let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
        let first = std::net::Ipv4Addr::from_bits(address & !host);
        ensure!(address & host == 0, "`{text}` has bits set behind its prefix: write `{first}/{prefix}`");
        Ok(Self::V4(address, address | host))
    }

    fn v6(text: &str, address: u128, prefix: u32) -> Result<Self> {
        let host = u128::MAX.checked_shr(prefix).unwrap_or(0);
        let first = std::net::Ipv6Addr::from_bits(address & !host);
        ensure!(address & host == 0, "`{text}` has bits set behind its prefix: write `{first}/{prefix}`");
        Ok(Self::V6(address, address | host))
    }
}

/// Digits alone: `u32::from_str` would also take a sign.
fn read_prefix(text: &str, width: u32) -> Option<u32> {
    let plain = (1..=3).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|prefix| plain && *prefix <= width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_read() {
        for (text, network) in [
            ("192.0.2.0/24", Network::V4(0xc000_0200, 0xc000_02ff)),
            ("192.0.2.1", Network::V4(0xc000_0201, 0xc000_0201)),
            ("0.0.0.0/0", Network::V4(0, u32::MAX)),
            ("::/0", Network::V6(0, u128::MAX)),
            ("::1", Network::V6(1, 1)),
            ("2001:DB8::/127", Network::V6(0x2001_0db8 << 96, (0x2001_0db8 << 96) | 1)),
            ("::ffff:192.0.2.0/120", Network::V4(0xc000_0200, 0xc000_02ff)),
            ("::ffff:192.0.2.1", Network::V4(0xc000_0201, 0xc000_0201)),
            ("::ffff:0:0/96", Network::V4(0, u32::MAX)),
        ] {
            assert_eq!(Network::parse(text).unwrap(), network, "{text}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for (text, reason) in [
            ("", "is no network"),
            ("10.0.0", "is no network"),
            ("10.0.0.01", "is no network"),
            ("fe80::1%eth0", "is no network"),
            ("[::1]", "is no network"),
            ("10.0.0.0-10.0.0.9", "is no network"),
            ("10.0.0.0/33", "a prefix is a number up to 32"),
            ("10.0.0.0/", "a prefix is a number up to 32"),
            ("10.0.0.0/+8", "a prefix is a number up to 32"),
            ("10.0.0.0/08", "a prefix is a number up to 32"),
            ("10.0.0.0/255.0.0.0", "a prefix is a number up to 32"),
            ("::/129", "a prefix is a number up to 128"),
            ("10.1.2.3/8", "has bits set behind its prefix: write `10.0.0.0/8`"),
            ("2001:db8::1/32", "write `2001:db8::/32`"),
            ("::ffff:10.1.2.3/104", "write `10.0.0.0/8`"),
        ] {
            let error = Network::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
