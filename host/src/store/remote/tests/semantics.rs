//! What the store does while all is well: as the memory store, and exactly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sluice_abi::{Algorithm, Mode, Take, Taken};

use super::redis_server::RedisServer;
use super::{ALL, LONG_MS, MS, NOW, World, patient, settings, take, wait, with_time, worker};
use crate::store::remote::{ErrorKind, RemoteError, RemoteStore, Settings};
use crate::store::{MAX_KEY, MemoryStore, StoreError};

/// How many takes pass of `each` from each of six workers, two for each store.
fn passes(
    stores: &[std::sync::Arc<RemoteStore>; 3],
    each: usize,
    take: impl Fn(usize) -> Vec<Take> + Sync,
) -> usize {
    let (passed, number) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for store in stores.iter().cycle().take(6) {
            scope.spawn(|| {
                worker().block_on(async {
                    let mut tasks = Vec::new();
                    for _ in 0..each {
                        let takes = take(number.fetch_add(1, Ordering::Relaxed));
                        let store = std::sync::Arc::clone(store);
                        tasks.push(tokio::spawn(async move {
                            let taken = store.take(&patient(), NOW, "p", &takes).await.unwrap();
                            taken.iter().all(|taken| taken.allowed)
                        }));
                    }
                    for task in tasks {
                        passed.fetch_add(usize::from(task.await.unwrap()), Ordering::Relaxed);
                    }
                });
            });
        }
    });
    passed.into_inner()
}

#[test]
fn exactly_the_quota_passes_on_three_nodes() {
    let (server, world) = (RedisServer::start(), World::new());
    let stores = [(); 3].map(|()| world.connect(settings(&server.url())));
    for algorithm in ALL {
        let one = |number: usize| {
            let holder =
                if algorithm == Algorithm::Concurrency { format!("{number}") } else { String::new() };
            vec![Take { holder: holder.into_bytes(), ..take("k", algorithm, 100, LONG_MS) }]
        };
        assert_eq!(passes(&stores, 167, one), 100, "{algorithm:?}");
    }
    let several = |_| {
        vec![take("wide", Algorithm::Gcra, 300, LONG_MS), take("narrow", Algorithm::FixedWindow, 50, LONG_MS)]
    };
    assert_eq!(passes(&stores, 100, several), 50, "the narrowest decides");
    let left =
        world.take_one(&stores[0], NOW, &Take { cost: 0, ..take("wide", Algorithm::Gcra, 300, LONG_MS) });
    assert_eq!(left.remaining, 250, "who was refused was charged nothing");
    let status = stores[0].status();
    assert_eq!(status.operations(), 2 * 167 * 4 + 200 + 1);
    assert_eq!(status.round_trips().buckets.iter().sum::<u64>(), status.operations());
    assert!(ErrorKind::ALL.iter().all(|kind| status.errors(*kind) == 0));
}

#[test]
fn nothing_is_charged_unless_all_allow() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(with_time(&server.url()));
    let wide = take("wide", Algorithm::Gcra, 10, 1000);
    let narrow = take("narrow", Algorithm::SlidingWindow, 1, 1000);
    let both = [wide, narrow.clone()];
    assert!(world.take(&store, NOW, &both).unwrap().iter().all(|taken| taken.allowed));
    let refused = world.take(&store, NOW, &both).unwrap();
    assert_eq!((refused[0].allowed, refused[1].allowed), (true, false));
    assert_eq!(refused[0].remaining, 9);
    let other = Take { key: b"other".to_vec(), ..narrow.clone() };
    let refused = world.take(&store, NOW + 2000 * MS, &[narrow.clone(), other.clone(), other]).unwrap();
    let allowed: Vec<bool> = refused.iter().map(|taken| taken.allowed).collect();
    assert_eq!(allowed, [true, true, false], "the third is the second's");
    assert_eq!(refused.iter().map(|taken| taken.remaining).collect::<Vec<_>>(), [1, 1, 0]);
    assert_eq!(world.take(&store, NOW, &[]), Ok(Vec::new()));
    let forced = Take { mode: Mode::Force, cost: 5, ..take("forced", Algorithm::FixedWindow, 5, LONG_MS) };
    let refused = world.take(&store, NOW, &[forced.clone(), Take { cost: 2, ..narrow }]).unwrap();
    assert_eq!((refused[0].remaining, refused[1].retry_ms), (5, Taken::NEVER));
    assert_eq!(
        world.take_one(&store, NOW, &Take { cost: 0, ..forced }).remaining,
        5,
        "not even what is forced"
    );
}

#[test]
fn within_a_call_what_is_given_back_is_not_there_to_be_taken() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(with_time(&server.url()));
    let memory = MemoryStore::new(&crate::config::Store { entries: 100, value: 100 });
    for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow] {
        let one = take("k", algorithm, 3, LONG_MS);
        let other = take("other", algorithm, 3, LONG_MS);
        let back = Take { mode: Mode::GiveBack, ..one.clone() };
        let calls = [
            (vec![one.clone(), one.clone()], true),
            // There is room for one.
            (vec![back.clone(), one.clone(), one.clone()], false),
            (vec![back.clone(), one.clone()], true),
            (vec![one.clone(), back.clone(), other], true),
            (vec![Take { mode: Mode::Force, ..one.clone() }, back.clone(), back], true),
        ];
        for (index, (call, passes)) in calls.iter().enumerate() {
            let taken = world.take(&store, NOW, call).unwrap();
            assert_eq!(taken, memory.take(NOW, "p", call).unwrap(), "{algorithm:?}, call {index}");
            assert_eq!(taken.iter().all(|taken| taken.allowed), *passes, "{algorithm:?}, call {index}");
        }
    }
}

#[test]
fn looking_takes_nothing_and_creates_nothing() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(with_time(&server.url()));
    let before = server.ask(&["DBSIZE"]);
    for algorithm in ALL {
        let one = take("k", algorithm, 5, 1000);
        let fresh = Taken { allowed: true, remaining: 5, reset_ms: 0, retry_ms: 0 };
        assert_eq!(world.take_one(&store, NOW, &Take { cost: 0, ..one.clone() }), fresh);
        let refused = Taken { allowed: false, retry_ms: Taken::NEVER, ..fresh };
        assert_eq!(world.take_one(&store, NOW, &Take { cost: 6, ..one.clone() }), refused);
        let huge = Take { cost: u64::MAX, ..one };
        assert_eq!(world.take_one(&store, NOW, &huge), refused);
    }
    assert_eq!(server.ask(&["DBSIZE"]), before);
}

#[test]
fn what_is_held_comes_back_when_it_is_given_back_or_its_window_is_over() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(with_time(&server.url()));
    let hold = |holder: &str, cost: u64, mode: Mode| Take {
        holder: holder.into(),
        cost,
        mode,
        ..take("k", Algorithm::Concurrency, 4, 10_000)
    };
    let at = |ms: u64, take: Take| world.take_one(&store, NOW + ms * MS, &take);
    assert_eq!(at(0, hold("a", 2, Mode::Try)).remaining, 2);
    assert_eq!(
        at(1000, hold("b", 1, Mode::Try)),
        Taken { allowed: true, remaining: 1, reset_ms: 10_000, retry_ms: 0 }
    );
    let refused = at(2000, hold("c", 2, Mode::Try));
    assert_eq!(refused, Taken { allowed: false, remaining: 1, reset_ms: 9000, retry_ms: 8000 });
    assert_eq!(at(2000, hold("c", 4, Mode::Try)).retry_ms, 9000, "when both are over");
    assert_eq!(at(2000, hold("a", 2, Mode::Try)).remaining, 1, "it holds already");
    assert_eq!(at(2000, hold("b", 0, Mode::GiveBack)).remaining, 2, "all that it has");
    assert_eq!(at(2000, hold("b", 1, Mode::GiveBack)).remaining, 2);
    assert_eq!(at(2000, hold("c", 2, Mode::Try)).remaining, 0);
    let forced = at(3000, hold("d", 3, Mode::Force));
    assert_eq!((forced.allowed, forced.remaining), (true, 0), "beyond the quota");
    assert_eq!(at(10_000, hold("x", 0, Mode::Try)).remaining, 0, "a is over, but five are held");
    assert_eq!(
        at(12_000, hold("x", 0, Mode::Try)),
        Taken { allowed: true, remaining: 1, reset_ms: 1000, retry_ms: 0 }
    );
    assert_eq!(at(12_000, hold("", 1, Mode::Try)).remaining, 0);
    assert_eq!(at(12_000, hold("", 1, Mode::GiveBack)).remaining, 0, "nobody can give it back");
    assert_eq!(
        at(22_000, hold("x", 0, Mode::Try)),
        Taken { allowed: true, remaining: 4, reset_ms: 0, retry_ms: 0 }
    );
    let both = [hold("", 2, Mode::Try), hold("", 2, Mode::Try)];
    assert!(world.take(&store, NOW + 22_000 * MS, &both).unwrap().iter().all(|taken| taken.allowed));
    assert_eq!(at(22_000, hold("", 1, Mode::Try)).retry_ms, 10_000);
    assert_eq!(at(32_000, hold("x", 0, Mode::Try)).remaining, 4);
    assert_eq!(server.ask(&["KEYS", "sluice:?:p:*"]), "", "nothing is left");
    // The names of what belongs together do not meet others.
    let units = Take { key: b"k:units".to_vec(), ..hold("a", 1, Mode::Try) };
    assert_eq!(at(0, units).remaining, 3);
    assert_eq!(at(0, hold("a", 1, Mode::Try)).remaining, 3);
}

#[test]
fn namespaces_rules_and_kinds_do_not_meet() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(with_time(&server.url()));
    let other = world.connect(Settings { prefix: "other:".to_owned(), ..with_time(&server.url()) });
    let one = take("k", Algorithm::Gcra, 1, 1000);
    let allowed = |store: &RemoteStore, namespace: &str, take: &Take| {
        let taken = world.run(store.take(&patient(), NOW, namespace, std::slice::from_ref(take)));
        taken.unwrap()[0].allowed
    };
    assert!(allowed(&store, "a", &one));
    assert!(allowed(&store, "b", &one));
    assert!(allowed(&other, "a", &one));
    assert!(allowed(&store, "a", &Take { quota: 2, ..one.clone() }));
    assert!(allowed(&store, "a", &Take { algorithm: Algorithm::FixedWindow, ..one.clone() }));
    assert!(!allowed(&store, "a", &one));
    world.run(store.set(&patient(), "a", b"k", b"value", None)).unwrap();
    assert_eq!(world.run(store.get(&patient(), "b", b"k")), Ok(None));
    assert_eq!(world.run(store.get(&patient(), "", b"a:k")), Ok(None));
    assert_eq!(world.run(store.get(&patient(), "a", b"k")).unwrap().as_deref(), Some(&b"value"[..]));
    assert!(!allowed(&store, "a", &one));
}

#[test]
fn values_expire_count_and_go() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(settings(&server.url()));
    let get = |key: &[u8]| world.run(store.get(&patient(), "p", key)).unwrap();
    let add = |key: &[u8], delta: i64, ttl| world.run(store.add(&patient(), "p", key, delta, ttl));
    let set = |key: &[u8], value: &[u8], ttl| world.run(store.set(&patient(), "p", key, value, ttl));
    let delete = |key: &[u8]| world.run(store.delete(&patient(), "p", key)).unwrap();
    let short = Some(Duration::from_millis(300));
    set(b"\xff\0k", b"\0\xff", short).unwrap();
    assert_eq!(get(b"\xff\0k").as_deref(), Some(&b"\0\xff"[..]));
    wait::until("the value is over", || get(b"\xff\0k").is_none());
    assert!(!delete(b"\xff\0k"), "it was over already");
    assert_eq!(add(b"n", 5, short), Ok(5));
    assert_eq!(add(b"n", -7, Some(Duration::from_hours(1))), Ok(-2));
    assert_eq!(get(b"n").as_deref(), Some(&b"-2"[..]));
    wait::until("the counter is over, not prolonged by adding", || get(b"n").is_none());
    assert_eq!(add(b"n", i64::MAX - 1, None), Ok(i64::MAX - 1), "exact beyond 2^53");
    assert_eq!(add(b"n", 1, None), Ok(i64::MAX));
    assert_eq!(add(b"n", 1, None), Ok(i64::MAX));
    assert_eq!(add(b"n", i64::MIN, None), Ok(-1));
    assert_eq!(add(b"n", i64::MIN, None), Ok(i64::MIN));
    assert!(delete(b"n"));
    assert!(!delete(b"n"));
    for (text, sum) in [
        ("41", Some(42)),
        ("+41", Some(42)),
        ("007", Some(8)),
        ("-0", Some(1)),
        ("-09", Some(-8)),
        ("x", None),
        ("", None),
        ("1.5", None),
        (" 1", None),
        ("1 ", None),
        ("9223372036854775808", None),
        ("-9223372036854775808", Some(i64::MIN + 1)),
        ("00000000000000000000000001", Some(2)),
    ] {
        set(b"t", text.as_bytes(), None).unwrap();
        let expected = sum.ok_or(RemoteError::Refused(StoreError::NotANumber));
        assert_eq!(add(b"t", 1, None), expected, "{text:?}");
        assert_eq!(
            text.parse::<i64>().ok().map(|number| number + 1),
            sum,
            "as the memory store reads {text:?}"
        );
        if sum.is_none() {
            assert_eq!(get(b"t").as_deref(), Some(text.as_bytes()));
        }
    }
    let keys = server.ask(&["KEYS", "*"]);
    for key in keys.lines() {
        assert_ne!(server.ask(&["PTTL", key]), "-1", "{key} would stay for ever");
    }
    set(b"now", b"v", Some(Duration::ZERO)).unwrap();
    wait::until("what has no time is over", || get(b"now").is_none());
}

#[test]
fn what_is_too_long_is_refused() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(Settings { max_value: 100, ..settings(&server.url()) });
    let long = vec![b'k'; MAX_KEY + 1];
    let refused = |error| RemoteError::Refused(error);
    assert_eq!(world.run(store.set(&patient(), "p", &long, b"", None)), Err(refused(StoreError::KeyTooLong)));
    assert_eq!(world.run(store.add(&patient(), "p", &long, 1, None)), Err(refused(StoreError::KeyTooLong)));
    assert_eq!(world.run(store.get(&patient(), "p", &long)), Ok(None));
    assert_eq!(world.run(store.delete(&patient(), "p", &long)), Ok(false));
    let one = take("", Algorithm::Gcra, 1, 1);
    assert_eq!(
        world.take(&store, NOW, &[Take { key: long.clone(), ..one.clone() }]),
        Err(refused(StoreError::KeyTooLong))
    );
    assert_eq!(
        world.take(&store, NOW, &[Take { holder: long, ..one }]),
        Err(refused(StoreError::KeyTooLong))
    );
    assert_eq!(
        world.run(store.set(&patient(), "p", b"k", &[0; 101], None)),
        Err(refused(StoreError::ValueTooLarge))
    );
    assert_eq!(world.run(store.set(&patient(), "p", b"k", &[0; 100], None)), Ok(()));
    assert_eq!(store.status().errors(ErrorKind::Refused), 5);
}

#[test]
fn with_the_servers_clock_limits_end() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(settings(&server.url()));
    for algorithm in ALL {
        let one = take("k", algorithm, 1, 400);
        assert!(world.take_one(&store, 0, &one).allowed, "{algorithm:?}");
        wait::until("it may be taken again", || world.take_one(&store, 0, &one).allowed);
    }
    wait::until("nothing is left", || server.ask(&["DBSIZE"]) == "0");
}

#[test]
fn keys_that_somebody_else_wrote_are_not_believed() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(settings(&server.url()));
    server.ask(&["RPUSH", "sluice:v:p:k", "x"]);
    assert!(matches!(world.run(store.get(&patient(), "p", b"k")), Err(RemoteError::Protocol(_))));
    server.ask(&["SET", "sluice:l:p:g5-1000:k", "nonsense"]);
    let outcome = world.take(&store, NOW, &[take("k", Algorithm::Gcra, 5, 1000)]);
    assert!(matches!(outcome, Err(RemoteError::Protocol(_))), "{outcome:?}");
    assert!(store.status().is_connected(), "which says nothing about the connection");
}
