//! The store's promises: exactness under threads, algorithms against models, bounds, values.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, prop_assert, prop_assert_eq};
use sluice_abi::{Algorithm, Mode, Take, Taken};

use super::{MAX_KEY, MemoryStore, NewValue, StoreError};
use crate::config;

mod clocks;
mod concurrency;
mod eviction;
mod modes;
mod shares;

use shares::books_balance;

const NOW: u64 = 1_790_000_000_000_000_000;
const MS: u64 = 1_000_000;
const ALL: [Algorithm; 4] =
    [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::Concurrency];

fn store(entries: usize) -> MemoryStore {
    MemoryStore::new(&config::Store { entries, value: 100 })
}

impl MemoryStore {
    /// Sets a value that is to stay.
    fn keep(
        &self,
        now: u64,
        namespace: &str,
        key: &[u8],
        bytes: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.set(now, namespace, key, NewValue { bytes, ttl, evictable: false })
    }

    /// Sets one that may be dropped.
    fn cache(
        &self,
        now: u64,
        namespace: &str,
        key: &[u8],
        bytes: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        self.set(now, namespace, key, NewValue { bytes, ttl, evictable: true })
    }
}

fn take(key: &str, algorithm: Algorithm, quota: u64, window_ms: u64) -> Take {
    Take {
        key: key.as_bytes().to_vec(),
        algorithm,
        quota,
        window_ms,
        cost: 1,
        mode: Mode::Try,
        holder: Vec::new(),
    }
}

fn take_one(store: &MemoryStore, now: u64, take: &Take) -> Taken {
    store.take(now, "p", std::slice::from_ref(take)).unwrap()[0]
}

/// How many of many takes from `threads` threads pass.
fn passes(threads: usize, each: usize, attempt: impl Fn(usize) -> bool + Sync) -> usize {
    let passed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for index in 0..threads {
            let (attempt, passed) = (&attempt, &passed);
            scope.spawn(move || {
                let count = (0..each).filter(|_| attempt(index)).count();
                passed.fetch_add(count, Ordering::Relaxed);
            });
        }
    });
    passed.into_inner()
}

#[test]
fn exactly_the_quota_passes_whatever_the_number_of_threads() {
    for algorithm in ALL {
        for quota in [1, 7, 1000, 15_999] {
            let store = store(1000);
            let take = take("k", algorithm, quota, 60_000);
            let passed = passes(8, 2000, |_| take_one(&store, NOW, &take).allowed);
            assert_eq!(passed as u64, quota, "{algorithm:?}");
        }
    }
}

#[test]
fn exactly_the_smallest_quota_passes_and_the_others_are_charged_for_it() {
    let store = store(1000);
    let takes = [
        take("wide", Algorithm::Gcra, 3000, 60_000),
        take("narrow", Algorithm::SlidingWindow, 500, 60_000),
        take("middle", Algorithm::SlidingWindow, 1000, 60_000),
    ];
    let attempt = |_| store.take(NOW, "p", &takes).unwrap().iter().all(|taken| taken.allowed);
    assert_eq!(passes(8, 500, attempt), 500);
    let left =
        takes.each_ref().map(|take| take_one(&store, NOW, &Take { cost: 0, ..take.clone() }).remaining);
    assert_eq!(left, [2500, 0, 500]);
}

#[test]
fn takes_are_not_lost_when_the_sweep_runs_beside_them() {
    for algorithm in ALL {
        // Every round begins two windows later, when the sweep may retire the limit that the takes are
        // meeting.
        let store = store(1000);
        let take = take("k", algorithm, 50, 1000);
        let round = AtomicU64::new(0);
        for number in 0..300 {
            let now = NOW + number * 2000 * MS;
            round.store(number, Ordering::Relaxed);
            let passed = passes(3, 40, |thread| {
                if thread == 0 {
                    store.sweep(now);
                    return false;
                }
                take_one(&store, now, &take).allowed
            });
            assert_eq!(passed, 50, "{algorithm:?} round {number}");
        }
    }
}

#[test]
fn quotas_at_the_ends_of_the_scale_are_exact() {
    for algorithm in ALL {
        for (quota, window_ms) in
            [(3, 1000), (7, 1), (1_000_003, 1000), (10_000_000_000, 1000), (1, 3_155_760_000_000)]
        {
            let store = store(1000);
            let all = Take { cost: quota, ..take("k", algorithm, quota, window_ms) };
            assert!(take_one(&store, NOW, &all).allowed, "{algorithm:?} {quota}/{window_ms} ms");
            let refused = take_one(&store, NOW, &Take { cost: 1, ..all.clone() });
            assert_eq!(
                (refused.allowed, refused.remaining),
                (false, 0),
                "{algorithm:?} {quota}/{window_ms} ms"
            );
        }
    }
    let store = store(1000);
    let huge =
        Take { cost: 5, quota: u64::MAX, window_ms: u64::MAX, ..take("k", Algorithm::SlidingWindow, 1, 1) };
    assert!(take_one(&store, NOW, &huge).allowed);
    assert!(take_one(&store, NOW, &Take { algorithm: Algorithm::Gcra, ..huge }).allowed);
}

#[test]
fn a_fast_limit_outlives_its_ticks() {
    let store = store(1000);
    let fast = Take { cost: 1 << 53, ..take("k", Algorithm::Gcra, 1 << 53, 1) };
    for hour in 0..24 {
        assert!(take_one(&store, NOW + hour * 3_600_000 * MS, &fast).allowed, "hour {hour}");
    }
}

#[test]
fn a_clock_set_back_does_not_close_a_limit() {
    for algorithm in ALL {
        let store = store(1000);
        let take = take("k", algorithm, 5, 1000);
        let later = NOW + 7_200_000 * MS;
        take_one(&store, NOW, &take);
        assert_eq!(passes(1, 10, |_| take_one(&store, later, &take).allowed), 5);
        assert!(
            !take_one(&store, later - 500 * MS, &take).allowed,
            "{algorithm:?}: a worker that lags gets no more"
        );
        assert!(!take_one(&store, later - 5000 * MS, &take).allowed, "{algorithm:?}: not even by seconds");
        assert!(
            take_one(&store, later - 3_600_000 * MS, &take).allowed,
            "{algorithm:?}: but an hour is another time"
        );
    }
}

#[test]
fn looking_takes_nothing_and_creates_nothing() {
    for algorithm in ALL {
        let store = store(1000);
        let one = take("k", algorithm, 5, 1000);
        let look = Take { cost: 0, ..one.clone() };
        let too_much = Take { cost: 6, ..one.clone() };
        let fresh = Taken { allowed: true, remaining: 5, reset_ms: 0, retry_ms: 0 };
        assert_eq!(take_one(&store, NOW, &look), fresh);
        let refused = Taken { allowed: false, retry_ms: Taken::NEVER, ..fresh };
        assert_eq!(take_one(&store, NOW, &too_much), refused);
        assert_eq!(store.len(), 0);
        take_one(&store, NOW, &one);
        assert_eq!(take_one(&store, NOW, &look).remaining, 4);
        assert_eq!(take_one(&store, NOW, &look).remaining, 4);
        assert_eq!(take_one(&store, NOW, &too_much).retry_ms, Taken::NEVER);
    }
}

#[test]
fn nothing_is_charged_unless_all_allow() {
    let store = store(1000);
    let wide = take("wide", Algorithm::Gcra, 10, 1000);
    let narrow = take("narrow", Algorithm::SlidingWindow, 1, 1000);
    let both = [wide.clone(), narrow.clone()];
    assert!(store.take(NOW, "p", &both).unwrap().iter().all(|taken| taken.allowed));
    let refused = store.take(NOW, "p", &both).unwrap();
    assert_eq!((refused[0].allowed, refused[1].allowed), (true, false));
    assert_eq!(refused[0].remaining, 9);
    let twice = [
        narrow.clone(),
        Take { key: b"other".to_vec(), ..narrow.clone() },
        Take { key: b"other".to_vec(), ..narrow },
    ];
    let refused = store.take(NOW + 2000 * MS, "p", &twice).unwrap();
    assert_eq!(
        refused.iter().map(|taken| taken.allowed).collect::<Vec<_>>(),
        [true, true, false],
        "the third is the second's"
    );
    assert_eq!(refused.iter().map(|taken| taken.remaining).collect::<Vec<_>>(), [1, 1, 0]);
    assert_eq!(store.take(NOW, "p", &[]), Ok(Vec::new()));
}

#[test]
fn namespaces_rules_and_kinds_do_not_meet() {
    let store = store(1000);
    let one = take("k", Algorithm::Gcra, 1, 1000);
    assert!(store.take(NOW, "a", std::slice::from_ref(&one)).unwrap()[0].allowed);
    assert!(store.take(NOW, "b", std::slice::from_ref(&one)).unwrap()[0].allowed);
    assert!(store.take(NOW, "a", &[Take { quota: 2, ..one.clone() }]).unwrap()[0].allowed);
    assert!(!store.take(NOW, "a", std::slice::from_ref(&one)).unwrap()[0].allowed);
    store.keep(NOW, "a", b"k", b"value", None).unwrap();
    assert_eq!(store.get(NOW, "b", b"k"), None);
    assert_eq!(store.get(NOW, "", b"ak"), None);
    assert_eq!(store.get(NOW, "a", b"k").as_deref(), Some(&b"value"[..]));
    assert!(!store.take(NOW, "a", &[one]).unwrap()[0].allowed);
}

#[test]
fn the_store_stays_within_its_bound() {
    for entries in [1, 10, 1000, 20_000] {
        let store = store(entries);
        for index in 0..entries * 3 {
            take_one(&store, NOW, &take(&index.to_string(), Algorithm::Gcra, 5, 60_000));
            store.keep(NOW, "p", index.to_string().as_bytes(), b"v", None).unwrap();
        }
        assert!(store.len() <= entries, "{} of {entries}", store.len());
        assert!(store.len() * 2 >= entries.min(2), "{} of {entries}", store.len());
    }
}

#[test]
fn a_full_store_takes_any_number_of_new_entries() {
    let store = store(2000);
    for index in 0..200_000_u32 {
        store.keep(NOW, "p", &index.to_le_bytes(), b"v", None).unwrap();
    }
    assert!((1500..=2000).contains(&store.len()), "{}", store.len());
}

#[test]
fn what_has_expired_makes_room_first() {
    let store = store(1000);
    for index in 0..500_u32 {
        store.keep(NOW, "p", &index.to_le_bytes(), b"v", None).unwrap();
        store.keep(NOW, "q", &index.to_le_bytes(), b"v", Some(Duration::from_millis(1))).unwrap();
    }
    for index in 0..400_u32 {
        store.add(NOW + 2 * MS, "r", &index.to_le_bytes(), 1, None).unwrap();
    }
    assert!((0..500_u32).all(|index| store.get(NOW, "p", &index.to_le_bytes()).is_some()));
    assert_eq!(store.len(), 900);
}

#[test]
fn the_sweep_removes_what_has_expired_and_nothing_else() {
    let store = store(1000);
    for algorithm in ALL {
        take_one(&store, NOW, &take("short", algorithm, 5, 1000));
        take_one(&store, NOW, &take("long", algorithm, 1, 60_000));
    }
    store.keep(NOW, "p", b"kept", b"v", None).unwrap();
    store.keep(NOW, "p", b"gone", b"v", Some(Duration::from_secs(1))).unwrap();
    assert_eq!(store.sweep(NOW), 0);
    assert_eq!(store.sweep(NOW + 2000 * MS), 5);
    assert_eq!(store.len(), 5);
    assert!(!take_one(&store, NOW + 2000 * MS, &take("long", Algorithm::Gcra, 1, 60_000)).allowed);
}

#[test]
fn values_expire_count_and_go() {
    let store = store(1000);
    let second = Some(Duration::from_secs(1));
    store.keep(NOW, "p", b"k", b"v", second).unwrap();
    assert_eq!(store.get(NOW + 999 * MS, "p", b"k").as_deref(), Some(&b"v"[..]));
    assert_eq!(store.get(NOW + 1000 * MS, "p", b"k"), None);
    assert!(!store.delete(NOW + 1000 * MS, "p", b"k"), "it was over already");

    assert_eq!(store.add(NOW, "p", b"n", 5, second), Ok(5));
    assert_eq!(store.add(NOW + 900 * MS, "p", b"n", -7, second), Ok(-2));
    assert_eq!(store.get(NOW + 900 * MS, "p", b"n").as_deref(), Some(&b"-2"[..]));
    assert_eq!(store.add(NOW + 1000 * MS, "p", b"n", 1, None), Ok(1), "not prolonged by adding");
    assert!(store.delete(NOW + 1000 * MS, "p", b"n"));
    assert!(!store.delete(NOW + 1000 * MS, "p", b"n"));

    store.keep(NOW, "p", b"t", b"41", None).unwrap();
    assert_eq!(store.add(NOW, "p", b"t", 1, None), Ok(42));
    assert_eq!(store.add(NOW, "p", b"t", i64::MAX, None), Ok(i64::MAX));
    store.keep(NOW, "p", b"t", b"x", None).unwrap();
    assert_eq!(store.add(NOW, "p", b"t", 1, None), Err(StoreError::NotANumber));
}

#[test]
fn additions_are_not_lost() {
    let store = store(1000);
    passes(8, 1000, |_| store.add(NOW, "p", b"n", 3, None).is_ok());
    assert_eq!(store.add(NOW, "p", b"n", 0, None), Ok(24_000));
}

#[test]
fn what_is_too_long_is_refused() {
    let store = store(1000);
    let long = vec![b'k'; MAX_KEY + 1];
    assert_eq!(store.keep(NOW, "p", &long, b"", None), Err(StoreError::KeyTooLong));
    assert_eq!(store.add(NOW, "p", &long, 1, None), Err(StoreError::KeyTooLong));
    assert_eq!(store.get(NOW, "p", &long), None);
    assert!(!store.delete(NOW, "p", &long));
    let take = Take { key: long, ..take("", Algorithm::Gcra, 1, 1) };
    assert_eq!(store.take(NOW, "p", &[take]), Err(StoreError::KeyTooLong));
    assert_eq!(store.keep(NOW, "p", b"k", &[0; 101], None), Err(StoreError::ValueTooLarge));
    assert_eq!(store.keep(NOW, "p", b"k", &[0; 100], None), Ok(()));
}

/// The algorithms of units per window in floating point, straight from their definitions.
struct Model {
    quota: f64,
    window: f64,
    algorithm: Algorithm,
    born: Option<f64>,
    /// GCRA: units in the bucket, and when that was so.
    level: (f64, f64),
    /// Sliding window: what each window took.
    windows: std::collections::HashMap<u64, f64>,
}

impl Model {
    /// Units in use at `at` (milliseconds).
    fn used(&mut self, at: f64) -> f64 {
        let Some(born) = self.born else { return 0.0 };
        match self.algorithm {
            Algorithm::Gcra => {
                let (level, since) = self.level;
                (level - (at - since) * self.quota / self.window).max(0.0)
            }
            Algorithm::SlidingWindow => {
                let windows = (at - born) / self.window;
                let index = windows.floor() as u64;
                let count = |index: Option<u64>| {
                    index.and_then(|index| self.windows.get(&index)).copied().unwrap_or(0.0)
                };
                count(Some(index)) + count(index.checked_sub(1)) * (1.0 - windows.fract())
            }
            Algorithm::FixedWindow => self.windows.get(&self.window(at)).copied().unwrap_or(0.0),
            Algorithm::Concurrency => unreachable!("it has tests of its own"),
        }
    }

    fn window(&self, at: f64) -> u64 {
        if self.algorithm == Algorithm::FixedWindow {
            return (NOW + (at * MS as f64).round() as u64) / (self.window as u64 * MS);
        }
        ((at - self.born.unwrap_or(at)) / self.window).floor() as u64
    }

    fn charge(&mut self, at: f64, cost: f64) {
        let used = self.used(at);
        self.born.get_or_insert(at);
        self.level = (used + cost, at);
        *self.windows.entry(self.window(at)).or_default() += cost;
    }
}

fn some_algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![Just(Algorithm::Gcra), Just(Algorithm::SlidingWindow), Just(Algorithm::FixedWindow)]
}

proptest! {
    #[test]
    fn limits_do_what_their_models_do(
        algorithm in some_algorithm(),
        quota in 1_u64..200,
        window_ms in 1_u64..100_000,
        steps in collection::vec((0.0..0.6_f64, 0_u64..20), 1..80),
    ) {
        let store = store(1000);
        let mut model = Model {
            quota: quota as f64,
            window: window_ms as f64,
            algorithm,
            born: None,
            level: (0.0, 0.0),
            windows: std::collections::HashMap::new(),
        };
        let mut at_ns = 0;
        for (gap, cost) in steps {
            // Also gaps of nothing at all.
            at_ns += if gap < 0.1 { 0 } else { (gap * gap * window_ms as f64 * 3.0 * MS as f64) as u64 };
            let at = at_ns as f64 / MS as f64;
            let cost = cost.min(quota + 1);
            let request = Take { cost, ..take("k", algorithm, quota, window_ms) };
            let taken = take_one(&store, NOW + at_ns, &request);
            let used = model.used(at);
            let spare = model.quota - used - cost as f64;
            // Within a hair of the edge, ticks of a microsecond decide.
            let hair = 1e-6 * model.quota + 2e-3 * model.quota / model.window;
            if spare.abs() > hair {
                prop_assert_eq!(taken.allowed, spare > 0.0 , "{} of {} used at {} ms", used, quota, at);
            }
            if taken.allowed && cost > 0 {
                model.charge(at, cost as f64);
            }
            let left = model.quota - model.used(at);
            prop_assert!((taken.remaining as f64) <= left + hair, "{taken:?} {left}");
            prop_assert!((taken.remaining as f64) > left - 1.0 - hair, "{taken:?} {left}");
        }
    }

    #[test]
    fn waiting_as_told_is_enough_and_needed(
        algorithm in some_algorithm(),
        quota in 1_u64..100,
        window_ms in 1_u64..100_000,
        earlier in collection::vec((0_u64..100_000, 1_u64..30), 1..40),
        cost in 1_u64..100,
    ) {
        let store = store(1000);
        let mut now = NOW;
        for (gap_us, cost) in earlier {
            now += gap_us * window_ms / 50;
            take_one(&store, now, &Take { cost: cost.min(quota), ..take("k", algorithm, quota, window_ms) });
        }
        let request = Take { cost, ..take("k", algorithm, quota, window_ms) };
        let taken = take_one(&store, now, &request);
        let look = |after_ms: u64, cost: u64| {
            take_one(&store, now + after_ms * MS, &Take { cost, ..take("k", algorithm, quota, window_ms) })
        };
        if cost > quota {
            prop_assert_eq!(taken.retry_ms, Taken::NEVER);
        } else if taken.allowed {
            prop_assert_eq!(taken.retry_ms, 0);
        } else {
            prop_assert!(taken.retry_ms > 0);
            if taken.retry_ms > 1 {
                prop_assert!(!look(taken.retry_ms - 2, cost).allowed, "{:?} is too long", taken);
            }
            prop_assert!(look(0, 0).reset_ms >= taken.retry_ms);
            let whole = look(taken.reset_ms, 0);
            prop_assert_eq!((whole.remaining, whole.reset_ms), (quota, 0));
            prop_assert!(look(taken.retry_ms, cost).allowed, "{:?} is not enough", taken);
        }
    }

    #[test]
    fn values_do_what_a_map_does(
        steps in collection::vec((0_u8..4, 0_u8..6, any::<i8>(), 0_u64..4), 1..200),
    ) {
        let store = store(1000);
        let mut model = std::collections::HashMap::<u8, (i64, u64)>::new();
        let mut now = NOW;
        for (action, key, number, ttl) in steps {
            now += MS;
            model.retain(|_, (_, end)| *end > now);
            let life = (ttl > 0).then(|| Duration::from_millis(ttl * 3));
            let end = life.map_or(u64::MAX, |_| now + ttl * 3 * MS);
            let number = i64::from(number);
            match action {
                0 => {
                    let value = store.get(now, "p", &[key]);
                    let expected = model.get(&key).map(|(number, _)| number.to_string().into_bytes());
                    prop_assert_eq!(value.as_deref(), expected.as_deref());
                }
                1 => {
                    store.keep(now, "p", &[key], number.to_string().as_bytes(), life).unwrap();
                    model.insert(key, (number, end));
                }
                2 => prop_assert_eq!(store.delete(now, "p", &[key]), model.remove(&key).is_some()),
                _ => {
                    let entry = model.entry(key).or_insert((0, end));
                    entry.0 += number;
                    prop_assert_eq!(store.add(now, "p", &[key], number, life), Ok(entry.0));
                }
            }
            if number % 7 == 0 {
                store.sweep(now);
                prop_assert_eq!(store.len(), model.len());
            }
            books_balance(&store);
        }
    }
}
