//! The script counts as `sluice_abi::Counter` does, to the last unit and millisecond.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest::{prop_assert_eq, prop_oneof};
use sluice_abi::{Algorithm, Counter, Mode, Take};

use super::redis_server::RedisServer;
use super::{ALL, NOW, World, take, with_time};

const MOST: u64 = (1 << 51) - 1;
const YEAR_US: u64 = 31_536_000_000_000;
const HOLDERS: [&str; 6] = ["", "a", "b", "c", "d", "e"];

/// Rules at all scales, also where products leave 2^53.
fn some_rule() -> impl Strategy<Value = (u64, u64)> {
    let quota =
        prop_oneof![1_u64..20, 1_u64..100_000, (0_u32..51).prop_map(|bits| (1 << bits) + 1), Just(MOST)];
    let window = prop_oneof![
        1_u64..100,
        1_u64..100_000,
        Just(86_400_000),
        Just(2_592_000_000),
        Just(MOST / 1000),
        (0_u32..41).prop_map(|bits| 1 << bits)
    ];
    (quota, window)
}

/// Parts of a window and of a quota, both uneven.
fn some_steps(length: usize) -> impl Strategy<Value = Vec<(u32, u32)>> {
    vec((any::<u32>(), any::<u32>()), 1..length)
}

fn part(whole: u64, of: u32, times: u128) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(of) * times / u128::from(u32::MAX)).unwrap()
}

/// Whole microseconds between two takes; often none.
fn gap_us(window_ms: u64, random: u32) -> u64 {
    let gap = match random % 5 {
        0 => 0,
        1 => part(window_ms * 1000, random, 3),
        2 => u64::from(random % 3),
        _ => part(window_ms * 1000, random, 1) / 4,
    };
    // All of them together end before the clock does.
    gap.min(YEAR_US)
}

fn some_cost(quota: u64, random: u32) -> u64 {
    match random % 7 {
        0 => 0,
        1 => quota.saturating_add(1),
        2 => quota,
        3 | 4 => 1.min(quota),
        _ => part(quota, random, 1) / 3,
    }
}

fn check<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(u64, S::Value) -> Result<(), TestCaseError>)
where
    S::Value: std::fmt::Debug,
{
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let number = std::cell::Cell::new(0);
    let outcome = runner.run(strategy, |value| {
        number.set(number.get() + 1);
        test(number.get(), value)
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// What is forced ends at 2^52 ticks, which the model does not know: it stays below.
fn small((quota, window_ms): (u64, u64)) -> (u64, u64) {
    (quota.min(1 << 40), window_ms.min(86_400_000))
}

#[test]
fn takes_are_counted_as_by_the_model() {
    let (server, world) = (RedisServer::start(), World::new());
    let store = world.connect(with_time(&server.url()));
    let strategy = (select(&ALL[..]), any::<bool>(), some_rule(), some_steps(60));
    check(500, &strategy, |number, (algorithm, only_try, rule, steps)| {
        let (quota, window_ms) = if only_try { rule } else { small(rule) };
        let mut model: Option<Counter> = None;
        let mut now = NOW;
        for (time, units) in steps {
            now += gap_us(window_ms, time) * 1000;
            let mode = match (time ^ units) % 6 {
                _ if only_try => Mode::Try,
                0 => Mode::Force,
                1 | 2 => Mode::GiveBack,
                _ => Mode::Try,
            };
            let holder = if algorithm == Algorithm::Concurrency { HOLDERS[units as usize % 6] } else { "" };
            let one = Take {
                cost: some_cost(quota, units / 7),
                mode,
                holder: holder.into(),
                ..take(&number.to_string(), algorithm, quota, window_ms)
            };
            let taken = world.take_one(&store, now, &one);
            let mut counter = model.clone().unwrap_or_else(|| Counter::new(algorithm, now));
            let expected = counter.charge(&one, now);
            prop_assert_eq!(taken, expected, "{:?} at {}", one, now - NOW);
            // What takes nothing leaves no trace: the first that does is the birth.
            if model.is_some() || expected.allowed && one.cost > 0 && mode != Mode::GiveBack {
                model = Some(counter);
            }
        }
        Ok(())
    });
}
