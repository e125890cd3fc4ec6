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
//! Units that outlive the server's memory of their charge (it was restarted without persistence, flushed, or
//! replaced by a replica that had not heard of it) pass beside a limit that begins anew; and a server whose
//! clock is set forward ends a fixed window before the purses know.
//!
//! # How far it may be undershot
//!
//! What is forgotten was charged for nothing, and what lies in purses is refused to others. So a node buys only
//! for calls that purses alone can serve: one that takes something else (a place among requests at once, more
//! than `C` units, by force) buys nothing, and does not count as use. Of a limit it holds at most a third of
//! what it has handed out of it in about the last life ([`Purse::wish`]), and of all limits of a call enough
//! for equally many calls. A limit that a node uses less than three times in a life is never bought ahead.
//!
//! **In the long run a node forgets at most two thirds of what it hands out**, however requests come. Divide
//! time into lives. Of the purchases that begin in one of them, those of which a part is forgotten are all in
//! hand when the last of them begins, because each lasts for as long. So what is forgotten of them is at most
//! the wish at that moment: a third of what was handed out in that life and in the one before. Summed over all
//! lives, every unit that was handed out counts twice. ∎ (A fixed window that ends in a life adds as much again for that
//! life. Purchases whose answers are lost, and units taken for a call that then finds another purse emptied,
//! are beside the bound.) Where requests come steadily it is a few percent: `tests/steady.rs`.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluice_abi::{Algorithm, Mode, Take, Taken};

use super::command::Rule;
use super::purse::Purse;

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

/// What was handed out, and by the number of the take what to buy.
type Served = (Vec<Taken>, Vec<(usize, Order)>);

/// How to go about a call.
#[derive(Debug)]
pub(super) enum Plan {
    /// The purses had it all. Those of some takes should be filled again.
    Served(Vec<Taken>, Vec<(usize, Order)>),
    /// The server has to be asked. For each take, what to buy beside; [`Purses::asked`] wants to hear of it.
    Ask(Vec<Option<Order>>),
    /// The server has to be asked, and purses have nothing to do with it.
    Exact,
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
        if !takes.iter().all(|(_, take)| self.may_lease(take)) {
            return Plan::Exact;
        }
        // For how many calls like this one the purses should suffice, and whether they do for this one.
        let (mut calls, mut has_all) = (u64::MAX, true);
        for (key, take) in takes {
            let rule = Rule::of(take);
            let (held, wish) = match self.lock(key).purses.get_mut(*key) {
                Some(purse) => (purse.held(now), purse.wish(now, self.life(rule))),
                None => (0, 0),
            };
            calls = calls.min(wish.min(self.chunk(rule)) / take.cost);
            has_all &= held >= take.cost;
        }
        if has_all && let Some((taken, orders)) = self.serve(now, takes, calls) {
            return Plan::Served(taken, orders);
        }
        Plan::Ask(takes.iter().map(|(key, take)| self.order(now, key, take, calls)).collect())
    }

    /// Only what can be bought ahead: not what is held by somebody, nor what is forced or given back.
    fn may_lease(&self, take: &Take) -> bool {
        let is_plain = take.mode == Mode::Try && take.algorithm != Algorithm::Concurrency;
        is_plain && (1..=self.chunk(Rule::of(take))).contains(&take.cost)
    }

    /// `None` if somebody was faster. What was already taken is then forgotten: it was charged.
    fn serve(self: &Arc<Self>, now: Duration, takes: &[(&[u8], &Take)], calls: u64) -> Option<Served> {
        let (mut served, mut orders) = (Vec::with_capacity(takes.len()), Vec::new());
        for (index, (key, take)) in takes.iter().enumerate() {
            let rule = Rule::of(take);
            let mut shard = self.lock(key);
            let purse = shard.purses.get_mut(*key)?;
            if !purse.debit(now, take.cost) {
                return None;
            }
            purse.note(now, self.life(rule), take.cost);
            let held = purse.held(now);
            let remaining = purse.left.saturating_add(held).min(rule.quota);
            let reset_ms = to_ms(purse.whole_at.saturating_sub(now));
            served.push(Taken { allowed: true, remaining, reset_ms, retry_ms: 0 });
            let wanted = calls * take.cost;
            if held < wanted / 2 {
                orders.extend(self.begin(purse, now, key, rule, wanted).map(|order| (index, order)));
            }
        }
        Some((served, orders))
    }

    /// What to buy beside a take that the server is asked for: nothing, if this purse had enough.
    fn order(self: &Arc<Self>, now: Duration, key: &[u8], take: &Take, calls: u64) -> Option<Order> {
        let mut shard = self.lock(key);
        let purse = shard.purses.get_mut(key)?;
        let has_enough = purse.held(now) >= take.cost;
        if has_enough { None } else { self.begin(purse, now, key, Rule::of(take), calls * take.cost) }
    }

    /// Begins a purchase that fills a purse to `wanted` units, unless there is nothing to buy.
    fn begin(
        self: &Arc<Self>,
        purse: &mut Purse,
        now: Duration,
        key: &[u8],
        rule: Rule,
        wanted: u64,
    ) -> Option<Order> {
        let units = wanted.saturating_sub(purse.held(now));
        if units == 0 || purse.buying || !purse.has_room() {
            return None;
        }
        purse.buying = true;
        let (life, is_fixed) = (self.life(rule), rule.algorithm == Algorithm::FixedWindow);
        Some(Order { purses: Arc::clone(self), key: key.into(), life, is_fixed, units, begun: now })
    }

    /// Notes what came of a take that the server was asked for, and returns what is left with what this node
    /// holds. `is_charged`: whether all takes of the call were allowed.
    pub(super) fn asked(
        &self,
        now: Duration,
        key: &[u8],
        take: &Take,
        taken: &Taken,
        is_charged: bool,
    ) -> u64 {
        let rule = Rule::of(take);
        let mut shard = self.lock(key);
        if is_charged && !shard.purses.contains_key(key) && shard.has_room(now) {
            shard.purses.insert(key.into(), Purse::default());
        }
        let Some(purse) = shard.purses.get_mut(key) else { return taken.remaining };
        if is_charged {
            purse.note(now, self.life(rule), take.cost);
        }
        taken.remaining.saturating_add(purse.held(now)).min(rule.quota)
    }

    #[cfg(test)]
    pub(super) fn held(&self, key: &[u8], now: Duration) -> u64 {
        self.lock(key).purses.get_mut(key).map_or(0, |purse| purse.held(now))
    }

    #[cfg(test)]
    pub(super) fn is_buying(&self) -> bool {
        self.shards.iter().any(|shard| shard.lock().unwrap().purses.values().any(|purse| purse.buying))
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
            purse.put(units.min(self.units), until);
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

fn to_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
