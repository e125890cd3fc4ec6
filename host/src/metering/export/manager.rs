//! All sinks: which run, and what a reload changes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Means;
use super::pump::Pump;
use super::settings::Sink;
use super::source::Source;
use super::status::Status;

/// The pumps of all sinks. They end when this is dropped, and at once when the runtime does; no event is lost by that.
pub(crate) struct Exports<S: Source> {
    source: Arc<S>,
    running: BTreeMap<Arc<str>, Running>,
}

struct Running {
    sink: Sink,
    status: Arc<Status>,
    stop: watch::Sender<bool>,
    /// The pump, and who watches its lag.
    tasks: [JoinHandle<()>; 2],
}

impl<S: Source> Exports<S> {
    /// None runs yet.
    pub(crate) fn new(source: Arc<S>) -> Self {
        Self { source, running: BTreeMap::new() }
    }

    /// Has exactly these sinks run. One that is as it was goes on undisturbed; one that was changed begins anew at its cursor, after
    /// its old pump has ended; the others are stopped. It has to be called in a runtime with time and IO.
    pub(crate) async fn apply(&mut self, sinks: Vec<Sink>, means: &Means) {
        let stays = |running: &Running| sinks.contains(&running.sink);
        let going: Vec<_> = self.running.extract_if(.., |_, running| !stays(running)).collect();
        let mut statuses = BTreeMap::new();
        for (_, running) in &going {
            let _ = running.stop.send(true);
        }
        for (name, running) in going {
            statuses.insert(name, running.end().await);
        }
        for sink in sinks {
            if self.running.contains_key(&sink.name) {
                continue;
            }
            let status = statuses.remove(&sink.name).unwrap_or_default();
            let (stop, stopped) = watch::channel(false);
            let pump = Pump::new(sink.clone(), Arc::clone(&self.source), means, Arc::clone(&status), stopped);
            let tasks = [tokio::spawn(pump.watch()), tokio::spawn(pump.run())];
            self.running.insert(Arc::clone(&sink.name), Running { sink, status, stop, tasks });
        }
    }

    /// How each sink is doing, by name.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Status>)> {
        self.running.iter().map(|(name, running)| (name, &running.status))
    }

    /// Stops all, and waits until they have.
    pub(crate) async fn stop(&mut self) {
        let all: Vec<_> = std::mem::take(&mut self.running).into_values().collect();
        for running in &all {
            let _ = running.stop.send(true);
        }
        for running in all {
            running.end().await;
        }
    }
}

impl Running {
    /// After it was told to stop.
    async fn end(self) -> Arc<Status> {
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(sink = &*self.sink.name, %error, "the export to a sink has ended in a panic");
            }
        }
        self.status
    }
}

impl<S: Source> fmt::Debug for Exports<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exports").field("sinks", &self.running.keys()).finish_non_exhaustive()
    }
}
