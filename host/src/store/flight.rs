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

/// Who is making what, by namespace and key.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flights: HashMap<(Box<str>, Box<[u8]>), Arc<Flight>>,
}

/// What a wait for a lead or a value came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lead<V> {
    Value(V),
    Leader,
    Late,
}

impl Flights {
    /// The value that `look` finds, or the lead in making it, or neither by `deadline`.
    pub(super) async fn lead<V>(
        &self,
        namespace: &str,
        key: &[u8],
        lease: Duration,
        deadline: Instant,
        look: impl Fn() -> Option<V>,
    ) -> Lead<V> {
        loop {
            if let Some(value) = look() {
                return Lead::Value(value);
            }
            let Some(flight) = self.join(namespace, key, lease) else { return Lead::Leader };
            let mut ended = std::pin::pin!(flight.ended.notified());
            // From here on no end is missed; one before it is seen in the map.
            ended.as_mut().enable();
            if !self.is_under_way(namespace, key, &flight) {
                continue;
            }
            let _ = tokio::time::timeout_at(deadline.min(flight.until), ended).await;
            if Instant::now() >= deadline {
                return look().map_or(Lead::Late, Lead::Value);
            }
        }
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
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use super::*;

    const LEASE: Duration = Duration::from_secs(5);

    async fn lead(flights: &Flights, value: Option<u32>) -> Lead<u32> {
        flights.lead("a", b"k", LEASE, Instant::now() + Duration::from_secs(10), || value).await
    }

    #[tokio::test(start_paused = true)]
    async fn one_leads_and_the_others_get_what_it_makes() {
        let (flights, made) = (Flights::default(), Cell::new(None));
        assert_eq!(lead(&flights, None).await, Lead::Leader);
        let deadline = Instant::now() + LEASE / 2;
        let waiting = (0..100).map(|_| flights.lead("a", b"k", LEASE, deadline, || made.get()));
        let all = futures_all(waiting.collect());
        let (found, ()) = tokio::join!(all, async {
            tokio::task::yield_now().await;
            made.set(Some(7));
            assert!(flights.end("a", b"k"));
        });
        assert!(found.iter().all(|found| *found == Lead::Value(7)));
        assert!(!flights.end("a", b"k"), "it has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lead_that_is_given_up_passes_on_to_one() {
        let flights = Flights::default();
        assert_eq!(lead(&flights, None).await, Lead::Leader);
        let deadline = Instant::now() + LEASE / 2;
        let waiting = (0..100).map(|_| flights.lead("a", b"k", LEASE, deadline, || None::<u32>));
        let all = futures_all(waiting.collect());
        let (found, ()) = tokio::join!(all, async {
            tokio::task::yield_now().await;
            assert!(flights.end("a", b"k"));
        });
        assert_eq!(found.iter().filter(|found| **found == Lead::Leader).count(), 1);
        assert_eq!(found.iter().filter(|found| **found == Lead::Late).count(), 99);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lead_ends_by_itself() {
        let flights = Flights::default();
        assert_eq!(lead(&flights, None).await, Lead::Leader);
        let began = Instant::now();
        assert_eq!(lead(&flights, None).await, Lead::Leader, "after the lease of the first");
        assert_eq!(began.elapsed().as_secs(), LEASE.as_secs());
        tokio::time::advance(LEASE * 2).await;
        flights.sweep();
        assert!(flights.flights.is_empty());
    }

    /// Polls them in turns; the results in order.
    async fn futures_all<F: Future<Output = Lead<u32>>>(futures: Vec<F>) -> Vec<Lead<u32>> {
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
