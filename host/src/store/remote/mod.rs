//! Counters and values on a Redis or Valkey server that several nodes share (6.2 or newer, standalone).
//!
//! Semantics and refusals are those of [`MemoryStore`](super::MemoryStore). What differs: values without an
//! end of their own live for 366 days; values that may be dropped are keys like all others, so that the server's own
//! policy applies to them; quotas are held at 2^51 - 1 units and windows at 71 years, below which
//! the scripts count exactly; time is the server's, in microseconds.
//!
//! What the server's user has to be allowed, and how much room there has to be, is in `docs/store.md`, and tests
//! read it there. A permission that is missing is met when the connection is made.
//!
//! # When the server is away
//!
//! No operation waits longer than the timeout, nor all of an exchange longer than its [`Budget`]. After the
//! first failure all are answered at once with [`RemoteError::Unavailable`], while one task connects anew and
//! proves the connection by doing everything once. What happens to the exchange then is the caller's, by
//! [`Fallback`].

mod command;
mod endpoint;
mod failure;
mod lease;
mod line;
mod link;
mod purse;
mod secure;
mod status;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::Value;
use sluice_abi::{Take, Taken};
use tokio::runtime::Handle;

use super::StoreError;
use command::{Named, Names};
use lease::{Order, Plan, Purses};
use line::{Dial, Question};
use link::Link;

pub(crate) use endpoint::{Endpoint, parse};
pub(crate) use secure::Secure;
pub(crate) use status::{ErrorKind, Status};

/// How to reach the server, and how to count on it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) endpoint: Endpoint,
    /// For `rediss://`.
    pub(crate) tls: Option<Secure>,
    /// What all keys begin with.
    pub(crate) prefix: String,
    /// The longest that one operation waits.
    pub(crate) timeout: Duration,
    /// The share of a quota that this node may buy ahead, above 0 and at most 1. Without it every take asks.
    pub(crate) lease: Option<f64>,
    /// Bytes of one value.
    pub(crate) max_value: usize,
    pub(crate) clock: Clock,
}

impl Settings {
    pub(crate) const PREFIX: &'static str = "sluice:";
    pub(crate) const TIMEOUT: Duration = Duration::from_millis(25);

    /// The defaults.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            tls: None,
            prefix: Self::PREFIX.to_owned(),
            timeout: Self::TIMEOUT,
            lease: None,
            max_value: 64 << 10,
            clock: Clock::Server,
        }
    }
}

/// Whose time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The server's, so that all nodes agree.
    Server,
    /// The caller's, for tests. Keys then live longer than they should.
    #[allow(dead_code, reason = "for tests")]
    Caller,
}

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RemoteError {
    /// Answered at once, or because the connection broke: it may have been done all the same.
    #[error("the counters' server is not available")]
    Unavailable,
    /// It may have been done all the same.
    #[error("the counters' server did not answer in time")]
    Timeout,
    #[error(transparent)]
    Refused(#[from] StoreError),
    /// The server answers something else than it should: most likely somebody else writes to these keys.
    #[error("the counters' server answered: {0}")]
    Protocol(String),
}

impl RemoteError {
    pub(crate) const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable => ErrorKind::Unavailable,
            Self::Timeout => ErrorKind::Timeout,
            Self::Refused(_) => ErrorKind::Refused,
            Self::Protocol(_) => ErrorKind::Protocol,
        }
    }
}

/// What becomes of an operation when the server cannot be asked: `on_store_error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// Done in this process alone, with the [`MemoryStore`](super::MemoryStore): each node then allows the
    /// whole quota.
    #[default]
    Local,
    /// Not done. A take is refused for want of the server.
    Deny,
    /// Not done. What is tried to be taken is allowed.
    Allow,
}

/// How long one exchange may wait for the server in all.
#[derive(Debug)]
pub(crate) struct Budget {
    left_us: AtomicU64,
}

impl Budget {
    pub(crate) fn new(whole: Duration) -> Self {
        Self { left_us: AtomicU64::new(u64::try_from(whole.as_micros()).unwrap_or(u64::MAX)) }
    }

    fn left(&self) -> Duration {
        Duration::from_micros(self.left_us.load(Ordering::Relaxed))
    }

    fn spend(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let less = |left: u64| Some(left.saturating_sub(us));
        let _ = self.left_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// The store on a server. One for each process.
pub(crate) struct RemoteStore {
    link: Arc<Link>,
    on: Handle,
    names: Names,
    clock: Clock,
    max_value: usize,
    purses: Option<Arc<Purses>>,
    timeout: Duration,
    began: Instant,
    status: Arc<Status>,
}

impl RemoteStore {
    /// Begins to connect, and returns at once. Connections are driven on the runtime `on`, whatever the
    /// runtimes of those who ask.
    pub(crate) fn open(settings: Settings, on: Handle) -> Arc<Self> {
        let Settings { endpoint, tls, prefix, timeout, lease, max_value, clock } = settings;
        let names = Names { prefix: prefix.into_bytes() };
        let status = Arc::new(Status::default());
        let dial = Dial { endpoint, tls, names: names.clone(), timeout };
        let link = Link::open(dial, on.clone(), Arc::clone(&status));
        let purses = lease.map(Purses::new);
        let began = Instant::now();
        Arc::new(Self { link, on, names, clock, max_value, purses, timeout, began, status })
    }

    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    /// Takes from every limit, or from none of them unless all allow. `now` is nanoseconds since the epoch;
    /// the server's clock counts in its place, except in tests.
    pub(crate) async fn take(
        &self,
        budget: &Budget,
        now: u64,
        namespace: &str,
        takes: &[Take],
    ) -> Result<Vec<Taken>, RemoteError> {
        self.counted(async {
            let named = takes.iter().map(|take| self.names.limit(namespace, take));
            let mut named: Vec<Named<'_>> = named.collect::<Result<_, StoreError>>()?;
            if named.is_empty() {
                return Ok(Vec::new());
            }
            let mut orders = Vec::new();
            if let Some(purses) = &self.purses {
                let keyed: Vec<(&[u8], &Take)> =
                    named.iter().map(|named| (&named.key[..], named.take)).collect();
                match purses.plan(self.began.elapsed(), &keyed) {
                    Plan::Served(taken, orders) => {
                        self.status.lease();
                        self.refill(now, &named, orders);
                        return Ok(taken);
                    }
                    Plan::Ask(plan) => orders = plan,
                    Plan::Exact => {}
                }
                for (named, order) in named.iter_mut().zip(&orders) {
                    named.extra = order.as_ref().map_or(0, |order| order.units);
                }
            }
            self.charge(budget, now, &named, orders).await
        })
        .await
    }

    /// Asks the server, and puts into the purses what was bought beside. Without `orders` they are left alone.
    async fn charge(
        &self,
        budget: &Budget,
        now: u64,
        named: &[Named<'_>],
        orders: Vec<Option<Order>>,
    ) -> Result<Vec<Taken>, RemoteError> {
        let call = command::take(self.now_us(now), named);
        let answer = self.link.ask(budget, Question::Script(&call)).await?;
        let mut answers = command::taken(&answer, named.len())?;
        let (delivered, is_charged) = (self.began.elapsed(), answers.iter().all(|(taken, _)| taken.allowed));
        for ((order, named), (taken, bought)) in orders.into_iter().zip(named).zip(&mut answers) {
            if let Some(order) = order {
                order.deliver(delivered, *bought, taken);
            }
            if let Some(purses) = &self.purses {
                taken.remaining = purses.asked(delivered, &named.key, named.take, taken, is_charged);
            }
        }
        Ok(answers.into_iter().map(|(taken, _)| taken).collect())
    }

    /// Fills purses before they are empty, while nobody waits.
    fn refill(&self, now: u64, named: &[Named<'_>], orders: Vec<(usize, Order)>) {
        for (index, order) in orders {
            let look = Take { cost: 0, ..named[index].take.clone() };
            let named = Named { take: &look, extra: order.units, ..named[index].clone() };
            let call = command::take(self.now_us(now), &[named]);
            let (link, began, timeout) = (Arc::clone(&self.link), self.began, self.timeout);
            self.on.spawn(async move {
                // If it fails, the next take that finds the purse empty meets the same error itself.
                let Ok(answer) = link.ask(&Budget::new(timeout), Question::Script(&call)).await else {
                    return;
                };
                if let Ok([(taken, bought)]) = command::taken(&answer, 1).as_deref() {
                    order.deliver(began.elapsed(), *bought, taken);
                }
            });
        }
    }

    fn now_us(&self, now: u64) -> Option<u64> {
        (self.clock == Clock::Caller).then_some(now / 1000)
    }

    /// A value, unless it has expired. A counter reads as its decimal digits.
    pub(crate) async fn get(
        &self,
        budget: &Budget,
        namespace: &str,
        key: &[u8],
    ) -> Result<Option<Arc<[u8]>>, RemoteError> {
        self.counted(async {
            let Ok(key) = self.names.value(namespace, key) else { return Ok(None) };
            match self.link.ask(budget, Question::Command(&command::get(&key))).await? {
                Value::Nil => Ok(None),
                Value::BulkString(value) => Ok(Some(value.into())),
                _ => Err(RemoteError::Protocol("GET was answered with something else".into())),
            }
        })
        .await
    }

    /// Sets a value, for `ttl` or for 366 days.
    pub(crate) async fn set(
        &self,
        budget: &Budget,
        namespace: &str,
        key: &[u8],
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), RemoteError> {
        self.counted(async {
            if value.len() > self.max_value {
                return Err(StoreError::ValueTooLarge.into());
            }
            let key = self.names.value(namespace, key)?;
            match self.link.ask(budget, Question::Command(&command::set(&key, value, ttl))).await? {
                Value::Okay => Ok(()),
                _ => Err(RemoteError::Protocol("SET was answered with something else".into())),
            }
        })
        .await
    }

    /// Removes a value; whether there was one.
    pub(crate) async fn delete(
        &self,
        budget: &Budget,
        namespace: &str,
        key: &[u8],
    ) -> Result<bool, RemoteError> {
        self.counted(async {
            let Ok(key) = self.names.value(namespace, key) else { return Ok(false) };
            match self.link.ask(budget, Question::Command(&command::delete(&key))).await? {
                Value::Int(count) => Ok(count > 0),
                _ => Err(RemoteError::Protocol("DEL was answered with something else".into())),
            }
        })
        .await
    }

    /// Adds to a counter and returns its new value, held at the ends of `i64`.
    ///
    /// A counter that does not exist begins at 0 and gets `ttl`; later additions do not prolong it.
    pub(crate) async fn add(
        &self,
        budget: &Budget,
        namespace: &str,
        key: &[u8],
        delta: i64,
        ttl: Option<Duration>,
    ) -> Result<i64, RemoteError> {
        self.counted(async {
            let call = command::add(self.names.value(namespace, key)?, delta, ttl);
            command::added(&self.link.ask(budget, Question::Script(&call)).await?)
        })
        .await
    }

    async fn counted<T>(
        &self,
        operation: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, RemoteError> {
        self.status.operation();
        let outcome = operation.await;
        if let Err(error) = &outcome {
            self.status.error(error.kind());
        }
        outcome
    }
}
