//! Whatever takes events, behind one face.

use jiff::Timestamp;
use sluice_metering::event::Event;

use super::Means;
use super::file::FileSender;
use super::http::HttpSender;
use super::nats::NatsSender;
use super::outcome::Outcome;
use super::record::Record;
use super::settings::{Sink, Target};

#[derive(Debug)]
pub(super) enum Sender {
    Http(HttpSender),
    Nats(NatsSender),
    Files(FileSender),
}

impl Sender {
    pub(super) fn new(sink: &Sink, means: &Means) -> Self {
        match &sink.target {
            Target::Http(target) => {
                Self::Http(HttpSender::new(target.clone(), sink.timeout, means.http.clone()))
            }
            Target::Nats(target) => {
                Self::Nats(NatsSender::new(target.clone(), sink.timeout, means.secure.clone()))
            }
            Target::Files(target) => Self::Files(FileSender::new(target.clone(), sink.batch)),
        }
    }

    /// How many events it takes at once.
    pub(super) fn most(&self, batch: usize) -> usize {
        match self {
            Self::Http(http) => http.most(batch),
            Self::Nats(_) | Self::Files(_) => batch,
        }
        .max(1)
    }

    /// Which events are for it. A billing system has no place for what nobody known has used.
    pub(super) fn takes(&self) -> impl Fn(&Event) -> bool + Send + Sync + use<> {
        let anybody = !matches!(self, Self::Http(_));
        move |event| anybody || !event.consumer.is_empty()
    }

    /// Takes up the note that the ledger keeps.
    pub(super) async fn restore(&mut self, note: &str) -> Result<(), String> {
        match self {
            Self::Files(files) => files.restore(note).await,
            Self::Http(_) | Self::Nats(_) => Ok(()),
        }
    }

    /// Whether the ledger has to keep a new note before these events are sent.
    pub(super) async fn prepare(&mut self, events: &[Event]) -> Result<bool, String> {
        match self {
            Self::Files(files) => files.prepare(events).await.map_err(|error| error.to_string()),
            Self::Http(_) | Self::Nats(_) => Ok(false),
        }
    }

    /// What the ledger is to keep with the cursor.
    pub(super) fn note(&self) -> String {
        match self {
            Self::Files(files) => files.note(),
            Self::Http(_) | Self::Nats(_) => String::new(),
        }
    }

    /// Whether [`send`](Self::send) may be dropped half way. A write to a file goes on whether somebody waits for it or not.
    pub(super) fn is_interruptible(&self) -> bool {
        !matches!(self, Self::Files(_))
    }

    pub(super) async fn send(&mut self, records: &[Record<'_>], now: Timestamp) -> Outcome {
        match self {
            Self::Http(http) => http.send(records, now).await,
            Self::Nats(nats) => nats.send(records).await,
            Self::Files(files) => files.send(records).await,
        }
    }
}
