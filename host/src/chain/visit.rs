//! One exchange's visit to a chain: how far it came and what its steps keep until it ends.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use sluice_abi::{BodyMode, Phase, Reply};

use crate::body::Room;
use crate::metering::Tab;
use crate::wasm::{ExchangeView, Lease, Slot};

/// One exchange's visit to a chain.
pub(crate) struct Visit {
    pub(super) slot: Slot,
    /// Where bodies that are held whole count.
    pub(super) room: Option<Arc<Room>>,
    /// What the exchange has used, where its chain meters.
    pub(super) tab: Option<Arc<Tab>>,
    /// Steps that the request came to; these see the response.
    pub(super) reached: Cell<usize>,
    /// Those of them that have not seen a response yet, or see another one because this one was lost under their hands: so many from
    /// the first on. All of them until there is one.
    pub(super) waiting: Cell<usize>,
    pub(super) steps: Box<[StepVisit]>,
    /// The place of the step that answered in the middle of the request's body, and its answer.
    pub(super) answer: RefCell<Option<(usize, Reply)>>,
    /// The step, and what it did, that ended a body after its head had left.
    pub(super) broken: RefCell<Option<super::ChainFailure>>,
}

/// A message of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Request,
    Response,
}

impl Message {
    /// The phases that take its body: whole, and in chunks.
    pub(super) const fn phases(self) -> (Phase, Phase) {
        match self {
            Self::Request => (Phase::RequestBody, Phase::RequestChunk),
            Self::Response => (Phase::ResponseBody, Phase::ResponseChunk),
        }
    }
}

/// What one step keeps of one exchange.
#[derive(Default)]
pub(super) struct StepVisit {
    /// Its instance, where it has one for itself.
    pub(super) own: RefCell<Option<Lease>>,
    /// It was called, or an attempt was made.
    pub(super) called: Cell<bool>,
    /// CPU time spent so far.
    pub(super) spent: Cell<Duration>,
    /// Body bytes that it saw pass.
    pub(super) passed: Cell<usize>,
    /// It faulted, or another step was chosen in its place, or it was left out: it is passed over from here on.
    pub(super) passed_over: Cell<bool>,
    /// It has changed the head or the body of the message whose chunks it sees.
    pub(super) wrote: Cell<bool>,
    /// The alternative that it belongs to did not admit the request: it is told of the end and of nothing else.
    pub(super) refused: Cell<bool>,
    /// It faulted and the exchange failed by it: it does not see the answer to that.
    pub(super) failed: Cell<bool>,
    /// How it takes the body of the request, of the response, if it has said so.
    pub(super) body_mode: [Cell<Option<BodyMode>>; 2],
}

impl Visit {
    /// The visit of an exchange to a chain of `steps`.
    pub(crate) fn new(view: Box<ExchangeView>, steps: usize, room: Option<Arc<Room>>) -> Self {
        Self {
            tab: view.tab.clone(),
            slot: Slot::new(view),
            room,
            reached: Cell::new(0),
            waiting: Cell::new(usize::MAX),
            steps: (0..steps).map(|_| StepVisit::default()).collect(),
            answer: RefCell::new(None),
            broken: RefCell::new(None),
        }
    }

    /// Looks at what plugins see; `None` while one of them has it.
    pub(crate) fn with_view<T>(&self, look: impl FnOnce(&mut ExchangeView) -> T) -> Option<T> {
        self.slot.with(look)
    }

    /// Notes how a step that has seen the head of a message takes its body.
    pub(super) fn note_body_mode(&self, index: usize, message: Message) {
        let mode = self.slot.with(|view| view.body_mode.take()).flatten();
        self.set_body_mode(index, message, mode);
    }

    pub(super) fn set_body_mode(&self, index: usize, message: Message, mode: Option<BodyMode>) {
        self.steps[index].body_mode[message as usize].set(mode);
    }

    /// How a step takes the body of a message, if it has said so.
    pub(super) fn body_mode(&self, index: usize, message: Message) -> Option<BodyMode> {
        self.steps[index].body_mode[message as usize].get()
    }

    /// Whether a step wants to see the body of a message.
    pub(super) fn wants_body(&self, index: usize, message: Message) -> bool {
        let step = &self.steps[index];
        let skips = self.body_mode(index, message) == Some(BodyMode::Skip);
        !step.passed_over.get() && !step.refused.get() && !skips
    }

    /// The failure of a step that ended a body, if one did.
    pub(crate) fn take_broken(&self) -> Option<super::ChainFailure> {
        self.broken.borrow_mut().take()
    }
}
