//! Whose the days of a month are, which of them are free, and which hours of usage are paid for.

use jiff::{SignedDuration, Timestamp};

use super::{Input, Subscribed};
use crate::period::{Every, Period};
use crate::plan::Plan;
use crate::rating::free_until;

/// The days of a month, from the first.
pub(super) struct Calendar {
    days: Vec<Day>,
}

/// A day, as it ends.
#[derive(Clone, Copy)]
pub(super) struct Day {
    /// The subscription in force, by its place in the input.
    subscription: Option<usize>,
    /// It is in its trial.
    free: bool,
}

impl Calendar {
    pub(super) fn new(input: &Input<'_>) -> Self {
        let mut ends = Vec::new();
        let mut start = input.period.start;
        while start < input.period.end() {
            start = Every::Day.containing(start).end();
            ends.push(start);
        }
        Self { days: ends.into_iter().map(|end| Day::ending(end, input)).collect() }
    }

    /// How many days the month has.
    pub(super) fn length(&self) -> u32 {
        u32::try_from(self.days.len()).expect("a month has at most 31 days")
    }

    /// The subscriptions that days belong to, in the order of these, each as often as it has days.
    pub(super) fn in_force(&self) -> impl Iterator<Item = usize> {
        self.days.iter().filter_map(|day| day.subscription)
    }

    /// On how many days a plan is paid for.
    pub(super) fn paid(&self, plan: &str, subscriptions: &[Subscribed]) -> u32 {
        let paid =
            |day: &&Day| !day.free && day.subscription.is_some_and(|it| &*subscriptions[it].plan == plan);
        u32::try_from(self.days.iter().filter(paid).count()).expect("a month has at most 31 days")
    }

    /// Whether the day of the month (from 1) belongs to the subscription and is paid for. A day that the month has not is its last.
    pub(super) fn is_paid(&self, day: u32, subscription: usize) -> bool {
        let index = usize::try_from(day.min(self.length())).unwrap_or(1).saturating_sub(1);
        self.days.get(index).is_some_and(|day| day.subscription == Some(subscription) && !day.free)
    }
}

impl Day {
    fn ending(end: Timestamp, input: &Input<'_>) -> Self {
        let lasts = |it: &&Subscribed| it.from < end && it.to.is_none_or(|to| to >= end);
        // Subscriptions do not overlap; if they should, the later one counts, so that no day is paid for twice.
        let found = input.subscriptions.iter().rposition(|it| lasts(&it));
        let free = found.is_some_and(|index| {
            let it = &input.subscriptions[index];
            let plan = input.plans.iter().find(|plan| plan.name == it.plan);
            plan.and_then(|plan| free_until(plan, it.from)).is_some_and(|until| until >= end)
        });
        Self { subscription: found, free }
    }
}

/// The spans of a month, in full hours, of which a plan's usage is paid for: all of it, but for trials.
///
/// A caller asks the ledger for the usage of the whole month, and if this is anything but the whole month, again by span for what was
/// used under this plan. There are at most as many spans as subscriptions, and one more.
#[must_use]
pub fn spans(plan: &Plan, subscriptions: &[Subscribed], period: Period) -> Vec<(Timestamp, Timestamp)> {
    let mut trials: Vec<(Timestamp, Timestamp)> =
        subscriptions.iter().filter(|it| it.plan == plan.name).filter_map(|it| trial(plan, it)).collect();
    trials.sort_unstable();
    let (mut spans, mut start) = (Vec::new(), period.start);
    for (from, until) in trials {
        if start < from.min(period.end()) {
            spans.push((start, from.min(period.end())));
        }
        start = start.max(until);
    }
    if start < period.end() {
        spans.push((start, period.end()));
    }
    spans
}

/// The full hours of a subscription's trial.
fn trial(plan: &Plan, it: &Subscribed) -> Option<(Timestamp, Timestamp)> {
    let from = Every::Hour.containing(it.from).start;
    let until = free_until(plan, it.from)?;
    // A nanosecond before, so that a full hour stays as it is.
    let to = it.to.and_then(|to| to.checked_sub(SignedDuration::from_nanos(1)).ok());
    let until = to.map_or(until, |to| until.min(Every::Hour.containing(to).end()));
    Some((from, until))
}
