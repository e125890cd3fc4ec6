//! The API's consumers. Capability `consumers`.

use std::fmt;

use serde::{Deserialize, Serialize};
use sluice_abi::WireError;

use crate::host::{self, raw};
use crate::{Error, Result};

/// Someone who is known to the gateway.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Consumer {
    /// The name under which the operator configured it.
    pub name: String,
    /// What the operator's own systems call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// The groups it belongs to.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl Consumer {
    pub(crate) fn decode(message: &[u8]) -> Result<Self, WireError> {
        let sluice_abi::Consumer { name, custom_id, groups } = sluice_abi::Consumer::decode(message)?;
        Ok(Self { name, custom_id, groups })
    }

    /// Whether it belongs to a group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|known| known == group)
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Consumer({})", self.name)
    }
}

/// Whose API key this is; `None` if it is nobody's, or has expired. The host compares digests.
pub fn identify_key(key: impl AsRef<[u8]>) -> Result<Option<Consumer>> {
    let found = host::look(|out| raw::identify_key(key.as_ref(), out), Consumer::decode);
    Ok(host::optional("identify a key", found)?.transpose()?)
}

/// Makes the consumer of this name the exchange's, for a credential that names its consumer itself.
pub fn set_by_name(name: &str) -> Result<()> {
    let set = raw::set_consumer(name.as_bytes());
    host::done("set the consumer", set)
        .map_err(|error: Error| error.context(format_args!("consumer `{name}`")))
}
