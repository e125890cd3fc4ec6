//! A batch on its way into the ledger: what is new in it, what it costs, and what it comes to in each row of the rollups.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;

use super::amount;
use super::purse::Purse;
use super::types::{Entry, Pool, Written};
use crate::period::{Every, Period};
use crate::plan::Charge;
use crate::{Nanos, rating};

/// Microseconds of an hour.
pub(super) const HOUR: i64 = 3_600_000_000;

/// Bytes of a request's id that are kept: an entry of an index of PostgreSQL has at most 2,704.
const LONGEST_ID: usize = 512;

/// One entry, as it is written.
pub(super) struct Line<'a> {
    pub(super) entry: &'a Entry,
    pub(super) request: Cow<'a, str>,
    pub(super) at: i64,
    pub(super) hour: i64,
    /// The month's first moment.
    pub(super) month: i64,
    pub(super) dimensions: Cow<'static, str>,
    /// The first entry of the batch with the same identity.
    pub(super) first: usize,
}

/// What is counted together for a month.
pub(super) type Monthly<'a> = (&'a str, &'a str, &'a str, i64);

/// What is counted together for an hour: consumer, meter, plan, hour, dimensions.
pub(super) type Hourly<'a> = (&'a str, &'a str, &'a str, i64, &'a str);

/// What identifies an event: request, meter, gateway.
pub(super) type Identity<'a> = (&'a str, &'a str, &'a str);

/// What a batch adds to a row by the hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delta {
    pub(super) count: i64,
    pub(super) sum: i128,
    pub(super) max: i64,
    /// Its time, and the value: of two at the same time the greater counts.
    pub(super) latest: (i64, i64),
}

/// What a month grows by.
#[derive(Default)]
pub(super) struct Month {
    pub(super) sum: i128,
    /// The part of it that was free.
    pub(super) free: i128,
    /// What was drawn for it.
    pub(super) cost: i64,
}

/// What is written beside the events.
#[derive(Default)]
pub(super) struct Tally<'a> {
    pub(super) hours: BTreeMap<Hourly<'a>, Delta>,
    pub(super) months: BTreeMap<Monthly<'a>, Month>,
    pub(super) subjects: BTreeMap<(Hourly<'a>, &'a [u8]), ()>,
    /// What is taken off grants.
    pub(super) settled: BTreeMap<&'a Pool, i64>,
    /// What is taken off grants of credit.
    pub(super) paid: BTreeMap<&'a str, i64>,
    /// What is drawn, of each consumer.
    pub(super) drawn: BTreeMap<&'a str, i64>,
}

/// A batch.
pub(super) struct Batch<'a> {
    pub(super) lines: Vec<Line<'a>>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(entries: &'a [Entry]) -> Self {
        let mut firsts: HashMap<(Cow<'a, str>, &str, &str), usize> = HashMap::with_capacity(entries.len());
        let mut month: Option<(Period, i64, i64)> = None;
        let mut lines: Vec<Line<'a>> = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let event = &entry.event;
            let at = event.at.as_microsecond();
            let start = match month {
                Some((_, start, end)) if (start..end).contains(&at) => start,
                _ => {
                    let period = Every::Month.containing(event.at);
                    let start = period.start.as_microsecond();
                    month = Some((period, start, period.end().as_microsecond()));
                    start
                }
            };
            let request = clean(&event.request);
            let first = *firsts.entry((request.clone(), &*event.meter, &*event.gateway)).or_insert(index);
            lines.push(Line {
                entry,
                request,
                at,
                hour: at - at.rem_euclid(HOUR),
                month: start,
                dimensions: dimensions(&event.dimensions),
                first,
            });
        }
        Self { lines }
    }

    /// Whether any of it is paid from credit.
    pub(super) fn draws(&self) -> bool {
        self.lines.iter().any(|line| line.entry.credit.is_some())
    }

    /// Who pays from credit, sorted.
    pub(super) fn payers(&self) -> Vec<&'a str> {
        let payers = self.lines.iter().filter(|line| line.entry.credit.is_some());
        let mut payers: Vec<_> = payers.map(|line| &*line.entry.event.consumer).collect();
        payers.sort_unstable();
        payers.dedup();
        payers
    }

    /// What has to be known of before a price can be told.
    pub(super) fn priced(&self) -> Vec<Monthly<'a>> {
        let priced = self.lines.iter().filter(|line| line.entry.credit.is_some());
        let mut priced: Vec<_> = priced.map(Line::monthly).collect();
        priced.sort_unstable();
        priced.dedup();
        priced
    }

    /// Tells what is new and what it costs. `known` has the cost of those that were there before; `before` is what was used in the
    /// months of [`priced`](Self::priced), without what was free; the purses are those of [`payers`](Self::payers).
    pub(super) fn settle(
        &self,
        known: &[Option<Nanos>],
        mut before: HashMap<Monthly<'a>, i128>,
        purses: &mut HashMap<&'a str, Purse>,
    ) -> Vec<Written> {
        let mut written: Vec<Written> = Vec::with_capacity(self.lines.len());
        for (index, line) in self.lines.iter().enumerate() {
            if line.first != index {
                let cost = written[line.first].cost;
                written.push(Written { fresh: false, cost });
                continue;
            }
            if let Some(cost) = known[index] {
                written.push(Written { fresh: false, cost });
                continue;
            }
            let mut cost = 0;
            if !before.is_empty()
                && !line.is_free()
                && let Some(before) = before.get_mut(&line.monthly())
            {
                if let Some(draw) = &line.entry.credit {
                    cost = priced(&draw.charge, *before, line.entry.event.value);
                }
                *before += i128::from(line.entry.event.value);
            }
            if cost != 0
                && let Some(purse) = purses.get_mut(&*line.entry.event.consumer)
            {
                purse.draw(line.at, cost);
            }
            written.push(Written { fresh: true, cost });
        }
        written
    }

    /// What those that are new come to. `settled` are those that reservations are settled for.
    pub(super) fn tally<'b>(&'b self, written: &[Written]) -> Tally<'b> {
        let mut tally = Tally::default();
        // Events of one exchange and of one consumer come together: most rows are found where the last one was.
        let mut hours: HashMap<Hourly<'b>, Delta> = HashMap::new();
        for (line, _) in self.lines.iter().zip(written).filter(|(_, written)| written.fresh) {
            let (event, key) = (&line.entry.event, line.hourly());
            let latest = (line.at, event.value);
            hours
                .entry(key)
                .and_modify(|delta| {
                    delta.count += 1;
                    delta.sum += i128::from(event.value);
                    delta.max = delta.max.max(event.value);
                    delta.latest = delta.latest.max(latest);
                })
                .or_insert(Delta { count: 1, sum: event.value.into(), max: event.value, latest });
            if line.is_free() {
                tally.months.entry(line.monthly()).or_default().free += i128::from(event.value);
            }
            if let Some(subject) = &event.subject {
                tally.subjects.insert((key, subject.as_slice()), ());
            }
        }
        for (key, delta) in &hours {
            let month = Every::Month.containing(moment(key.3)).start.as_microsecond();
            tally.months.entry((key.0, key.1, key.2, month)).or_default().sum += delta.sum;
        }
        for (line, written) in self.lines.iter().zip(written) {
            if written.fresh && written.cost != 0 {
                let month = tally.months.entry(line.monthly()).or_default();
                month.cost = month.cost.saturating_add(written.cost);
                let drawn = tally.drawn.entry(&*line.entry.event.consumer).or_default();
                *drawn = drawn.saturating_add(written.cost);
            }
        }
        tally.hours = hours.into_iter().collect();
        tally.settled(&self.lines, written);
        tally
    }
}

impl<'b> Tally<'b> {
    /// What is taken off grants, for all that are new.
    fn settled(&mut self, lines: &'b [Line<'_>], written: &[Written]) {
        for (line, written) in lines.iter().zip(written).filter(|(_, written)| written.fresh) {
            for (pool, reserved) in &line.entry.quotas {
                let settled = line.entry.event.value.min(*reserved);
                if settled > 0 {
                    let sum = self.settled.entry(pool).or_default();
                    *sum = sum.saturating_add(settled);
                }
            }
            if let Some(draw) = &line.entry.credit {
                let settled = written.cost.min(draw.reserved);
                if settled > 0 {
                    let sum = self.paid.entry(&*line.entry.event.consumer).or_default();
                    *sum = sum.saturating_add(settled);
                }
            }
        }
    }

    /// What is taken off grants for entries that were written already, by a write that ended in doubt.
    pub(super) fn settle_again(&mut self, lines: &'b [Line<'_>], written: &[Written]) {
        self.settled(lines, written);
    }
}

impl<'a> Line<'a> {
    pub(super) fn identity(&self) -> Identity<'_> {
        (&self.request, &self.entry.event.meter, &self.entry.event.gateway)
    }

    pub(super) fn monthly(&self) -> Monthly<'a> {
        let event = &self.entry.event;
        (&event.consumer, &event.meter, &event.plan, self.month)
    }

    fn hourly(&self) -> Hourly<'_> {
        let event = &self.entry.event;
        (&event.consumer, &event.meter, &event.plan, self.hour, &self.dimensions)
    }

    /// Whether it is of a trial.
    fn is_free(&self) -> bool {
        let end = self.entry.credit.as_ref().and_then(|draw| draw.free_until);
        end.is_some_and(|end| self.entry.event.at < end)
    }
}

/// Beyond what 64 bits count, a price is that of the last units that they do count. A cost that cannot be told, of more than 9 billion,
/// is the greatest that there is: nothing is free by accident, and the configuration refuses charges that have no cost of their own.
fn priced(charge: &Charge, before: i128, added: i64) -> Nanos {
    let most = i64::MAX - added.max(0);
    rating::cost(charge, i64::try_from(before).unwrap_or(most).min(most), added).unwrap_or(Nanos::MAX)
}

/// Microseconds since 1970.
pub(super) fn moment(at: i64) -> Timestamp {
    Timestamp::from_microsecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// A text from outside, as both databases can keep it.
fn clean(text: &str) -> Cow<'_, str> {
    if text.len() > LONGEST_ID {
        let end = (0..=LONGEST_ID - 20).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        return Cow::Owned(format!("{}~{:016x}", clean(&text[..end]), hasher.finish()));
    }
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// A JSON object, in the order of its names.
fn dimensions(pairs: &[(std::sync::Arc<str>, Box<str>)]) -> Cow<'static, str> {
    if pairs.is_empty() {
        return Cow::Borrowed("{}");
    }
    let sorted: BTreeMap<&str, Cow<'_, str>> = pairs
        .iter()
        .map(|(name, value)| {
            (
                &**name,
                if value.contains('\0') {
                    // PostgreSQL's JSON cannot hold it.
                    Cow::Owned(value.replace('\0', "\u{fffd}"))
                } else {
                    Cow::Borrowed(&**value)
                },
            )
        })
        .collect();
    Cow::Owned(serde_json::to_string(&sorted).expect("a map of texts is JSON"))
}

/// Sums as the database keeps them.
pub(super) fn parts(sums: impl Iterator<Item = i128>) -> (Vec<i64>, Vec<i64>) {
    sums.map(amount::split).unzip()
}
