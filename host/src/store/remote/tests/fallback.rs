//! What stands in for the server while it is away, and what that leaves behind.

use std::sync::Arc;
use std::time::Duration;

use sluice_abi::{Algorithm, Mode, Take, Taken};

use super::redis_server::RedisServer;
use super::{LONG_MS, NOW, World, patient, settings, take, wait};
use crate::config;
use crate::store::remote::{Fallback, RemoteStore, Settings};
use crate::store::{MemoryStore, StoreFailure, Stores};

const WINDOWS: [Algorithm; 3] = [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow];

/// A node, and the server that it loses and finds again.
struct Node {
    world: World,
    server: RedisServer,
    remote: Arc<RemoteStore>,
    stores: Stores,
}

impl Node {
    fn new(fallback: Fallback, lease: Option<f64>) -> Self {
        let (server, world) = (RedisServer::start(), World::new());
        let remote = world.connect(Settings { lease, ..settings(&server.url()) });
        let memory = Arc::new(MemoryStore::new(&config::Store { entries: 1000, value: 100 }));
        let stores = Stores::shared(memory, Arc::clone(&remote), fallback, Duration::from_secs(60));
        Self { world, server, remote, stores }
    }

    fn lose(&mut self) {
        self.server.kill();
        wait::until("the server is missed", || !self.remote.status().is_connected());
    }

    fn find(&mut self) {
        self.server.restart();
        wait::until("the server is found", || self.remote.status().is_connected());
    }

    fn take(&self, takes: &[Take]) -> Result<Vec<Taken>, StoreFailure> {
        self.world.run(self.stores.take(&patient(), NOW, "p", takes))
    }

    #[track_caller]
    fn one(&self, take: &Take) -> Taken {
        self.take(std::slice::from_ref(take)).unwrap()[0]
    }

    /// What is left, wherever it is counted now.
    fn left(&self, take: &Take) -> u64 {
        self.one(&Take { cost: 0, mode: Mode::Try, ..take.clone() }).remaining
    }
}

fn units(take: &Take, cost: u64, mode: Mode) -> Take {
    Take { cost, mode, ..take.clone() }
}

#[test]
fn what_was_counted_here_says_so_and_is_nobody_elses() {
    let mut node = Node::new(Fallback::Local, None);
    let limits = WINDOWS.map(|algorithm| take("k", algorithm, 100, LONG_MS));
    for limit in &limits {
        assert!(node.one(&units(limit, 40, Mode::Try)).reset_ms > 0);
    }
    node.lose();
    for limit in &limits {
        let taken = node.one(&units(limit, 10, Mode::Try));
        assert_eq!(taken, Taken { allowed: true, remaining: 90, reset_ms: 0, retry_ms: 0 }, "whole, here");
        // Of the 40 on the server: the 10 here are others'.
        assert_eq!(node.one(&units(limit, 40, Mode::GiveBack)).remaining, 90);
        assert_eq!(node.left(limit), 90);
        // What was used counts where it can.
        assert_eq!(node.one(&units(limit, 20, Mode::Force)).remaining, 70);
        let refused = node.one(&units(limit, 80, Mode::Try));
        assert_eq!((refused.allowed, refused.reset_ms), (false, 0));
        assert!(refused.retry_ms > 0);
    }
    node.find();
    for limit in &limits {
        assert_eq!(node.left(limit), 100, "this server forgets, and nothing comes from here");
    }
}

#[test]
fn a_place_is_free_again_wherever_it_was_taken() {
    let mut node = Node::new(Fallback::Local, None);
    let place = take("k", Algorithm::Concurrency, 2, LONG_MS);
    let by = |holder: &str, mode| Take { holder: holder.into(), ..units(&place, 1, mode) };
    let left = |node: &Node| node.left(&by("nobody", Mode::Try));
    assert!(node.one(&by("a", Mode::Try)).allowed);
    node.lose();
    assert!(node.one(&by("b", Mode::Try)).allowed);
    assert!(node.one(&by("c", Mode::Try)).allowed);
    assert!(!node.one(&by("d", Mode::Try)).allowed, "the others are held here");
    // Who holds nothing here frees no place of somebody else.
    node.one(&by("a", Mode::GiveBack));
    assert_eq!(left(&node), 0);
    node.one(&by("b", Mode::GiveBack));
    assert_eq!(left(&node), 1);
    node.find();
    assert!(node.one(&by("e", Mode::Try)).allowed);
    let elsewhere = node.one(&by("c", Mode::GiveBack));
    assert_eq!(elsewhere.remaining, 1, "of e nothing is given back");
    node.lose();
    assert_eq!(left(&node), 2, "and here it is");
}

#[test]
fn what_cannot_be_settled_is_told_unless_it_is_settled_here() {
    for (fallback, tried) in [(Fallback::Deny, Err(StoreFailure::Unavailable)), (Fallback::Allow, Ok(true))] {
        let mut node = Node::new(fallback, None);
        let limit = take("k", Algorithm::Gcra, 100, LONG_MS);
        let place = take("k", Algorithm::Concurrency, 2, LONG_MS);
        node.lose();
        let forced = units(&limit, 5, Mode::Force);
        for settled in [
            vec![forced.clone()],
            vec![units(&limit, 5, Mode::GiveBack)],
            vec![forced.clone(), units(&place, 1, Mode::GiveBack)],
        ] {
            assert_eq!(node.take(&settled), Err(StoreFailure::Unavailable), "{fallback:?}: {settled:?}");
        }
        let taken = node.take(&[limit.clone(), forced.clone(), place.clone()]);
        let taken = taken.map(|taken| taken.iter().all(|taken| taken.allowed && taken.reset_ms == 0));
        assert_eq!(taken, tried, "{fallback:?}");
        node.find();
        assert_eq!(node.one(&forced).remaining, 95, "{fallback:?}: tried again");
    }
}

#[test]
fn purses_outlive_the_server_and_are_filled_by_the_next() {
    for fallback in [Fallback::Local, Fallback::Deny, Fallback::Allow] {
        let mut node = Node::new(fallback, Some(0.1));
        let limit = take("k", Algorithm::Gcra, 1000, LONG_MS);
        for _ in 0..200 {
            assert!(node.one(&limit).allowed);
        }
        wait::until("no purchase is on its way", || !node.remote.purses.as_ref().unwrap().is_buying());
        let (leased, most) = (node.remote.status().leased(), 100);
        node.lose();
        // What this node holds was charged, and needs nobody.
        let mut served = 0;
        while served <= most
            && node.take(std::slice::from_ref(&limit)).is_ok_and(|taken| taken[0].reset_ms > 0)
        {
            served += 1;
        }
        assert!((1..=most).contains(&served), "{fallback:?}: {served}");
        assert_eq!(node.remote.status().leased(), leased + served, "{fallback:?}");
        let after = node.take(std::slice::from_ref(&limit));
        match fallback {
            Fallback::Local => {
                assert_eq!(after.unwrap()[0].remaining, 998, "the second that is counted here")
            }
            Fallback::Deny => assert_eq!(after, Err(StoreFailure::Unavailable)),
            Fallback::Allow => assert_eq!(after.unwrap()[0].remaining, 1000),
        }
        node.find();
        for _ in 0..200 {
            assert!(node.one(&limit).allowed, "{fallback:?}");
        }
        let again = node.remote.status().leased() - leased - served;
        assert!(again > 100, "{fallback:?}: {again} of 200 are leased again");
    }
}
