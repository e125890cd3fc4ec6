//! What one call may use: time on the CPU, memory, table, host calls, bytes. Time is an argument.

use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;

use super::ticker::TICK;

/// The CPU time of one call.
///
/// The epoch ticks by the wall clock, but a thread that the machine gave to someone else has done nothing
/// wrong, so a tick only makes the call look at its thread's CPU clock. Reading that clock is a system
/// call; it is first read at the first tick, so that the many calls that end sooner never pay for it. What
/// ran before that is taken from the wall clock, up to a tick.
#[derive(Debug)]
pub(super) struct Deadline {
    limit: Duration,
    used: Duration,
    /// When it last began to run, and the CPU time at the first tick after that.
    began: Instant,
    since: Option<Duration>,
}

impl Deadline {
    /// A deadline for nothing yet.
    pub(super) fn none() -> Self {
        Self { limit: Duration::ZERO, used: Duration::ZERO, began: Instant::now(), since: None }
    }

    /// Starts a call that may use `limit`.
    pub(super) fn start(&mut self, limit: Duration, now: Instant) {
        *self = Self { limit, used: Duration::ZERO, began: now, since: None };
    }

    /// At a tick, with the thread's CPU time: whether the call may go on.
    pub(super) fn may_go_on(&mut self, cpu: Duration, now: Instant) -> bool {
        let running = match self.since {
            None => {
                self.used += self.unseen(now);
                self.since = Some(cpu);
                Duration::ZERO
            }
            Some(since) => cpu.saturating_sub(since),
        };
        self.used + running < self.limit.max(TICK)
    }

    /// What ran before the first tick, which is at most a tick away.
    fn unseen(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began).min(TICK)
    }

    /// The call ends, or waits for the host: what it used so far is charged, the wait is not.
    pub(super) fn suspend(&mut self, cpu: impl FnOnce() -> Duration, now: Instant) {
        self.used += match self.since.take() {
            Some(since) => cpu().saturating_sub(since),
            None => self.unseen(now),
        };
        self.began = now;
    }

    /// The call goes on after a wait.
    pub(super) const fn resume(&mut self, now: Instant) {
        self.began = now;
    }

    /// CPU time charged so far.
    pub(super) const fn used(&self) -> Duration {
        self.used
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

    fn started(limit: Duration) -> (Deadline, Instant) {
        let (mut deadline, now) = (Deadline::none(), Instant::now());
        deadline.start(limit, now);
        (deadline, now)
    }

    #[test]
    fn a_call_that_burns_cpu_ends_at_its_limit() {
        let (mut deadline, start) = started(MS(5));
        assert!(deadline.may_go_on(MS(100), start + MS(1)));
        assert!(deadline.may_go_on(MS(103), start + MS(4)));
        assert!(!deadline.may_go_on(MS(104), start + MS(5)));
    }

    #[test]
    fn a_tick_right_after_the_start_charges_no_whole_tick() {
        let (mut deadline, start) = started(MS(2));
        assert!(deadline.may_go_on(MS(100), start));
        assert!(deadline.may_go_on(MS(101), start + MS(1)));
        assert!(!deadline.may_go_on(MS(102), start + MS(2)));
    }

    #[test]
    fn a_thread_that_was_not_running_is_not_charged() {
        let (mut deadline, start) = started(MS(2));
        for tick in 1..1000 {
            assert!(deadline.may_go_on(MS(100), start + MS(tick)));
        }
        deadline.suspend(|| MS(100), start + MS(1000));
        assert_eq!(deadline.used(), MS(1));
    }

    #[test]
    fn waiting_for_the_host_is_not_charged() {
        let (mut deadline, start) = started(MS(5));
        assert!(deadline.may_go_on(MS(100), start + MS(1)));
        deadline.suspend(|| MS(102), start + MS(3));
        deadline.resume(start + MS(800));
        assert!(deadline.may_go_on(MS(900), start + MS(801)), "1 + 2 + 1 ms used");
        assert!(!deadline.may_go_on(MS(901), start + MS(802)));
    }

    #[test]
    fn many_short_calls_add_up() {
        let (mut deadline, start) = started(MS(5));
        deadline.suspend(|| unreachable!("no tick was seen"), start + Duration::from_micros(900));
        assert_eq!(deadline.used(), Duration::from_micros(900));
    }

    #[test]
    fn a_limit_below_a_tick_holds_within_two() {
        let (mut deadline, start) = started(Duration::from_micros(100));
        assert!(deadline.may_go_on(MS(1), start));
        assert!(!deadline.may_go_on(MS(2), start + MS(1)));
    }
}
