//! The plugin in this process, over a fake gateway.

mod access;
mod crypto;
mod head;
mod host;
mod state;
mod store;

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use sluice_abi::harness::{Answer, Ask, Call, Called, Decision, Stage, Start};
use sluice_abi::{Isolation, Phase};
use sluice_sdk::host::install;
use sluice_sdk::{Described, export};

use crate::harness::Partner;
use host::FakeHost;
use state::{Activity, State};

/// Enough that state kept in one of them is missed in the other.
const INSTANCES: usize = 2;

/// A plugin of this process.
pub(crate) struct Native<P> {
    state: Rc<RefCell<State>>,
    /// Take turns. One that faulted is gone until its next turn.
    instances: Vec<Option<P>>,
    turn: usize,
    /// Where each exchange has its own, those.
    own: HashMap<u32, P>,
}

impl<P: Described> Native<P> {
    pub(crate) fn new() -> Self {
        let state = Rc::new(RefCell::new(State::new(&[P::CAPABILITIES, P::OPTIONAL].concat())));
        Self { state, instances: Vec::new(), turn: 0, own: HashMap::new() }
    }

    /// Runs plugin code with the fake host under it: its result, or the words of its panic.
    fn under_host<T>(&self, activity: Activity, code: impl FnOnce() -> T) -> Result<T, String> {
        self.state.borrow_mut().enter(activity);
        let outer = install(Some(Box::new(FakeHost::new(Rc::clone(&self.state)))));
        let result = catch_unwind(AssertUnwindSafe(code));
        install(outer);
        result.map_err(|panic| words(&*panic))
    }

    fn start(&mut self, start: Start) -> Answer {
        let config = start.config.to_string().into_bytes();
        self.state.borrow_mut().begin(config, start.world);
        for _ in 0..INSTANCES {
            match self.build() {
                Ok(plugin) => self.instances.push(Some(plugin)),
                Err(message) => return Answer::Refused { stage: Stage::Config, message },
            }
        }
        let plugin = self.instances[0].as_ref().expect("it was just built");
        let mut descriptor = P::descriptor();
        let skipped = self.under_host(Activity::Load, || export::skipped_by(plugin)).unwrap_or_default();
        descriptor.phases.retain(|phase| skipped & phase.bit() == 0);
        self.state.borrow_mut().phases.clone_from(&descriptor.phases);
        match self.under_host(Activity::Load, || plugin.self_test()) {
            Ok(Ok(())) => Answer::Started(Box::new(descriptor)),
            Ok(Err(error)) => Answer::Refused { stage: Stage::SelfTest, message: error.to_string() },
            Err(message) => Answer::Refused { stage: Stage::SelfTest, message },
        }
    }

    fn build(&self) -> Result<P, String> {
        let built = self.under_host(Activity::Load, export::build::<P>)?;
        built.map_err(|error| error.to_string())
    }

    fn call(&mut self, call: Call) -> Answer {
        let Call { exchange, phase, last, .. } = call;
        if !P::PHASES.contains(&phase) {
            return Answer::Error { message: format!("the plugin has no phase `{}`", phase.name()) };
        }
        if let Err(message) = self.state.borrow_mut().prepare(call) {
            return Answer::Error { message };
        }
        let decision = self.decide(exchange, phase, last);
        let called: Called = self.state.borrow_mut().called(exchange, phase, decision);
        Answer::Called(Box::new(called))
    }

    fn decide(&mut self, exchange: u32, phase: Phase, last: bool) -> Decision {
        if P::ISOLATION == Isolation::Exchange {
            return self.decide_alone(exchange, phase, last);
        }
        self.turn = (self.turn + 1) % INSTANCES;
        if self.instances[self.turn].is_none() {
            match self.build() {
                Ok(plugin) => self.instances[self.turn] = Some(plugin),
                Err(message) => return Decision::Fault { message },
            }
        }
        let plugin = self.instances[self.turn].as_ref().expect("it was just built if it was not there");
        // As compiled: what was decided goes through the host, which may refuse it.
        let answer = self.under_host(Activity::Phase(exchange, phase), || {
            export::finish(export::call(plugin, phase, last))
        });
        match answer {
            Ok(answer) => self.state.borrow_mut().decision(answer),
            Err(message) => {
                self.instances[self.turn] = None;
                Decision::Fault { message }
            }
        }
    }

    /// With an instance that the exchange keeps.
    fn decide_alone(&mut self, exchange: u32, phase: Phase, last: bool) -> Decision {
        let plugin = match self.own.remove(&exchange).map_or_else(|| self.build(), Ok) {
            Ok(plugin) => plugin,
            Err(message) => return Decision::Fault { message },
        };
        let answer = self.under_host(Activity::Phase(exchange, phase), || {
            export::finish(export::call(&plugin, phase, last))
        });
        match answer {
            Ok(answer) => {
                self.own.insert(exchange, plugin);
                self.state.borrow_mut().decision(answer)
            }
            Err(message) => Decision::Fault { message },
        }
    }
}

/// The words of a panic.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}

impl<P: Described> Partner for Native<P> {
    fn ask(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Start(start) => self.start(*start),
            Ask::Open(open) => match self.state.borrow_mut().open(*open) {
                Ok(()) => Answer::Done,
                Err(message) => Answer::Error { message },
            },
            Ask::Call(call) => self.call(*call),
            Ask::Close { exchange } => {
                self.own.remove(&exchange);
                self.state.borrow_mut().close(exchange);
                Answer::Done
            }
            Ask::Advance { ms } => {
                self.state.borrow_mut().advance(ms);
                Answer::Done
            }
        }
    }
}
