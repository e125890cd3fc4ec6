//! How slow a client may be. It has a time for which others may wait for it, which waiting uses up and bytes fill again at the least rate: who
//! says or takes a byte now and then is as slow as who does nothing. The time is an argument; the one alarm in here is a stream's.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::net::Alarm;

#[derive(Debug)]
pub(super) struct Pace {
    /// What there is of the time when it is full.
    most: Duration,
    /// Bytes a second; with none, any byte fills it.
    rate: u64,
    left: Cell<Duration>,
    since: Cell<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(most: Duration, rate: u64) -> Self {
        Self { most, rate, left: Cell::new(most), since: Cell::new(None) }
    }

    /// The client is waited for, if it was not already.
    pub(super) fn wait(&self, now: impl FnOnce() -> Instant) {
        if self.since.get().is_none() {
            self.since.set(Some(now()));
        }
    }

    /// It is waited for no longer.
    pub(super) fn stop(&self, now: impl FnOnce() -> Instant) {
        if let Some(since) = self.since.take() {
            let waited = now().saturating_duration_since(since);
            self.left.set(self.left.get().saturating_sub(waited));
        }
    }

    /// It has said or taken so many bytes.
    pub(super) fn earn(&self, bytes: usize) {
        if bytes == 0 || self.left.get() == self.most {
            return;
        }
        let left = match (bytes as u64).saturating_mul(1_000_000).checked_div(self.rate) {
            Some(micros) => self.left.get().saturating_add(Duration::from_micros(micros)).min(self.most),
            None => self.most,
        };
        self.left.set(left);
    }

    /// What it has used up is forgotten.
    pub(super) fn renew(&self) {
        self.left.set(self.most);
    }

    /// When it has been too slow, if it is being waited for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.get().map(|since| since + self.left.get())
    }

    /// Polls the task of a stream to its end, unless its client is too slow: then it is dropped.
    pub(super) async fn over(&self, stream: impl Future) {
        let (mut stream, mut alarm) = (pin!(stream), Alarm::default());
        poll_fn(|cx: &mut Context<'_>| match stream.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => alarm.poll(cx, self.deadline()),
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    const MOST: Duration = Duration::from_secs(30);

    #[test]
    fn who_trickles_is_as_slow_as_who_does_nothing() {
        let start = Instant::now();
        for every in [1, 5, 29] {
            let pace = Pace::new(MOST, 256);
            let ends = (0u64..).map(|round| start + Duration::from_secs(round * every)).find(|now| {
                pace.wait(|| *now);
                let next = *now + Duration::from_secs(every);
                let over = pace.deadline().is_some_and(|deadline| deadline <= next);
                pace.stop(|| next);
                pace.earn(1);
                over
            });
            let lasted = ends.unwrap() - start;
            assert!(lasted <= MOST, "{every}: {lasted:?}");
        }
    }

    #[test]
    fn who_keeps_the_least_rate_may_go_on_and_pauses_are_forgiven() {
        let start = Instant::now();
        let pace = Pace::new(MOST, 256);
        for round in 0..10_000 {
            let now = start + Duration::from_secs(round * 10);
            pace.wait(|| now);
            assert!(pace.deadline().unwrap() > now + Duration::from_secs(10), "{round}");
            pace.stop(|| now + Duration::from_secs(10));
            pace.earn(2_560);
        }
        // Without a rate, a byte is enough.
        let pace = Pace::new(MOST, 0);
        pace.wait(|| start);
        pace.stop(|| start + Duration::from_secs(29));
        pace.earn(1);
        assert_eq!(pace.left.get(), MOST);
    }

    proptest! {
        /// However a client behaves: it is waited for as long as its bytes are worth, and `most` beyond.
        #[test]
        fn the_wait_is_bounded_by_the_bytes(
            steps in prop::collection::vec((0u64..40_000, 0usize..5_000), 0..100), rate in 1u64..2_000,
        ) {
            let (mut now, pace) = (Instant::now(), Pace::new(MOST, rate));
            let (mut waited, mut bytes) = (Duration::ZERO, 0u64);
            for (wait, came) in steps {
                pace.wait(|| now);
                let deadline = pace.deadline().unwrap();
                let until = now + Duration::from_millis(wait);
                waited += until.min(deadline) - now;
                if deadline <= until {
                    break;
                }
                (now, bytes) = (until, bytes + came as u64);
                pace.stop(|| now);
                pace.earn(came);
            }
            let worth = MOST + Duration::from_secs_f64(bytes as f64 / rate as f64);
            assert!(waited <= worth + Duration::from_millis(1), "{waited:?} {worth:?}");
        }
    }
}
