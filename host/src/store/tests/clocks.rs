//! Workers whose clocks differ by a hair, at the moment at which a window or an epoch begins.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sluice_abi::{Algorithm, Mode, Take};

use super::{ALL, MS, NOW, store, take, take_one};

const ROUNDS: u64 = 20_000;
const WINDOW_MS: u64 = 60_000;

/// Waits until so many have come. Spinning, so that all go on at the same instant; and not for ever, if there is one processor.
fn meet(arrived: &AtomicU64, all: u64) {
    arrived.fetch_add(1, Ordering::SeqCst);
    let mut spins = 0_u32;
    while arrived.load(Ordering::SeqCst) < all {
        spins += 1;
        if spins.is_multiple_of(10_000) {
            thread::yield_now();
        }
    }
}

#[test]
fn clocks_that_straddle_a_window_let_nobody_more_through() {
    for algorithm in ALL {
        let store = store(1_000_000);
        // Windows since 1970 begin here, and epochs of a third of one.
        let begins = (NOW / (WINDOW_MS * MS) + 1) * WINDOW_MS * MS;
        let of = |round: u64, holder: &[u8]| {
            let one = take(&round.to_string(), algorithm, 1, WINDOW_MS);
            Take { holder: holder.to_vec(), ..one }
        };
        for round in 0..ROUNDS {
            // Of a sliding window the first take is the beginning.
            let earlier = begins - WINDOW_MS * MS;
            take_one(&store, earlier, &of(round, b"earlier"));
            take_one(&store, earlier, &Take { mode: Mode::GiveBack, ..of(round, b"earlier") });
        }
        let (arrived, allowed) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for (holder, now) in [(b"a", begins), (b"b", begins - 1)] {
                let (store, arrived, allowed, of) = (&store, &arrived, &allowed, &of);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let one = of(round, holder);
                        meet(arrived, 2 * (round + 1));
                        if take_one(store, now, &one).allowed {
                            allowed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let allowed = allowed.into_inner();
        if algorithm == Algorithm::FixedWindow {
            // Whoever lags and comes first has the last of the window before.
            assert!((ROUNDS..=2 * ROUNDS).contains(&allowed), "{allowed}");
        } else {
            assert_eq!(allowed, ROUNDS, "{algorithm:?}");
        }
    }
}
