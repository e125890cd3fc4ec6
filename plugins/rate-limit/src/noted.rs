//! What an exchange has taken, from its request to its end.

use sluice_sdk::prelude::*;

use crate::plans::Rules;

pub(crate) const NOTED: Value<Noted> = Value::step("noted");

/// Of a request that was let through, or whose fate is not known yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct Noted {
    /// Which limits were its.
    pub(crate) set: usize,
    /// The rate limits of a plan, if those were its: quota and window in milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) plan: Rules,
    /// What the response tells of each of them: what is left, and seconds until it is whole. Nothing unless it was let through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) standing: Vec<(u64, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<Open>,
}

/// What is still to be settled.
#[derive(Serialize, Deserialize)]
pub(crate) struct Open {
    /// Each byte is a character.
    key: String,
    pub(crate) holder: Option<u64>,
    /// Nothing while it is not known whether anything was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) charge: Option<Charge>,
    /// Units that the response has told, if they are not taken yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) units: Option<u64>,
}

/// What was taken before the request.
#[derive(Serialize, Deserialize)]
pub(crate) struct Charge {
    /// Units of each limit.
    pub(crate) cost: u64,
    /// Milliseconds from the take until each limit was whole again; 0 if that is not known.
    pub(crate) resets: Vec<u64>,
}

impl Open {
    /// Before the store is asked.
    pub(crate) fn new(key: &[u8], holder: Option<u64>) -> Self {
        let key = key.iter().copied().map(char::from).collect();
        Self { key, holder, charge: None, units: None }
    }

    /// After it has taken.
    pub(crate) fn charged(self, cost: u64, taken: &[Taken]) -> Self {
        let resets = taken.iter().map(|taken| taken.reset_ms).collect();
        Self { charge: Some(Charge { cost, resets }), ..self }
    }

    pub(crate) fn key(&self) -> Vec<u8> {
        self.key.chars().map(|character| u8::try_from(character).unwrap_or_default()).collect()
    }
}
