//! What each algorithm promises.

use alloc::vec::Vec;

use super::*;

const SECOND: u64 = 1_000_000_000;

const ALL: [Algorithm; 4] =
    [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::Concurrency];

fn take(algorithm: Algorithm, quota: u64, window_ms: u64, cost: u64) -> Take {
    Take { key: Vec::new(), algorithm, quota, window_ms, cost, mode: Mode::Try, holder: Vec::new() }
}

#[test]
fn gcra_gives_the_quota_at_once_and_refills_evenly() {
    let one = take(Algorithm::Gcra, 3, 60_000, 1);
    let mut counter = Counter::new(Algorithm::Gcra, 0);
    let left: Vec<u64> = (0..3).map(|_| counter.charge(&one, 0).remaining).collect();
    assert_eq!(left, [2, 1, 0]);
    assert_eq!(
        counter.charge(&one, 0),
        Taken { allowed: false, remaining: 0, reset_ms: 60_000, retry_ms: 20_000 }
    );
    assert!(!counter.charge(&one, 20 * SECOND - 1).allowed);
    assert!(counter.charge(&one, 20 * SECOND).allowed);
    assert!(!counter.charge(&one, 39 * SECOND).allowed);
    assert_eq!(counter.look(&take(Algorithm::Gcra, 3, 60_000, 0), 80 * SECOND).remaining, 3);
}

#[test]
fn the_sliding_window_weighs_the_last_one() {
    let one = take(Algorithm::SlidingWindow, 4, 10_000, 1);
    let mut counter = Counter::new(Algorithm::SlidingWindow, 0);
    for _ in 0..4 {
        assert!(counter.charge(&one, 9 * SECOND).allowed);
    }
    let refused = counter.charge(&one, 9 * SECOND);
    // Three quarters of the last window may still count: 2.5 s into the next one.
    assert_eq!(refused, Taken { allowed: false, remaining: 0, reset_ms: 11_000, retry_ms: 3_500 });
    assert!(!counter.charge(&one, 12 * SECOND).allowed);
    assert!(counter.charge(&one, 12 * SECOND + SECOND / 2).allowed);
    assert!(!counter.charge(&one, 12 * SECOND + SECOND / 2).allowed);
    assert_eq!(counter.look(&one, 40 * SECOND).remaining, 4);
}

#[test]
fn waiting_as_told_is_always_enough() {
    for algorithm in ALL {
        for (quota, window_ms) in [(1, 1), (3, 1000), (7, 60_000), (1_000_000, 1000), (999_999, 1)] {
            let mut counter = Counter::new(algorithm, 5);
            let mut now = 5;
            for cost in [1, quota, quota / 2 + 1, 1, quota].into_iter().cycle().take(40) {
                let wanted = take(algorithm, quota, window_ms, cost);
                let taken = counter.charge(&wanted, now);
                if !taken.allowed {
                    now += taken.retry_ms * 1_000_000;
                    assert!(counter.charge(&wanted, now).allowed, "{algorithm:?} {quota}/{window_ms} {cost}");
                }
            }
        }
    }
}

#[test]
fn more_than_the_quota_never_fits() {
    for algorithm in ALL {
        let taken = Counter::new(algorithm, 0).charge(&take(algorithm, 5, 1000, 6), 0);
        assert_eq!(taken, Taken { allowed: false, remaining: 5, reset_ms: 0, retry_ms: Taken::NEVER });
    }
}

#[test]
fn a_fixed_window_begins_at_whole_multiples() {
    let one = take(Algorithm::FixedWindow, 2, 60_000, 1);
    let minute = 60 * SECOND;
    let mut counter = Counter::new(Algorithm::FixedWindow, 10 * minute + 59 * SECOND);
    let mut at = |ns: u64| counter.charge(&one, ns);
    assert!(at(10 * minute + 59 * SECOND).allowed);
    assert!(at(10 * minute + 59 * SECOND).allowed);
    let refused = at(10 * minute + 59 * SECOND);
    assert_eq!(refused, Taken { allowed: false, remaining: 0, reset_ms: 1000, retry_ms: 1000 });
    assert_eq!(at(11 * minute), Taken { allowed: true, remaining: 1, reset_ms: 60_000, retry_ms: 0 });
}

#[test]
fn holders_count_until_they_give_back_or_a_window_has_passed() {
    let of = |holder: &[u8], mode| {
        let one = take(Algorithm::Concurrency, 2, 10_000, 1);
        Take { holder: holder.to_vec(), mode, ..one }
    };
    let mut counter = Counter::new(Algorithm::Concurrency, 0);
    assert!(counter.charge(&of(b"a", Mode::Try), 0).allowed);
    assert!(counter.charge(&of(b"a", Mode::Try), SECOND).allowed, "it holds already");
    assert!(counter.charge(&of(b"b", Mode::Try), SECOND).allowed);
    let refused = counter.charge(&of(b"c", Mode::Try), 2 * SECOND);
    assert_eq!(refused, Taken { allowed: false, remaining: 0, reset_ms: 9000, retry_ms: 8000 });
    assert_eq!(counter.charge(&of(b"b", Mode::GiveBack), 2 * SECOND).remaining, 1);
    assert_eq!(counter.charge(&of(b"b", Mode::GiveBack), 2 * SECOND).remaining, 1, "only once");
    assert!(counter.charge(&of(b"c", Mode::Try), 2 * SECOND).allowed);
    assert!(!counter.charge(&of(b"d", Mode::Try), 10 * SECOND - 1).allowed);
    assert!(counter.charge(&of(b"d", Mode::Try), 10 * SECOND).allowed, "the first was never given back");
    assert_eq!(counter.charge(&of(b"a", Mode::GiveBack), 10 * SECOND).remaining, 0, "nor is it any longer");
}

#[test]
fn what_is_forced_has_to_drain() {
    for algorithm in ALL {
        let one = take(algorithm, 10, 1000, 1);
        let forced = Take { cost: 25, mode: Mode::Force, ..one.clone() };
        let mut counter = Counter::new(algorithm, 0);
        let taken = counter.charge(&forced, 0);
        assert_eq!((taken.allowed, taken.remaining, taken.retry_ms), (true, 0, 0), "{algorithm:?}");
        let refused = counter.charge(&one, 0);
        let waits = match algorithm {
            // 16 units at ten a second.
            Algorithm::Gcra => 1600,
            // 25 weigh 9 at 16/25 of the next window.
            Algorithm::SlidingWindow => 1640,
            Algorithm::FixedWindow | Algorithm::Concurrency => 1000,
        };
        assert_eq!((refused.allowed, refused.retry_ms), (false, waits), "{algorithm:?}");
        assert!(counter.charge(&one, waits * 1_000_000).allowed, "{algorithm:?}");
    }
}

#[test]
fn nothing_beyond_what_was_taken_is_given_back() {
    for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow] {
        let one = take(algorithm, 10, 1000, 4);
        let back = |cost| Take { cost, mode: Mode::GiveBack, ..one.clone() };
        let mut counter = Counter::new(algorithm, 0);
        assert_eq!(counter.charge(&back(3), 0).remaining, 10, "{algorithm:?}");
        counter.charge(&one, 0);
        assert_eq!(counter.charge(&back(3), 0).remaining, 9, "{algorithm:?}");
        assert_eq!(counter.charge(&back(u64::MAX), 0).remaining, 10, "{algorithm:?}");
        assert!(counter.is_whole(&one, 0), "{algorithm:?}");
    }
}

#[test]
fn the_ends_of_the_scale_do_not_overflow() {
    for algorithm in ALL {
        for (quota, window_ms) in [(1, u64::MAX), (u64::MAX, 1), (u64::MAX, u64::MAX)] {
            let mut counter = Counter::new(algorithm, u64::MAX - 5);
            for mode in [Mode::Force, Mode::Force, Mode::Try, Mode::GiveBack, Mode::Force] {
                let much = Take { mode, ..take(algorithm, quota, window_ms, u64::MAX) };
                for now in [0, u64::MAX - 5, u64::MAX] {
                    counter.charge(&much, now);
                    let _ = counter.look(&much, now);
                }
            }
        }
    }
}
