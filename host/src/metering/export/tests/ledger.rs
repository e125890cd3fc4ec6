//! A ledger in memory, which fails as it is told.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use sluice_metering::event::Event;

use super::START;
use crate::metering::export::source::{Lag, Source, SourceError, Term};

#[derive(Default)]
pub(crate) struct Ledger(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    events: Vec<Event>,
    cursors: HashMap<String, (usize, String)>,
    advances: usize,
    /// Calls to come that fail.
    failures: usize,
    /// Advances to come that happen; those after them never return, and nothing happens: the gateway was killed.
    lives: Option<usize>,
    /// Another gateway runs the sinks.
    elsewhere: bool,
    /// How often another gateway had them and lost them again.
    terms: u64,
}

/// The event of this number, one second after the one before it.
pub(crate) fn event(number: usize) -> Event {
    let start: Timestamp = START.parse().unwrap();
    Event {
        gateway: "edge-1".into(),
        request: format!("r{number}").into(),
        meter: "tokens".into(),
        consumer: "acme".into(),
        plan: "pro".into(),
        route: "chat".into(),
        at: start + jiff::SignedDuration::from_secs(i64::try_from(number).unwrap() - 3600),
        value: i64::try_from(number).unwrap(),
        subject: None,
        dimensions: Vec::new(),
    }
}

/// What [`event`] is known by.
pub(crate) fn id(number: usize) -> String {
    format!("edge-1/r{number}/tokens")
}

impl Ledger {
    /// With the first so many events.
    pub(crate) fn with(events: usize) -> std::sync::Arc<Self> {
        let ledger = Self::default();
        ledger.add((0..events).map(event));
        ledger.into()
    }

    pub(crate) fn add(&self, events: impl IntoIterator<Item = Event>) {
        self.kept().events.extend(events);
    }

    /// How far the sink has had the events.
    pub(crate) fn at(&self, sink: &str) -> usize {
        self.kept().cursors.get(sink).map_or(0, |(at, _)| *at)
    }

    pub(crate) fn advances(&self) -> usize {
        self.kept().advances
    }

    pub(crate) fn fail(&self, calls: usize) {
        self.kept().failures = calls;
    }

    /// The gateway is killed before the advance after so many; or not at all.
    pub(crate) fn kill_after(&self, advances: Option<usize>) {
        self.kept().lives = advances;
    }

    pub(crate) fn move_elsewhere(&self, elsewhere: bool) {
        self.kept().elsewhere = elsewhere;
    }

    /// Another gateway had the sink for a moment, and came so far.
    pub(crate) fn lend(&self, sink: &str, to: usize) {
        let mut kept = self.kept();
        kept.terms += 1;
        kept.cursors.insert(sink.to_owned(), (to, String::new()));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    fn call(&self) -> Result<MutexGuard<'_, Kept>, SourceError> {
        let mut kept = self.kept();
        if kept.failures > 0 {
            kept.failures -= 1;
            return Err(SourceError("it is away".into()));
        }
        Ok(kept)
    }
}

impl Source for Ledger {
    type Cursor = usize;

    async fn claim(&self, _: &str) -> Result<Option<Term>, SourceError> {
        let kept = self.call()?;
        Ok((!kept.elsewhere).then_some(Term(kept.terms)))
    }

    async fn events(&self, after: &usize, limit: usize) -> Result<(Vec<Event>, usize), SourceError> {
        let kept = self.call()?;
        let to = kept.events.len().min(after + limit);
        Ok((kept.events[*after..to].to_vec(), to))
    }

    async fn cursor(&self, sink: &str) -> Result<(usize, String), SourceError> {
        Ok(self.call()?.cursors.get(sink).cloned().unwrap_or_default())
    }

    async fn advance(
        &self,
        sink: &str,
        from: (&usize, &str),
        to: (&usize, &str),
    ) -> Result<bool, SourceError> {
        let is_dead = match &mut self.kept().lives {
            None => false,
            Some(0) => true,
            Some(lives) => {
                *lives -= 1;
                false
            }
        };
        if is_dead {
            std::future::pending::<()>().await;
        }
        let mut kept = self.call()?;
        let owned = |(at, note): (&usize, &str)| (*at, note.to_owned());
        let now = kept.cursors.get(sink).cloned().unwrap_or_default();
        if now != owned(from) && now != owned(to) {
            return Ok(false);
        }
        kept.advances += 1;
        kept.cursors.insert(sink.to_owned(), owned(to));
        Ok(true)
    }

    async fn lag(&self, sink: &str) -> Result<Lag, SourceError> {
        let kept = self.call()?;
        let at = kept.cursors.get(sink).map_or(0, |(at, _)| *at);
        let rest = &kept.events[at..];
        Ok(Lag { events: rest.len() as u64, oldest: rest.iter().map(|event| event.at).min() })
    }
}
