//! Complete phases: they run after their exchange, a bounded number at a time, and a drain waits for them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::net::{Drain, Permits};
use crate::telemetry::WorkerMetrics;

/// Complete phases under way at once on a worker. Only a plugin that waits in its own comes near it.
const MAX: usize = 10_000;

/// How long the steps of one exchange may take to complete, waiting included.
const MAX_TIME: Duration = Duration::from_secs(30);

/// The complete phases of one worker's exchanges.
#[derive(Clone)]
pub(crate) struct Completions(Rc<Running>);

struct Running {
    permits: Permits,
    /// Counts them, for whoever waits for the last.
    watch: Drain,
    metrics: Arc<WorkerMetrics>,
}

impl Completions {
    /// None under way.
    pub(super) fn new(metrics: Arc<WorkerMetrics>) -> Self {
        Self(Rc::new(Running { permits: Permits::new(MAX), watch: Drain::new(), metrics }))
    }

    /// Runs a complete phase beside whatever else the worker does.
    pub(super) fn run(&self, complete: impl Future<Output = ()> + 'static) {
        let Some(permit) = self.0.permits.try_acquire() else {
            self.0.metrics.failed("complete-dropped");
            return;
        };
        let watched = self.0.watch.watch();
        let metrics = Arc::clone(&self.0.metrics);
        tokio::task::spawn_local(async move {
            if tokio::time::timeout(MAX_TIME, complete).await.is_err() {
                metrics.failed("complete-timeout");
            }
            drop((watched, permit));
        });
    }

    /// Returns when none is under way.
    pub(crate) async fn finished(&self) {
        self.0.watch.finished().await;
    }
}
