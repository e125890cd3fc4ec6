//! The instances of one [`Bound`] on one worker. Poisoned first: an instance comes back only after success.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_abi::{Answer, Phase};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::bind::{BindError, Bound};
use super::fault::{Fault, FaultKind};
use super::imports::fetch::FetchSender;
use super::instance::Instance;
use super::ticker::Running;
use super::view::{ExchangeView, Slot};
use crate::config::Isolation;

/// How many instances wait for work; more than that at once is a burst and not kept.
const MAX_IDLE: usize = 16;

/// What a pool counts; the worker hands in where.
pub(crate) trait PoolMetrics {
    /// An instance was created.
    fn created(&self);
    /// So many more instances are alive, or fewer, holding so many more bytes of linear memory, or fewer.
    fn changed(&self, instances: isize, memory: isize);
}

/// An instance that is counted for as long as it lives.
struct Counted {
    instance: Instance,
    memory: usize,
    census: Rc<dyn PoolMetrics>,
}

impl Counted {
    fn new(instance: Instance, census: &Rc<dyn PoolMetrics>) -> Self {
        let memory = instance.memory();
        census.created();
        census.changed(1, memory.cast_signed());
        Self { instance, memory, census: Rc::clone(census) }
    }

    /// Notes what a call made its memory grow by.
    fn recount(&mut self) {
        let memory = self.instance.memory();
        if memory != self.memory {
            self.census.changed(0, memory.cast_signed() - self.memory.cast_signed());
            self.memory = memory;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.census.changed(-1, -self.memory.cast_signed());
    }
}

/// An instance at work, with the right to be.
pub(crate) struct Lease {
    counted: Box<Counted>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// What came of a call, and the CPU time it took as far as that is known.
pub(crate) struct Called {
    pub(crate) answer: Result<Answer, Fault>,
    pub(crate) busy: Duration,
}

/// The time as it was last read. A call that follows another at once begins when that one ended: one look at the clock less.
#[derive(Default)]
pub(crate) struct Clockwork(Option<Instant>);

impl Clockwork {
    fn now(&mut self) -> Instant {
        self.0.take().unwrap_or_else(Instant::now)
    }

    fn read(&mut self) -> Instant {
        *self.0.insert(Instant::now())
    }

    /// Something else took place since.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

/// The instances of one [`Bound`] on one worker.
pub(crate) struct Pool {
    bound: Arc<Bound>,
    fetch: FetchSender,
    #[allow(clippy::vec_box, reason = "an instance moves with every call, and is large")]
    idle: RefCell<Vec<Box<Counted>>>,
    /// Set where several instances can be busy at once: where a call can wait, or an exchange keeps one.
    permits: Option<Arc<Semaphore>>,
    census: Rc<dyn PoolMetrics>,
    running: Arc<Running>,
}

impl Pool {
    /// An empty pool.
    pub(crate) fn new(bound: Arc<Bound>, fetch: FetchSender, census: Rc<dyn PoolMetrics>) -> Self {
        let several = bound.module.suspends || bound.isolation == Isolation::Exchange;
        let permits = several.then(|| Arc::new(Semaphore::new(bound.limits.instances)));
        let running = bound.module.place();
        Self { bound, fetch, idle: RefCell::default(), permits, census, running }
    }

    /// What it makes instances of.
    pub(crate) fn bound(&self) -> &Arc<Bound> {
        &self.bound
    }

    /// Has one instance ready before the first call.
    pub(crate) async fn warm(&self) -> Result<(), Fault> {
        if self.idle.borrow().is_empty() && self.bound.isolation == Isolation::Shared {
            let counted = self.create().await?;
            self.idle.borrow_mut().push(counted);
        }
        Ok(())
    }

    /// Whether as many exchanges as may keep an instance keep one.
    pub(crate) fn is_taken(&self) -> bool {
        self.bound.isolation == Isolation::Exchange
            && self.permits.as_ref().is_some_and(|permits| permits.available_permits() == 0)
    }

    async fn lease(&self, clock: &mut Clockwork) -> Result<Lease, Fault> {
        let permit = match &self.permits {
            None => None,
            // Exchanges that keep an instance must not wait for each other's.
            Some(permits) if self.bound.isolation == Isolation::Exchange => {
                let refused =
                    |_| Fault::new(FaultKind::Instances, "as many exchanges as may have one have one");
                Some(Arc::clone(permits).try_acquire_owned().map_err(refused)?)
            }
            Some(permits) => {
                let closed = |_| Fault::new(FaultKind::Instances, "the pool is closed");
                clock.forget();
                Some(Arc::clone(permits).acquire_owned().await.map_err(closed)?)
            }
        };
        let idle = self.idle.borrow_mut().pop();
        let counted = match idle {
            Some(counted) => counted,
            None => {
                clock.forget();
                self.create().await?
            }
        };
        Ok(Lease { counted, _permit: permit })
    }

    async fn create(&self) -> Result<Box<Counted>, Fault> {
        let _call = self.running.call();
        let instance =
            Instance::create(&self.bound, Some(self.fetch.clone())).await.map_err(|error| match error {
                BindError::Refused(reason) => Fault::new(FaultKind::Instantiate, reason),
                error @ BindError::Memory { .. } => Fault::new(FaultKind::Instantiate, error.to_string()),
                BindError::Fault(fault) => Fault { kind: FaultKind::Instantiate, ..fault },
            })?;
        Ok(Box::new(Counted::new(instance, &self.census)))
    }

    /// Makes a call, at once if that is possible. `clock` is left at its end. Dropping the future leaves the view in the slot and
    /// the instance discarded.
    pub(crate) async fn call(&self, task: Task<'_>, clock: &mut Clockwork) -> Called {
        match self.call_now(&task, clock) {
            Some(called) => called,
            None => self.call_later(task, clock).await,
        }
    }

    /// The call of a plugin that cannot wait, of which an instance is idle: almost every call. None if it is not like that, and
    /// then nothing has happened.
    fn call_now(&self, task: &Task<'_>, clock: &mut Clockwork) -> Option<Called> {
        if self.permits.is_some() {
            return None;
        }
        let counted = self.idle.borrow_mut().pop()?;
        let Some(view) = task.slot.try_take() else {
            self.idle.borrow_mut().push(counted);
            return None;
        };
        let lease = Lease { counted, _permit: None };
        let mut call = Call { pool: self, slot: task.slot, lease: None, view: None, clean: None };
        let instance = &mut call.lease.insert(lease).counted.instance;
        instance.enter(view, task.phase, task.step);
        let answer = {
            let _call = self.running.call();
            instance.run_now(task.phase, task.last, task.limit, clock.now())
        };
        let busy = instance.busy(clock.read());
        call.ended(&answer, task.own);
        Some(Called { answer, busy })
    }

    async fn call_later(&self, task: Task<'_>, clock: &mut Clockwork) -> Called {
        let Task { slot, own, phase, last, step, limit } = task;
        let view = match slot.try_take() {
            Some(view) => view,
            None => slot.take().await,
        };
        let mut call = Call { pool: self, slot, lease: None, view: Some(view), clean: None };
        let kept = own.borrow_mut().take();
        let lease = match kept {
            Some(lease) => lease,
            None => match self.lease(clock).await {
                Ok(lease) => lease,
                Err(fault) => return Called { answer: Err(fault), busy: Duration::ZERO },
            },
        };
        let instance = &mut call.lease.insert(lease).counted.instance;
        if let Some(view) = call.view.take() {
            instance.enter(view, phase, step);
        }
        let answer = {
            let _call = self.running.call();
            instance.run(phase, last, limit, clock.now()).await
        };
        let busy = instance.busy(clock.read());
        call.ended(&answer, own);
        Called { answer, busy }
    }
}

/// What a call is to do: a phase for the exchange in `slot`, with `limit` of CPU time. `own` keeps the instance for the exchange
/// where the plugin asks for that.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) slot: &'a Slot,
    pub(crate) own: &'a RefCell<Option<Lease>>,
    pub(crate) phase: Phase,
    pub(crate) last: bool,
    /// The step's place in its chain and its name.
    pub(crate) step: (usize, &'a Arc<str>),
    pub(crate) limit: Duration,
}

/// A call under way. However it ends, the view goes back to its slot; the instance only after success.
struct Call<'a> {
    pool: &'a Pool,
    slot: &'a Slot,
    lease: Option<Lease>,
    view: Option<Box<ExchangeView>>,
    clean: Option<&'a RefCell<Option<Lease>>>,
}

impl<'a> Call<'a> {
    fn ended(&mut self, answer: &Result<Answer, Fault>, own: &'a RefCell<Option<Lease>>) {
        // A failure that the plugin reported itself left the instance in order.
        if matches!(answer, Ok(_) | Err(Fault { kind: FaultKind::Failed, .. })) {
            self.clean = Some(own);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let lent = self.lease.as_mut().and_then(|lease| lease.counted.instance.leave());
        if let Some(view) = self.view.take().or(lent) {
            self.slot.put(view);
        }
        // Dropped here, an instance is gone: that is what becomes of one whose call did not end well.
        let (Some(mut lease), Some(own)) = (self.lease.take(), self.clean) else { return };
        lease.counted.recount();
        if self.pool.bound.isolation == Isolation::Exchange {
            own.replace(Some(lease));
            return;
        }
        let mut idle = self.pool.idle.borrow_mut();
        if lease.counted.instance.is_reusable() && idle.len() < MAX_IDLE {
            idle.push(lease.counted);
        }
    }
}
