//! A key set at one moment: which keys there are, until when, and when a fetch may begin. Pure: time and chance are
//! arguments, and every step makes the next state. Nothing here waits or locks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::document::KeySet;

/// How often a set is fetched, and how long it lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) refresh: Duration,
    pub(super) cooldown: Duration,
    pub(super) max_stale: Duration,
}

/// How a fetch ended.
#[derive(Debug)]
pub(super) enum Fetched {
    /// A new set, which replaces the old one whole, and how long the answer says that it lasts.
    Keys(Arc<KeySet>, Option<Duration>),
    /// The set is what it was.
    Unchanged(Option<Duration>),
    Failed,
}

/// For whose sake a fetch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The set's time is up.
    Due,
    /// Somebody needs a key that is not there.
    Asked,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    keys: Option<Arc<KeySet>>,
    /// The keys are used until then; none is for ever.
    usable_until: Option<Instant>,
    /// When the fetch began that is under way.
    under_way: Option<Instant>,
    /// When the next fetch begins of itself; none is never.
    due: Option<Instant>,
    /// From when on a caller may have one begun; none is never.
    askable: Option<Instant>,
    /// Failures since the last success.
    failures: u32,
}

impl State {
    /// Nothing is there and nothing is fetched.
    pub(super) const fn idle() -> Self {
        Self { keys: None, usable_until: None, under_way: None, due: None, askable: None, failures: 0 }
    }

    /// Keys that are always there.
    pub(super) fn fixed(keys: Arc<KeySet>) -> Self {
        Self { keys: Some(keys), ..Self::idle() }
    }

    /// As a set begins that has the keys of another, if there are any.
    pub(super) fn heir(of: Option<&Self>) -> Self {
        let Some(of) = of else { return Self::idle() };
        Self { keys: of.keys.clone(), usable_until: of.usable_until, ..Self::idle() }
    }

    /// The first fetch begins now.
    pub(super) fn started(&self, now: Instant) -> Self {
        Self { due: Some(now), askable: Some(now), ..self.clone() }
    }

    /// The keys, unless there are none or they are too old.
    pub(super) fn keys(&self, now: Instant) -> Option<&Arc<KeySet>> {
        self.keys.as_ref().filter(|_| self.usable_until.is_none_or(|until| now < until))
    }

    pub(super) const fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether the last fetch brought nothing.
    pub(super) const fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// When to look again whether a fetch is due.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A fetch begins, unless one is under way or it is too early.
    pub(super) fn begun(&self, cause: Cause, pace: &Pace, now: Instant) -> Option<Self> {
        let from = match cause {
            Cause::Due => self.due,
            Cause::Asked => self.askable,
        };
        if self.is_under_way() || from.is_none_or(|from| now < from) {
            return None;
        }
        let mut next = Self { under_way: Some(now), ..self.clone() };
        // The first fetch answers everyone who came before it ended.
        if cause == Cause::Asked || self.keys.is_none() {
            next.askable = Some(now + pace.cooldown);
        }
        Some(next)
    }

    /// The fetch that was under way has ended. `chance` spreads what would otherwise come back in step.
    pub(super) fn ended(&self, fetched: &Fetched, pace: &Pace, now: Instant, chance: u8) -> Self {
        let began = self.under_way.unwrap_or(now);
        let mut next = Self { under_way: None, ..self.clone() };
        let (keys, told) = match fetched {
            Fetched::Keys(keys, told) => (Some(keys), *told),
            Fetched::Unchanged(told) => (self.keys.as_ref(), *told),
            Fetched::Failed => (None, None),
        };
        let Some(keys) = keys else {
            next.failures = self.failures.saturating_add(1);
            next.due = Some(began + pace.back_off(next.failures, chance));
            next.askable = self.askable.max(Some(began + pace.cooldown));
            return next;
        };
        let lifetime = pace.lifetime(told);
        // A set is as old as the question that it answers.
        Self {
            keys: Some(Arc::clone(keys)),
            usable_until: Some(began + lifetime + pace.max_stale),
            due: Some(began + lifetime),
            failures: 0,
            ..next
        }
    }
}

impl Pace {
    /// How long a set lasts: as long as the answer says, within bounds.
    fn lifetime(&self, told: Option<Duration>) -> Duration {
        let most = self.refresh.max(self.cooldown);
        told.map_or(most, |told| told.clamp(self.cooldown, most))
    }

    /// The time from one failure to the next try: doubled with each, and up to a quarter more.
    fn back_off(&self, failures: u32, chance: u8) -> Duration {
        let doubled = self.cooldown.saturating_mul(1 << (failures - 1).min(16));
        let base = doubled.min(self.refresh.max(self.cooldown));
        base + base / 4 * u32::from(chance) / 255
    }
}
