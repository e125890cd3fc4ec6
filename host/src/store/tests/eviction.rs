//! What may be dropped gives way to more of its kind, and nothing else does.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use proptest::prelude::{any, proptest};
use proptest::{collection, prop_assert, prop_assert_eq};
use sluice_abi::Algorithm;

use super::{MS, NOW, books_balance, store, take, take_one};
use crate::config;
use crate::store::{MemoryStore, NewValue, StoreError};

const VALUE: [u8; 100] = [b'v'; 100];

/// With room for some 470 values in one namespace, and for any number of entries.
fn small() -> MemoryStore {
    MemoryStore::with_budget(&config::Store { entries: 5000, value: 100 }, 100_000)
}

fn seconds(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count))
}

#[test]
fn a_full_namespace_keeps_taking_what_may_be_dropped() {
    for entries in [5000, 100_000] {
        let store = MemoryStore::with_budget(&config::Store { entries, value: 100 }, 100_000);
        store.keep(NOW, "p", b"nonce", b"seen", seconds(300)).unwrap();
        store.add(NOW, "p", b"counter", 7, seconds(300)).unwrap();
        store.cache(NOW, "q", b"other", b"kept", None).unwrap();
        for index in 0..20_000_u32 {
            assert_eq!(store.cache(NOW, "p", &index.to_le_bytes(), &VALUE, seconds(60)), Ok(()), "{index}");
            assert!(store.get(NOW, "p", &index.to_le_bytes()).is_some(), "{index}");
            assert!(store.table.accounts.held() <= 50_100, "{index}");
        }
        assert!(store.len() > 400, "{}", store.len());
        assert_eq!(store.get(NOW, "p", b"nonce").as_deref(), Some(&b"seen"[..]));
        assert_eq!(store.get(NOW, "p", b"counter").as_deref(), Some(&b"7"[..]));
        assert_eq!(store.get(NOW, "q", b"other").as_deref(), Some(&b"kept"[..]));
        books_balance(&store);
        store.sweep(NOW + 301_000 * MS);
        assert!(store.delete(NOW, "q", b"other"));
        books_balance(&store);
        assert_eq!((store.len(), store.table.accounts.held()), (0, 0));
    }
}

#[test]
fn a_full_table_makes_no_room_for_them_but_of_their_own() {
    let store = store(1000);
    for index in 0..500_u32 {
        store.keep(NOW, "p", &index.to_le_bytes(), b"seen", None).unwrap();
        store.add(NOW, "q", &index.to_le_bytes(), 1, None).unwrap();
    }
    assert_eq!(store.cache(NOW, "p", b"new", b"v", None), Err(StoreError::Full));
    assert_eq!(store.cache(NOW, "r", b"new", b"v", None), Err(StoreError::Full));
    for index in 0..10_u32 {
        assert!(store.delete(NOW, "p", &index.to_le_bytes()));
    }
    for index in 0..5000_u32 {
        let namespace = if index < 8 { "r" } else { "p" };
        assert_eq!(store.cache(NOW, namespace, &(index + 1000).to_le_bytes(), b"v", seconds(60)), Ok(()));
        assert!(store.len() <= 1000);
    }
    assert!((10..500_u32).all(|index| store.get(NOW, "p", &index.to_le_bytes()).is_some()));
    assert!((0..500_u32).all(|index| store.get(NOW, "q", &index.to_le_bytes()).is_some()));
    assert!((1000..1008_u32).all(|index| store.get(NOW, "r", &index.to_le_bytes()).is_some()));
    books_balance(&store);
}

#[test]
fn what_expired_goes_first_then_what_ends_soonest() {
    let store = small();
    let key = |index: u32| index.to_le_bytes();
    // From the one that ends last to the one that ends first.
    for index in 0..470_u32 {
        store.cache(NOW, "p", &key(index), &VALUE, seconds(10_000 - u64::from(index))).unwrap();
    }
    store.keep(NOW, "p", b"over", &VALUE, Some(Duration::from_millis(1))).unwrap();
    assert_eq!(store.len(), 471);
    for index in 1000..1010_u32 {
        store.cache(NOW + MS, "p", &key(index), &VALUE, None).unwrap();
    }
    let kept: Vec<_> = (0..470).filter(|&index| store.get(NOW + MS, "p", &key(index)).is_some()).collect();
    assert_eq!(kept, (0..kept.len() as u32).collect::<Vec<_>>(), "those that end soonest have gone");
    assert!((430..470).contains(&kept.len()), "{}", kept.len());
    assert!((1000..1010).all(|index| store.get(NOW + MS, "p", &key(index)).is_some()));
    books_balance(&store);
}

#[test]
fn what_cannot_fit_drops_nothing() {
    let store = small();
    for index in 0..476_u32 {
        store.keep(NOW, "p", &index.to_le_bytes(), &VALUE, None).unwrap();
    }
    // 49,980 of 50,000 bytes, and 12 more.
    store.cache(NOW, "p", b"s", b"0123456789", seconds(60)).unwrap();
    let held = || store.table.accounts.of("p").held();
    assert_eq!(held(), 49_992);
    assert_eq!(store.cache(NOW, "p", b"more", &VALUE, None), Err(StoreError::Full));
    assert_eq!(store.keep(NOW, "p", b"more", &VALUE, None), Err(StoreError::Full));
    assert!(store.get(NOW, "p", b"s").is_some());
    assert_eq!(held(), 49_992);
    books_balance(&store);
    assert_eq!(store.keep(NOW, "p", b"t", &VALUE[..18], None), Ok(()), "what is to stay takes its room too");
    assert_eq!((store.get(NOW, "p", b"s"), held()), (None, 50_000));
    assert_eq!(store.cache(NOW, "p", b"s", b"", None), Err(StoreError::Full));
    assert!((0..476_u32).all(|index| store.get(NOW, "p", &index.to_le_bytes()).is_some()));
    books_balance(&store);
}

#[test]
fn what_is_set_anew_changes_its_kind() {
    let store = small();
    store.cache(NOW, "p", b"k", b"41", None).unwrap();
    assert!(store.table.accounts.of("p").evictable() > 0);
    assert_eq!(store.add(NOW, "p", b"k", 1, None), Ok(42));
    books_balance(&store);
    assert_eq!(store.table.accounts.of("p").evictable(), 0, "a counter stays");
    store.cache(NOW, "p", b"k", b"v", None).unwrap();
    store.keep(NOW, "p", b"k", b"v", None).unwrap();
    assert_eq!(store.table.accounts.of("p").evictable(), 0);
    books_balance(&store);
    for index in 0..5000_u32 {
        store.cache(NOW, "p", &index.to_le_bytes(), &VALUE, None).unwrap();
    }
    assert!(store.get(NOW, "p", b"k").is_some());
}

#[test]
fn limits_take_the_room_of_what_may_be_dropped_before_that_of_what_stays() {
    let store = store(1000);
    for index in 0..100_u32 {
        store.keep(NOW, "p", &index.to_le_bytes(), b"seen", None).unwrap();
    }
    for index in 0..900_u32 {
        store.cache(NOW, "p", &(index + 1000).to_le_bytes(), b"v", None).unwrap();
    }
    for index in 0..800_u32 {
        assert!(take_one(&store, NOW, &take(&index.to_string(), Algorithm::Gcra, 1, 60_000)).allowed);
    }
    assert!((0..100_u32).all(|index| store.get(NOW, "p", &index.to_le_bytes()).is_some()));
    books_balance(&store);
}

#[test]
fn threads_that_fill_a_namespace_are_never_refused_and_forget_nothing_that_stays() {
    let store = small();
    for index in 0..100_u32 {
        store.keep(NOW, "p", &index.to_be_bytes(), b"seen", None).unwrap();
    }
    thread::scope(|scope| {
        for thread in 0..6_u32 {
            let store = &store;
            scope.spawn(move || {
                for index in 0..3000_u32 {
                    let key = [thread.to_le_bytes(), index.to_le_bytes()].concat();
                    store.cache(NOW, "p", &key, &VALUE[..(index % 101) as usize], seconds(60)).unwrap();
                }
            });
        }
    });
    assert!((0..100_u32).all(|index| store.get(NOW, "p", &index.to_be_bytes()).is_some()));
    assert!(store.table.accounts.held() <= 50_000 + 6 * 108, "{}", store.table.accounts.held());
    books_balance(&store);
}

proptest! {
    #[test]
    fn what_stays_stays_and_what_may_be_dropped_is_whole_or_gone(
        steps in collection::vec((0_u8..6, any::<u8>(), 0_usize..=100, 0_u64..4), 1..400),
        entries in 20_usize..200,
    ) {
        // So few bytes that both bounds are met.
        let store = MemoryStore::with_budget(&config::Store { entries, value: 100 }, 6000);
        let mut model = HashMap::<u8, (Vec<u8>, u64, bool)>::new();
        let mut now = NOW;
        for (action, key, length, ttl) in steps {
            now += MS;
            model.retain(|_, (_, end, _)| *end > now);
            let life = (ttl > 0).then(|| Duration::from_millis(ttl * 30));
            let end = life.map_or(u64::MAX, |_| now + ttl * 30 * MS);
            let bytes = vec![key; length];
            match action {
                0 => {
                    store.delete(now, "p", &[key]);
                    model.remove(&key);
                }
                1 if model.values().filter(|(_, _, evictable)| !evictable).count() + 1 < entries => {
                    let is_set = store.keep(now, "p", &[key], &bytes, life).is_ok();
                    // In a table that is full of what stays the rest would give way too.
                    if is_set {
                        model.insert(key, (bytes, end, false));
                    }
                }
                1 => {}
                _ => {
                    let value = NewValue { bytes: &bytes, ttl: life, evictable: true };
                    if store.set(now, "p", &[key], value).is_ok() {
                        let found = store.get(now, "p", &[key]);
                        prop_assert_eq!(found.as_deref(), Some(&bytes[..]));
                        model.insert(key, (bytes, end, true));
                    } else {
                        prop_assert!(model.values().any(|(_, _, evictable)| !evictable));
                    }
                }
            }
            for (key, (bytes, _, evictable)) in &model {
                match store.get(now, "p", &[*key]) {
                    Some(found) => prop_assert_eq!(&found[..], &bytes[..]),
                    None => prop_assert!(evictable, "{} is gone", key),
                }
            }
            prop_assert!(store.len() <= entries);
            prop_assert!(store.table.accounts.held() <= 3000);
            books_balance(&store);
        }
        store.sweep(now + 1000 * MS);
        for key in 0..=255 {
            store.delete(now, "p", &[key]);
        }
        books_balance(&store);
        prop_assert_eq!((store.len(), store.table.accounts.held()), (0, 0));
    }
}
