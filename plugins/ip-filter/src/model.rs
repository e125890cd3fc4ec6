//! The filter beside a naive one that compares every entry bit by bit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use sluice_sdk::prelude::Plugin as _;

use crate::{Config, IpFilter, Status};

/// Address, prefix; few bits vary, so that entries nest and hit.
type Entry = (IpAddr, u32);

fn address() -> impl Strategy<Value = IpAddr> {
    let last = prop_oneof![any::<u16>(), 0_u16..8, Just(u16::MAX)];
    (0_u8..3, 0_u16..4, last).prop_map(|(family, middle, last)| {
        let low = (u32::from(middle) << 16) | u32::from(last);
        match family {
            0 => IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | low)),
            1 => IpAddr::V6(Ipv4Addr::from_bits(0x0a00_0000 | low).to_ipv6_mapped()),
            _ => IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(low))),
        }
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    (address(), 0_u32..=128, prop_oneof![Just(true), any::<bool>()]).prop_map(|(address, prefix, narrow)| {
        // What covers everything is interesting now and then.
        let (width, least) = match address {
            IpAddr::V4(_) => (32, 8),
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => (128, 104),
            IpAddr::V6(_) => (128, 96),
        };
        let least = if narrow || width == 128 { least } else { 0 };
        let prefix = least + prefix % (width - least + 1);
        let masked = match address {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !host))
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(prefix).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !host))
            }
        };
        (masked, prefix)
    })
}

/// The bits of an address behind a mark of its family; a mapped address is an IPv4 one.
fn bits(address: IpAddr) -> (bool, Vec<bool>) {
    let unroll = |bytes: &[u8]| {
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect()
    };
    match address {
        IpAddr::V4(address) => (true, unroll(&address.octets())),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => (true, unroll(&mapped.octets())),
            None => (false, unroll(&address.octets())),
        },
    }
}

fn holds(entries: &[Entry], address: IpAddr) -> bool {
    let (family, bits_of) = bits(address);
    entries.iter().any(|&(network, prefix)| {
        let (of, network_bits) = bits(network);
        let prefix = if of && network.is_ipv6() { prefix - 96 } else { prefix };
        let prefix = usize::try_from(prefix).expect("a prefix is small");
        of == family && network_bits[..prefix] == bits_of[..prefix]
    })
}

fn written(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|(address, prefix)| format!("{address}/{prefix}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn the_filter_agrees_with_a_naive_one(
        allow in proptest::option::of(proptest::collection::vec(entry(), 1..12)),
        deny in proptest::collection::vec(entry(), 1..12),
        addresses in proptest::collection::vec(address(), 1..60),
    ) {
        let config = Config {
            allow: allow.as_deref().map(written),
            deny: Some(written(&deny)),
            status: Status::Forbidden,
            dry_run: false,
        };
        let filter = IpFilter::new(config).unwrap();
        for address in addresses {
            let refused = holds(&deny, address) || allow.as_ref().is_some_and(|allow| !holds(allow, address));
            assert_eq!(filter.objection(address).is_some(), refused, "{address} by {allow:?} but {deny:?}");
        }
    }
}
