//! What the thread does between transactions: it tells the ledger what is configured, keeps its lease, and cleans up.

use std::time::Instant;

use sluice_metering::ledger::Retention;

use super::{Clerk, ROUND};
use crate::metering::settle::now;
use crate::metering::status::Health;

impl Clerk {
    pub(super) async fn publish(&mut self) {
        let Some(ledger) = self.ledger.as_mut() else { return };
        let Some((tariff, told)) = &mut self.published else { return };
        let done = async {
            ledger.declare(&tariff.meters).await?;
            tariff.began(&ledger.subscribe(&tariff.subscriptions, now()).await?);
            *told = true;
            self.grants.reconcile(tariff, ledger).await
        };
        if let Err(error) = done.await {
            self.failed(&error);
        }
    }

    pub(super) async fn sync_if_due(&mut self) {
        let Some(since) = self.unsynced else { return };
        if since.elapsed() >= self.settings.sync_interval {
            self.sync().await;
        }
    }

    pub(super) async fn sync(&mut self) {
        let Some(ledger) = self.ledger.as_mut() else { return };
        match ledger.sync().await {
            Ok(()) => self.unsynced = None,
            Err(error) => {
                // What can be tried again is, in a while.
                self.unsynced = error.is_transient().then(Instant::now);
                self.failed(&error);
            }
        }
    }

    /// Looks after the lease, grants that nobody uses, and the ledger's size.
    pub(super) async fn look_after(&mut self) {
        if self.ledger.is_none() || !self.may_try() {
            return;
        }
        if self.published.as_ref().is_some_and(|(_, told)| !told) {
            self.publish().await;
        }
        let Some(ledger) = self.ledger.as_mut() else { return };
        let done = async {
            let until = ledger.renew().await?;
            let epoch = ledger.epoch();
            // What is lost is not handed out under the new lease.
            if epoch == self.epoch {
                self.lease.set(until);
            }
            self.grants.give_back(ledger).await
        };
        match done.await {
            Ok(()) => {
                if self.batch.is_empty() {
                    self.well();
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Where requests went on unreserved, what was granted is not what there is: it goes back, and is asked for anew.
    pub(super) async fn regrant(&mut self) {
        if self.batch.is_empty()
            && self.status.health() == Health::Well
            && let Some(ledger) = self.ledger.as_mut()
            && self.status.take_unreserved()
        {
            self.grants.close(ledger).await;
        }
    }

    /// Forgets what was granted, where the ledger has lost it.
    pub(super) fn follow(&mut self) {
        let Some(ledger) = &self.ledger else { return };
        if std::mem::replace(&mut self.epoch, ledger.epoch()) != ledger.epoch() {
            tracing::warn!("the ledger was away for so long that what it had granted is free for others");
            self.grants.lose();
            self.batch.lose();
        }
    }

    pub(super) async fn clean(&mut self) {
        let (Some(ledger), Some((tariff, _))) = (self.ledger.as_mut(), &self.published) else { return };
        let age = self.settings.retention;
        let retention = Retention { events: age, hours: age, piece: Retention::PIECE };
        let sinks: Vec<&str> = tariff.sinks.iter().map(|name| &**name).collect();
        match ledger.maintain(&retention, &sinks, now()).await {
            Ok(done) if done.more => self.clean = Instant::now() + ROUND / 10,
            Ok(_) => {}
            // That it could not be cleaned keeps nobody from writing it.
            Err(error) if error.is_transient() => tracing::warn!(%error, "the ledger could not be cleaned"),
            Err(error) => self.failed(&error),
        }
    }
}
