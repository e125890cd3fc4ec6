//! The ledger's thread: the one writer. It gathers what workers hand in, writes it in one transaction, and tells them.

mod batch;
mod grants;
mod message;
mod thread;
mod upkeep;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_metering::ledger::{Error, Ledger, Settings as LedgerSettings};
use tokio::sync::{mpsc, oneshot};

use self::batch::Batch;
pub(super) use self::batch::{Done, GivenUp};
use self::grants::Grants;
pub(crate) use self::message::{Ask, Held, Message, Slip};
pub(crate) use self::thread::{Opened, start};
use super::report::Refused;
use super::settle::Unrecorded;
use super::status::{Health, Status};
use super::tariff::Tariff;
use super::{OnFailure, Settings};

/// Exchanges that one transaction takes at most.
const BATCH: usize = 1024;

/// How long the ledger is left alone after it could not be written, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How often leases and grants are looked after.
const ROUND: Duration = Duration::from_secs(1);

/// How often what is old is deleted or made part of a day, where there is no more of it to do.
const CLEAN: Duration = Duration::from_secs(60);

/// The thread's state.
struct Clerk {
    settings: Settings,
    open: LedgerSettings,
    status: Arc<Status>,
    /// Until when grants may be used, for workers.
    lease: Arc<super::Lease>,
    /// `None` until it could be opened.
    ledger: Option<Ledger>,
    grants: Grants,
    batch: Batch,
    asks: Vec<Ask>,
    published: Option<(Arc<Tariff>, bool)>,
    pause: Duration,
    /// When it is tried again, after a failure.
    again: Option<Instant>,
    /// Written and not yet on disk, since then.
    unsynced: Option<Instant>,
    /// Of the ledger: another one whenever all that it had granted is lost.
    epoch: u64,
    /// When leases and grants are looked after next.
    round: Instant,
    /// When the ledger is cleaned next.
    clean: Instant,
}

impl Clerk {
    async fn work(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH);
        loop {
            let soon = self.next();
            tokio::select! {
                biased;
                taken = inbox.recv_many(&mut messages, BATCH) => {
                    if taken == 0 {
                        return self.finish().await;
                    }
                }
                () = tokio::time::sleep_until(soon.into()) => {}
            }
            for message in messages.drain(..) {
                if let Some(done) = self.take(message).await {
                    self.finish().await;
                    let _ = done.send(());
                    return;
                }
            }
            if self.ledger.is_none() && self.may_try() {
                self.open_again().await;
            }
            self.status.gave_up(&self.batch.prune());
            self.write().await;
            self.follow();
            self.regrant().await;
            self.grant().await;
            self.sync_if_due().await;
            self.follow();
            // By the clock and not as one of several things to wait for: under load there is always a message.
            if Instant::now() >= self.round {
                self.round = Instant::now() + ROUND;
                self.look_after().await;
            }
            // A piece at a time, between batches.
            if Instant::now() >= self.clean {
                self.clean = Instant::now() + CLEAN;
                if self.may_try() {
                    self.clean().await;
                }
            }
        }
    }

    async fn open_again(&mut self) {
        match self.try_open().await {
            Ok(()) => self.publish().await,
            Err(error) => self.failed(&error),
        }
    }

    /// When there is something to do, if nothing comes.
    fn next(&self) -> Instant {
        let waits = !self.batch.is_empty() || self.ledger.is_none();
        let sync = self.unsynced.map(|since| since + self.settings.sync_interval);
        // What has failed for good is not tried again.
        let again = self.again.filter(|_| waits && self.status.health() != Health::Failed);
        [again, sync].into_iter().flatten().fold(self.round.min(self.clean), Instant::min)
    }

    async fn take(&mut self, message: Message) -> Option<oneshot::Sender<()>> {
        match message {
            Message::Slip(slip) => self.batch.add(*slip),
            Message::Ask(ask) => self.asks.push(ask),
            Message::Declare { meters, reply } => {
                let done = match self.ledger.as_mut() {
                    Some(ledger) => ledger.declare(&meters).await,
                    // It is done with publishing, once it is there.
                    None => Ok(()),
                };
                let _ = reply.send(done);
            }
            Message::Publish { tariff, reply } => {
                self.published = Some((tariff, false));
                self.publish().await;
                let _ = reply.send(());
            }
            Message::TopUp { top_up, reply } => {
                let done = match self.ledger.as_mut() {
                    Some(ledger) => ledger.top_up(&top_up).await.map_err(Refused::from),
                    None => Err(Refused::Ledger("the ledger is not open".to_owned())),
                };
                self.grants.forget_refusals();
                let _ = reply.send(done);
            }
            Message::Advance { sink, from, to, reply } => {
                let done = match self.ledger.as_mut() {
                    Some(ledger) => {
                        let moved = ledger.advance(&sink, (from.0, &from.1), (to.0, &to.1)).await;
                        moved.map_err(|error| error.to_string())
                    }
                    None => Err("the ledger is not open".to_owned()),
                };
                let _ = reply.send(done);
            }
            Message::Stop(done) => return Some(done),
        }
        None
    }

    /// Whether the ledger may be asked at this moment.
    fn may_try(&self) -> bool {
        self.status.health() != Health::Failed && self.again.is_none_or(|again| Instant::now() >= again)
    }

    /// Writes what waits, and answers those whom it belongs to.
    async fn write(&mut self) {
        while !self.batch.is_empty() && self.may_try() {
            let Some(ledger) = self.ledger.as_mut() else { break };
            match ledger.write(self.batch.entries()).await {
                Ok(written) => {
                    let mut done = self.batch.written(&written);
                    // Counted before anybody is told, who may look.
                    self.status.wrote(&done);
                    done.answer();
                    let given = self.grants.give_back_beyond(done.beyond, ledger).await;
                    self.well();
                    if self.settings.groups {
                        self.unsynced.get_or_insert_with(Instant::now);
                    }
                    if let Err(error) = given {
                        self.failed(&error);
                    }
                }
                Err(Error::Invalid(reason)) => {
                    if let Some(given_up) = self.batch.narrow() {
                        tracing::error!(reason, "the ledger does not take the events of an exchange");
                        self.status.gave_up(&given_up);
                    }
                }
                Err(error) => {
                    if matches!(error, Error::Away(_)) {
                        self.batch.doubt();
                    }
                    self.failed(&error);
                }
            }
        }
        if !self.batch.is_empty() {
            self.expire();
        }
    }

    /// Applies the rule for what cannot be written.
    fn expire(&mut self) {
        let at_once = self.status.health() == Health::Failed;
        let rule = match self.settings.on_failure {
            OnFailure::Deny => batch::Rule::Deny { after: self.settings.timeout, at_once },
            OnFailure::Allow => batch::Rule::Allow { most: self.settings.queue, at_once },
        };
        self.status.gave_up(&self.batch.expire(rule, Instant::now()));
    }

    /// Answers those who want a part of a pool.
    async fn grant(&mut self) {
        if self.asks.is_empty() {
            return;
        }
        let mut asks = std::mem::take(&mut self.asks);
        if let Some((tariff, _)) = &self.published {
            // An exchange of the snapshot before asks under the quota that is configured now.
            for ask in &mut asks {
                ask.limit = tariff.limit_of(&ask.pool).unwrap_or(ask.limit);
            }
        }
        let may = self.may_try() && self.ledger.is_some();
        let (Some(ledger), true) = (self.ledger.as_mut(), may) else {
            for ask in asks {
                let _ = ask.reply.send(Err(Unrecorded));
            }
            return;
        };
        if let Err(error) = self.grants.answer(asks, ledger).await {
            self.failed(&error);
        }
    }

    fn well(&mut self) {
        (self.pause, self.again) = (PAUSE.0, None);
        if self.status.health() != Health::Well {
            tracing::info!("the ledger can be written");
            self.status.set(Health::Well, None);
        }
    }

    fn failed(&mut self, error: &Error) {
        // Another gateway that holds the lock, or a server that refuses us, may stop doing so.
        if matches!(
            error,
            Error::Sync(_) | Error::Corrupt(_) | Error::Version { .. } | Error::Redefined { .. }
        ) {
            if self.status.health() != Health::Failed {
                tracing::error!(%error, "the ledger has failed and is not written again before a restart");
            }
            self.status.set(Health::Failed, Some(error.to_string()));
            return;
        }
        if self.status.health() == Health::Well {
            let policy = match self.settings.on_failure {
                OnFailure::Deny => "metered requests are refused",
                OnFailure::Allow => "metered requests are let through unrecorded",
            };
            tracing::error!(%error, "the ledger cannot be written: {policy} until it can");
        }
        self.status.set(Health::Failing, Some(error.to_string()));
        self.again = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSE.1);
    }

    /// Writes what there is, for as long as an answer may wait, and lets go of the ledger.
    async fn finish(&mut self) {
        let deadline = Instant::now() + self.settings.timeout;
        while !self.batch.is_empty() && self.ledger.is_some() && Instant::now() < deadline {
            if let Some(again) = self.again {
                tokio::time::sleep_until(again.into()).await;
            }
            self.write().await;
        }
        if !self.batch.is_empty() {
            tracing::error!(
                exchanges = self.batch.len(),
                "ended with usage that the ledger could not be given"
            );
        }
        self.sync().await;
        if let Some(ledger) = self.ledger.as_mut() {
            self.grants.close(ledger).await;
        }
        self.ledger = None;
    }
}
