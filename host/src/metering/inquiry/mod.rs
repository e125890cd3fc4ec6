//! Asking the ledger without keeping anybody waiting: a thread of its own reads, and whoever asks hands it a question.

mod soft;
mod thread;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use sluice_metering::ledger::Settings as LedgerSettings;
use tokio::sync::{mpsc, oneshot};

use super::report::{Catalog, Document, Question, Refused};
use super::status::Status;
use super::tariff::Tariff;

/// Questions of operators and of consumers that may wait.
const WAITING: (usize, usize) = (16, 64);

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who asks. Operators go first, so that consumers who ask a lot do not keep them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Operator,
    Consumer,
}

/// The way to the thread that reads.
#[derive(Debug)]
pub(super) struct Inquiries {
    operators: mpsc::Sender<Inquiry>,
    consumers: mpsc::Sender<Inquiry>,
    /// Whose soft quotas are looked at.
    tariff: Arc<ArcSwap<Tariff>>,
}

/// A question under way.
#[derive(Debug)]
struct Inquiry {
    question: Question,
    catalog: Arc<Catalog>,
    now: Timestamp,
    reply: oneshot::Sender<Result<Document, Refused>>,
}

impl Inquiries {
    /// Starts the thread. The ledger is opened when it is first asked.
    pub(super) fn start(ledger: LedgerSettings, status: Arc<Status>) -> std::io::Result<Self> {
        let (operators, from_operators) = mpsc::channel(WAITING.0);
        let (consumers, from_consumers) = mpsc::channel(WAITING.1);
        let tariff = Arc::new(ArcSwap::default());
        thread::start((from_operators, from_consumers), ledger, Arc::clone(&tariff), status)?;
        Ok(Self { operators, consumers, tariff })
    }

    /// This is what is configured now.
    pub(super) fn publish(&self, tariff: &Arc<Tariff>) {
        self.tariff.store(Arc::clone(tariff));
    }

    /// Asks, unless too many do.
    pub(super) async fn ask(
        &self,
        asker: Asker,
        question: Question,
        catalog: &Arc<Catalog>,
    ) -> Result<Document, Refused> {
        let (reply, answer) = oneshot::channel();
        let now = super::settle::now();
        let inquiry = Inquiry { question, catalog: Arc::clone(catalog), now, reply };
        let queue = match asker {
            Asker::Operator => &self.operators,
            Asker::Consumer => &self.consumers,
        };
        queue.try_send(inquiry).map_err(|_| Refused::Busy)?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(Refused::Ledger("what reads the ledger has failed".to_owned())),
            Err(_) => Err(Refused::Busy),
        }
    }
}
