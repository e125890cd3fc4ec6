//! Buying ahead: the published bound holds on every schedule, and round trips are saved.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Just, any, proptest};
use proptest::{prop_assert, prop_oneof};
use sluice_abi::{Algorithm, Mode, Take, Taken};

use super::redis_server::RedisServer;
use super::{LONG_MS, NOW, World, patient, settings, take, wait, worker};
use crate::store::remote::command::Rule;
use crate::store::remote::lease::{Order, Plan, Purses};
use crate::store::remote::{ErrorKind, RemoteStore, Settings};

const QUOTA: u64 = 100;
const WINDOW_MS: u64 = 1000;

/// The server in a few lines: units and when they were charged, by microsecond.
#[derive(Default)]
struct Server {
    charged: Vec<(u64, u64)>,
}

impl Server {
    fn used(&self, algorithm: Algorithm, now: u64) -> u64 {
        let window = WINDOW_MS * 1000;
        let counts = |at: u64| match algorithm {
            Algorithm::FixedWindow => at / window == now / window,
            // Stricter than both others, and simple.
            _ => now - at < window,
        };
        self.charged.iter().filter(|(at, _)| counts(*at)).map(|(_, units)| units).sum()
    }

    /// What came of it, and how much was bought beside.
    fn charge(&mut self, take: &Take, now: u64, extra: u64) -> (Taken, u64) {
        let free = QUOTA.saturating_sub(self.used(take.algorithm, now));
        let allowed = take.cost <= free;
        let bought = if allowed { extra.min(free - take.cost) } else { 0 };
        if allowed {
            self.charged.push((now, take.cost + bought));
        }
        let window = WINDOW_MS * 1000;
        let reset_ms = (window - now % window).div_ceil(1000);
        (Taken { allowed, remaining: free.saturating_sub(take.cost + bought), reset_ms, retry_ms: 0 }, bought)
    }
}

struct Timed {
    purses: Arc<Purses>,
    /// Its clock began at another time.
    offset: u64,
}

/// An answer on its way.
struct Flight {
    node: usize,
    arrives: u64,
    order: Order,
    bought: u64,
    taken: Taken,
}

fn units(events: &[(u64, u64)], from: u64, to: u64) -> u64 {
    events.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, units)| units).sum()
}

proptest! {
    #[test]
    fn no_schedule_overshoots_the_bound(
        count in 1_usize..5,
        share in prop_oneof![Just(0.02), Just(0.1), Just(0.5), Just(1.0), 0.001..1.0],
        algorithm in prop_oneof![Just(Algorithm::Gcra), Just(Algorithm::FixedWindow)],
        steps in vec((0_u64..8000, any::<u8>(), 0_u64..6, 0_u64..60_000, any::<bool>()), 1..300),
    ) {
        let nodes: Vec<Timed> =
            (0..count).map(|index| Timed { purses: Purses::new(share), offset: index as u64 * 77_777 }).collect();
        let clock = |node: &Timed, now: u64| Duration::from_micros(now + node.offset);
        let (mut server, mut handed, mut flights) = (Server::default(), Vec::new(), Vec::<Flight>::new());
        let mut now = 1_000_000_000;
        let most = nodes[0].purses.chunk(Rule::of(&take("k", algorithm, QUOTA, WINDOW_MS)));
        prop_assert!(most == ((100.0 * share).ceil() as u64).max(1));
        for (gap, node, cost, latency, idle) in steps {
            // Many at the same instant, and now and then a long silence.
            now += if idle { gap * 5 } else { gap / 20 };
            let (here, later): (Vec<_>, Vec<_>) = flights.into_iter().partition(|flight| flight.arrives <= now);
            flights = later;
            for Flight { node, order, bought, taken, .. } in here {
                // One answer in five is lost.
                if bought % 5 != 4 {
                    order.deliver(clock(&nodes[node], now), bought, &taken);
                }
            }
            let index = usize::from(node) % count;
            // What a quiet window leaves in the purses is wanted in the next one.
            let cost = if now / (WINDOW_MS * 1000) % 2 == 1 { cost * 4 } else { cost };
            let one = Take { cost, ..take("k", algorithm, QUOTA, WINDOW_MS) };
            let arrives = now + latency;
            let mut fly = |server: &mut Server, take: &Take, order: Option<Order>| {
                let (taken, bought) = server.charge(take, now, order.as_ref().map_or(0, |order| order.units));
                if let Some(order) = order {
                    flights.push(Flight { node: index, arrives, order, bought, taken });
                }
                taken.allowed
            };
            match nodes[index].purses.plan(clock(&nodes[index], now), &[(b"k", &one)]) {
                Plan::Served(_, orders) => {
                    handed.push((now, cost));
                    for (_, order) in orders {
                        fly(&mut server, &Take { cost: 0, ..one.clone() }, Some(order));
                    }
                }
                Plan::Ask(mut orders) => {
                    let allowed = fly(&mut server, &one, orders.pop().flatten());
                    if allowed {
                        handed.push((now, cost));
                    }
                    let taken = Taken { allowed, remaining: 0, reset_ms: 0, retry_ms: 0 };
                    nodes[index].purses.asked(clock(&nodes[index], now), b"k", &one, &taken, allowed);
                }
                Plan::Exact => {
                    if fly(&mut server, &one, None) {
                        handed.push((now, cost));
                    }
                }
            }
            for (index, node) in nodes.iter().enumerate() {
                let coming: u64 =
                    flights.iter().filter(|flight| flight.node == index).map(|flight| flight.order.units).sum();
                let held = node.purses.held(b"k", clock(node, now));
                prop_assert!(held + coming <= most, "{held} and {coming} of {most}");
            }
        }
        for from in handed.iter().map(|(at, _)| *at) {
            for to in handed.iter().map(|(at, _)| *at + 1).filter(|to| *to > from) {
                let (out, charged) = (units(&handed, from, to), units(&server.charged, from, to));
                prop_assert!(out <= charged + count as u64 * most, "{out} of {charged} in {from}..{to}");
            }
            let window = WINDOW_MS * 1000;
            let begin = from / window * window;
            if algorithm == Algorithm::FixedWindow {
                prop_assert!(units(&handed, begin, begin + window) <= QUOTA, "a fixed window has no overshoot");
            } else {
                let out = units(&handed, from, from + window);
                prop_assert!(out <= QUOTA + count as u64 * most, "{out} in a window");
            }
        }
    }
}

/// One node's purses for one limit, whose server always has enough.
struct Node {
    purses: Arc<Purses>,
    one: Take,
}

impl Node {
    fn new(share: f64, algorithm: Algorithm) -> Self {
        Self { purses: Purses::new(share), one: take("k", algorithm, QUOTA, WINDOW_MS) }
    }

    fn plan(&self, ms: u64) -> Plan {
        self.purses.plan(Duration::from_millis(ms), &[(b"k", &self.one)])
    }

    /// Asks, and hears that it was allowed; what to buy beside.
    fn ask(&self, ms: u64) -> Option<Order> {
        let Plan::Ask(mut orders) = self.plan(ms) else { panic!("there is nothing to serve") };
        self.asked(ms);
        orders.pop().unwrap()
    }

    fn asked(&self, ms: u64) {
        let taken = Taken { allowed: true, remaining: 50, reset_ms: 50, retry_ms: 0 };
        self.purses.asked(Duration::from_millis(ms), b"k", &self.one, &taken, true);
    }
}

#[test]
fn what_a_node_rarely_uses_is_not_bought_ahead() {
    let node = Node::new(0.1, Algorithm::Gcra);
    for second in 0..20 {
        assert!(node.ask(second * 1000).is_none(), "in second {second}");
        assert!(node.ask(second * 1000).is_none(), "in second {second}");
    }
}

#[test]
fn who_stops_waiting_does_not_block_the_purse() {
    let node = Node::new(0.1, Algorithm::Gcra);
    for _ in 0..3 {
        assert!(node.ask(0).is_none(), "the first make themselves known");
    }
    let order = node.ask(0);
    assert!(order.is_some());
    assert!(node.ask(0).is_none(), "one at a time");
    drop(order);
    assert!(node.ask(0).is_some());
}

#[test]
fn nothing_is_bought_for_what_was_refused() {
    let node = Node::new(0.1, Algorithm::Gcra);
    let refused = Taken { allowed: false, remaining: 0, reset_ms: 50, retry_ms: 50 };
    for _ in 0..100 {
        let Plan::Ask(orders) = node.plan(0) else { panic!("there is nothing to serve") };
        assert!(orders[0].is_none());
        assert_eq!(node.purses.asked(Duration::ZERO, b"k", &node.one, &refused, false), 0);
    }
    assert_eq!(node.purses.len(), 0);
}

#[test]
fn a_purse_dies_with_its_fixed_window() {
    for (algorithm, lives) in [(Algorithm::FixedWindow, false), (Algorithm::Gcra, true)] {
        let node = Node::new(0.5, algorithm);
        for _ in 0..3 {
            assert!(node.ask(1000).is_none());
        }
        let order = node.ask(1000).unwrap();
        assert_eq!(order.units, 1);
        // The answer took a while. When it was asked for, the window had 50 ms to go.
        let taken = Taken { allowed: true, remaining: 50, reset_ms: 50, retry_ms: 0 };
        order.deliver(Duration::from_millis(1020), 1, &taken);
        assert_eq!(node.purses.held(b"k", Duration::from_millis(1048)), 1);
        let left = node.purses.held(b"k", Duration::from_millis(1049));
        assert_eq!(left == 1, lives, "{algorithm:?}");
    }
}

#[test]
fn purses_are_bounded() {
    let purses = Purses::new(0.1);
    let one = take("k", Algorithm::Gcra, QUOTA, WINDOW_MS);
    let taken = Taken { allowed: true, remaining: 50, reset_ms: 50, retry_ms: 0 };
    for key in 0..200_000_u32 {
        let now = Duration::from_micros(u64::from(key));
        purses.asked(now, &key.to_le_bytes(), &one, &taken, true);
    }
    assert!((30_000..=32_768).contains(&purses.len()), "{}", purses.len());
    let later = Duration::from_secs(60);
    for key in 0..1000_u32 {
        purses.asked(later, &key.to_be_bytes(), &one, &taken, true);
    }
    assert!(purses.len() <= 1016, "old ones have made room: {}", purses.len());
}

#[test]
fn three_nodes_keep_to_the_bound_and_save_round_trips() {
    let (server, world) = (RedisServer::start(), World::new());
    let lease = Settings { lease: Some(0.02), ..settings(&server.url()) };
    for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow] {
        let stores = [(); 3].map(|()| world.connect(lease.clone()));
        let allowed: u64 = thread::scope(|scope| {
            let nodes = stores.each_ref().map(|store| {
                scope.spawn(|| {
                    worker().block_on(async {
                        let mut allowed = 0;
                        for _ in 0..2000 {
                            let takes = [take("k", algorithm, 5000, LONG_MS)];
                            let taken = store.take(&patient(), NOW, "p", &takes).await.unwrap()[0];
                            allowed += u64::from(taken.allowed);
                        }
                        allowed
                    })
                })
            });
            nodes.into_iter().map(|node| node.join().unwrap()).sum()
        });
        // Ten years' windows: nothing comes back meanwhile, so nothing is ever overshot.
        assert!((4700..=5000).contains(&allowed), "{algorithm:?}: {allowed}");
        let leased: u64 = stores.iter().map(|store| store.status().leased()).sum();
        assert!(leased > 2500, "{algorithm:?}: {leased} of {allowed} without a round trip");
        assert!(
            stores.iter().all(|store| ErrorKind::ALL.iter().all(|kind| store.status().errors(*kind) == 0))
        );
    }
}

#[test]
fn what_cannot_be_bought_ahead_is_counted_exactly() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(Settings { lease: Some(0.5), ..settings(&server.url()) });
    let gcra = take("g", Algorithm::Gcra, 100, LONG_MS);
    for used in 1..=10 {
        let held = Take { holder: vec![used as u8], ..take("c", Algorithm::Concurrency, 100, LONG_MS) };
        assert_eq!(world.take_one(&store, NOW, &held).remaining, 100 - used);
        let forced = Take { mode: Mode::Force, ..gcra.clone() };
        assert_eq!(world.take_one(&store, NOW, &forced).remaining, 100 - used);
    }
    let back = Take { mode: Mode::GiveBack, cost: 10, ..gcra.clone() };
    assert_eq!(world.take_one(&store, NOW, &back).remaining, 100);
    assert_eq!(
        world.take_one(&store, NOW, &Take { cost: 60, ..gcra.clone() }).remaining,
        40,
        "more than a purse holds"
    );
    assert_eq!(world.take_one(&store, NOW, &Take { cost: 0, ..gcra }).remaining, 40);
    assert_eq!(store.status().leased(), 0);
}

#[test]
fn several_limits_are_served_together_or_asked_together() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(Settings { lease: Some(0.1), ..settings(&server.url()) });
    let both = [take("a", Algorithm::Gcra, 1000, LONG_MS), take("b", Algorithm::FixedWindow, 500, LONG_MS)];
    let passed = (0..2000)
        .filter(|_| world.take(&store, NOW, &both).unwrap().iter().all(|taken| taken.allowed))
        .count();
    assert!((450..=500).contains(&passed), "{passed}");
    assert!(store.status().leased() > 200, "{}", store.status().leased());
}

#[test]
fn what_is_left_counts_what_this_node_holds() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(Settings { lease: Some(0.1), ..settings(&server.url()) });
    let one = take("k", Algorithm::FixedWindow, 1000, LONG_MS);
    // Whether it was served by the server or out of a purse: nobody else takes.
    for used in 1..=400 {
        let taken = world.take_one(&store, NOW, &one);
        assert_eq!(
            (taken.allowed, taken.remaining),
            (true, 1000 - used),
            "{} leased",
            store.status().leased()
        );
        // What is on its way to the purse is nowhere meanwhile.
        wait::until("no purchase is on its way", || !is_buying(&store));
    }
    assert!(store.status().leased() > 300, "{}", store.status().leased());
}

fn is_buying(store: &RemoteStore) -> bool {
    store.purses.as_ref().unwrap().is_buying()
}

#[test]
fn a_purse_is_filled_again_by_a_server_that_takes_its_time() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(Settings { lease: Some(0.1), ..settings(&server.url()) });
    let one = take("k", Algorithm::FixedWindow, 1000, LONG_MS);
    for _ in 0..100 {
        assert!(world.take_one(&store, NOW, &one).allowed);
    }
    wait::until("no purchase is on its way", || !is_buying(&store));
    server.ask(&["CLIENT", "PAUSE", "300", "ALL"]);
    let (asked, mut before) = (store.status().round_trips().buckets.iter().sum::<u64>(), 0);
    while !is_buying(&store) {
        before = store.status().leased();
        assert!(world.take_one(&store, NOW, &one).allowed);
    }
    assert!(store.status().leased() > before, "it was served from the purse");
    wait::until("no purchase is on its way", || !is_buying(&store));
    assert_eq!(store.status().round_trips().buckets.iter().sum::<u64>(), asked + 1, "it has arrived");
}
