//! Metering on the gateway's side: what a request may use is set aside before it goes on, what it used is handed to the ledger
//! when it ends, and its answer ends when the ledger has it. What is metered and what it costs is `sluice_metering`'s.

mod allowance;
mod clerk;
pub(crate) mod export;
mod inquiry;
mod metered;
pub(crate) mod report;
mod settle;
mod status;
mod tab;
mod tariff;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sluice_metering::ledger::{Error, Settings as LedgerSettings, TopUp};
use tokio::sync::{mpsc, oneshot};

pub(crate) use clerk::{Message, Opened};
pub(crate) use inquiry::Asker;
pub(crate) use metered::{Exhausted, Metered, Notice, Refusal, Spent};
pub(crate) use settle::{Ending, Receipt, Unrecorded, number};
pub(crate) use status::{Health, Status};
pub(crate) use tab::Tab;
pub(crate) use tariff::Tariff;

use inquiry::Inquiries;
use report::{Catalog, Document, Question, Refused};

/// How metering behaves.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// This gateway's id, a part of every event's.
    pub(crate) gateway: Arc<str>,
    pub(crate) on_failure: OnFailure,
    /// How long an answer waits for its events.
    pub(crate) timeout: Duration,
    /// Exchanges whose events may wait.
    pub(crate) queue: usize,
    /// What was written is put on disk so often, where that is not done with each batch.
    pub(crate) sync_interval: Duration,
    /// Whether batches are written without waiting for the disk.
    pub(crate) groups: bool,
    /// How long single events and hourly totals are kept.
    pub(crate) retention: Duration,
}

/// What becomes of metered requests while the ledger cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// They are refused.
    Deny,
    /// They are served, and what they use may be lost.
    Allow,
}

/// Metering, as all workers share it.
#[derive(Debug)]
pub(crate) struct Metering {
    pub(super) settings: Settings,
    status: Arc<Status>,
    lease: Arc<Lease>,
    clerk: mpsc::UnboundedSender<Message>,
    inquiries: Inquiries,
}

/// Until when what the ledger granted may be used.
#[derive(Debug)]
pub(crate) struct Lease {
    epoch: Instant,
    /// In milliseconds after `epoch`.
    until: AtomicU64,
}

impl Lease {
    fn new() -> Self {
        Self { epoch: Instant::now(), until: AtomicU64::new(0) }
    }

    fn set(&self, until: Instant) {
        let millis = until.saturating_duration_since(self.epoch).as_millis();
        self.until.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Release);
    }

    fn is_over(&self) -> bool {
        self.epoch.elapsed().as_millis() >= u128::from(self.until.load(Ordering::Acquire))
    }
}

impl Metering {
    /// Starts the ledger's thread; second, what becomes of opening it.
    pub(crate) fn start(settings: Settings, ledger: LedgerSettings) -> std::io::Result<(Arc<Self>, Opened)> {
        let (status, lease) = (Arc::new(Status::default()), Arc::new(Lease::new()));
        let inquiries = Inquiries::start(ledger.clone(), Arc::clone(&status))?;
        let (clerk, opened) =
            clerk::start(settings.clone(), ledger, Arc::clone(&status), Arc::clone(&lease))?;
        Ok((Arc::new(Self { settings, status, lease, clerk, inquiries }), opened))
    }

    /// How it fares.
    pub(crate) const fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// How long an answer waits for its events.
    pub(crate) const fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Whether what a request uses can be recorded, or need not be.
    fn accepts(&self) -> bool {
        match self.settings.on_failure {
            OnFailure::Allow => true,
            OnFailure::Deny => {
                self.status.health() == Health::Well
                    && self.status.waiting.load(Ordering::Relaxed) < self.settings.queue
            }
        }
    }

    /// The meter that counts otherwise than what the ledger has of it, if there is one, and what is to be said of it. None is known while
    /// the ledger is away.
    pub(crate) async fn redefined(&self, tariff: &Tariff) -> Option<(Arc<str>, String)> {
        let (reply, done) = oneshot::channel();
        self.send(Message::Declare { meters: Arc::clone(&tariff.meters), reply });
        match tokio::time::timeout(self.settings.timeout, done).await {
            Ok(Ok(Err(error @ Error::Redefined { .. }))) => {
                let text = error.to_string();
                let Error::Redefined { meter, .. } = error else { return None };
                Some((meter, text))
            }
            _ => None,
        }
    }

    /// Tells the ledger what is configured now. Returns when it has noted who is on which plan, or cannot at the moment.
    pub(crate) async fn publish(&self, tariff: &Arc<Tariff>) {
        self.inquiries.publish(tariff);
        let (reply, done) = oneshot::channel();
        self.send(Message::Publish { tariff: Arc::clone(tariff), reply });
        if tokio::time::timeout(self.settings.timeout, done).await.is_err() {
            tracing::warn!("the ledger takes longer than {:?} to note the plans", self.settings.timeout);
        }
    }

    /// Has the ledger read, on a thread of its own.
    pub(crate) async fn ask(
        &self,
        asker: Asker,
        question: Question,
        catalog: &Arc<Catalog>,
    ) -> Result<Document, Refused> {
        self.inquiries.ask(asker, question, catalog).await
    }

    /// Adds credit; `false` if that was done before. That the ledger is away does not say that it was not added: the same may be tried
    /// again.
    pub(crate) async fn top_up(&self, top_up: TopUp) -> Result<bool, Refused> {
        let (reply, done) = oneshot::channel();
        self.send(Message::TopUp { top_up, reply });
        match tokio::time::timeout(self.settings.timeout, done).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(Refused::Ledger("the ledger's thread has ended".to_owned())),
            Err(_) => {
                Err(Refused::Ledger(format!("the ledger takes longer than {:?}", self.settings.timeout)))
            }
        }
    }

    /// This gateway's id.
    pub(crate) fn gateway(&self) -> &str {
        &self.settings.gateway
    }

    /// What becomes of metered requests while the ledger cannot be written.
    pub(crate) const fn on_failure(&self) -> OnFailure {
        self.settings.on_failure
    }

    /// Writes what is left and lets go of the ledger.
    pub(crate) async fn stop(&self) {
        let (reply, done) = oneshot::channel();
        self.send(Message::Stop(reply));
        // It gives up by itself, after as long as an answer may wait.
        let _ = tokio::time::timeout(self.settings.timeout * 2, done).await;
    }

    fn lease_is_over(&self) -> bool {
        self.lease.is_over()
    }

    /// Tells the ledger's thread. Where that is gone, nobody answers, which is an answer too.
    pub(crate) fn send(&self, message: Message) {
        if matches!(message, Message::Slip(_)) {
            self.status.waiting.fetch_add(1, Ordering::Relaxed);
        }
        let _ = self.clerk.send(message);
    }
}
