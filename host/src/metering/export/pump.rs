//! One sink's pump: reads, has delivered, and moves the cursor.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sluice_metering::event::Event;
use tokio::sync::watch;

use super::deliver::deliver;
use super::pause::Pauses;
use super::record::Directory;
use super::sender::Sender;
use super::settings::Sink;
use super::source::{Source, SourceError, Term};
use super::status::Status;
use super::{Clock, Means};

/// How often the lag is looked at, at most and at least.
const LOOKS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// Pages of events that are read for one batch at most.
const PAGES: usize = 100;

/// The pump is to end. What was sent and not acknowledged is sent again by the next one.
#[derive(Debug)]
pub(super) struct Stopped;

/// What a pump tells, and who tells it what.
pub(super) struct Desk {
    sink: Arc<str>,
    status: Arc<Status>,
    directory: Directory,
    clock: Clock,
    stop: watch::Receiver<bool>,
}

pub(super) struct Pump<S: Source> {
    sink: Sink,
    source: Arc<S>,
    sender: Sender,
    desk: Desk,
    /// None until it is read.
    place: Option<Place<S::Cursor>>,
}

/// What the ledger keeps of the sink, as far as this pump knows.
struct Place<C> {
    /// Everything before it is with the sink.
    at: C,
    note: String,
    /// Of which this was read.
    term: Term,
}

/// Why a turn ends early, before anything was sent.
enum Broken {
    Stopped,
    Ledger(SourceError),
}

impl From<Stopped> for Broken {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<SourceError> for Broken {
    fn from(error: SourceError) -> Self {
        Self::Ledger(error)
    }
}

/// What there is to do next.
enum Next {
    More,
    Wait,
}

impl<S: Source> Pump<S> {
    pub(super) fn new(
        sink: Sink,
        source: Arc<S>,
        means: &Means,
        status: Arc<Status>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let sender = Sender::new(&sink, means);
        let desk = Desk {
            sink: Arc::clone(&sink.name),
            status,
            directory: means.directory.clone(),
            clock: means.clock.clone(),
            stop,
        };
        Self { sink, source, sender, desk, place: None }
    }

    /// Looks at the lag until it is stopped. It is beside the pump, so that a pump that hangs is noticed.
    pub(super) fn watch(&self) -> impl Future<Output = ()> + Send + use<S> {
        let (source, sink, desk) = (Arc::clone(&self.source), self.sink.clone(), self.desk.twin());
        async move { watch_lag(source.as_ref(), &sink, &desk).await }
    }

    /// Runs until it is stopped.
    pub(super) async fn run(mut self) {
        let mut pauses = Pauses::default();
        loop {
            let turn = self.turn().await;
            if turn.is_ok() {
                pauses.reset();
            }
            let pause = match turn {
                Ok(Next::More) => continue,
                Ok(Next::Wait) => self.sink.interval,
                Err(Broken::Stopped) => return,
                // Begun anew with the claim: with the connection to the ledger the sink may have gone to another gateway.
                Err(Broken::Ledger(error)) => {
                    self.desk.failed(&format!("the ledger does not answer: {error}"));
                    pauses.next(None)
                }
            };
            if self.desk.sleep(pause).await.is_err() {
                return;
            }
        }
    }

    /// One batch.
    async fn turn(&mut self) -> Result<Next, Broken> {
        let Self { sink, source, sender, desk, place: known } = self;
        let Some(term) = source.claim(&sink.name).await? else {
            *known = None;
            return Ok(Next::Wait);
        };
        let mut place = match known.take().filter(|place| place.term == term) {
            Some(place) => place,
            None => {
                let (at, note) = source.cursor(&sink.name).await?;
                // Where a file cannot be cut now it can be later.
                restore(desk, sender, &note).await?;
                Place { at, note, term }
            }
        };
        let takes = sender.takes();
        let most = sender.most(sink.batch);
        let gathered = gather(desk, source.as_ref(), sink, &takes, &place.at, most).await?;
        let Gathered { events, to, next, skipped } = gathered;
        if to == place.at {
            *known = Some(place);
            return Ok(Next::Wait);
        }
        desk.status.skipped(skipped);
        if !events.is_empty() {
            if prepare(desk, sender, &events).await? {
                let (at, note) = (place.at.clone(), sender.note());
                if !advance(desk, source.as_ref(), sink, &mut place, at, note).await? {
                    return Ok(Next::Wait);
                }
            }
            deliver(desk, sender, events).await?;
        }
        // Kept even if the pump is to stop, unless the ledger is away.
        let note = sender.note();
        if advance(desk, source.as_ref(), sink, &mut place, to, note).await? {
            *known = Some(place);
        }
        Ok(next)
    }
}

/// What a turn is about.
struct Gathered<C> {
    events: Vec<Event>,
    /// The place behind the last of all that were looked at.
    to: C,
    next: Next,
    /// Events of nobody.
    skipped: usize,
}

/// Events for the sink behind `at`, up to `most`.
async fn gather<S: Source>(
    desk: &Desk,
    source: &S,
    sink: &Sink,
    takes: &(impl Fn(&Event) -> bool + Sync),
    at: &S::Cursor,
    most: usize,
) -> Result<Gathered<S::Cursor>, SourceError> {
    let mut all = Gathered { events: Vec::new(), to: at.clone(), next: Next::More, skipped: 0 };
    // A sink of few meters passes over many events, but its cursor moves now and then.
    for _ in 0..PAGES {
        let room = most - all.events.len();
        let (events, behind) = source.events(&all.to, room).await?;
        all.to = behind;
        if events.len() < room {
            all.next = Next::Wait;
        }
        let of_sink = |event: &Event| sink.meters.is_empty() || sink.meters.contains(&event.meter);
        let (for_it, not): (Vec<_>, Vec<_>) = events.into_iter().filter(of_sink).partition(takes);
        all.skipped += not.len();
        all.events.extend(for_it);
        if matches!(all.next, Next::Wait) || all.events.len() >= most || desk.is_stopped() {
            break;
        }
    }
    Ok(all)
}

async fn restore(desk: &Desk, sender: &mut Sender, note: &str) -> Result<(), Stopped> {
    let mut pauses = Pauses::default();
    while let Err(reason) = sender.restore(note).await {
        desk.failed(&reason);
        desk.sleep(pauses.next(None)).await?;
    }
    Ok(())
}

async fn prepare(desk: &Desk, sender: &mut Sender, events: &[Event]) -> Result<bool, Stopped> {
    let mut pauses = Pauses::default();
    loop {
        match sender.prepare(events).await {
            Ok(new) => return Ok(new),
            Err(reason) => desk.failed(&reason),
        }
        desk.sleep(pauses.next(None)).await?;
    }
}

/// Moves the cursor, however long that takes, for what was sent is not to be sent again; false if it is not where it was.
async fn advance<S: Source>(
    desk: &Desk,
    source: &S,
    sink: &Sink,
    place: &mut Place<S::Cursor>,
    to: S::Cursor,
    note: String,
) -> Result<bool, Stopped> {
    let mut pauses = Pauses::default();
    loop {
        match source.advance(&sink.name, (&place.at, &place.note), (&to, &note)).await {
            Ok(moved) => {
                (place.at, place.note) = (to, note);
                return Ok(moved);
            }
            Err(error) => desk.failed(&format!("the ledger does not answer: {error}")),
        }
        desk.sleep(pauses.next(None)).await?;
    }
}

async fn watch_lag<S: Source>(source: &S, sink: &Sink, desk: &Desk) {
    let pause = (sink.lag_alarm / 4).clamp(LOOKS[0], LOOKS[1]);
    loop {
        if let Ok(lag) = source.lag(&sink.name).await {
            let now = desk.now();
            let age =
                lag.oldest.map(|oldest| Duration::try_from(now.duration_since(oldest)).unwrap_or_default());
            let age = age.unwrap_or_default();
            let late = age > sink.lag_alarm;
            if desk.status.lag(lag, age, late) {
                let (sink, events, seconds) = (&*sink.name, lag.events, age.as_secs());
                if late {
                    tracing::error!(sink, events, seconds, "a sink of usage events lags behind");
                } else {
                    tracing::info!(sink, events, seconds, "a sink of usage events has caught up");
                }
            }
        }
        if desk.sleep(pause).await.is_err() {
            return;
        }
    }
}

impl Desk {
    fn twin(&self) -> Self {
        Self {
            sink: Arc::clone(&self.sink),
            status: Arc::clone(&self.status),
            directory: self.directory.clone(),
            clock: self.clock.clone(),
            stop: self.stop.clone(),
        }
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    pub(super) async fn sleep(&self, pause: Duration) -> Result<(), Stopped> {
        self.unless_stopped(tokio::time::sleep(pause)).await
    }

    /// The future's result, unless the pump is stopped first; then the future is dropped.
    pub(super) async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            // Whoever could stop it is gone: the same.
            _ = stop.wait_for(|stop| *stop) => Err(Stopped),
            result = future => Ok(result),
        }
    }

    pub(super) fn accepted(&self, events: usize) {
        self.status.accepted(events, self.now());
    }

    /// Told in the log when it is another reason than the last time, or that was a success.
    pub(super) fn failed(&self, reason: &str) {
        if self.status.failed(reason, self.now()) {
            tracing::warn!(
                sink = &*self.sink,
                reason,
                "usage events cannot be exported; they wait in the ledger"
            );
        }
    }

    /// The event is given up.
    pub(super) fn bury(&self, event: &Event, reason: &str) {
        self.status.dead(reason, self.now());
        tracing::error!(
            sink = &*self.sink,
            id = event.id(),
            consumer = &*event.consumer,
            plan = &*event.plan,
            route = &*event.route,
            at = %event.at,
            units = event.value,
            dimensions = ?event.dimensions,
            reason,
            "a usage event is refused for good; it stays in the ledger, and this sink goes on without it"
        );
    }
}
