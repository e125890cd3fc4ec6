//! One key set: what workers read, and the task that keeps it.

use std::sync::{Arc, OnceLock, Weak};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::config::{KeySetConfig, KeySetError, KeySource};
use super::document::KeySet;
use super::source::{Memory, Source};
use super::state::{Cause, Fetched, Pace, State};

/// A set. Workers read it without a lock; one task, on the control runtime, fetches.
pub(super) struct Set {
    name: Arc<str>,
    pub(super) config: KeySetConfig,
    pace: Pace,
    source: Option<Arc<Source>>,
    state: ArcSwap<State>,
    report: ArcSwap<Report>,
    /// For the task: a fetch has been asked for.
    asked: Arc<Notify>,
    /// For callers: a fetch has ended.
    ended: Arc<Notify>,
    task: OnceLock<AbortHandle>,
}

/// What has become of a set's fetches.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) last_success: Option<SystemTime>,
    pub(super) last_failure: Option<(SystemTime, Arc<str>)>,
    pub(super) fetches: u64,
    pub(super) failures: u64,
}

/// What a state has to say to a question.
pub(super) enum Judgement<T> {
    /// This is the answer.
    Settled(T),
    /// Newer keys could make it another one.
    Open(T),
}

/// An answer, or the end of a fetch to wait for and the answer for who does not.
pub(super) enum Consulted<T> {
    Answer(T),
    Wait(OwnedNotified, T),
}

impl Set {
    /// A set that nobody fetches yet. It begins with the keys of the one before it, if they have one origin.
    pub(super) fn new(
        name: Arc<str>,
        config: KeySetConfig,
        before: Option<&Self>,
    ) -> Result<Self, KeySetError> {
        let source = Source::new(&config)?.map(Arc::new);
        let state = match &config.source {
            KeySource::Keys(text) => State::fixed(Arc::new(given(text, config.max_keys)?)),
            KeySource::Issuer(_) | KeySource::Url(_) => {
                let before = before.filter(|before| before.config.has_origin_of(&config));
                State::heir(before.map(|before| before.state.load_full()).as_deref())
            }
        };
        let KeySetConfig { refresh, cooldown, max_stale, .. } = config;
        Ok(Self {
            name,
            config,
            pace: Pace { refresh, cooldown, max_stale },
            source,
            state: ArcSwap::from_pointee(state),
            report: ArcSwap::default(),
            asked: Arc::default(),
            ended: Arc::default(),
            task: OnceLock::new(),
        })
    }

    /// Begins to fetch and to keep what was fetched fresh, on `control`, for as long as the set lives. Once.
    pub(super) fn start(self: &Arc<Self>, control: &Handle) {
        let Some(source) = &self.source else { return };
        self.task.get_or_init(|| {
            self.state.store(Arc::new(self.state.load().started(now())));
            let kept = keep(Arc::downgrade(self), Arc::clone(&self.asked), Arc::clone(source));
            control.spawn(kept).abort_handle()
        });
    }

    /// Asks the state as it is. If only newer keys could help, a fetch begins, or one is under way: then there is
    /// something to wait for.
    pub(super) fn consult<T>(
        &self,
        mut judge: impl FnMut(&State, std::time::Instant) -> Judgement<T>,
    ) -> Consulted<T> {
        let now = now();
        if let Judgement::Settled(answer) = judge(&self.state.load(), now) {
            return Consulted::Answer(answer);
        }
        // From here on no end of a fetch is missed.
        let ended = Arc::clone(&self.ended).notified_owned();
        loop {
            let state = self.state.load();
            let answer = match judge(&state, now) {
                Judgement::Settled(answer) => return Consulted::Answer(answer),
                Judgement::Open(answer) => answer,
            };
            if state.is_under_way() {
                return Consulted::Wait(ended, answer);
            }
            let Some(next) = state.begun(Cause::Asked, &self.pace, now) else {
                return Consulted::Answer(answer);
            };
            if self.step(&state, next) {
                self.asked.notify_one();
                return Consulted::Wait(ended, answer);
            }
        }
    }

    /// Whether its keys come from elsewhere.
    pub(super) const fn is_fetched(&self) -> bool {
        self.source.is_some()
    }

    /// Whether the last fetch brought nothing.
    pub(super) fn has_failed(&self) -> bool {
        self.state.load().has_failed()
    }

    pub(super) fn report(&self) -> Arc<Report> {
        self.report.load_full()
    }

    /// The keys as they are now.
    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        self.state.load().keys(now()).cloned()
    }

    /// From one state to the next, unless somebody else was faster.
    fn step(&self, from: &Arc<State>, next: State) -> bool {
        Arc::ptr_eq(&self.state.compare_and_swap(from, Arc::new(next)), from)
    }

    /// Whether the task is to fetch now, or when it is to look again.
    fn plan(&self) -> Plan {
        loop {
            let state = self.state.load_full();
            if state.is_under_way() {
                return Plan::Fetch;
            }
            let Some(next) = state.begun(Cause::Due, &self.pace, now()) else {
                return Plan::Sleep(state.due().map(Instant::from_std));
            };
            if self.step(&state, next) {
                return Plan::Fetch;
            }
        }
    }

    fn end(&self, fetched: &Fetched, error: Option<String>) {
        let next = self.state.load().ended(fetched, &self.pace, now(), chance());
        // While a fetch is under way nobody else makes a step.
        self.state.store(Arc::new(next));
        let mut report = Report::clone(&self.report.load());
        report.fetches += 1;
        match error {
            Some(error) => {
                tracing::warn!(set = &*self.name, error, "a key set cannot be fetched");
                report.failures += 1;
                report.last_failure = Some((SystemTime::now(), error.into()));
            }
            None => report.last_success = Some(SystemTime::now()),
        }
        self.report.store(Arc::new(report));
        self.ended.notify_waiters();
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

enum Plan {
    Fetch,
    Sleep(Option<Instant>),
}

/// Fetches when it is time or somebody asks, one at a time, until the set is gone.
async fn keep(set: Weak<Set>, asked: Arc<Notify>, source: Arc<Source>) {
    let mut memory = Memory::default();
    loop {
        let Some(plan) = set.upgrade().map(|set| set.plan()) else { return };
        if let Plan::Sleep(until) = plan {
            let due = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = asked.notified() => {}
            }
            continue;
        }
        let (source, before) = (Arc::clone(&source), std::mem::take(&mut memory));
        // A task of its own: what panics there is a failure here. Dropped, it ends.
        let mut fetch = JoinSet::new();
        fetch.spawn(async move { source.fetch(before).await });
        let fetched = match fetch.join_next().await {
            Some(Ok(fetched)) => fetched,
            Some(Err(error)) => Err(format!("the fetch broke off: {error}")),
            None => Err("the fetch broke off".to_owned()),
        };
        let Some(set) = set.upgrade() else { return };
        match fetched {
            Ok((fetched, after)) => {
                memory = after;
                set.end(&fetched, None);
            }
            Err(error) => set.end(&Fetched::Failed, Some(error)),
        }
    }
}

/// The keys of a text, of which one at least must be of use.
fn given(text: &str, max_keys: usize) -> Result<KeySet, KeySetError> {
    let keys = KeySet::parse(text.as_bytes(), max_keys).map_err(KeySetError::Keys)?;
    if keys.usable == 0 {
        return Err(KeySetError::Keys("none of them is a public key for verifying".to_owned()));
    }
    Ok(keys)
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

fn chance() -> u8 {
    let mut byte = [0];
    // Without chance it is merely less well spread.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    byte[0]
}
