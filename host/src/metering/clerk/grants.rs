//! What this gateway holds of each pool: asked of the ledger when workers run out, given back when nobody uses it.

use std::collections::HashMap;
use std::sync::Arc;

use sluice_metering::ledger::{Error, Ledger, Pool, Want};

use super::Ask;
use crate::metering::allowance::{Allowance, Beyond, Hold};
use crate::metering::tariff::Tariff;

impl Ask {
    /// So much of what it asks for.
    fn want(&self, amount: i64) -> Want {
        Want { pool: self.pool.clone(), limit: self.limit, amount, at: self.at }
    }
}

/// What this gateway holds of each pool.
#[derive(Default)]
pub(super) struct Grants {
    held: HashMap<Pool, Arc<Allowance>>,
    /// Closed, while exchanges still hold parts of them.
    closed: Vec<Arc<Allowance>>,
}

impl Grants {
    /// Answers everyone who asks: from what is held, or else from what the ledger grants.
    pub(super) async fn answer(&mut self, asks: Vec<Ask>, ledger: &mut Ledger) -> Result<(), Error> {
        let mut short = Vec::new();
        for ask in asks {
            let allowance = self.allowance(&ask);
            match allowance.reserve(ask.amount) {
                Some(hold) => drop(ask.reply.send(Ok((allowance, Some(hold))))),
                None => short.push((ask, allowance)),
            }
        }
        if short.is_empty() {
            return Ok(());
        }
        // Whoever is not answered because of an error finds that nobody will.
        if !self.closed.is_empty() {
            self.give_back(ledger).await?;
        }
        self.acquire(&short, ledger).await?;
        // Where there was not as much as all want together, there may be as much as one wants.
        for (ask, allowance) in short {
            let hold = match allowance.reserve(ask.amount) {
                // One of them has just heard that there is not: the others need not ask too.
                None if allowance.is_refused(ask.amount) => None,
                None => self.ask_again(&ask, &allowance, ledger).await?,
                hold => hold,
            };
            let _ = ask.reply.send(Ok((allowance, hold)));
        }
        Ok(())
    }

    /// One question for each pool, for as much as all who wait for it want.
    async fn acquire(&self, short: &[(Ask, Arc<Allowance>)], ledger: &mut Ledger) -> Result<(), Error> {
        let mut wants: HashMap<&Pool, Want> = HashMap::new();
        for (ask, _) in short {
            let want = wants.entry(&ask.pool).or_insert_with(|| ask.want(0));
            want.amount = want.amount.saturating_add(ask.amount);
        }
        let wants: Vec<Want> = wants.into_values().collect();
        for (want, granted) in wants.iter().zip(ledger.acquire(&wants).await?) {
            let Some(allowance) = self.held.get(&want.pool) else { continue };
            allowance.granted(granted.amount, granted.left - granted.amount);
            if matches!(want.pool, Pool::Credit { .. })
                && let Some(until) = ledger.credit_until(want.pool.consumer(), want.at).await?
            {
                allowance.expires(until);
            }
        }
        Ok(())
    }

    async fn ask_again(
        &self,
        ask: &Ask,
        allowance: &Arc<Allowance>,
        ledger: &mut Ledger,
    ) -> Result<Option<Hold>, Error> {
        for granted in ledger.acquire(&[ask.want(ask.amount)]).await? {
            allowance.granted(granted.amount, granted.left - granted.amount);
        }
        let hold = allowance.reserve(ask.amount);
        if hold.is_none() {
            allowance.refuse(ask.amount);
        }
        Ok(hold)
    }

    fn allowance(&mut self, ask: &Ask) -> Arc<Allowance> {
        let fits = |known: &&Arc<Allowance>| known.limit == ask.limit && known.is_current(ask.at);
        let known = self.held.get(&ask.pool).filter(fits);
        if let Some(known) = known {
            return Arc::clone(known);
        }
        let allowance = Arc::new(Allowance::new(ask.pool.clone(), ask.limit));
        if let Some(other) = self.held.insert(ask.pool.clone(), Arc::clone(&allowance)) {
            // The quota is another now, or more was used than was granted: what is left of it goes back before more is asked for.
            other.close();
            self.closed.push(other);
        }
        allowance
    }

    /// Gives back what exchanges have taken beyond what was set aside for them: the ledger counts it as used.
    pub(super) async fn give_back_beyond(
        &mut self,
        beyond: Vec<Beyond>,
        ledger: &mut Ledger,
    ) -> Result<(), Error> {
        if beyond.is_empty() {
            return Ok(());
        }
        let back: Vec<_> = beyond.iter().map(|it| (it.allowance.pool.clone(), it.taken)).collect();
        ledger.give_back(&back).await
    }

    /// Gives back what nobody has used since the last time, and what is left of periods that are over.
    pub(super) async fn give_back(&mut self, ledger: &mut Ledger) -> Result<(), Error> {
        let now = crate::metering::settle::now();
        let mut back = Vec::new();
        self.held.retain(|pool, allowance| {
            let is_over = !allowance.is_current(now);
            if !is_over && allowance.was_used() {
                return true;
            }
            if is_over {
                allowance.close();
            }
            let free = allowance.take();
            if free > 0 {
                back.push((pool.clone(), free));
            }
            if is_over {
                self.closed.push(Arc::clone(allowance));
            }
            !is_over
        });
        self.closed.retain(|allowance| {
            // Looked at first: what an exchange gives up after that is taken the next time.
            let is_held = Arc::strong_count(allowance) > 1;
            // What exchanges gave up after it was closed.
            let free = allowance.take();
            if free > 0 {
                back.push((allowance.pool.clone(), free));
            }
            is_held
        });
        if back.is_empty() {
            return Ok(());
        }
        // If there is no answer it is not ours any more either.
        ledger.give_back(&back).await
    }

    /// Plans have changed: what is held under limits that are no longer configured is given back.
    pub(super) async fn reconcile(&mut self, tariff: &Tariff, ledger: &mut Ledger) -> Result<(), Error> {
        for (pool, allowance) in &self.held {
            if tariff.limit_of(pool) != Some(allowance.limit) {
                allowance.close();
            }
            allowance.forget_refusal();
        }
        self.give_back(ledger).await
    }

    /// All that was held is lost: the lease was over, and others may have been given it since. What exchanges still hold of it is nobody's.
    pub(super) fn lose(&mut self) {
        for (_, allowance) in self.held.drain() {
            allowance.close();
            allowance.take();
            allowance.lose();
        }
        for allowance in self.closed.drain(..) {
            allowance.lose();
        }
    }

    /// There may be more than there was.
    pub(super) fn forget_refusals(&self) {
        self.held.values().for_each(|allowance| allowance.forget_refusal());
    }

    /// Gives everything back.
    pub(super) async fn close(&mut self, ledger: &mut Ledger) {
        self.held.values().for_each(|allowance| allowance.close());
        if let Err(error) = self.give_back(ledger).await {
            tracing::warn!(%error, "what was set aside could not be given back: it is free when the lease is over");
        }
    }
}
