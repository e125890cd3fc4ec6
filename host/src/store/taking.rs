//! Taking from limits, from all or from none.

use sluice_abi::{Algorithm, Mode, Take, Taken};

use super::concurrency::Hold;
use super::key::KeyRef;
use super::limit::{Charge, Limit, Rule, Wanted};
use super::table::{Entry, bytes};
use super::{MAX_KEY, MemoryStore, StoreError};

/// A take that is understood.
struct Asked<'a> {
    key: KeyRef<'a>,
    rule: Rule,
    wanted: Wanted,
    gives_back: bool,
    /// Where what the holder holds is kept.
    hold: Option<KeyRef<'a>>,
}

impl MemoryStore {
    /// Takes from every limit, or from none of them unless all allow. What is given back comes last.
    ///
    /// A limit is named by its key *and* its algorithm, quota and window: one that is configured anew starts
    /// afresh. When takes from several limits race for the last unit of one of them, a loser may hold units
    /// of the others for an instant before it gives them back. Nobody gets more than the quota by it, unless
    /// the loser's thread is suspended in that instant for longer than those units take to come back.
    pub(crate) fn take(&self, now: u64, namespace: &str, takes: &[Take]) -> Result<Vec<Taken>, StoreError> {
        if let [take] = takes {
            let one = self.understand(namespace, take)?;
            let taken = if one.gives_back {
                self.give_back(&one, now)
            } else {
                self.charge(&one, now).map_or_else(|refused| refused, |(taken, _)| taken)
            };
            return Ok(vec![taken]);
        }
        let asked: Vec<Asked<'_>> =
            takes.iter().map(|take| self.understand(namespace, take)).collect::<Result<_, StoreError>>()?;
        let look = || -> Vec<Taken> { asked.iter().map(|one| self.look(one, now)).collect() };
        let mut taken = look();
        if taken.iter().any(|taken| !taken.allowed) {
            return Ok(taken);
        }
        let mut charged: Vec<(&Asked<'_>, Charge)> = Vec::with_capacity(asked.len());
        for (index, one) in asked.iter().enumerate().filter(|(_, one)| !one.gives_back) {
            match self.charge(one, now) {
                Ok((now_taken, charge)) => {
                    taken[index] = now_taken;
                    charged.push((one, charge));
                }
                Err(refused) => {
                    for (one, charge) in charged {
                        self.refund(one, charge);
                    }
                    let mut looks = look();
                    looks[index] = refused;
                    return Ok(looks);
                }
            }
        }
        for (one, taken) in asked.iter().zip(&mut taken).filter(|(one, _)| one.gives_back) {
            *taken = self.give_back(one, now);
        }
        Ok(taken)
    }

    fn understand<'a>(&self, namespace: &'a str, take: &'a Take) -> Result<Asked<'a>, StoreError> {
        if take.key.len() > MAX_KEY || take.holder.len() > MAX_KEY {
            return Err(StoreError::KeyTooLong);
        }
        let rule = Rule::new(take);
        let key = |holder| KeyRef::new(&self.hasher, namespace, &take.key, Some(rule), holder);
        let is_held = rule.algorithm == Algorithm::Concurrency && !take.holder.is_empty();
        let gives_back = take.mode == Mode::GiveBack;
        Ok(Asked {
            key: key(&[]),
            rule,
            wanted: Wanted { cost: take.cost, force: take.mode == Mode::Force },
            gives_back,
            hold: is_held.then(|| key(&take.holder)),
        })
    }

    /// What a take would meet, without taking.
    fn look(&self, asked: &Asked<'_>, now: u64) -> Taken {
        let never_refused = asked.gives_back || self.is_held(asked, now);
        let wanted = if never_refused { Wanted::NOTHING } else { asked.wanted };
        let map = self.table.shard(asked.key.hash()).pin();
        let known = map.get(&asked.key).and_then(Entry::as_limit);
        let known = known.and_then(|limit| limit.look(&asked.rule, now, wanted));
        known.unwrap_or_else(|| asked.rule.untouched(wanted))
    }

    /// Takes from one limit, or says why not.
    fn charge(&self, asked: &Asked<'_>, now: u64) -> Result<(Taken, Charge), Taken> {
        let Asked { rule, wanted, .. } = asked;
        // What takes nothing, or can never pass, leaves no trace. One that holds already takes nothing.
        if wanted.cost == 0 || (wanted.cost > rule.quota && !wanted.force) || self.is_held(asked, now) {
            let taken = self.look(asked, now);
            return if taken.allowed { Ok((taken, Charge::NOTHING)) } else { Err(taken) };
        }
        let (taken, charge) = self.charge_limit(asked, now)?;
        let Some(hold) = &asked.hold else { return Ok((taken, charge)) };
        if self.keep_hold(hold, Hold::new(rule, charge), now) {
            return Ok((taken, charge));
        }
        // Another take of the same holder was faster.
        self.refund_limit(asked, charge);
        Ok((self.look(asked, now), Charge::NOTHING))
    }

    fn charge_limit(&self, asked: &Asked<'_>, now: u64) -> Result<(Taken, Charge), Taken> {
        let Asked { key, rule, wanted, .. } = asked;
        let map = self.table.shard(key.hash()).pin();
        loop {
            let entry = map.get(key).unwrap_or_else(|| {
                let account = self.table.accounts.of(key.namespace());
                self.table.make_room(key.hash(), &account, now);
                match map.try_insert_with(key.into_key(&account), || Entry::Limit(Limit::new(rule, now))) {
                    Ok(entry) => {
                        self.table.accounts.book(&account, bytes(key.weight()));
                        entry
                    }
                    Err(entry) => entry,
                }
            });
            if let Some(outcome) = entry.as_limit().and_then(|limit| limit.charge(rule, now, *wanted)) {
                return outcome;
            }
            // The sweep has retired it, and may not yet have come to removing it.
            let removed = map.remove_if(key, |_, entry| entry.as_limit().is_none_or(Limit::is_retired));
            if let Ok(Some((key, entry))) = removed {
                self.table.gone(key, entry);
            }
        }
    }

    fn give_back(&self, asked: &Asked<'_>, now: u64) -> Taken {
        if let Some(hold) = &asked.hold
            && let Some(hold) = self.end_hold(hold).filter(|hold| !hold.has_ended(now))
        {
            self.refund_limit(asked, hold.charge);
        }
        let map = self.table.shard(asked.key.hash()).pin();
        let known = map.get(&asked.key).and_then(Entry::as_limit);
        let known = known.and_then(|limit| limit.give_back(&asked.rule, now, asked.wanted.cost));
        known.unwrap_or_else(|| asked.rule.untouched(Wanted::NOTHING))
    }

    /// Undoes a charge of this call.
    fn refund(&self, asked: &Asked<'_>, charge: Charge) {
        if charge == Charge::NOTHING {
            return;
        }
        // Whoever ends the hold gives back what it stands for.
        if asked.hold.as_ref().is_none_or(|hold| self.end_hold(hold).is_some()) {
            self.refund_limit(asked, charge);
        }
    }

    fn refund_limit(&self, asked: &Asked<'_>, charge: Charge) {
        let map = self.table.shard(asked.key.hash()).pin();
        if let Some(limit) = map.get(&asked.key).and_then(Entry::as_limit) {
            limit.refund(charge);
        }
    }

    fn is_held(&self, asked: &Asked<'_>, now: u64) -> bool {
        asked.hold.as_ref().is_some_and(|key| {
            let map = self.table.shard(key.hash()).pin();
            map.get(key).and_then(Entry::as_hold).is_some_and(|hold| !hold.has_ended(now))
        })
    }

    /// Notes what is held; whether the holder held nothing before.
    fn keep_hold(&self, key: &KeyRef<'_>, hold: Hold, now: u64) -> bool {
        let map = self.table.shard(key.hash()).pin();
        let account = self.table.accounts.of(key.namespace());
        self.table.make_room(key.hash(), &account, now);
        loop {
            if map.try_insert(key.into_key(&account), Entry::Hold(hold)).is_ok() {
                self.table.accounts.book(&account, bytes(key.weight()));
                return true;
            }
            let has_ended = |entry: &Entry| entry.as_hold().is_none_or(|hold| hold.has_ended(now));
            match map.remove_if(key, |_, entry| has_ended(entry)) {
                Ok(Some((key, entry))) => self.table.gone(key, entry),
                Ok(None) => {}
                Err(_) => return false,
            }
        }
    }

    /// Exactly one of those who end a hold has it.
    fn end_hold(&self, key: &KeyRef<'_>) -> Option<Hold> {
        let map = self.table.shard(key.hash()).pin();
        let (key, entry) = map.remove_entry(key)?;
        self.table.gone(key, entry);
        entry.as_hold().copied()
    }
}
