//! A set of networks: sorted ranges without overlaps, so that a look-up is one binary search.

use std::net::IpAddr;

use sluice_sdk::prelude::*;

use crate::network::{Network, canonical};

/// Wrong entries that one message names.
const NAMED: usize = 5;

/// The addresses of a list.
#[derive(Debug, Default)]
pub(crate) struct AddressSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// Entries of a list that change nothing, by their place in it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Redundant {
    pub(crate) count: usize,
    /// The first of them, and the entry that covers it.
    pub(crate) example: Option<(usize, usize)>,
}

impl AddressSet {
    /// Reads a list; every entry has to be good.
    pub(crate) fn parse(entries: &[String]) -> Result<(Self, Redundant)> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let mut wrong = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            match Network::parse(entry) {
                Ok(Network::V4(first, last)) => v4.push((first, last, place)),
                Ok(Network::V6(first, last)) => v6.push((first, last, place)),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        if !wrong.is_empty() {
            let more = wrong.len().saturating_sub(NAMED);
            wrong.truncate(NAMED);
            let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
            bail!("{}{rest}", wrong.join("; "));
        }
        let mut redundant = Redundant::default();
        let set = Self { v4: Ranges::new(v4, &mut redundant), v6: Ranges::new(v6, &mut redundant) };
        Ok((set, redundant))
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match canonical(address) {
            IpAddr::V4(address) => self.v4.covers(address.to_bits(), address.to_bits()),
            IpAddr::V6(address) => self.v6.covers(address.to_bits(), address.to_bits()),
        }
    }

    /// Whether every address of `other` is in this set.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.v4.0.iter().all(|&(first, last)| self.v4.covers(first, last))
            && other.v6.0.iter().all(|&(first, last)| self.v6.covers(first, last))
    }
}

/// Disjoint ranges in their order.
#[derive(Debug, Default)]
struct Ranges<T>(Vec<(T, T)>);

impl<T: Copy + Ord> Ranges<T> {
    fn new(mut networks: Vec<(T, T, usize)>, redundant: &mut Redundant) -> Self {
        // A larger network comes before those that lie in it: networks nest or are apart, they never cross.
        networks.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
        let mut ranges: Vec<(T, T)> = Vec::with_capacity(networks.len());
        let mut kept = 0;
        for (first, last, place) in networks {
            match ranges.last() {
                Some(&(_, end)) if first <= end => {
                    redundant.count += 1;
                    redundant.example.get_or_insert((place, kept));
                }
                _ => {
                    ranges.push((first, last));
                    kept = place;
                }
            }
        }
        ranges.shrink_to_fit();
        Self(ranges)
    }

    /// Whether one range holds all from `first` to `last`.
    fn covers(&self, first: T, last: T) -> bool {
        let after = self.0.partition_point(|&(start, _)| start <= first);
        after > 0 && self.0[after - 1].1 >= last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(entries: &[&str]) -> (AddressSet, Redundant) {
        AddressSet::parse(&entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn entries_that_change_nothing_are_found() {
        let (_, redundant) = set(&["10.0.0.0/8", "192.0.2.1", "::1"]);
        assert_eq!(redundant, Redundant::default());
        let (_, redundant) = set(&["10.1.0.0/16", "192.0.2.1", "10.0.0.0/8", "::ffff:192.0.2.1"]);
        assert_eq!(redundant, Redundant { count: 2, example: Some((0, 2)) });
    }

    #[test]
    fn a_family_does_not_answer_for_the_other() {
        let (set, _) = set(&["::/0"]);
        assert!(set.contains("2001:db8::1".parse().unwrap()));
        assert!(!set.contains("192.0.2.1".parse().unwrap()));
        assert!(!set.contains("::ffff:192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn a_set_covers_another() {
        let (wide, _) = set(&["10.0.0.0/8", "2001:db8::/32"]);
        let (narrow, _) = set(&["10.1.0.0/16", "10.255.255.255", "2001:db8:1::/48"]);
        assert!(wide.covers(&narrow) && !narrow.covers(&wide));
    }

    #[test]
    fn every_wrong_entry_is_named_up_to_a_bound() {
        let entries: Vec<_> = (0..7).map(|n| format!("bad{n}")).collect();
        let error = AddressSet::parse(&entries).unwrap_err().to_string();
        assert!(
            error.contains("`bad0`") && error.contains("`bad4`") && error.ends_with("; and 2 more"),
            "{error}"
        );
    }
}
