//! Room is shared: what a namespace may take from others, in entries and in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use sluice_abi::{Algorithm, Take};

use super::{MS, NOW, passes, store, take, take_one};
use crate::config;
use crate::store::{MemoryStore, NewValue, StoreError};

#[test]
fn a_flood_of_one_namespace_leaves_the_others_alone() {
    for entries in [1000, 20_000] {
        let store = store(entries);
        let (victims, some) = (["v", "w"], u32::try_from(entries / 4).unwrap());
        for index in 0..some {
            for victim in victims {
                let one = take(&index.to_string(), Algorithm::Gcra, 1, 60_000);
                assert!(store.take(NOW, victim, &[one]).unwrap()[0].allowed);
            }
        }
        thread::scope(|scope| {
            for flood in 0..4_u32 {
                let store = &store;
                scope.spawn(move || {
                    for index in 0..50_000_u32 {
                        let key = [flood.to_le_bytes(), index.to_le_bytes()].concat();
                        match index % 3 {
                            0 => store.keep(NOW, "flood", &key, b"v", None).unwrap(),
                            1 => drop(store.add(NOW, "flood", &key, 1, None).unwrap()),
                            _ => {
                                let one = Take { key, ..take("", Algorithm::SlidingWindow, 5, 60_000) };
                                assert!(store.take(NOW, "flood", &[one]).unwrap()[0].allowed);
                            }
                        }
                    }
                });
            }
        });
        assert!(store.len() <= entries + 4, "{} of {entries}", store.len());
        for victim in victims {
            let kept = (0..some).filter(|&index| {
                let one = take(&index.to_string(), Algorithm::Gcra, 1, 60_000);
                !store.take(NOW, victim, &[one]).unwrap()[0].allowed
            });
            assert_eq!(kept.count(), some as usize, "{victim} of {entries}");
        }
        books_balance(&store);
    }
}

#[test]
fn two_that_flood_share() {
    let store = store(8000);
    for index in 0..40_000_u32 {
        for flood in ["a", "b"] {
            store.keep(NOW, flood, &index.to_le_bytes(), b"v", None).unwrap();
        }
        store.keep(NOW, "a", &(index + 1_000_000).to_le_bytes(), b"v", None).unwrap();
    }
    let held = |flood, from: u32| {
        (from..from + 40_000).filter(|index| store.get(NOW, flood, &index.to_le_bytes()).is_some()).count()
    };
    let (a, b) = (held("a", 0) + held("a", 1_000_000), held("b", 0));
    assert!(a.abs_diff(b) < 1000, "{a} and {b}");
}

/// What is booked is what there is.
#[track_caller]
pub(super) fn books_balance(store: &MemoryStore) {
    let weights = store.table.weigh();
    for namespace in ["p", "q", "r", "v", "w", "flood"] {
        let account = store.table.accounts.of(namespace);
        let weight = weights.get(&Arc::as_ptr(&account)).copied().unwrap_or_default();
        assert_eq!((account.held(), account.evictable()), weight, "{namespace}");
    }
    assert_eq!(store.table.accounts.held(), weights.values().map(|(held, _)| held).sum::<i64>());
}

#[test]
fn values_fill_no_more_than_their_share_of_bytes() {
    let value = vec![b'v'; 100];
    let store = MemoryStore::with_budget(&config::Store { entries: 100_000, value: 100 }, 100_000);
    let fill = |namespace| {
        (0..2000_u32)
            .filter(|index| store.keep(NOW, namespace, &index.to_le_bytes(), &value, None).is_ok())
            .count()
    };
    assert_eq!(fill("p"), 50_000 / 105, "half");
    assert_eq!(store.keep(NOW, "p", b"one more", &value, None), Err(StoreError::Full));
    assert_eq!(store.get(NOW, "p", b"one more"), None);
    let first = 0_u32.to_le_bytes();
    assert_eq!(store.keep(NOW, "p", &first, &value, None), Ok(()), "what does not grow is replaced");
    assert_eq!(store.keep(NOW, "p", &first, b"short", None), Ok(()));
    assert_eq!(store.keep(NOW, "p", b"k", b"short", None), Ok(()), "in its place");
    assert!(store.delete(NOW, "p", &1_u32.to_le_bytes()));
    assert_eq!(store.keep(NOW, "p", &1_u32.to_le_bytes(), &value, None), Ok(()));
    assert!((230..=240).contains(&fill("q")), "others still find room");
    assert_eq!(store.keep(NOW, "p", &first, &value, None), Err(StoreError::Full), "its share is less now");
    books_balance(&store);
}

#[test]
fn limits_and_counters_take_the_room_of_their_own_when_bytes_run_out() {
    let budget = 1 << 20;
    let store = MemoryStore::with_budget(&config::Store { entries: 100_000, value: 100 }, budget);
    store.keep(NOW, "q", b"kept", b"v", None).unwrap();
    let long = "k".repeat(900);
    for index in 0..10_000_u32 {
        let key = format!("{long}{index}");
        assert!(take_one(&store, NOW, &take(&key, Algorithm::Gcra, 5, 60_000)).allowed);
        assert_eq!(store.add(NOW, "p", key.as_bytes(), 1, None), Ok(1));
        assert!(store.table.accounts.held() <= i64::from(budget as u32) / 2 + 40_000);
    }
    assert!(store.table.accounts.held() > i64::from(budget as u32) / 4);
    assert!(store.get(NOW, "q", b"kept").is_some());
    books_balance(&store);
}

#[test]
pub(super) fn books_balance_whatever_the_number_of_threads() {
    let store = MemoryStore::with_budget(&config::Store { entries: 150, value: 100 }, 6000);
    thread::scope(|scope| {
        for thread in 0..6_u64 {
            let store = &store;
            scope.spawn(move || {
                let mut random = thread + 1;
                for _ in 0..20_000 {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let namespace = ["p", "q", "r"][(random >> 8) as usize % 3];
                    let key = [(random >> 16) as u8];
                    let ttl = random.is_multiple_of(3).then_some(Duration::from_millis(5));
                    let now = NOW + (random >> 24) % 20 * MS;
                    match (random >> 40) % 8 {
                        kind @ 0..3 => drop(store.set(
                            now,
                            namespace,
                            &key,
                            NewValue {
                                bytes: &[b'1'; 60][..(random >> 44) as usize % 18],
                                ttl,
                                evictable: kind > 0,
                            },
                        )),
                        3..5 => drop(store.add(now, namespace, &key, 1, ttl)),
                        5 => drop(store.delete(now, namespace, &key)),
                        6 => {
                            let one = Take { key: key.to_vec(), ..take("", Algorithm::Gcra, 3, 4) };
                            store.take(now, namespace, &[one]).unwrap();
                        }
                        _ => drop(store.sweep(now)),
                    }
                }
            });
        }
    });
    books_balance(&store);
    assert!(store.len() <= 156, "{}", store.len());
    assert!((0..256).all(|key| {
        store.delete(NOW, "p", &[key as u8]);
        store.len() <= 156
    }));
    books_balance(&store);
}

#[test]
fn the_budget_of_bytes_holds_under_threads() {
    let budget = 200_000;
    let next = AtomicU64::new(0);
    let store = MemoryStore::with_budget(&config::Store { entries: 100_000, value: 1000 }, budget);
    passes(8, 2000, |thread| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let namespace = ["p", "q", "r"][thread % 3];
        store.keep(NOW, namespace, &number.to_le_bytes(), &[b'v'; 1000], None).is_ok()
    });
    let held = store.table.accounts.held();
    assert!((150_000..=200_000).contains(&held), "three at a fourth each: {held}");
    books_balance(&store);
}
