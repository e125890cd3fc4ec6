//! What one limit has in hand on this node, and how much of it was lately handed out.

use std::collections::VecDeque;
use std::time::Duration;

use crate::store::limit::scale_down;

/// Beside them nothing more is bought until one of them has ended.
const MOST_BATCHES: usize = 4;

/// Of what was lately handed out, the part that may be held: a third is used up before it ends, as good as
/// always, and a half or the whole is not.
const PART: u64 = 3;

/// A purse. Time is an argument, and so is the limit's `life`.
#[derive(Debug, Default)]
pub(super) struct Purse {
    /// In the order in which they end.
    batches: VecDeque<Batch>,
    lately: Lately,
    /// Whether a purchase is on its way.
    pub(super) buying: bool,
    /// After this the purse says nothing any more.
    pub(super) old_at: Duration,
    /// What the server had left, and when it will be whole.
    pub(super) left: u64,
    pub(super) whole_at: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Batch {
    units: u64,
    until: Duration,
}

/// Units that were handed out in the running life and in the one before. Lives are counted from the
/// beginning of the process.
#[derive(Debug, Default)]
struct Lately {
    life: u64,
    current: u64,
    previous: u64,
}

impl Lately {
    /// How far into the running life it is, and how long a life is, in nanoseconds.
    fn turn(&mut self, now: Duration, life: Duration) -> (u64, u64) {
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let (now, length) = (ns(now), ns(life).max(1));
        let number = now / length;
        if number > self.life {
            self.previous = if number == self.life + 1 { self.current } else { 0 };
            self.current = 0;
            self.life = number;
        }
        (now % length, length)
    }

    fn add(&mut self, now: Duration, life: Duration, units: u64) {
        self.turn(now, life);
        self.current = self.current.saturating_add(units);
    }

    /// In about one life: the running one, and of the one before what is less than a life ago.
    fn units(&mut self, now: Duration, life: Duration) -> u64 {
        let (elapsed, length) = self.turn(now, life);
        self.current.saturating_add(scale_down(self.previous, length - elapsed, length))
    }
}

impl Purse {
    /// Units that may still be handed out. What has ended is forgotten.
    pub(super) fn held(&mut self, now: Duration) -> u64 {
        while self.batches.front().is_some_and(|batch| batch.until <= now) {
            self.batches.pop_front();
        }
        self.batches.iter().map(|batch| batch.units).sum()
    }

    /// How much is worth holding.
    pub(super) fn wish(&mut self, now: Duration, life: Duration) -> u64 {
        self.lately.units(now, life) / PART
    }

    pub(super) fn has_room(&self) -> bool {
        self.batches.len() < MOST_BATCHES
    }

    /// Notes that units of the limit were handed out, whether out of the purse or by the server.
    pub(super) fn note(&mut self, now: Duration, life: Duration, units: u64) {
        self.lately.add(now, life, units);
        self.old_at = now + 2 * life;
    }

    /// Takes units out, of what ends first.
    pub(super) fn debit(&mut self, now: Duration, cost: u64) -> bool {
        if self.held(now) < cost {
            return false;
        }
        let mut due = cost;
        while let Some(batch) = self.batches.front_mut()
            && due > 0
        {
            let part = batch.units.min(due);
            batch.units -= part;
            due -= part;
            if batch.units == 0 {
                self.batches.pop_front();
            }
        }
        true
    }

    /// Puts units in. Together with what would end later they end sooner, never the other way round.
    pub(super) fn put(&mut self, units: u64, until: Duration) {
        match self.batches.back_mut() {
            Some(last) if last.until >= until => {
                last.units += units;
                last.until = until;
            }
            _ => self.batches.push_back(Batch { units, until }),
        }
    }
}
