//! What a condition wants of a value that may be there or not.

use sluice_sdk::prelude::*;

/// Whether it is there, or which of these values it has.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Match {
    /// `true`: it is there, whatever its value. `false`: it is not.
    Present(bool),
    /// One of its values is one of these, exactly.
    Values(OneOrMany<String>),
}

impl Match {
    pub(crate) fn check(&self) -> Result<()> {
        let is_empty = matches!(self, Self::Values(values) if values.is_empty());
        ensure!(!is_empty, "there is no value to be compared with");
        Ok(())
    }

    pub(crate) fn fits<T: AsRef<[u8]>>(&self, found: &[T]) -> bool {
        match self {
            Self::Present(present) => found.is_empty() != *present,
            Self::Values(values) => {
                values.iter().any(|value| found.iter().any(|found| found.as_ref() == value.as_bytes()))
            }
        }
    }
}
