//! What one call may use: time on the CPU, memory, table, host calls, bytes. Time is an argument.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::ticker::TICK;

/// The CPU time of one call.
///
/// The epoch ticks by the wall clock, but a thread that the machine gave to someone else has done nothing
/// wrong, so a tick only makes the call look at its thread's CPU clock. Reading that clock is a system
/// call; it is first read at the first tick, so that the many calls that end sooner never pay for it.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    limit: Duration,
    used: Duration,
    since: Option<Duration>,
}

impl Deadline {
    /// Starts a call that may use `limit`.
    pub(super) fn start(&mut self, limit: Duration) {
        *self = Self { limit, used: Duration::ZERO, since: None };
    }

    /// At a tick, with the thread's CPU time: whether the call may go on.
    pub(super) fn may_go_on(&mut self, cpu: Duration) -> bool {
        match self.since {
            // Up to a tick has passed unseen; it is charged in full, for the limit must hold.
            None => {
                self.since = Some(cpu);
                self.used += TICK;
                self.used <= self.limit.max(TICK)
            }
            Some(since) => self.used + cpu.saturating_sub(since) < self.limit,
        }
    }

    /// CPU time charged so far.
    pub(super) const fn used(&self) -> Duration {
        self.used
    }

    /// The call waits for the host: what it used so far is charged, the wait is not.
    pub(super) fn suspend(&mut self, cpu: impl FnOnce() -> Duration) {
        if let Some(since) = self.since.take() {
            self.used += cpu().saturating_sub(since);
        }
    }
}

/// The CPU time of this thread.
pub(super) fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Which growth was refused last: tells a trap by exhaustion from any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Memory,
    Table,
}

/// Memory and table of one instance.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) memory_limit: usize,
    pub(super) table_limit: usize,
    pub(super) memory: usize,
    pub(super) refused: Option<Refused>,
}

impl ResourceLimiter for Space {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory_limit;
        if granted {
            self.memory = desired;
        } else {
            self.refused = Some(Refused::Memory);
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.table_limit;
        if !granted {
            self.refused = Some(Refused::Table);
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }
}

/// What is left of a call's countable limits.
#[derive(Debug, Default)]
pub(super) struct Budget {
    pub(super) host_calls: u32,
    pub(super) fetches: u32,
    pub(super) log_bytes: usize,
    pub(super) header_bytes: usize,
}

impl Budget {
    /// The budget of a fresh call.
    pub(super) fn of(limits: &crate::config::Limits) -> Self {
        Self {
            host_calls: limits.host_calls,
            fetches: limits.fetches,
            log_bytes: limits.log,
            header_bytes: limits.headers,
        }
    }

    /// Spends header bytes, or says there are not as many left.
    pub(super) fn spend_header_bytes(&mut self, bytes: usize) -> bool {
        match self.header_bytes.checked_sub(bytes) {
            Some(left) => {
                self.header_bytes = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_call_that_burns_cpu_ends_at_its_limit() {
        let mut deadline = Deadline::default();
        deadline.start(MS(5));
        assert!(deadline.may_go_on(MS(100)));
        assert!(deadline.may_go_on(MS(103)));
        assert!(!deadline.may_go_on(MS(104)));
    }

    #[test]
    fn a_thread_that_was_not_running_is_not_charged() {
        let mut deadline = Deadline::default();
        deadline.start(MS(2));
        for _ in 0..1000 {
            assert!(deadline.may_go_on(MS(100)));
        }
    }

    #[test]
    fn waiting_for_the_host_is_not_charged() {
        let mut deadline = Deadline::default();
        deadline.start(MS(5));
        assert!(deadline.may_go_on(MS(100)));
        deadline.suspend(|| MS(102));
        assert!(deadline.may_go_on(MS(900)), "2 + 1 + 1 ms used");
        assert!(!deadline.may_go_on(MS(902)));
    }

    #[test]
    fn a_limit_below_a_tick_holds_within_two() {
        let mut deadline = Deadline::default();
        deadline.start(Duration::from_micros(100));
        assert!(deadline.may_go_on(MS(1)));
        assert!(!deadline.may_go_on(MS(2)));
    }
}
