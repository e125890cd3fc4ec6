//! Units taken by force, units given back, and the pure model that counts the same.

use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use proptest::{collection, prop_assert_eq};
use sluice_abi::{Algorithm, Counter, Mode, Take, Taken};

use super::{MS, NOW, passes, some_algorithm, store, take, take_one};

const WINDOWS: [Algorithm; 3] = [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow];

fn with(take: &Take, cost: u64, mode: Mode) -> Take {
    Take { cost, mode, ..take.clone() }
}

#[test]
fn what_is_forced_beyond_the_quota_has_to_drain() {
    for (algorithm, wait) in [(Algorithm::Gcra, 1600), (Algorithm::SlidingWindow, 1640)] {
        let store = store(1000);
        let one = take("k", algorithm, 10, 1000);
        let forced = take_one(&store, NOW, &with(&one, 25, Mode::Force));
        assert_eq!((forced.allowed, forced.remaining, forced.retry_ms), (true, 0, 0), "{algorithm:?}");
        let refused = take_one(&store, NOW, &one);
        assert_eq!((refused.allowed, refused.retry_ms), (false, wait), "{algorithm:?}");
        assert!(!take_one(&store, NOW + (wait - 2) * MS, &one).allowed, "{algorithm:?}");
        assert_eq!(store.sweep(NOW + (wait - 2) * MS), 0, "{algorithm:?}");
        assert!(take_one(&store, NOW + wait * MS, &one).allowed, "{algorithm:?}");
    }
    let store = store(1000);
    let one = take("k", Algorithm::FixedWindow, 10, 1000);
    take_one(&store, NOW + 250 * MS, &with(&one, 25, Mode::Force));
    assert_eq!(take_one(&store, NOW + 250 * MS, &one).retry_ms, 750);
    assert!(take_one(&store, NOW + 1000 * MS, &one).allowed);
}

#[test]
fn a_deep_debt_is_no_error_of_the_clock() {
    let store = store(1000);
    let one = take("k", Algorithm::Gcra, 10, 1000);
    take_one(&store, NOW, &with(&one, 10_000, Mode::Force));
    let refused = take_one(&store, NOW, &one);
    assert_eq!((refused.allowed, refused.retry_ms), (false, 999_100));
    assert!(!take_one(&store, NOW + 999_000 * MS, &one).allowed);
    assert!(take_one(&store, NOW + 999_100 * MS, &one).allowed);
}

#[test]
fn nobody_can_be_given_more_than_was_taken() {
    for algorithm in WINDOWS {
        let store = store(1000);
        let one = take("k", algorithm, 10, 1000);
        assert_eq!(take_one(&store, NOW, &with(&one, 3, Mode::GiveBack)).remaining, 10);
        assert_eq!(store.len(), 0, "{algorithm:?}: there is nothing to remember");
        take_one(&store, NOW, &with(&one, 4, Mode::Try));
        assert_eq!(take_one(&store, NOW, &with(&one, 3, Mode::GiveBack)).remaining, 9, "{algorithm:?}");
        assert_eq!(take_one(&store, NOW, &with(&one, u64::MAX, Mode::GiveBack)).remaining, 10);
        let passed = passes(4, 10, |_| take_one(&store, NOW, &one).allowed);
        assert_eq!(passed, 10, "{algorithm:?}");
    }
}

#[test]
fn a_window_that_is_over_gives_nothing_to_the_next() {
    for algorithm in [Algorithm::SlidingWindow, Algorithm::FixedWindow] {
        let store = store(1000);
        let one = take("k", algorithm, 10, 1000);
        take_one(&store, NOW, &with(&one, 10, Mode::Try));
        let later = take_one(&store, NOW + 1500 * MS, &with(&one, 10, Mode::GiveBack));
        let expected = if algorithm == Algorithm::FixedWindow { 10 } else { 5 };
        assert_eq!(later.remaining, expected, "{algorithm:?}");
    }
}

#[test]
fn a_call_forces_and_gives_back_only_if_all_allow() {
    let store = store(1000);
    let full = take("full", Algorithm::Gcra, 1, 60_000);
    let other = take("other", Algorithm::FixedWindow, 10, 60_000);
    assert!(take_one(&store, NOW, &full).allowed);
    take_one(&store, NOW, &with(&other, 5, Mode::Try));
    let taken = store.take(NOW, "p", &[with(&other, 50, Mode::Force), full.clone()]).unwrap();
    assert_eq!((taken[0].allowed, taken[1].allowed), (true, false));
    let taken = store.take(NOW, "p", &[with(&other, 2, Mode::GiveBack), full.clone()]).unwrap();
    assert_eq!((taken[0].allowed, taken[1].allowed), (true, false));
    assert_eq!(take_one(&store, NOW, &with(&other, 0, Mode::Try)).remaining, 5);
    // Within a call, what is given back is not there to be taken.
    let taken = store.take(NOW, "p", &[with(&full, 1, Mode::GiveBack), full.clone()]).unwrap();
    assert!(!taken[1].allowed);
    let taken = store.take(NOW, "p", &[with(&full, 1, Mode::GiveBack), with(&other, 5, Mode::Try)]).unwrap();
    assert_eq!(taken.iter().map(|taken| taken.remaining).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn exactly_the_quota_is_out_whatever_the_number_of_threads() {
    for algorithm in WINDOWS {
        let store = store(1000);
        let limit = take("k", algorithm, 100, 3_600_000);
        let others = take("o", Algorithm::Gcra, 70, 3_600_000);
        // Every third one that passes gives its unit back: of 1,000, as many stay as the limits let.
        let kept = passes(8, 125, |thread| {
            let all = store.take(NOW, "p", &[limit.clone(), others.clone()]).unwrap();
            let passed = all.iter().all(|taken| taken.allowed);
            let back = [with(&others, 1, Mode::GiveBack), with(&limit, 1, Mode::GiveBack)];
            if passed && thread % 3 == 0 {
                store.take(NOW, "p", &back).unwrap();
            }
            passed && thread % 3 != 0
        });
        let left = take_one(&store, NOW, &with(&limit, 0, Mode::Try)).remaining;
        assert_eq!(left, 100 - kept as u64, "{algorithm:?}");
        let left = take_one(&store, NOW, &with(&others, 0, Mode::Try)).remaining;
        assert_eq!(left, 70 - kept as u64, "{algorithm:?}");
        let rest = passes(8, 125, |_| {
            store.take(NOW, "p", &[limit.clone(), others.clone()]).unwrap().iter().all(|taken| taken.allowed)
        });
        assert_eq!(kept + rest, 70, "{algorithm:?}");
    }
}

#[test]
fn forcing_saturates() {
    for algorithm in WINDOWS {
        for (quota, window_ms) in [(1, 1), (1 << 53, 1), (1, u64::MAX), (u64::MAX, u64::MAX)] {
            let store = store(1000);
            let much = with(&take("k", algorithm, quota, window_ms), u64::MAX, Mode::Force);
            for _ in 0..3 {
                assert!(take_one(&store, NOW, &much).allowed);
            }
            assert!(!take_one(&store, NOW, &with(&much, 1, Mode::Try)).allowed, "{algorithm:?}");
            take_one(&store, NOW, &with(&much, u64::MAX, Mode::GiveBack));
        }
    }
}

fn some_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![4 => Just(Mode::Try), 1 => Just(Mode::Force), 1 => Just(Mode::GiveBack)]
}

proptest! {
    #[test]
    fn the_store_counts_as_the_pure_model_does(
        algorithm in some_algorithm(),
        quota in 1_u64..200,
        window_ms in 1_u64..100_000,
        steps in collection::vec((0.0..0.6_f64, 0_u64..30, some_mode()), 1..80),
    ) {
        let store = store(1000);
        let mut model: Option<Counter> = None;
        let mut now = NOW;
        for (gap, cost, mode) in steps {
            now += if gap < 0.1 { 0 } else { (gap * gap * window_ms as f64 * 3.0 * MS as f64) as u64 };
            let request = Take { cost, mode, ..take("k", algorithm, quota, window_ms) };
            let expected: Taken = match &mut model {
                Some(counter) => counter.charge(&request, now),
                None => {
                    let mut counter = Counter::new(algorithm, now);
                    let taken = counter.charge(&request, now);
                    // What takes nothing begins nothing.
                    if cost > 0 && mode != Mode::GiveBack && taken.retry_ms != Taken::NEVER {
                        model = Some(counter);
                    }
                    taken
                }
            };
            prop_assert_eq!(take_one(&store, now, &request), expected, "{:?} at {}", request, now - NOW);
        }
    }
}
