//! The thread that reads the ledger: for whoever asks, one after the other, and once a second for soft quotas.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use sluice_metering::ledger::{Error, Reader, Settings as LedgerSettings};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::soft::SoftQuotas;
use super::{Inquiry, Refused};
use crate::metering::status::Status;
use crate::metering::tariff::Tariff;

/// How often soft quotas are looked at.
const ROUND: Duration = Duration::from_secs(1);

/// How long a ledger that could not be opened is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// The thread's state.
struct Thread {
    settings: LedgerSettings,
    reader: Option<Reader>,
    /// When it could not be opened lately: until when that is not tried again, and why.
    closed: Option<(Instant, String)>,
    soft: SoftQuotas,
    tariff: Arc<ArcSwap<Tariff>>,
    status: Arc<Status>,
    /// The last question could not be answered: that was logged.
    in_trouble: bool,
}

/// What there is to do.
enum Work {
    Answer(Box<Inquiry>),
    Look,
}

/// Where questions come from: operators, consumers.
type Queues = (mpsc::Receiver<Inquiry>, mpsc::Receiver<Inquiry>);

pub(super) fn start(
    queues: Queues,
    settings: LedgerSettings,
    tariff: Arc<ArcSwap<Tariff>>,
    status: Arc<Status>,
) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = Thread {
        settings,
        reader: None,
        closed: None,
        soft: SoftQuotas::default(),
        tariff,
        status,
        in_trouble: false,
    };
    let run = move || thread.run(&runtime, queues);
    std::thread::Builder::new().name("ledger-reader".to_owned()).spawn(run)?;
    Ok(())
}

impl Thread {
    fn run(mut self, runtime: &Runtime, mut queues: Queues) {
        let mut round = runtime.block_on(async { interval(ROUND) });
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(work) = runtime.block_on(next(&mut queues, &mut round)) {
            // A mistake of ours in one answer costs that answer; the connection, of which nothing is known then, is closed.
            let done = catch_unwind(AssertUnwindSafe(|| runtime.block_on(self.work(work))));
            if done.is_err() {
                tracing::error!("the gateway failed while it read the ledger, which is a mistake of its own");
                self.reader = None;
            }
        }
    }

    async fn work(&mut self, work: Work) {
        match work {
            Work::Look => {
                let tariff = self.tariff.load_full();
                let looked = match self.soft.due(&tariff) {
                    false => return,
                    true => match self.reader().await {
                        Ok(mut reader) => {
                            let now = crate::metering::settle::now();
                            let looked = self.soft.look(&mut reader, &tariff, now, &self.status).await;
                            self.reader = Some(reader);
                            looked
                        }
                        Err(error) => Err(error),
                    },
                };
                self.note(looked.as_ref().err().map(ToString::to_string));
                if looked.is_err() {
                    self.reader = None;
                }
            }
            // Whoever has given up gets no answer.
            Work::Answer(inquiry) if inquiry.reply.is_closed() => {}
            Work::Answer(inquiry) => {
                let answered = self.answer(&inquiry).await;
                let trouble = match &answered {
                    Err(Refused::Ledger(error)) => Some(error.clone()),
                    _ => None,
                };
                self.note(trouble);
                let _ = inquiry.reply.send(answered);
            }
        }
    }

    async fn answer(&mut self, inquiry: &Inquiry) -> Result<super::Document, Refused> {
        let is_fresh = self.reader.is_none();
        let mut reader = self.reader().await?;
        let Inquiry { question, catalog, now, .. } = inquiry;
        let mut answered = question.answer(&mut reader, catalog, *now).await;
        if matches!(answered, Err(Refused::Ledger(_))) && !is_fresh {
            // A connection that had been idle may have been gone.
            drop(reader);
            reader = self.reader().await?;
            answered = question.answer(&mut reader, catalog, *now).await;
        }
        if !matches!(answered, Err(Refused::Ledger(_))) {
            self.reader = Some(reader);
        }
        answered
    }

    /// The reader, taken out: whoever has it puts it back while it works.
    async fn reader(&mut self) -> Result<Reader, Error> {
        if let Some(reader) = self.reader.take() {
            return Ok(reader);
        }
        if let Some((until, error)) = &self.closed
            && Instant::now() < *until
        {
            return Err(Error::Io(error.clone()));
        }
        let opened = Reader::open(&self.settings).await;
        self.closed = opened.as_ref().err().map(|error| (Instant::now() + PAUSE, error.to_string()));
        opened
    }

    /// Says once that the ledger cannot be read, and once that it can again.
    fn note(&mut self, trouble: Option<String>) {
        match &trouble {
            Some(error) if !self.in_trouble => tracing::warn!(error, "the ledger cannot be read"),
            None if self.in_trouble => tracing::info!("the ledger can be read"),
            _ => {}
        }
        self.in_trouble = trouble.is_some();
    }
}

/// What there is to do next; `None` when nobody is left who could ask.
async fn next((operators, consumers): &mut Queues, round: &mut Interval) -> Option<Work> {
    tokio::select! {
        biased;
        _ = round.tick() => Some(Work::Look),
        Some(inquiry) = operators.recv() => Some(Work::Answer(Box::new(inquiry))),
        inquiry = consumers.recv() => inquiry.map(|inquiry| Work::Answer(Box::new(inquiry))),
    }
}
