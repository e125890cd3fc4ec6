//! One timer for a connection's whole life. Its deadline moves with every exchange; the timer is touched only when it is due
//! or must ring earlier, so that a busy keep-alive connection does no timer work per request.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

#[derive(Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When `sleep` rings, once the task is registered with it.
    armed: Option<Instant>,
}

impl Alarm {
    /// Ready once `deadline` has passed. Always polled from the same task.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        // A timer left armed for a deadline that is gone wakes the task once, for nothing.
        let Some(deadline) = deadline else { return Poll::Pending };
        loop {
            let sleep = match &mut self.sleep {
                Some(sleep) => sleep,
                empty => empty.insert(Box::pin(sleep_until(deadline))),
            };
            match self.armed {
                // It rings in time and knows this task: nothing to do.
                Some(armed) if armed <= deadline && !sleep.is_elapsed() => return Poll::Pending,
                Some(armed) if armed <= deadline => {
                    self.armed = None;
                    if armed == deadline || deadline <= Instant::now() {
                        return Poll::Ready(());
                    }
                    sleep.as_mut().reset(deadline);
                }
                _ => sleep.as_mut().reset(deadline),
            }
            self.armed = Some(deadline);
            if sleep.as_mut().poll(cx).is_pending() {
                // A task that has used up its budget is polled again at once, and not before that does the timer know it.
                if !tokio::task::coop::has_budget_remaining() {
                    self.armed = None;
                }
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    fn run(future: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future);
    }

    #[test]
    fn it_rings_at_the_deadline_that_holds_when_it_is_due() {
        run(async {
            let start = Instant::now();
            let first = start + Duration::from_millis(20);
            let later = start + Duration::from_millis(60);
            let mut alarm = Alarm::default();
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                alarm.poll(cx, Some(if polls == 1 { first } else { later }))
            })
            .await;
            assert!(Instant::now() >= later);
            assert!(polls >= 2);
        });
    }

    #[test]
    fn an_earlier_deadline_moves_it_forward() {
        run(async {
            let start = Instant::now();
            let mut alarm = Alarm::default();
            poll_fn(|cx| {
                assert!(alarm.poll(cx, Some(start + Duration::from_secs(60))).is_pending());
                Poll::Ready(())
            })
            .await;
            poll_fn(|cx| alarm.poll(cx, Some(start + Duration::from_millis(10)))).await;
            assert!(start.elapsed() < Duration::from_secs(30));
        });
    }

    #[test]
    fn without_a_deadline_it_stays_quiet() {
        run(async {
            let mut alarm = Alarm::default();
            poll_fn(|cx| {
                assert!(alarm.poll(cx, None).is_pending());
                Poll::Ready(())
            })
            .await;
        });
    }
}
