//! What one worker counts of a listener, a route, an upstream, a step and a plugin.
//!
//! Only the worker that they belong to may write them. Aligned so that two workers never write one cache
//! line.

use std::sync::OnceLock;
use std::time::Duration;

use sluice_abi::Phase;

use super::cell::{CALL_SCALE, Counter, EXCHANGE_SCALE, Gauge, Histogram, Kinds, Statuses};

/// The route label of exchanges that no route took.
pub(crate) const NO_ROUTE: &str = "";

/// Connections of a listener.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct ListenerMetrics {
    pub(super) opened: Counter,
    pub(super) closed: Counter,
    pub(super) refused: Kinds,
}

impl ListenerMetrics {
    pub(crate) fn connection_opened(&self) {
        self.opened.add(1);
    }

    pub(crate) fn connection_closed(&self) {
        self.closed.add(1);
    }

    /// A connection or a request that was turned away before any route.
    pub(crate) fn refused(&self, kind: &'static str) {
        self.refused.add(kind);
    }
}

/// Exchanges of a route.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct RouteMetrics {
    pub(super) statuses: Statuses,
    pub(super) duration: Histogram,
    pub(super) request_bytes: Counter,
    pub(super) response_bytes: Counter,
}

impl Default for RouteMetrics {
    fn default() -> Self {
        Self {
            statuses: Statuses::default(),
            duration: Histogram::new(&EXCHANGE_SCALE),
            request_bytes: Counter::default(),
            response_bytes: Counter::default(),
        }
    }
}

impl RouteMetrics {
    /// An exchange that has ended; `status` is 0 if the client was sent none.
    pub(crate) fn observe(&self, status: u16, duration: Duration, request_bytes: u64, response_bytes: u64) {
        self.statuses.add(status);
        self.duration.observe(duration);
        self.request_bytes.add(request_bytes);
        self.response_bytes.add(response_bytes);
    }
}

/// What an upstream answered.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct UpstreamMetrics {
    pub(super) statuses: Statuses,
    pub(super) head: Histogram,
    pub(super) failures: Kinds,
    pub(super) opened: Counter,
    pub(super) reused: Counter,
}

impl Default for UpstreamMetrics {
    fn default() -> Self {
        Self {
            statuses: Statuses::default(),
            head: Histogram::new(&EXCHANGE_SCALE),
            failures: Kinds::default(),
            opened: Counter::default(),
            reused: Counter::default(),
        }
    }
}

impl UpstreamMetrics {
    /// A response head came after `head`.
    pub(crate) fn answered(&self, status: u16, head: Duration) {
        self.statuses.add(status);
        self.head.observe(head);
    }

    /// No response head came.
    pub(crate) fn failed(&self, kind: &'static str) {
        self.failures.add(kind);
    }

    pub(crate) fn connection_opened(&self) {
        self.opened.add(1);
    }

    /// A request went over a connection that had served another.
    pub(crate) fn connection_reused(&self) {
        self.reused.add(1);
    }
}

/// What came of a call into a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepVerdict {
    Continue,
    Respond,
    /// Of this kind.
    Fault(&'static str),
    /// It was not called: no instance was free, and the exchange goes on without it.
    LeftOut,
}

/// Whether a step is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CircuitState {
    Closed = 0,
    HalfOpen = 1,
    Open = 2,
}

/// Calls of a step.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct StepMetrics {
    /// By [`Phase`]; made at the first call, because most steps have one or two.
    pub(super) phases: [OnceLock<Box<PhaseMetrics>>; Phase::ALL.len()],
    pub(super) faults: Kinds,
    pub(super) circuit: Gauge,
}

/// Instances of a plugin. Steps that agree on a configuration share them, so they are no step's.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct PluginMetrics {
    pub(super) created: Counter,
    pub(super) live: Gauge,
    pub(super) memory: Gauge,
}

impl PluginMetrics {
    pub(crate) fn instance_created(&self) {
        self.created.add(1);
    }

    /// So many more instances are alive, or fewer, with so many more bytes of linear memory, or fewer.
    pub(crate) fn instances_changed(&self, instances: i64, memory: i64) {
        self.live.add(instances);
        self.memory.add(memory);
    }
}

/// Calls in one phase.
#[derive(Debug)]
pub(super) struct PhaseMetrics {
    pub(super) continued: Counter,
    pub(super) responded: Counter,
    pub(super) faulted: Counter,
    pub(super) left_out: Counter,
    pub(super) time: Histogram,
}

impl StepMetrics {
    /// A call into the plugin; `time` without what it waited.
    pub(crate) fn call(&self, phase: Phase, time: Duration, verdict: StepVerdict) {
        let cells = self.phases[phase as usize].get_or_init(|| {
            Box::new(PhaseMetrics {
                continued: Counter::default(),
                responded: Counter::default(),
                faulted: Counter::default(),
                left_out: Counter::default(),
                time: Histogram::new(&CALL_SCALE),
            })
        });
        if verdict != StepVerdict::LeftOut {
            cells.time.observe(time);
        }
        match verdict {
            StepVerdict::Continue => cells.continued.add(1),
            StepVerdict::Respond => cells.responded.add(1),
            StepVerdict::Fault(kind) => {
                cells.faulted.add(1);
                self.faults.add(kind);
            }
            StepVerdict::LeftOut => cells.left_out.add(1),
        }
    }

    pub(crate) fn set_circuit(&self, state: CircuitState) {
        self.circuit.set(state as i64);
    }
}
