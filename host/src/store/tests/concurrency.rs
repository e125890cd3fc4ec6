//! What is held at once: exact, given back once, and never for ever.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::{any, proptest};
use proptest::{collection, prop_assert, prop_assert_eq};
use sluice_abi::{Algorithm, Counter, Mode, Take, Taken};

use super::shares::books_balance;
use super::{MS, NOW, passes, store, take, take_one};
use crate::store::MemoryStore;

const MINUTE: u64 = 60_000 * MS;

fn hold(holder: impl AsRef<[u8]>, quota: u64) -> Take {
    Take { holder: holder.as_ref().to_vec(), ..take("k", Algorithm::Concurrency, quota, 60_000) }
}

fn back(hold: &Take) -> Take {
    Take { mode: Mode::GiveBack, ..hold.clone() }
}

fn held(store: &MemoryStore, now: u64, quota: u64) -> u64 {
    quota - take_one(store, now, &Take { cost: 0, ..hold("", quota) }).remaining
}

#[test]
fn a_place_is_free_again_once_it_is_given_back() {
    let store = store(1000);
    assert!(take_one(&store, NOW, &hold("a", 2)).allowed);
    assert!(take_one(&store, NOW, &hold("b", 2)).allowed);
    assert!(!take_one(&store, NOW, &hold("c", 2)).allowed);
    assert!(take_one(&store, NOW, &hold("a", 2)).allowed, "it holds already");
    assert_eq!(held(&store, NOW, 2), 2);
    for _ in 0..2 {
        assert_eq!(take_one(&store, NOW, &back(&hold("a", 2))).remaining, 1, "once");
    }
    assert_eq!(take_one(&store, NOW, &back(&hold("nobody", 2))).remaining, 1);
    assert!(take_one(&store, NOW, &hold("c", 2)).allowed);
    for holder in ["b", "c"] {
        take_one(&store, NOW, &back(&hold(holder, 2)));
    }
    assert_eq!((store.len(), store.sweep(NOW), store.len()), (1, 1, 0));
    books_balance(&store);
}

#[test]
fn what_is_never_given_back_counts_for_a_window_and_at_most_a_third_longer() {
    for offset in [0, 1, 7_000, 19_999, 20_000, 45_000] {
        let (store, began) = (store(1000), NOW + offset * MS);
        assert!(take_one(&store, began, &hold("lost", 1)).allowed);
        let refused = take_one(&store, began, &hold("b", 1));
        assert!(!refused.allowed && (60_000..=80_001).contains(&refused.retry_ms), "{refused:?}");
        assert_eq!(refused.reset_ms, refused.retry_ms);
        assert!(!take_one(&store, began + MINUTE - MS, &hold("b", 1)).allowed);
        assert!(take_one(&store, began + refused.retry_ms * MS, &hold("b", 1)).allowed);
        let late = take_one(&store, began + refused.retry_ms * MS, &back(&hold("lost", 1)));
        assert_eq!(late.remaining, 0, "it had ended: the place is the other's");
    }
}

#[test]
fn a_leak_does_not_last_however_busy_the_limit_is() {
    let store = store(1000);
    assert!(take_one(&store, NOW, &hold("lost", 2)).allowed);
    for second in 0..80 {
        let (now, holder) = (NOW + second * 1000 * MS, second.to_le_bytes());
        assert!(take_one(&store, now, &hold(holder, 2)).allowed, "{second}");
        take_one(&store, now + 900 * MS, &back(&hold(holder, 2)));
    }
    assert_eq!(held(&store, NOW + 81_000 * MS, 2), 0);
}

#[test]
fn exactly_the_quota_is_held_whatever_the_number_of_threads() {
    let store = store(10_000);
    let next = AtomicU64::new(0);
    // Of 1,000, those that pass on every third thread give their place back.
    let kept = passes(8, 125, |thread| {
        let one = hold(next.fetch_add(1, Ordering::Relaxed).to_le_bytes(), 100);
        let passed = take_one(&store, NOW, &one).allowed;
        if passed && thread % 3 == 0 {
            take_one(&store, NOW, &back(&one));
        }
        passed && thread % 3 != 0
    }) as u64;
    assert_eq!(held(&store, NOW, 100), kept);
    let rest = passes(8, 125, |_| {
        take_one(&store, NOW, &hold(next.fetch_add(1, Ordering::Relaxed).to_le_bytes(), 100)).allowed
    }) as u64;
    assert_eq!(kept + rest, 100);
    books_balance(&store);
}

#[test]
fn a_call_that_is_refused_holds_nothing() {
    let store = store(1000);
    let full = take("full", Algorithm::FixedWindow, 1, 60_000);
    assert!(take_one(&store, NOW, &full).allowed);
    for takes in [[hold("a", 5), full.clone()], [full.clone(), hold("a", 5)]] {
        assert!(store.take(NOW, "p", &takes).unwrap().iter().any(|taken| !taken.allowed));
        assert_eq!(held(&store, NOW, 5), 0);
    }
    // The looks allow what the charges do not.
    let twice = Take { key: b"other".to_vec(), ..full };
    let taken = store.take(NOW, "p", &[hold("a", 5), twice.clone(), twice]).unwrap();
    assert!(!taken[2].allowed);
    assert_eq!(held(&store, NOW, 5), 0);
    books_balance(&store);
}

#[test]
fn without_a_holder_nothing_can_be_given_back() {
    let store = store(1000);
    assert!(take_one(&store, NOW, &hold("", 2)).allowed);
    assert!(take_one(&store, NOW, &hold("", 2)).allowed);
    assert!(!take_one(&store, NOW, &hold("", 2)).allowed);
    assert_eq!(take_one(&store, NOW, &back(&hold("", 2))).remaining, 0);
    assert!(take_one(&store, NOW + 80_001 * MS, &hold("", 2)).allowed);
}

#[test]
fn holders_do_not_run_into_each_other() {
    let store = store(1000);
    let named = |key: &str, holder: &str| Take { key: key.as_bytes().to_vec(), ..hold(holder, 1) };
    assert!(take_one(&store, NOW, &named("a", "bc")).allowed);
    assert!(take_one(&store, NOW, &named("ab", "c")).allowed);
    assert!(!take_one(&store, NOW, &named("a", "b")).allowed);
    take_one(&store, NOW, &back(&named("ab", "c")));
    assert!(!take_one(&store, NOW, &named("a", "b")).allowed);
    assert!(take_one(&store, NOW, &named("ab", "d")).allowed);
}

#[test]
fn holds_give_way_like_other_entries_and_then_end_by_themselves() {
    let store = store(100);
    for index in 0..1000_u32 {
        assert!(take_one(&store, NOW, &hold(index.to_le_bytes(), 5000)).allowed);
    }
    assert!(store.len() <= 100, "{}", store.len());
    books_balance(&store);
    let all: Vec<_> =
        (0..1000_u32).map(|index| take_one(&store, NOW, &back(&hold(index.to_le_bytes(), 5000)))).collect();
    assert!(all.iter().all(|taken| taken.allowed));
    assert_eq!(held(&store, NOW + 80_001 * MS, 5000), 0);
}

proptest! {
    #[test]
    fn holders_are_counted_as_the_pure_model_counts_them(
        quota in 1_u64..6,
        window_ms in 3_u64..10_000,
        steps in collection::vec((0.0..0.4_f64, 0_u8..12, any::<bool>()), 1..120),
    ) {
        let store = store(1000);
        let mut model = Counter::new(Algorithm::Concurrency, NOW);
        let mut ages: HashMap<u8, u64> = HashMap::new();
        let window = window_ms * MS;
        let mut now = NOW;
        for (gap, holder, gives_back) in steps {
            now += (gap * gap * 2.0 * window as f64) as u64;
            // The model forgets after a window, the store may need a third longer: nobody asks meanwhile.
            while let Some(grey) = ages.values().find(|&&age| (window..window * 4 / 3 + 9).contains(&(now - age))) {
                now = grey + window * 4 / 3 + 9;
            }
            ages.retain(|_, age| now - *age < window);
            let mode = if gives_back { Mode::GiveBack } else { Mode::Try };
            let one = Take { mode, holder: vec![holder], ..take("k", Algorithm::Concurrency, quota, window_ms) };
            let (taken, expected): (Taken, Taken) = (take_one(&store, now, &one), model.charge(&one, now));
            prop_assert_eq!((taken.allowed, taken.remaining), (expected.allowed, expected.remaining));
            for (mine, models) in [(taken.retry_ms, expected.retry_ms), (taken.reset_ms, expected.reset_ms)] {
                prop_assert!(models <= mine && mine <= models + window_ms / 3 + 2, "{mine} {models}");
            }
            if gives_back {
                ages.remove(&holder);
            } else if taken.allowed {
                ages.entry(holder).or_insert(now);
            }
            books_balance(&store);
        }
    }
}
