//! The signal to finish: connections end what they have begun, and the one who drains can wait until they are gone.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

/// Clones share one signal. It belongs to one worker, so that looking at it costs a load and no lock.
#[derive(Clone, Default)]
pub(crate) struct Drain(Rc<Signal>);

#[derive(Default)]
struct Signal {
    deadline: Cell<Option<Instant>>,
    next: Cell<u64>,
    /// Connections, and whoever waits for the start.
    watchers: RefCell<HashMap<u64, Option<Waker>>>,
    /// Whoever waits for the last connection.
    finishers: RefCell<Vec<Waker>>,
    connections: Cell<usize>,
}

impl Drain {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Starts draining: what is still open at `deadline` is closed. A later call can only bring the deadline forward.
    pub(crate) fn start(&self, deadline: Instant) {
        let earliest = self.0.deadline.get().map_or(deadline, |held| held.min(deadline));
        self.0.deadline.set(Some(earliest));
        let wakers: Vec<Waker> = self.0.watchers.borrow_mut().values_mut().filter_map(Option::take).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The deadline, once draining has started.
    pub(crate) fn started(&self) -> Option<Instant> {
        self.0.deadline.get()
    }

    /// Returns when draining starts.
    pub(crate) async fn wait(&self) {
        let watched = Watched::new(self.clone(), false);
        poll_fn(|cx| watched.poll_started(cx).map(drop)).await;
    }

    /// Open connections.
    pub(crate) fn connections(&self) -> usize {
        self.0.connections.get()
    }

    /// Returns when no connection is open.
    pub(crate) async fn finished(&self) {
        poll_fn(|cx| {
            if self.0.connections.get() == 0 {
                return Poll::Ready(());
            }
            self.0.finishers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Counts a connection in until the returned value is dropped.
    pub(crate) fn watch(&self) -> Watched {
        Watched::new(self.clone(), true)
    }
}

/// One task's place among those that are told.
pub(crate) struct Watched {
    drain: Drain,
    id: u64,
    counted: bool,
    registered: Cell<bool>,
}

impl Watched {
    fn new(drain: Drain, counted: bool) -> Self {
        let id = drain.0.next.get();
        drain.0.next.set(id + 1);
        if counted {
            drain.0.connections.set(drain.0.connections.get() + 1);
        }
        Self { drain, id, counted, registered: Cell::new(false) }
    }

    /// The deadline, once draining has started. Always polled from the same task, which is registered once.
    pub(crate) fn poll_started(&self, cx: &mut Context<'_>) -> Poll<Instant> {
        if let Some(deadline) = self.drain.started() {
            return Poll::Ready(deadline);
        }
        if !self.registered.replace(true) {
            self.drain.0.watchers.borrow_mut().insert(self.id, Some(cx.waker().clone()));
        }
        Poll::Pending
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.drain.0.watchers.borrow_mut().remove(&self.id);
        if self.counted {
            self.drain.0.connections.set(self.drain.0.connections.get() - 1);
            if self.drain.0.connections.get() == 0 {
                let wakers = std::mem::take(&mut *self.drain.0.finishers.borrow_mut());
                wakers.into_iter().for_each(Waker::wake);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn everyone_is_told_and_the_last_one_out_is_seen() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build_local(Default::default())
            .unwrap();
        runtime.block_on(async {
            let drain = Drain::new();
            let tasks: Vec<_> = (0..3)
                .map(|_| {
                    let watched = drain.watch();
                    tokio::task::spawn_local(async move { poll_fn(|cx| watched.poll_started(cx)).await })
                })
                .collect();
            assert_eq!(drain.connections(), 3);
            tokio::task::yield_now().await;
            let deadline = Instant::now() + Duration::from_secs(5);
            drain.start(deadline);
            drain.wait().await;
            drain.finished().await;
            for task in tasks {
                assert_eq!(task.await.unwrap(), deadline);
            }
            drain.start(deadline + Duration::from_secs(1));
            assert_eq!(drain.started(), Some(deadline));
        });
    }
}
