//! The timer of an exchange: what it waits for must come by a certain time.
//!
//! A connection of HTTP/1 carries one exchange at a time and has an alarm of its own, which serves its exchange as well: no
//! timer is made, moved or cancelled per request. A stream of HTTP/2 and a fetch, which are tasks of their own, have their own.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::Alarm;

/// Clones share one timer.
#[derive(Clone, Default)]
pub(crate) struct Timer(Rc<State>);

#[derive(Default)]
struct State {
    alarm: Option<RefCell<Alarm>>,
    /// The earliest moment asked for, for whoever keeps the time.
    due: Cell<Option<Instant>>,
    /// What the time was when it came, while the task is polled for it.
    rang: Cell<Option<Instant>>,
}

impl Timer {
    /// With an alarm of its own. Always polled from the same task.
    pub(crate) fn own() -> Self {
        Self(Rc::new(State { alarm: Some(RefCell::default()), ..State::default() }))
    }

    /// Without one: whoever polls the task looks after [`due`](Self::due) and calls [`ring`](Self::ring).
    pub(crate) fn kept() -> Self {
        Self::default()
    }

    /// Ready once `at` has passed.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        if let Some(alarm) = &self.0.alarm {
            return alarm.borrow_mut().poll(cx, Some(at));
        }
        if self.0.rang.get().is_some_and(|now| at <= now) {
            return Poll::Ready(());
        }
        if self.0.due.get().is_none_or(|due| at < due) {
            self.0.due.set(Some(at));
        }
        Poll::Pending
    }

    /// Nothing is waited for any more.
    pub(crate) fn clear(&self) {
        self.0.due.set(None);
    }

    /// When it wants to be rung.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.0.due.get()
    }

    /// It is `now`, and something is due. What is polled until [`quiet`](Self::quiet) sees it; what is not due asks again.
    pub(crate) fn ring(&self, now: Instant) {
        self.0.rang.set(Some(now));
        self.0.due.set(None);
    }

    /// The task has been polled.
    pub(crate) fn quiet(&self) {
        self.0.rang.set(None);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_moment_is_due_and_the_others_ask_again() {
        let (timer, start) = (Timer::kept(), Instant::now());
        let (early, late) = (start + Duration::from_secs(1), start + Duration::from_secs(9));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(timer.poll(&mut cx, late).is_pending());
        assert!(timer.poll(&mut cx, early).is_pending());
        assert!(timer.poll(&mut cx, late).is_pending());
        assert_eq!(timer.due(), Some(early));
        timer.ring(early);
        assert!(timer.poll(&mut cx, early).is_ready());
        assert!(timer.poll(&mut cx, late).is_pending());
        timer.quiet();
        assert_eq!(timer.due(), Some(late));
        assert!(timer.poll(&mut cx, late).is_pending());
        timer.clear();
        assert_eq!(timer.due(), None);
    }
}
