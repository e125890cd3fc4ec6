//! The state against a list of everything that happened.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::jwks::document::KeySet;
use crate::jwks::state::{Cause, Fetched, Pace, State};

const REFRESH: u64 = 600;
const COOLDOWN: u64 = 30;
const MAX_STALE: u64 = 3600;

fn pace() -> Pace {
    let [refresh, cooldown, max_stale] = [REFRESH, COOLDOWN, MAX_STALE].map(Duration::from_secs);
    Pace { refresh, cooldown, max_stale }
}

#[derive(Clone, Debug)]
enum Event {
    Passes(u64),
    /// Somebody needs a key that is not there.
    Asked,
    /// The task looks at the clock.
    Looked,
    Fetched(Option<u64>),
    Unchanged(Option<u64>),
    Failed(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let told = || proptest::option::of(0..2000_u64);
    prop_oneof![
        3 => prop_oneof![0..40_u64, 0..700_u64, 3000..6000_u64].prop_map(Event::Passes),
        3 => Just(Event::Asked),
        3 => Just(Event::Looked),
        2 => told().prop_map(Event::Fetched),
        1 => told().prop_map(Event::Unchanged),
        2 => any::<u8>().prop_map(Event::Failed),
    ]
}

/// A fetch as it really was.
struct Fetch {
    began: u64,
    cause: Cause,
    /// How it ended: the set that was there afterwards, and for how long it is fresh; or no success.
    ended: Option<Option<(Arc<KeySet>, u64)>>,
}

/// Which keys there are, by looking at everything that was.
fn expected(fetches: &[Fetch], now: u64) -> Option<Arc<KeySet>> {
    let (began, keys, fresh) = fetches.iter().rev().find_map(|fetch| {
        let (keys, fresh) = fetch.ended.as_ref()?.as_ref()?;
        Some((fetch.began, keys, fresh))
    })?;
    (now < began + fresh + MAX_STALE).then(|| Arc::clone(keys))
}

/// What no history may show.
fn check(fetches: &[Fetch]) -> Result<(), TestCaseError> {
    let asked: Vec<u64> =
        fetches.iter().filter(|fetch| fetch.cause == Cause::Asked).map(|f| f.began).collect();
    prop_assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= COOLDOWN), "asked too often: {asked:?}");
    for pair in fetches.windows(2) {
        let apart = pair[1].began - pair[0].began;
        prop_assert!(pair[0].ended.is_some(), "two at a time");
        if pair[0].ended.as_ref().is_some_and(Option::is_none) || pair[1].cause == Cause::Due {
            prop_assert!(apart >= COOLDOWN, "{apart} s after a failure, or when nobody asked");
        }
    }
    for three in fetches.windows(3) {
        prop_assert!(three[2].began - three[0].began >= COOLDOWN, "three in one cooldown");
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_remembers_what_it_must_and_fetches_no_more_than_it_may(events in proptest::collection::vec(event(), 1..120)) {
        let (start, pace) = (Instant::now(), pace());
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut state, mut now, mut fetches) = (State::idle().started(start), 0, Vec::<Fetch>::new());
        for event in events {
            let under_way = fetches.last().is_some_and(|fetch| fetch.ended.is_none());
            match event {
                Event::Passes(seconds) => now += seconds,
                Event::Asked | Event::Looked => {
                    let cause = if matches!(event, Event::Asked) { Cause::Asked } else { Cause::Due };
                    let begun = state.begun(cause, &pace, at(now));
                    if let Some(next) = begun {
                        prop_assert!(!under_way);
                        state = next;
                        fetches.push(Fetch { began: now, cause, ended: None });
                    } else if !under_way && cause == Cause::Asked {
                        // It was not refused for nothing.
                        prop_assert!(fetches.iter().any(|fetch| now < fetch.began + COOLDOWN));
                    }
                }
                Event::Fetched(told) | Event::Unchanged(told) if under_way => {
                    let old = expected_before(&fetches);
                    let unchanged = matches!(event, Event::Unchanged(_));
                    if unchanged && old.is_none() { continue }
                    let keys = old.filter(|_| unchanged).unwrap_or_else(|| Arc::new(KeySet::parse(br#"{"keys":[]}"#, 1).unwrap()));
                    let told_for = told.map(Duration::from_secs);
                    let fetched = if unchanged { Fetched::Unchanged(told_for) } else { Fetched::Keys(Arc::clone(&keys), told_for) };
                    state = state.ended(&fetched, &pace, at(now), 0);
                    let fresh = told.unwrap_or(REFRESH).clamp(COOLDOWN, REFRESH);
                    let fetch = fetches.last_mut().unwrap();
                    fetch.ended = Some(Some((keys, fresh)));
                    prop_assert_eq!(state.due(), Some(at(fetch.began + fresh)));
                }
                Event::Failed(chance) if under_way => {
                    state = state.ended(&Fetched::Failed, &pace, at(now), chance);
                    let fetch = fetches.last_mut().unwrap();
                    fetch.ended = Some(None);
                    let due = state.due().unwrap();
                    prop_assert!(due >= at(fetch.began + COOLDOWN));
                    prop_assert!(due <= at(fetch.began + REFRESH + REFRESH / 4));
                }
                _ => {}
            }
            let (have, want) = (state.keys(at(now)), expected(&fetches, now));
            prop_assert_eq!(have.map(Arc::as_ptr), want.as_ref().map(Arc::as_ptr));
            prop_assert_eq!(state.is_under_way(), fetches.last().is_some_and(|fetch| fetch.ended.is_none()));
        }
        check(&fetches)?;
    }
}

/// The set of the last success, however old.
fn expected_before(fetches: &[Fetch]) -> Option<Arc<KeySet>> {
    fetches.iter().rev().find_map(|fetch| Some(Arc::clone(&fetch.ended.as_ref()?.as_ref()?.0)))
}

#[test]
fn failures_back_off_and_a_success_forgets_them() {
    let (start, pace) = (Instant::now(), pace());
    let (mut state, mut now, mut waits) = (State::idle().started(start), start, Vec::new());
    for _ in 0..8 {
        state = state.begun(Cause::Due, &pace, now).unwrap().ended(&Fetched::Failed, &pace, now, 0);
        let due = state.due().unwrap();
        assert!(state.begun(Cause::Due, &pace, due - Duration::from_nanos(1)).is_none());
        waits.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 600, 600, 600]);
    let spread = state.begun(Cause::Due, &pace, now).unwrap().ended(&Fetched::Failed, &pace, now, 255);
    assert_eq!(spread.due().unwrap() - now, Duration::from_secs(750));
    let keys = Arc::new(KeySet::parse(br#"{"keys":[]}"#, 1).unwrap());
    state = state.begun(Cause::Due, &pace, now).unwrap().ended(&Fetched::Keys(keys, None), &pace, now, 0);
    now = state.due().unwrap();
    state = state.begun(Cause::Due, &pace, now).unwrap().ended(&Fetched::Failed, &pace, now, 0);
    assert_eq!(state.due().unwrap() - now, Duration::from_secs(30));
}

#[test]
fn what_was_never_started_never_fetches() {
    let now = Instant::now();
    for cause in [Cause::Due, Cause::Asked] {
        assert!(State::idle().begun(cause, &pace(), now).is_none());
    }
    let keys = Arc::new(KeySet::parse(br#"{"keys":[]}"#, 1).unwrap());
    let fixed = State::fixed(keys);
    assert!(fixed.keys(now + Duration::from_secs(1 << 30)).is_some());
    assert!(fixed.begun(Cause::Asked, &pace(), now).is_none());
}
