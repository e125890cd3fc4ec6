//! What waits to be written, in the order in which it came.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sluice_metering::ledger::{Entry, Written};
use tokio::sync::oneshot;

use super::{BATCH, Held, Slip};
use crate::metering::allowance::Beyond;
use crate::metering::settle::Unrecorded;

/// What waits to be written.
pub(super) struct Batch {
    entries: VecDeque<Entry>,
    holds: VecDeque<Held>,
    parts: VecDeque<Part>,
    /// Exchanges that one transaction takes at the moment.
    most: usize,
    /// So many of the first were in a transaction of which nobody knows whether it was committed.
    doubtful: usize,
    /// Of so many of the first nobody waits for an answer any more, under [`Rule::Allow`].
    told: usize,
}

/// One exchange's share of a batch.
struct Part {
    entries: usize,
    reply: Option<Reply>,
    since: Instant,
    withheld: bool,
}

/// What was written.
pub(in crate::metering) struct Done {
    pub(in crate::metering) exchanges: usize,
    /// Events that were not there before, and events that were.
    pub(in crate::metering) fresh: u64,
    pub(in crate::metering) duplicates: u64,
    /// What was used beyond what was set aside.
    pub(in crate::metering) beyond: Vec<Beyond>,
    /// Who waits for it.
    replies: Vec<Reply>,
}

type Reply = oneshot::Sender<Result<(), Unrecorded>>;

impl Done {
    /// Tells those who wait.
    pub(super) fn answer(&mut self) {
        for reply in self.replies.drain(..) {
            let _ = reply.send(Ok(()));
        }
    }
}

/// Exchanges whose events will not be written.
pub(in crate::metering) struct GivenUp {
    /// They were not answered either.
    pub(in crate::metering) withdrawn: u64,
    /// They were answered.
    pub(in crate::metering) lost: u64,
}

/// What becomes of what cannot be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// Nobody is answered for whom nothing is recorded. Of those who got nothing, nothing will be.
    Deny { after: Duration, at_once: bool },
    /// Everyone is answered; as much as this may wait to be written, or nothing if it never will be.
    Allow { most: usize, at_once: bool },
}

impl Batch {
    /// Nothing waits.
    pub(super) const fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            holds: VecDeque::new(),
            parts: VecDeque::new(),
            most: BATCH,
            doubtful: 0,
            told: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Exchanges.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn add(&mut self, slip: Slip) {
        let Slip { mut entries, holds, reply, since, withheld } = slip;
        forget_lost(&mut entries, &holds);
        self.parts.push_back(Part { entries: entries.len(), reply, since, withheld });
        self.entries.extend(entries);
        self.holds.extend(holds);
    }

    /// The next that one transaction takes.
    pub(super) fn entries(&mut self) -> &[Entry] {
        let count = self.parts.iter().take(self.most).map(|part| part.entries).sum();
        &self.entries.make_contiguous()[..count]
    }

    /// These, the first, are in the ledger: what was not used goes back.
    pub(super) fn written(&mut self, written: &[Written]) -> Done {
        let (mut parts, mut left) = (0, written.len());
        for part in &self.parts {
            let Some(rest) = left.checked_sub(part.entries) else { break };
            (parts, left) = (parts + 1, rest);
        }
        let (mut fresh, mut beyond) = (0, Vec::new());
        for ((entry, held), written) in
            self.entries.drain(..written.len()).zip(self.holds.drain(..written.len())).zip(written)
        {
            if !written.fresh {
                continue;
            }
            fresh += 1;
            // Before anyone is answered, whose next request would find it.
            beyond.extend(held.quotas.into_iter().filter_map(|hold| hold.spend(entry.event.value)));
            beyond.extend(held.credit.and_then(|hold| hold.spend(written.cost)));
        }
        self.most = (self.most * 2).min(BATCH);
        self.gone(parts);
        let replies = self.parts.drain(..parts).filter_map(|part| part.reply).collect();
        Done { exchanges: parts, fresh, duplicates: written.len() as u64 - fresh, beyond, replies }
    }

    /// Forgets exchanges of which nothing went out and nobody waits any more: they got nothing, so they pay nothing. Not those that may be
    /// in the ledger already.
    pub(super) fn prune(&mut self) -> GivenUp {
        let left = |part: &Part| part.withheld && part.reply.as_ref().is_some_and(Reply::is_closed);
        let (before, doubtful) = (self.parts.len(), self.doubtful);
        if self.parts.iter().skip(doubtful).any(left) {
            self.retain(|place, part| place < doubtful || !left(part));
        }
        GivenUp { withdrawn: (before - self.parts.len()) as u64, lost: 0 }
    }

    /// So many of the first are there no more.
    fn gone(&mut self, parts: usize) {
        self.doubtful = self.doubtful.saturating_sub(parts);
        self.told = self.told.saturating_sub(parts);
    }

    /// Keeps those of which this is true.
    fn retain(&mut self, mut keep: impl FnMut(usize, &mut Part) -> bool) {
        self.told = 0;
        let mut entries = std::mem::take(&mut self.entries).into_iter();
        let mut holds = std::mem::take(&mut self.holds).into_iter();
        for (place, mut part) in std::mem::take(&mut self.parts).into_iter().enumerate() {
            let own = entries.by_ref().take(part.entries).zip(holds.by_ref());
            if keep(place, &mut part) {
                let (own_entries, own_holds): (Vec<_>, Vec<_>) = own.unzip();
                self.entries.extend(own_entries);
                self.holds.extend(own_holds);
                self.parts.push_back(part);
            } else {
                own.for_each(drop);
            }
        }
    }

    /// There was no answer to the last transaction: it may have been committed.
    pub(super) fn doubt(&mut self) {
        self.doubtful = self.doubtful.max(self.parts.len().min(self.most));
    }

    /// Pools were lost.
    pub(super) fn lose(&mut self) {
        forget_lost(&mut self.entries, &self.holds);
    }

    /// Something in the next transaction is nothing that a ledger takes, which nobody should have handed in: it is looked for by
    /// halves, and when it is found it is given up, so that it does not hold up the others for ever.
    pub(super) fn narrow(&mut self) -> Option<GivenUp> {
        let tried = self.parts.len().min(self.most);
        if tried > 1 {
            self.most = tried / 2;
            return None;
        }
        let part = self.parts.pop_front()?;
        self.entries.drain(..part.entries);
        self.holds.drain(..part.entries);
        self.gone(1);
        if let Some(reply) = part.reply {
            let _ = reply.send(Err(Unrecorded));
        }
        Some(GivenUp { withdrawn: 1, lost: 0 })
    }

    /// Applies the rule for what cannot be written. While nothing can, this is done whenever an exchange comes, so it looks at those
    /// alone that it has something to do for.
    pub(super) fn expire(&mut self, rule: Rule, now: Instant) -> GivenUp {
        match rule {
            Rule::Deny { after, at_once } => GivenUp { withdrawn: self.deny(after, at_once, now), lost: 0 },
            Rule::Allow { most, at_once } => {
                GivenUp { withdrawn: 0, lost: self.allow(if at_once { 0 } else { most }) }
            }
        }
    }

    fn deny(&mut self, after: Duration, at_once: bool, now: Instant) -> u64 {
        let is_due = |part: &Part| at_once || part.reply.is_some() && now - part.since >= after;
        if !self.parts.iter().any(is_due) {
            return 0;
        }
        let (before, doubtful) = (self.parts.len(), self.doubtful);
        self.retain(|place, part| {
            if !is_due(part) {
                return true;
            }
            if let Some(reply) = part.reply.take() {
                let _ = reply.send(Err(Unrecorded));
            }
            // A client that got a part of its response pays for it, if that can be recorded one day. What may be in the ledger is
            // settled when that is known.
            !at_once && (!part.withheld || place < doubtful)
        });
        (before - self.parts.len()) as u64
    }

    fn allow(&mut self, most: usize) -> u64 {
        for part in self.parts.iter_mut().skip(self.told) {
            if let Some(reply) = part.reply.take() {
                let _ = reply.send(Ok(()));
            }
        }
        self.told = self.parts.len();
        // The oldest go first.
        let lost = self.parts.len().saturating_sub(most);
        let entries: usize = self.parts.drain(..lost).map(|part| part.entries).sum();
        self.entries.drain(..entries);
        self.holds.drain(..entries);
        self.gone(lost);
        lost as u64
    }
}

/// What was reserved from pools that are lost is not reserved any more.
fn forget_lost<'a>(
    entries: impl IntoIterator<Item = &'a mut Entry>,
    holds: impl IntoIterator<Item = &'a Held>,
) {
    for (entry, held) in entries.into_iter().zip(holds) {
        for ((_, reserved), hold) in entry.quotas.iter_mut().zip(&held.quotas) {
            if hold.allowance().is_lost() {
                *reserved = 0;
            }
        }
        if let (Some(draw), Some(hold)) = (&mut entry.credit, &held.credit)
            && hold.allowance().is_lost()
        {
            draw.reserved = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use sluice_metering::event::Event;
    use sluice_metering::ledger::Pool;
    use sluice_metering::period::Every;

    use super::*;
    use crate::metering::allowance::Allowance;

    type Answer = oneshot::Receiver<Result<(), Unrecorded>>;

    fn slip(allowance: &Arc<Allowance>, reserved: i64, value: i64, withheld: bool) -> (Slip, Answer) {
        let (reply, answer) = oneshot::channel();
        let event = Event {
            gateway: "gw".into(),
            request: "r".into(),
            meter: "m".into(),
            consumer: "acme".into(),
            plan: "".into(),
            route: "all".into(),
            at: Timestamp::UNIX_EPOCH,
            value,
            subject: None,
            dimensions: Vec::new(),
        };
        let quotas = vec![(allowance.pool.clone(), reserved)];
        let held = Held { quotas: vec![allowance.reserve(reserved).unwrap()], credit: None };
        let entries = vec![Entry { event, quotas, credit: None }];
        (Slip { entries, holds: vec![held], reply: Some(reply), since: Instant::now(), withheld }, answer)
    }

    fn allowance(amount: i64) -> Arc<Allowance> {
        let period = Every::Year.containing(Timestamp::now());
        let pool = Pool::Quota { consumer: "acme".into(), meter: "m".into(), period };
        let allowance = Arc::new(Allowance::new(pool, amount));
        allowance.granted(amount, 0);
        allowance
    }

    fn written(fresh: bool) -> Written {
        Written { fresh, cost: 0 }
    }

    #[test]
    fn what_is_written_is_answered_and_what_was_not_used_goes_back() {
        let (allowance, mut batch) = (allowance(10), Batch::new());
        let (first, mut one) = slip(&allowance, 5, 2, true);
        let (second, mut two) = slip(&allowance, 5, 4, true);
        batch.add(first);
        batch.add(second);
        assert_eq!((batch.entries().len(), allowance.remaining()), (2, 0));
        let mut done = batch.written(&[written(true), written(false)]);
        done.answer();
        assert_eq!((done.exchanges, done.fresh, done.duplicates), (2, 1, 1));
        assert!(batch.is_empty());
        assert_eq!((one.try_recv(), two.try_recv()), (Ok(Ok(())), Ok(Ok(()))));
        // Of the first 3 of 5; of the second, which was there before, everything.
        assert_eq!(allowance.remaining(), 8);
    }

    #[test]
    fn who_got_nothing_pays_nothing_and_who_got_a_part_pays_when_that_can_be_written() {
        let (allowance, mut batch) = (allowance(10), Batch::new());
        let (whole, mut one) = slip(&allowance, 1, 1, true);
        let (part, mut two) = slip(&allowance, 1, 1, false);
        batch.add(whole);
        batch.add(part);
        let after = Duration::from_secs(5);
        let rule = Rule::Deny { after, at_once: false };
        let now = Instant::now();
        let given_up = batch.expire(rule, now);
        assert_eq!((given_up.withdrawn, given_up.lost, batch.len()), (0, 0, 2));
        let given_up = batch.expire(rule, now + after + after);
        assert_eq!((given_up.withdrawn, given_up.lost, batch.len()), (1, 0, 1));
        assert_eq!((one.try_recv(), two.try_recv()), (Ok(Err(Unrecorded)), Ok(Err(Unrecorded))));
        assert_eq!(allowance.remaining(), 9);
        let given_up = batch.expire(Rule::Deny { after, at_once: true }, now);
        assert_eq!((given_up.withdrawn, batch.len(), allowance.remaining()), (1, 0, 10));
    }

    #[test]
    fn who_may_go_unrecorded_is_answered_and_the_oldest_are_lost_first() {
        let (allowance, mut batch) = (allowance(10), Batch::new());
        let mut answers: Vec<Answer> = (1..=3)
            .map(|value| {
                let (slip, answer) = slip(&allowance, 1, value, true);
                batch.add(slip);
                answer
            })
            .collect();
        let given_up = batch.expire(Rule::Allow { most: 2, at_once: false }, Instant::now());
        assert_eq!((given_up.withdrawn, given_up.lost, batch.len()), (0, 1, 2));
        assert!(answers.iter_mut().all(|answer| answer.try_recv() == Ok(Ok(()))));
        let left: Vec<i64> = batch.entries().iter().map(|entry| entry.event.value).collect();
        assert_eq!(left, [2, 3]);
    }

    #[test]
    fn what_may_have_been_written_is_kept_until_that_is_known() {
        let (allowance, mut batch) = (allowance(10), Batch::new());
        let (first, mut answer) = slip(&allowance, 1, 1, true);
        batch.add(first);
        batch.doubt();
        batch.add(slip(&allowance, 1, 1, true).0);
        let rule = Rule::Deny { after: Duration::ZERO, at_once: false };
        let given_up = batch.expire(rule, Instant::now());
        assert_eq!((given_up.withdrawn, batch.len(), answer.try_recv()), (1, 1, Ok(Err(Unrecorded))));
        assert_eq!(batch.written(&[written(true)]).fresh, 1);
        batch.add(slip(&allowance, 1, 1, true).0);
        assert_eq!(batch.expire(rule, Instant::now()).withdrawn, 1);
    }

    #[test]
    fn what_was_reserved_from_a_pool_that_is_lost_is_not_settled_with() {
        let (allowance, mut batch) = (allowance(10), Batch::new());
        batch.add(slip(&allowance, 5, 7, true).0);
        let (late, _answer) = slip(&allowance, 5, 7, true);
        allowance.lose();
        batch.lose();
        batch.add(late);
        assert!(batch.entries().iter().all(|entry| entry.quotas[0].1 == 0));
        let done = batch.written(&[written(true), written(true)]);
        assert_eq!((done.fresh, done.beyond.len()), (2, 0));
    }

    #[test]
    fn one_that_no_ledger_takes_is_found_and_given_up() {
        let (allowance, mut batch) = (allowance(10), Batch::new());
        for value in 1..=5 {
            batch.add(slip(&allowance, 1, value, true).0);
        }
        // The third is it.
        let (mut wrote, mut lost) = (Vec::new(), Vec::new());
        while !batch.is_empty() {
            let values: Vec<i64> = batch.entries().iter().map(|entry| entry.event.value).collect();
            if values.contains(&3) {
                if batch.narrow().is_some() {
                    lost.extend(values);
                }
            } else {
                batch.written(&vec![written(true); values.len()]);
                wrote.extend(values);
            }
        }
        assert_eq!((wrote, lost), (vec![1, 2, 4, 5], vec![3]));
    }
}
