//! The rate limits of consumers' plans, which only a request tells.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use sluice_sdk::consumers::PlanLimit;
use sluice_sdk::prelude::*;

use crate::config::{Algorithm, Concurrency};
use crate::limits::Set;

/// Quotas and windows in milliseconds.
pub(crate) type Rules = Vec<(u64, u64)>;

/// So many plans are known at once.
const MAX_KNOWN: usize = 256;

/// Limits of plans.
pub(crate) struct Plans {
    algorithm: Algorithm,
    concurrency: Option<Concurrency>,
    /// What was made of them before: the same every time, and not to be made for every request.
    known: RefCell<HashMap<Rules, Rc<Set>>>,
}

impl Plans {
    pub(crate) fn new(algorithm: Algorithm, concurrency: Option<Concurrency>) -> Self {
        Self { algorithm, concurrency, known: RefCell::default() }
    }

    /// What a plan's limits are, as they are noted.
    pub(crate) fn rules(limits: &[PlanLimit]) -> Rules {
        limits.iter().map(|limit| (limit.quota, limit.window_ms)).collect()
    }

    /// The limits of a plan.
    pub(crate) fn set(&self, rules: &Rules) -> Result<Rc<Set>> {
        if let Some(known) = self.known.borrow().get(rules) {
            return Ok(Rc::clone(known));
        }
        let set = Rc::new(self.make(rules).context("the rate limits of a plan")?);
        let mut known = self.known.borrow_mut();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(rules.clone(), Rc::clone(&set));
        Ok(set)
    }

    fn make(&self, rules: &Rules) -> Result<Set> {
        let mut set = Set::default();
        for (place, (quota, window_ms)) in rules.iter().enumerate() {
            let before = &rules[..place];
            if before.contains(&(*quota, *window_ms)) {
                continue;
            }
            let window = Duration::from_millis(*window_ms);
            let is_taken = before.iter().any(|(_, other)| other == window_ms);
            let name = is_taken.then(|| format!("{window}-{quota}"));
            set.add(self.algorithm, *quota, window, name)?;
        }
        set.complete(self.concurrency.as_ref())?;
        Ok(set)
    }
}
