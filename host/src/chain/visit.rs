//! One exchange's visit to a chain: how far it came and what its steps keep until it ends.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::wasm::{ExchangeView, Lease, Slot};

/// One exchange's visit to a chain.
pub(crate) struct Visit {
    pub(super) slot: Slot,
    /// Steps that the request came to; these see the response.
    pub(super) reached: Cell<usize>,
    pub(super) steps: Box<[StepVisit]>,
    /// The step, and what it did, that ended a body after its head had left.
    pub(super) broken: RefCell<Option<super::ChainFailure>>,
}

/// What one step keeps of one exchange.
#[derive(Default)]
pub(super) struct StepVisit {
    /// Its instance, where it has one for itself.
    pub(super) own: RefCell<Option<Lease>>,
    /// CPU time spent so far.
    pub(super) spent: Cell<Duration>,
    /// It faulted and is passed over from here on.
    pub(super) passed_over: Cell<bool>,
}

impl Visit {
    /// The visit of an exchange to a chain of `steps`.
    pub(crate) fn new(view: Box<ExchangeView>, steps: usize) -> Self {
        Self {
            slot: Slot::new(view),
            reached: Cell::new(0),
            steps: (0..steps).map(|_| StepVisit::default()).collect(),
            broken: RefCell::new(None),
        }
    }

    /// Looks at what plugins see; `None` while one of them has it.
    pub(crate) fn with_view<T>(&self, look: impl FnOnce(&mut ExchangeView) -> T) -> Option<T> {
        self.slot.with(look)
    }

    /// Whether a step faulted and is passed over.
    pub(super) fn passes_over(&self, index: usize) -> bool {
        self.steps[index].passed_over.get()
    }

    /// The failure of a step that ended a body, if one did.
    pub(crate) fn take_broken(&self) -> Option<super::ChainFailure> {
        self.broken.borrow_mut().take()
    }
}
