//! What buying ahead costs: of what is charged nearly all is handed out, and nobody within a quota is refused.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Just, proptest};
use proptest::{prop_assert, prop_oneof};
use sluice_abi::{Algorithm, Counter, Take, Taken};

use super::{NOW, take};
use crate::store::remote::lease::{Order, Plan, Purses};

const SECOND: u64 = 1_000_000_000;
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;

/// How long the server's answer to a purchase takes for which nobody waits.
const LATENCY: u64 = 2_000_000;

/// Nodes that ask a server for the same limits. Time is in nanoseconds.
struct World {
    takes: Vec<Take>,
    counters: Vec<Counter>,
    /// Units of each limit.
    charged: Vec<u64>,
    nodes: Vec<Arc<Purses>>,
    /// When they arrive, the limit, what was bought, and what came of it.
    answers: Vec<(u64, Order, u64, Taken)>,
    trips: u64,
    refused: u64,
    handed: u64,
}

impl World {
    fn new(takes: &[Take], nodes: usize, lease: f64) -> Self {
        Self {
            takes: takes.to_vec(),
            counters: takes.iter().map(|take| Counter::new(take.algorithm, NOW)).collect(),
            charged: vec![0; takes.len()],
            nodes: (0..nodes).map(|_| Purses::new(lease)).collect(),
            answers: Vec::new(),
            trips: 0,
            refused: 0,
            handed: 0,
        }
    }

    /// As `take.lua`: what is bought beside is what is left.
    fn charge(&mut self, limit: usize, cost: u64, extra: u64, now: u64) -> (Taken, u64) {
        let mut charge = |cost: u64| {
            let one = Take { cost, ..self.takes[limit].clone() };
            let taken = self.counters[limit].charge(&one, NOW + now);
            self.charged[limit] += if taken.allowed { cost } else { 0 };
            taken
        };
        let taken = charge(cost);
        let bought = extra.min(taken.remaining);
        (charge(bought), bought)
    }

    /// One call for all limits on a node.
    fn call(&mut self, node: usize, now: u64) {
        let (here, later) = std::mem::take(&mut self.answers).into_iter().partition(|(at, ..)| *at <= now);
        self.answers = later;
        let _: Vec<(u64, Order, u64, Taken)> = here;
        for (at, order, bought, taken) in here {
            order.deliver(Duration::from_nanos(at), bought, &taken);
        }
        let (purses, takes) = (Arc::clone(&self.nodes[node]), self.takes.clone());
        let keyed: Vec<(&[u8], &Take)> = takes.iter().map(|take| (&take.key[..], take)).collect();
        let clock = Duration::from_nanos(now);
        let orders = match purses.plan(clock, &keyed) {
            Plan::Served(_, orders) => {
                for (limit, order) in orders {
                    self.trips += 1;
                    let (taken, bought) = self.charge(limit, 0, order.units, now);
                    self.answers.push((now + LATENCY, order, bought, taken));
                }
                self.handed += takes[0].cost;
                return;
            }
            Plan::Ask(orders) => orders,
            Plan::Exact => Vec::new(),
        };
        self.trips += 1;
        let looks: Vec<Taken> =
            self.counters.iter().zip(&takes).map(|(counter, take)| counter.look(take, NOW + now)).collect();
        if !looks.iter().all(|taken| taken.allowed) {
            self.refused += 1;
            return;
        }
        self.handed += takes[0].cost;
        let mut orders = orders.into_iter();
        let is_exact = orders.len() == 0;
        for (limit, take) in takes.iter().enumerate() {
            let order = orders.next().flatten();
            let (taken, bought) =
                self.charge(limit, take.cost, order.as_ref().map_or(0, |order| order.units), now);
            if let Some(order) = order {
                order.deliver(clock, bought, &taken);
            }
            if !is_exact {
                purses.asked(clock, &take.key, take, &taken, true);
            }
        }
    }
}

/// Always the same numbers.
struct Random(u64);

impl Random {
    fn number(&mut self) -> u64 {
        // Knuth's MMIX; the upper half is good enough.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// As long as until the next of events that come at random, this long apart in the mean.
    fn gap(&mut self, mean: u64) -> u64 {
        let part = (self.number() as f64 + 1.0) / (f64::from(u32::MAX >> 1) + 2.0);
        (-part.ln() * mean as f64) as u64
    }
}

/// How calls come: so far apart in the mean, so many at once, evenly or at random.
#[derive(Clone, Copy, Debug)]
struct Load {
    gap: u64,
    burst: u64,
    is_even: bool,
}

fn run(takes: &[Take], nodes: usize, load: Load, length: u64) -> World {
    let (mut world, mut random) = (World::new(takes, nodes, 0.02), Random(nodes as u64));
    let mut now = SECOND;
    while now < length {
        for number in 0..load.burst {
            let node = random.number() as usize % nodes;
            world.call(node, now + number * 1_000_000);
        }
        let mean = load.gap * load.burst;
        now += if load.is_even { mean } else { random.gap(mean).max(load.burst * 1_000_000) };
    }
    world
}

fn per_minute(quota: u64) -> Take {
    take("minute", Algorithm::Gcra, quota, MINUTE_MS)
}

fn per_day(quota: u64) -> Take {
    take("day", Algorithm::FixedWindow, quota, DAY_MS)
}

/// `percent` of a quota of so many a minute.
fn load(quota: u64, percent: u64) -> Load {
    Load { gap: 60 * SECOND * 100 / (quota * percent), burst: 1, is_even: false }
}

const HOUR: u64 = 3600 * SECOND;

#[test]
fn within_its_quota_nobody_is_refused_and_little_is_forgotten() {
    for quota in [100, 1000, 5000] {
        for percent in [10, 30, 60, 90] {
            for nodes in [1, 3] {
                for is_even in [false, true] {
                    let load = Load { is_even, ..load(quota, percent) };
                    let world = run(&[per_minute(quota)], nodes, load, HOUR / 2);
                    let told = format!("{quota} on {nodes} nodes, {load:?}");
                    assert_eq!(world.refused, 0, "{told}");
                    let (charged, handed) = (world.charged[0], world.handed);
                    assert!(charged * 100 <= handed * 104, "{told}: {charged} for {handed}");
                }
            }
        }
    }
}

#[test]
fn what_is_often_used_is_rarely_asked_for() {
    // Of all calls, those for which the server is asked, in percent.
    for (quota, percent, nodes, most) in
        [(1000, 30, 1, 60), (1000, 90, 1, 30), (5000, 30, 3, 50), (20_000, 60, 3, 10), (20_000, 60, 1, 5)]
    {
        let world = run(&[per_minute(quota)], nodes, load(quota, percent), HOUR / 12);
        let (trips, handed) = (world.trips, world.handed);
        assert!(trips * 100 <= handed * most, "{quota} on {nodes} nodes: {trips} for {handed}");
    }
}

#[test]
fn bursts_cost_more_and_not_much_more() {
    for burst in [3, 10, 20, 40] {
        for (percent, refused) in [(30, 0), (60, 0), (80, 1)] {
            let load = Load { burst, ..load(1000, percent) };
            let world = run(&[per_minute(1000)], 1, load, HOUR);
            let (charged, handed) = (world.charged[0], world.handed);
            assert!(charged * 100 <= handed * 130, "{load:?}: {charged} for {handed}");
            // At random so many come now and then that the exact count refuses them too.
            assert!(world.refused * 100 <= handed * refused, "{load:?}: {} refused", world.refused);
        }
    }
}

#[test]
fn beside_what_cannot_be_bought_ahead_nothing_is() {
    let place = take("place", Algorithm::Concurrency, 1_000_000, MINUTE_MS);
    let dear = Take { cost: 20_001, ..take("dear", Algorithm::SlidingWindow, 1_000_000, 1000) };
    for other in [place, dear] {
        let world = run(&[per_minute(1000), other.clone()], 1, load(1000, 30), HOUR);
        assert_eq!(world.refused, 0, "{other:?}");
        assert_eq!(world.charged[0], world.handed, "{other:?}");
    }
}

#[test]
fn a_limit_is_not_bought_ahead_for_one_that_is_rarely_used() {
    for seconds in [4, 10, 30, 180] {
        for (is_even, burst) in [(true, 1), (false, 1), (false, 5)] {
            let load = Load { gap: seconds * SECOND, burst, is_even };
            let takes = [per_minute(100), per_day(25_000)];
            for nodes in [1, 3] {
                let world = run(&takes, nodes, load, 4 * 24 * HOUR);
                let told = format!("{load:?} on {nodes} nodes");
                assert_eq!(world.refused, 0, "{told}");
                // A burst may end before what was bought for its minute is used up.
                let most = if burst == 1 { 101 } else { 106 };
                for charged in &world.charged {
                    assert!(charged * 100 <= world.handed * most, "{told}: {charged} for {}", world.handed);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_schedule_forgets_more_than_two_thirds_of_what_is_handed_out(
        lease in prop_oneof![Just(0.02), Just(0.1), Just(1.0)],
        algorithm in prop_oneof![Just(Algorithm::Gcra), Just(Algorithm::SlidingWindow)],
        two in proptest::bool::ANY,
        // Runs of so many calls, so far apart in parts of a window.
        runs in vec((1_u64..60, 0_u64..3000, 0_u64..100_000), 1..60),
    ) {
        let first = take("a", algorithm, 1000, MINUTE_MS);
        let second = take("b", Algorithm::Gcra, 3000, 2 * MINUTE_MS);
        let takes = if two { vec![first, second] } else { vec![first] };
        let mut world = World::new(&takes, 1, lease);
        let mut now = SECOND;
        for (count, gap, pause) in runs {
            for _ in 0..count {
                world.call(0, now);
                now += gap * 100_000;
            }
            now += pause * 1_000_000;
        }
        for charged in &world.charged {
            prop_assert!(charged * 3 <= world.handed * 5, "{charged} for {}", world.handed);
        }
    }
}
