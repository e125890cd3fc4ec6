//! One instance: a store, the functions of its phases, and how a call enters and leaves it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_abi::{Answer, Phase, export};
use wasmtime::{Store, TypedFunc, UpdateDeadline};

use super::bind::{BindError, Bound};
use super::fault::{Fault, FaultKind};
use super::imports::fetch::FetchSender;
use super::limits::{Budget, thread_cpu_time};
use super::load::{CONFIGURE_TIME, LOAD_TIME};
use super::state::{Activity, HostState};
use super::view::ExchangeView;
use crate::config::Limits;

/// A phase's function, as it is exported.
#[derive(Clone)]
enum PhaseFunction {
    Plain(TypedFunc<(), i32>),
    Chunk(TypedFunc<i32, i32>),
}

/// One instance of a plugin.
pub(crate) struct Instance {
    store: Store<HostState>,
    phases: [Option<PhaseFunction>; Phase::ALL.len()],
    self_test: Option<TypedFunc<(), i32>>,
    skipped: Option<TypedFunc<(), i32>>,
    suspends: bool,
    /// Calls it has served.
    pub(super) calls: u64,
}

/// A new store whose deadline is enforced.
pub(super) fn new_store(engine: &wasmtime::Engine, state: HostState) -> Store<HostState> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.space);
    store.epoch_deadline_callback(|mut context| {
        let may_go_on = context.data_mut().deadline.may_go_on(thread_cpu_time(), Instant::now());
        Ok(if may_go_on { UpdateDeadline::Continue(1) } else { UpdateDeadline::Interrupt })
    });
    store.set_epoch_deadline(1);
    store
}

/// Calls a function, on a stack of its own only if it may have to wait.
pub(super) async fn call<P>(
    store: &mut Store<HostState>,
    function: &TypedFunc<P, i32>,
    arguments: P,
    suspends: bool,
) -> Result<i32, Fault>
where
    P: wasmtime::WasmParams + Sync,
{
    let result = if suspends {
        function.call_async(&mut *store, arguments).await
    } else {
        function.call(&mut *store, arguments)
    };
    result.map_err(|error| Fault::from_error(&error, store.data_mut()))
}

impl Instance {
    /// Instantiates and configures.
    pub(crate) async fn create(bound: &Arc<Bound>, fetch: Option<FetchSender>) -> Result<Self, BindError> {
        let module = &bound.module;
        let mut store = new_store(module.engine(), HostState::bound(bound, fetch));
        store.data_mut().deadline.start(bound.configure_time(), Instant::now());
        let instance = module.instantiate(&mut store).await?;
        let suspends = module.suspends;
        let mut phases = [const { None }; Phase::ALL.len()];
        for phase in &module.descriptor.phases {
            let name = phase.export();
            let function = if phase.is_chunk() {
                instance.get_typed_func(&mut store, name).map(PhaseFunction::Chunk)
            } else {
                instance.get_typed_func(&mut store, name).map(PhaseFunction::Plain)
            };
            let function = function
                .map_err(|error| Fault::new(FaultKind::BadOutput, format!("export `{name}`: {error}")))?;
            phases[*phase as usize] = Some(function);
        }
        let configure =
            instance.get_typed_func::<(), i32>(&mut store, export::CONFIGURE).map_err(|error| {
                Fault::new(FaultKind::BadOutput, format!("export `{}`: {error}", export::CONFIGURE))
            })?;
        let self_test = optional(&instance, &mut store, export::SELF_TEST);
        let skipped = optional(&instance, &mut store, export::SKIPPED);
        let answer = call(&mut store, &configure, (), suspends).await?;
        match Answer::from_number(answer) {
            Some(Answer::Continue) => {}
            Some(Answer::Failed) => {
                return Err(BindError::Refused(reason(store.data_mut())));
            }
            _ => return Err(bad_answer(export::CONFIGURE, answer).into()),
        }
        // Keys of the configuration stay; those of a call go with it.
        store.data_mut().keys.keep();
        Ok(Self { store, phases, self_test, skipped, suspends, calls: 0 })
    }

    /// Lets the configured plugin test itself.
    pub(super) async fn self_test(&mut self) -> Result<(), Fault> {
        let Some(function) = self.self_test.clone() else { return Ok(()) };
        self.store.data_mut().deadline.start(LOAD_TIME, Instant::now());
        self.store.set_epoch_deadline(1);
        match call(&mut self.store, &function, (), self.suspends).await? {
            answer if answer == Answer::Continue.number() => Ok(()),
            answer if answer == Answer::Failed.number() => {
                let reason = reason(self.store.data_mut());
                Err(Fault::new(FaultKind::Failed, format!("its self-test failed: {reason}")))
            }
            answer => Err(bad_answer(export::SELF_TEST, answer)),
        }
    }

    /// Asks the configured plugin for the phases that it has nothing to do in.
    pub(super) async fn skipped(&mut self) -> Result<i32, Fault> {
        let Some(function) = self.skipped.clone() else { return Ok(0) };
        self.store.data_mut().deadline.start(CONFIGURE_TIME, Instant::now());
        self.store.set_epoch_deadline(1);
        call(&mut self.store, &function, (), self.suspends).await
    }

    /// The meters that it opened when it was configured.
    pub(super) fn meters(&self) -> &[usize] {
        &self.store.data().meters
    }

    /// Lends it the exchange for one call.
    pub(super) fn enter(&mut self, view: Box<ExchangeView>, phase: Phase, step: (usize, &Arc<str>)) {
        self.calls += 1;
        let state = self.store.data_mut();
        state.forget();
        let mut view = view;
        view.reply = None;
        // How another step takes it is not this one's choice.
        view.body_mode = None;
        view.wrote = false;
        state.view = Some(view);
        state.activity = Activity::Phase(phase);
        if state.step.0 != step.0 || *state.step.1 != **step.1 {
            state.step = (step.0, Arc::clone(step.1));
        }
        if let Some(bound) = &state.bound {
            state.budget = Budget::of(&bound.limits);
        }
    }

    /// Runs a phase under a CPU time limit.
    pub(super) async fn run(
        &mut self,
        phase: Phase,
        last: bool,
        limit: Duration,
        now: Instant,
    ) -> Result<Answer, Fault> {
        self.start(limit, now);
        let answer = match &self.phases[phase as usize] {
            Some(PhaseFunction::Plain(function)) => {
                call(&mut self.store, function, (), self.suspends).await?
            }
            Some(PhaseFunction::Chunk(function)) => {
                call(&mut self.store, function, i32::from(last), self.suspends).await?
            }
            None => return Err(no_function(phase)),
        };
        self.conclude(phase, answer)
    }

    /// As [`run`](Self::run), for an instance that cannot wait.
    pub(super) fn run_now(
        &mut self,
        phase: Phase,
        last: bool,
        limit: Duration,
        now: Instant,
    ) -> Result<Answer, Fault> {
        self.start(limit, now);
        let called = match &self.phases[phase as usize] {
            Some(PhaseFunction::Plain(function)) => function.call(&mut self.store, ()),
            Some(PhaseFunction::Chunk(function)) => function.call(&mut self.store, i32::from(last)),
            None => return Err(no_function(phase)),
        };
        match called {
            Ok(answer) => self.conclude(phase, answer),
            Err(error) => Err(Fault::from_error(&error, self.store.data_mut())),
        }
    }

    fn start(&mut self, limit: Duration, now: Instant) {
        self.store.data_mut().deadline.start(limit, now);
        self.store.set_epoch_deadline(1);
    }

    fn conclude(&mut self, phase: Phase, answer: i32) -> Result<Answer, Fault> {
        let state = self.store.data_mut();
        match Answer::from_number(answer) {
            Some(Answer::Failed) => Err(Fault::new(FaultKind::Failed, reason(state))),
            Some(Answer::Respond) if state.view.as_ref().is_none_or(|view| view.reply.is_none()) => {
                Err(Fault::new(FaultKind::BadOutput, "it responds, but with nothing"))
            }
            Some(answer) => Ok(answer),
            None => Err(bad_answer(phase.export(), answer)),
        }
    }

    /// Takes the exchange back. What it wrote to standard error was for a fault that did not come.
    pub(super) fn leave(&mut self) -> Option<Box<ExchangeView>> {
        let state = self.store.data_mut();
        state.stderr.clear();
        state.keys.forget_later();
        state.view.take()
    }

    /// The last call has ended: the CPU time it took.
    pub(super) fn busy(&mut self, now: Instant) -> Duration {
        let deadline = &mut self.store.data_mut().deadline;
        deadline.suspend(thread_cpu_time, now);
        deadline.used()
    }

    /// Whether it may serve again after a clean call.
    pub(super) fn is_reusable(&self) -> bool {
        let limits = self.store.data().bound.as_ref().map(|bound| &bound.limits);
        // One whose memory has grown to near its limit would soon fail a call that is not to blame.
        limits.is_some_and(|limits| self.calls < limits.calls && self.memory() <= reusable_memory(limits))
    }

    /// Bytes of linear memory.
    pub(super) fn memory(&self) -> usize {
        self.store.data().space.memory
    }
}

/// Bytes of linear memory that an instance may have grown to and still serve again.
pub(super) const fn reusable_memory(limits: &Limits) -> usize {
    limits.memory / 4 * 3
}

/// An export that a plugin may leave out. Looked for by name first: that one is missing is an error to `get_typed_func`, with a
/// stack trace where these are wanted, which takes longer than making the instance.
pub(super) fn optional<R: wasmtime::WasmResults>(
    instance: &wasmtime::Instance,
    store: &mut Store<HostState>,
    name: &str,
) -> Option<TypedFunc<(), R>> {
    instance.get_func(&mut *store, name)?.typed(store).ok()
}

/// Why it says it failed.
fn reason(state: &mut HostState) -> String {
    state.failure.take().unwrap_or_else(|| "it gave no reason".to_owned())
}

fn no_function(phase: Phase) -> Fault {
    Fault::new(FaultKind::BadOutput, format!("no function for `{}`", phase.name()))
}

fn bad_answer(export: &str, answer: i32) -> Fault {
    Fault::new(FaultKind::BadOutput, format!("`{export}` returned {answer}, which is no answer"))
}
