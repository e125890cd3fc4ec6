//! How many connections a worker may hold: a counter with a waiting room.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Clones share one counter.
#[derive(Clone)]
pub(crate) struct Permits(Rc<Counter>);

struct Counter {
    limit: Cell<usize>,
    used: Cell<usize>,
    waiting: RefCell<Vec<Waker>>,
}

impl Counter {
    fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Permits {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Rc::new(Counter { limit: Cell::new(limit), used: Cell::new(0), waiting: RefCell::default() }))
    }

    /// From now on there are so many. Where more are in use, the next is free once enough of them are given back.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.0.limit.set(limit);
        self.0.wake();
    }

    #[cfg(test)]
    pub(crate) fn in_use(&self) -> usize {
        self.0.used.get()
    }

    /// Waits for a free place.
    pub(crate) async fn acquire(&self) -> Permit {
        poll_fn(|cx| {
            if let Some(permit) = self.try_acquire() {
                return Poll::Ready(permit);
            }
            self.0.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        let used = self.0.used.get();
        if used >= self.0.limit.get() {
            return None;
        }
        self.0.used.set(used + 1);
        Some(Permit(self.clone()))
    }
}

/// A place that is free again when this is dropped.
pub(crate) struct Permit(Permits);

impl Drop for Permit {
    fn drop(&mut self) {
        let counter = &self.0.0;
        counter.used.set(counter.used.get() - 1);
        counter.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_waits_for_the_next_to_leave() {
        let runtime = tokio::runtime::Builder::new_current_thread().build_local(Default::default()).unwrap();
        runtime.block_on(async {
            let permits = Permits::new(1);
            let held = permits.acquire().await;
            assert!(permits.try_acquire().is_none());
            let waiting = tokio::task::spawn_local({
                let permits = permits.clone();
                async move { drop(permits.acquire().await) }
            });
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished());
            drop(held);
            waiting.await.unwrap();
            assert_eq!(permits.in_use(), 0);
        });
    }

    #[test]
    fn the_limit_may_change_while_some_wait() {
        let runtime = tokio::runtime::Builder::new_current_thread().build_local(Default::default()).unwrap();
        runtime.block_on(async {
            let permits = Permits::new(1);
            let held = permits.acquire().await;
            let waiting = tokio::task::spawn_local({
                let permits = permits.clone();
                async move { permits.acquire().await }
            });
            tokio::task::yield_now().await;
            permits.set_limit(2);
            let second = waiting.await.unwrap();
            permits.set_limit(1);
            drop(held);
            assert!(permits.try_acquire().is_none(), "one too many were out");
            drop(second);
            assert!(permits.try_acquire().is_some());
        });
    }
}
