//! One step of a chain on one worker: the call of a phase with its circuit, its limits and its fault policy.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use sluice_abi::{Answer, Phase, Reply};

use super::before::Before;
use super::circuit::{Admission, Circuit};
use super::failure::{ChainFailure, FaultReport, FaultReports};
use super::visit::Visit;
use crate::config::OnError;
use crate::metering::Metered;
use crate::telemetry::{CircuitState, StepMetrics, StepVerdict};
use crate::wasm::{Clockwork, Fault, FaultKind, Pool, Task};

/// Bytes of a body that passes in chunks which earn a step its time for an exchange again.
const EARNING: usize = 256 << 10;

/// One step of a chain on one worker.
pub(crate) struct Step {
    name: Arc<str>,
    route: Arc<str>,
    pool: Rc<Pool>,
    phases: [bool; Phase::ALL.len()],
    /// Whether an exchange for which no instance is free goes on without it.
    is_dispensable: bool,
    on_error: OnError,
    circuit: Option<RefCell<Circuit>>,
    metrics: Arc<StepMetrics>,
    reports: FaultReports,
    metered: Option<Metered>,
}

impl Step {
    /// A step named `name` of the route `route`.
    pub(crate) fn new(
        name: Arc<str>,
        route: Arc<str>,
        pool: Rc<Pool>,
        on_error: OnError,
        circuit: Option<Circuit>,
        metrics: Arc<StepMetrics>,
        reports: FaultReports,
    ) -> Self {
        let mut phases = [false; Phase::ALL.len()];
        for phase in pool.bound().phases() {
            phases[phase as usize] = true;
        }
        // Steps behind rely on what this one makes of a request's body: nobody gets a body past it.
        let takes_bodies = phases[Phase::RequestBody as usize] || phases[Phase::RequestChunk as usize];
        let is_dispensable = pool.bound().module.descriptor.dispensable && !takes_bodies;
        let circuit = circuit.map(RefCell::new);
        let metered = None;
        Self { name, route, pool, phases, is_dispensable, on_error, circuit, metrics, reports, metered }
    }

    /// The same, which meters.
    pub(crate) fn metering(self, metered: Option<Metered>) -> Self {
        Self { metered, ..self }
    }

    /// What it meters, if it does.
    pub(super) const fn metered(&self) -> Option<&Metered> {
        self.metered.as_ref()
    }

    /// It decides who comes in, or what is paid: nobody does, and nothing is free, because it was left out.
    pub(super) const fn must_be_asked(&mut self) {
        self.is_dispensable = false;
    }

    /// Whether its plugin has a phase.
    pub(super) const fn has(&self, phase: Phase) -> bool {
        self.phases[phase as usize]
    }

    /// Its name.
    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The most bytes of a body it may hold.
    pub(super) fn body_limit(&self) -> usize {
        self.pool.bound().limits.body
    }

    /// Runs a phase: the answer it gives, if it gives one, or what its fault means for the exchange.
    pub(super) async fn call(
        &self,
        visit: &Visit,
        index: usize,
        phase: Phase,
        last: bool,
        clock: &mut Clockwork,
    ) -> Result<Option<Reply>, ChainFailure> {
        let state = &visit.steps[index];
        if state.passed_over.get() || (state.refused.get() && phase != Phase::Complete) {
            return Ok(None);
        }
        let may_be_left_out = self.is_dispensable && !state.called.get();
        if may_be_left_out && self.pool.is_taken() {
            return Ok(self.left_out(visit, index, phase));
        }
        match self.circuit.as_ref().map(|circuit| circuit.borrow_mut().admits(Instant::now)) {
            None | Some(Admission::Go) => {}
            Some(Admission::Trial) => self.metrics.set_circuit(CircuitState::HalfOpen),
            Some(Admission::Refused) => {
                // It stands in for a call: what it meters is not free because it is left alone.
                state.called.set(true);
                self.metrics.call(phase, Duration::ZERO, StepVerdict::Fault("circuit-open"));
                return self.decide(visit, index, phase, "circuit-open", None);
            }
        }
        let limits = &self.pool.bound().limits;
        // A body that passes earns its step time by its length, or every long one would be cut off in the end.
        let earned = u32::try_from(state.passed.get() / EARNING).unwrap_or(u32::MAX).saturating_add(1);
        let whole = limits.exchange_time.saturating_mul(earned);
        let limit = limits.time.min(whole.saturating_sub(state.spent.get()));
        if limit.is_zero() {
            let fault = Fault::new(FaultKind::Deadline, "its time for this exchange is used up");
            return self.faulted(visit, index, phase, Duration::ZERO, fault, None);
        }
        let before = if self.on_error == OnError::Allow {
            Some(visit.slot.lend(|view| Before::of(view)).await)
        } else {
            None
        };
        let task = Task { slot: &visit.slot, own: &state.own, phase, last, step: (index, &self.name), limit };
        let called = self.pool.call(task, clock).await;
        state.spent.set(state.spent.get() + called.busy);
        match called.answer {
            // Another exchange was faster.
            Err(fault) if may_be_left_out && fault.kind == FaultKind::Instances => {
                return Ok(self.left_out(visit, index, phase));
            }
            _ => state.called.set(true),
        }
        match called.answer {
            Ok(answer) => {
                if self.circuit.as_ref().is_some_and(|circuit| circuit.borrow_mut().succeeded()) {
                    self.metrics.set_circuit(CircuitState::Closed);
                }
                if answer == Answer::Respond {
                    self.metrics.call(phase, called.busy, StepVerdict::Respond);
                    let reply = visit.slot.lend(|view| view.reply.take()).await;
                    return Ok(Some(reply.expect("an answer without a reply is a fault")));
                }
                self.metrics.call(phase, called.busy, StepVerdict::Continue);
                if self.on_error == OnError::Allow {
                    let wrote = visit.slot.with(|view| view.wrote).unwrap_or_default();
                    // A response begins anew.
                    state.wrote.set(wrote || (state.wrote.get() && phase != Phase::Response));
                }
                Ok(None)
            }
            Err(fault) => self.faulted(visit, index, phase, called.busy, fault, before),
        }
    }

    /// The exchange goes on as if the step were not in its chain.
    #[cold]
    fn left_out(&self, visit: &Visit, index: usize, phase: Phase) -> Option<Reply> {
        self.metrics.call(phase, Duration::ZERO, StepVerdict::LeftOut);
        visit.steps[index].passed_over.set(true);
        None
    }

    /// Counts and reports a fault, then decides.
    #[cold]
    fn faulted(
        &self,
        visit: &Visit,
        index: usize,
        phase: Phase,
        busy: Duration,
        fault: Fault,
        before: Option<Before>,
    ) -> Result<Option<Reply>, ChainFailure> {
        self.metrics.call(phase, busy, StepVerdict::Fault(fault.kind.name()));
        let opened_circuit =
            self.circuit.as_ref().is_some_and(|circuit| circuit.borrow_mut().faulted(Instant::now()));
        if opened_circuit {
            self.metrics.set_circuit(CircuitState::Open);
        }
        let request_id = visit
            .slot
            .with(|view| String::from_utf8_lossy(view.request_id.as_bytes()).into_owned())
            .unwrap_or_default();
        let cause = fault.kind.name();
        let report = FaultReport {
            plugin: Arc::clone(&self.pool.bound().plugin),
            route: Arc::clone(&self.route),
            step: Arc::clone(&self.name),
            phase,
            kind: fault.kind,
            message: fault.message,
            backtrace: fault.backtrace,
            request_id,
            opened_circuit,
        };
        // Counted above; a full queue loses the words, not the number.
        let _ = self.reports.try_send(report);
        self.decide(visit, index, phase, cause, before)
    }

    fn decide(
        &self,
        visit: &Visit,
        index: usize,
        phase: Phase,
        cause: &'static str,
        before: Option<Before>,
    ) -> Result<Option<Reply>, ChainFailure> {
        // The rest of a body does not fit what the step has made of its beginning, or of the head.
        let is_begun = phase.is_chunk() && visit.steps[index].wrote.get();
        let status = match self.on_error {
            OnError::Allow if !is_begun => {
                visit.steps[index].passed_over.set(true);
                if let Some(before) = before {
                    visit.slot.with(|view| before.restore(view));
                }
                return Ok(None);
            }
            OnError::Allow | OnError::Deny => StatusCode::INTERNAL_SERVER_ERROR,
            OnError::Respond(status) => status,
        };
        visit.steps[index].failed.set(true);
        Err(ChainFailure::Step { step: Arc::clone(&self.name), cause, status })
    }
}
