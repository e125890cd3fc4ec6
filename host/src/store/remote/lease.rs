//! Units bought ahead: a node's purses.
//!
//! A purse belongs to one limit. Its units were charged on the server when they were bought, and are handed
//! out here without a round trip. A node buys ahead only what it has lately used, up to the share `lease` of
//! the quota, and forgets what it has not used when the purse's life is over.
//!
//! # How far a limit may be overshot
//!
//! Let `C = max(1, ceil(lease * quota))`, `n` the number of nodes, `I = (a, b]` any interval of time, `S(I)` the
//! units that all nodes hand out in it, and `R(I)` those that the server charges in it.
//!
//! **`S(I) <= R(I) + n * C`.** Every unit is charged once and handed out at most once, at its charge (what a
//! take itself costs) or later (out of a purse). So what is handed out in `I` was charged in `I`, or was
//! charged before and at `a` lay in a purse or was on its way to one. At most one purchase is on its way to a
//! purse: [`Purses::plan`] begins none while another runs, and it asks for no more than `C` less what the
//! purse holds, which in the meantime only falls. So each node has at most `C` of them. ∎
//!
//! `R` keeps to the algorithm's own bound, since the server counts exactly. A sliding window therefore lets
//! at most `n * C` units more pass in any window than one without leases, and so does GCRA. For **fixed windows
//! the overshoot is 0**: a purse dies no later than the window in which it was bought, by a clock that began
//! before the server's answer; so what is handed out in a window was charged in it, and `S <= R <= quota`.
//! (If clocks run at one rate, and a node is not put to sleep as a whole. How they are set does not matter: the
//! server's alone says when a window ends.)
//!
//! Units are handed out at most one life, `lease * window` and at least 100 ms, after their charge.
//!
//! # How far it may be undershot
//!
//! What is forgotten was charged for nothing. A node begins without buying ahead, doubles what it buys each
//! time that it needs more within a life, and buys less by as much as it had to forget. So a limit that a node
//! uses less than once in a life is never bought ahead, and what a busy node forgets is a part of what it uses.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluice_abi::{Algorithm, Mode, Take, Taken};

use super::command::Rule;

const SHARDS: usize = 16;

/// Of one shard. Beyond it limits are counted exactly.
const MOST_PURSES: usize = 2048;

/// A shard that is full is not looked through for old purses more often than this.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

const SHORTEST_LIFE: Duration = Duration::from_millis(100);

/// What was bought ahead, by the limit's key. Time is an argument: since some moment of this process.
#[derive(Debug)]
pub(super) struct Purses {
    share: f64,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    purses: HashMap<Box<[u8]>, Purse>,
    swept: Duration,
}

#[derive(Debug, Default)]
struct Purse {
    /// In the order in which they end.
    batches: VecDeque<Batch>,
    /// How many units to buy ahead the next time.
    size: u64,
    /// Whether a purchase is on its way.
    buying: bool,
    bought_at: Duration,
    /// After this the purse says nothing any more.
    old_at: Duration,
    /// What the server had left, and when it will be whole.
    left: u64,
    whole_at: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Batch {
    units: u64,
    until: Duration,
}

/// What was handed out, and by the number of the take what to buy.
type Served = (Vec<Taken>, Vec<(usize, Order)>);

/// How to go about a call.
#[derive(Debug)]
pub(super) enum Plan {
    /// The purses had it all. Those of some takes should be filled again.
    Served(Vec<Taken>, Vec<(usize, Order)>),
    /// The server has to be asked. For each take, what to buy beside.
    Ask(Vec<Option<Order>>),
}

/// A purchase for one purse. While it lives there is no other.
#[derive(Debug)]
pub(super) struct Order {
    purses: Arc<Purses>,
    key: Box<[u8]>,
    life: Duration,
    is_fixed: bool,
    pub(super) units: u64,
    begun: Duration,
}

impl Drop for Order {
    /// Also when whoever waited has gone: what was bought is then lost, and counts.
    fn drop(&mut self) {
        if let Some(purse) = self.purses.lock(&self.key).purses.get_mut(&self.key) {
            purse.buying = false;
        }
    }
}

impl Purses {
    /// `share`: of a quota that a node may hold, and of a window that it may hold it.
    pub(super) fn new(share: f64) -> Arc<Self> {
        Arc::new(Self { share, hasher: RandomState::new(), shards: Default::default() })
    }

    fn lock(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(key);
        // The map hashes with a key of its own.
        let shard = usize::try_from(hash % 16).expect("below 16");
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most that one node ever holds of a limit.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of at most 2^51 units, which a double holds exactly"
    )]
    pub(super) fn chunk(&self, rule: Rule) -> u64 {
        ((rule.quota as f64 * self.share).ceil() as u64).clamp(1, rule.quota)
    }

    fn life(&self, rule: Rule) -> Duration {
        let window = Duration::from_millis(rule.window_ms);
        window.mul_f64(self.share).max(SHORTEST_LIFE).min(window)
    }

    /// Serves all takes from purses, or says what to ask for.
    pub(super) fn plan(self: &Arc<Self>, now: Duration, takes: &[(&[u8], &Take)]) -> Plan {
        let all = takes.iter().all(|(key, take)| {
            may_lease(take)
                && self.lock(key).purses.get_mut(*key).is_some_and(|purse| purse.held(now) >= take.cost)
        });
        if all && let Some((taken, orders)) = self.serve(now, takes) {
            return Plan::Served(taken, orders);
        }
        Plan::Ask(takes.iter().map(|(key, take)| self.order(now, key, take)).collect())
    }

    /// `None` if somebody was faster. What was already taken is then forgotten: it was charged.
    fn serve(self: &Arc<Self>, now: Duration, takes: &[(&[u8], &Take)]) -> Option<Served> {
        let (mut served, mut orders) = (Vec::with_capacity(takes.len()), Vec::new());
        for (index, (key, take)) in takes.iter().enumerate() {
            let rule = Rule::of(take);
            let mut shard = self.lock(key);
            let purse = shard.purses.get_mut(*key)?;
            if !purse.debit(now, take.cost) {
                return None;
            }
            let remaining = purse.left.saturating_add(purse.held(now)).min(rule.quota);
            let reset_ms = to_ms(purse.whole_at.saturating_sub(now));
            served.push(Taken { allowed: true, remaining, reset_ms, retry_ms: 0 });
            if purse.held(now) < purse.size / 2 && !purse.buying {
                orders.extend(self.begin(purse, now, key, rule).map(|order| (index, order)));
            }
        }
        Some((served, orders))
    }

    /// What to buy beside a take that the server is asked for.
    fn order(self: &Arc<Self>, now: Duration, key: &[u8], take: &Take) -> Option<Order> {
        let rule = Rule::of(take);
        if !may_lease(take) || take.cost > self.chunk(rule) {
            return None;
        }
        let mut shard = self.lock(key);
        if !shard.purses.contains_key(key) {
            if !shard.has_room(now) {
                return None;
            }
            let purse = Purse { bought_at: now, old_at: now + 2 * self.life(rule), ..Purse::default() };
            shard.purses.insert(key.into(), purse);
            return None;
        }
        let purse = shard.purses.get_mut(key).expect("it is there");
        if purse.buying { None } else { self.begin(purse, now, key, rule) }
    }

    /// Begins a purchase, unless there is nothing to buy.
    fn begin(self: &Arc<Self>, purse: &mut Purse, now: Duration, key: &[u8], rule: Rule) -> Option<Order> {
        let (most, life) = (self.chunk(rule), self.life(rule));
        let soon = now.saturating_sub(purse.bought_at) <= life;
        purse.size = if soon { (purse.size * 2).clamp(1, most) } else { purse.size / 2 };
        purse.bought_at = now;
        purse.old_at = now + 2 * life;
        let units = purse.size.min(most.saturating_sub(purse.held(now)));
        if units == 0 {
            return None;
        }
        purse.buying = true;
        let is_fixed = rule.algorithm == Algorithm::FixedWindow;
        Some(Order { purses: Arc::clone(self), key: key.into(), life, is_fixed, units, begun: now })
    }

    #[cfg(test)]
    pub(super) fn held(&self, key: &[u8], now: Duration) -> u64 {
        self.lock(key).purses.get_mut(key).map_or(0, |purse| purse.held(now))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().purses.len()).sum()
    }
}

impl Order {
    /// Puts what was bought into the purse.
    pub(super) fn deliver(self, now: Duration, units: u64, taken: &Taken) {
        let mut shard = self.purses.lock(&self.key);
        let Some(purse) = shard.purses.get_mut(&self.key) else { return };
        purse.left = taken.remaining;
        purse.whole_at = now + Duration::from_millis(taken.reset_ms);
        let mut until = self.begun + self.life;
        if self.is_fixed {
            // Rounded up by less than a millisecond, and counted from before the server looked at its clock.
            until = until.min(self.begun + Duration::from_millis(taken.reset_ms.saturating_sub(1)));
        }
        if units > 0 && until > now {
            purse.put(Batch { units: units.min(self.units), until });
        } else {
            purse.size /= 2;
        }
        drop(shard);
    }
}

impl Shard {
    fn has_room(&mut self, now: Duration) -> bool {
        if self.purses.len() < MOST_PURSES {
            return true;
        }
        if now.saturating_sub(self.swept) < SWEEP_PAUSE {
            return false;
        }
        self.swept = now;
        self.purses.retain(|_, purse| purse.buying || purse.old_at > now);
        self.purses.len() < MOST_PURSES
    }
}

impl Purse {
    /// Units that may still be handed out. What has ended is forgotten, and the next purchase is smaller.
    fn held(&mut self, now: Duration) -> u64 {
        while let Some(batch) = self.batches.front()
            && batch.until <= now
        {
            self.size = self.size.saturating_sub(batch.units);
            self.batches.pop_front();
        }
        self.batches.iter().map(|batch| batch.units).sum()
    }

    fn debit(&mut self, now: Duration, cost: u64) -> bool {
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

    /// Keeps few batches: one that is added to a full row ends with the one before it.
    fn put(&mut self, batch: Batch) {
        match self.batches.back_mut() {
            Some(last) if last.until >= batch.until => {
                last.units += batch.units;
                last.until = batch.until;
            }
            _ => self.batches.push_back(batch),
        }
        if self.batches.len() > 4
            && let Some(last) = self.batches.pop_back()
            && let Some(before) = self.batches.back_mut()
        {
            before.units += last.units;
        }
    }
}

/// Only what can be bought ahead: not what is held by somebody, nor what is forced or given back.
fn may_lease(take: &Take) -> bool {
    take.mode == Mode::Try && take.algorithm != Algorithm::Concurrency && take.cost > 0
}

fn to_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
