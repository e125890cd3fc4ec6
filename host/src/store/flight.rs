//! Single flight: of all who want a value that is dear to make, one makes it and the others wait.

use std::sync::Arc;
use std::time::Duration;

use papaya::{Compute, HashMap, Operation};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Leads that there are at once; beyond it everyone makes what he wants.
const MAX_FLIGHTS: usize = 100_000;

/// The longest lease and the longest wait.
pub(crate) const MAX_FLIGHT: Duration = Duration::from_secs(60);

/// Someone is making a value.
#[derive(Debug)]
struct Flight {
    /// Until then; whoever fails does not hold up the others for longer.
    until: Instant,
    ended: Notify,
}

/// Namespace and key.
type Name = (Box<str>, Box<[u8]>);

/// Who is making what.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flights: HashMap<Name, Arc<Flight>>,
}

/// What a wait for a lead or a value came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lead<V> {
    Value(V),
    Leader,
    Late,
}

/// Whose turn it is to make a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The caller's.
    Leader,
    /// Whoever had it has ended: look for the value again.
    Ended,
    /// Somebody else's, still.
    Late,
}

impl Flights {
    /// Takes the lead if nobody has it; else waits until it ends, or for `deadline`.
    pub(super) async fn turn(&self, namespace: &str, key: &[u8], lease: Duration, deadline: Instant) -> Turn {
        let Some(flight) = self.join(namespace, key, lease) else { return Turn::Leader };
        let mut ended = std::pin::pin!(flight.ended.notified());
        // From here on no end is missed; one before it is seen in the map.
        ended.as_mut().enable();
        if self.is_under_way(namespace, key, &flight) {
            let _ = tokio::time::timeout_at(deadline.min(flight.until), ended).await;
            if Instant::now() >= deadline {
                return Turn::Late;
            }
        }
        Turn::Ended
    }

    /// The flight that is under way; none if that is now the caller's own.
    fn join(&self, namespace: &str, key: &[u8], lease: Duration) -> Option<Arc<Flight>> {
        let flights = self.flights.pin();
        if flights.len() >= MAX_FLIGHTS {
            return None;
        }
        let now = Instant::now();
        let own = Arc::new(Flight { until: now + lease.min(MAX_FLIGHT), ended: Notify::new() });
        let joined = flights.compute((namespace.into(), key.into()), |known| match known {
            Some((_, flight)) if flight.until > now => Operation::Abort(Arc::clone(flight)),
            _ => Operation::Insert(Arc::clone(&own)),
        });
        match joined {
            Compute::Aborted(flight) => Some(flight),
            Compute::Updated { old: (_, lapsed), .. } => {
                lapsed.ended.notify_waiters();
                None
            }
            Compute::Inserted(..) | Compute::Removed(..) => None,
        }
    }

    fn is_under_way(&self, namespace: &str, key: &[u8], flight: &Arc<Flight>) -> bool {
        let flights = self.flights.pin();
        flights.get(&(namespace.into(), key.into())).is_some_and(|known| Arc::ptr_eq(known, flight))
    }

    /// Ends a flight, if one is under way; whether one was.
    pub(super) fn end(&self, namespace: &str, key: &[u8]) -> bool {
        if self.flights.is_empty() {
            return false;
        }
        let flights = self.flights.pin();
        let Some(flight) = flights.remove(&(namespace.into(), key.into())) else { return false };
        flight.ended.notify_waiters();
        flight.until > Instant::now()
    }

    /// Forgets flights whose time is over.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.flights.pin().retain(|_, flight| flight.until > now);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    const LEASE: Duration = Duration::from_secs(5);

    async fn turn(flights: &Flights) -> Turn {
        flights.turn("a", b"k", LEASE, Instant::now() + LEASE * 2).await
    }

    #[tokio::test(start_paused = true)]
    async fn one_leads_and_the_others_are_told_when_it_ends() {
        let flights = Flights::default();
        assert_eq!(turn(&flights).await, Turn::Leader);
        let deadline = Instant::now() + LEASE / 2;
        let waiting = (0..100).map(|_| flights.turn("a", b"k", LEASE, deadline));
        let (found, ()) = tokio::join!(all(waiting.collect()), async {
            tokio::task::yield_now().await;
            assert!(flights.end("a", b"k"));
        });
        assert!(found.iter().all(|found| *found == Turn::Ended));
        assert!(!flights.end("a", b"k"), "it has ended");
        assert_eq!(turn(&flights).await, Turn::Leader);
        assert_eq!(flights.turn("b", b"k", LEASE, deadline).await, Turn::Leader, "another namespace");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_late() {
        let flights = Flights::default();
        assert_eq!(turn(&flights).await, Turn::Leader);
        let began = Instant::now();
        assert_eq!(flights.turn("a", b"k", LEASE, began + LEASE / 5).await, Turn::Late);
        assert_eq!(began.elapsed(), LEASE / 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lead_ends_by_itself() {
        let flights = Flights::default();
        assert_eq!(turn(&flights).await, Turn::Leader);
        let began = Instant::now();
        assert_eq!(turn(&flights).await, Turn::Ended, "after the lease of the first");
        assert_eq!(turn(&flights).await, Turn::Leader);
        assert_eq!(began.elapsed(), LEASE);
        tokio::time::advance(LEASE * 2).await;
        flights.sweep();
        assert!(flights.flights.is_empty());
    }

    /// Polls them in turns; the results in order.
    async fn all<F: Future<Output = Turn>>(futures: Vec<F>) -> Vec<Turn> {
        let results = Rc::new(RefCell::new(vec![None; futures.len()]));
        let mut pending: Vec<_> = futures.into_iter().map(Box::pin).collect();
        std::future::poll_fn(|cx| {
            let mut waiting = false;
            for (index, future) in pending.iter_mut().enumerate() {
                if results.borrow()[index].is_none() {
                    match future.as_mut().poll(cx) {
                        std::task::Poll::Ready(found) => results.borrow_mut()[index] = Some(found),
                        std::task::Poll::Pending => waiting = true,
                    }
                }
            }
            if waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
        })
        .await;
        results.take().into_iter().flatten().collect()
    }
}
