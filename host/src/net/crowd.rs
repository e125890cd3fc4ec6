//! How many connections each address has, over all workers, in memory of a fixed size: two rows of counters, in each of which an address has a place
//! that a secret decides. It counts for the smaller of the two, so that an address that shares a place with a busy one is seldom taken for it.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counters in a row.
const PLACES: usize = 1 << 15;

#[derive(Debug)]
pub(crate) struct Crowd {
    secrets: [RandomState; 2],
    rows: [Box<[AtomicU32]>; 2],
}

/// One connection of an address, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Member {
    crowd: Arc<Crowd>,
    places: [usize; 2],
}

impl Crowd {
    pub(crate) fn new() -> Arc<Self> {
        let row = || (0..PLACES).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self { secrets: [RandomState::new(), RandomState::new()], rows: [row(), row()] })
    }

    /// Counts one more connection of an address at a listener, unless it has `most`. All of a network `/64` of IPv6 count as one: that is what a
    /// single client is given (RFC 6177).
    pub(crate) fn join(self: &Arc<Self>, listener: &str, address: IpAddr, most: usize) -> Option<Member> {
        let key = (listener, network(address));
        let places = [0, 1].map(|row| {
            let hash: u64 = self.secrets[row].hash_one(key);
            usize::try_from(hash % PLACES as u64).unwrap_or_default()
        });
        let member = Member { crowd: Arc::clone(self), places };
        let before = member.counters().map(|counter| counter.fetch_add(1, Ordering::Relaxed));
        let had = before[0].min(before[1]) as usize;
        (had < most).then_some(member)
    }
}

/// What counts as one.
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address) >> 64 << 64,
    }
}

impl Member {
    fn counters(&self) -> [&AtomicU32; 2] {
        [0, 1].map(|row| &self.crowd.rows[row][self.places[row]])
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        for counter in self.counters() {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_and_each_that_leaves_makes_a_place() {
        let crowd = Crowd::new();
        let mut members: Vec<_> = (0..3).map(|_| crowd.join("a", v6("192.0.2.1"), 3).unwrap()).collect();
        assert!(crowd.join("a", v6("192.0.2.1"), 3).is_none());
        assert!(crowd.join("a", v6("::ffff:192.0.2.1"), 3).is_none(), "the same");
        assert!(crowd.join("b", v6("192.0.2.1"), 3).is_some(), "each listener counts its own");
        assert!(crowd.join("a", v6("192.0.2.2"), 3).is_some());
        members.pop();
        assert!(crowd.join("a", v6("192.0.2.1"), 3).is_some());
        drop(members);
        assert!(crowd.rows.iter().flatten().all(|counter| counter.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let crowd = Crowd::new();
        let _first = crowd.join("a", v6("2001:db8:0:1::1"), 1).unwrap();
        assert!(crowd.join("a", v6("2001:db8:0:1:ffff::9"), 1).is_none());
        assert!(crowd.join("a", v6("2001:db8:0:2::1"), 1).is_some());
    }

    #[test]
    fn thousands_of_addresses_are_not_taken_for_a_busy_one() {
        let crowd = Crowd::new();
        let _busy: Vec<_> = (0..1_000).map(|_| crowd.join("a", v6("192.0.2.1"), 5_000).unwrap()).collect();
        let refused = (0..10_000u32)
            .filter(|number| crowd.join("a", IpAddr::V4((*number).into()), 1_000).is_none())
            .count();
        assert_eq!(refused, 0);
    }
}
