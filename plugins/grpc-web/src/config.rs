//! What the operator configures.

use sluice_sdk::prelude::*;

/// What a request may be. Which requests are gRPC-Web's, they say themselves.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The longest message of a request. A longer one is refused as soon as it says its length. Messages are not held back, so this is no
    /// matter of memory here, but of what the service takes: most take no more than the default.
    #[serde(default = "default_max_message")]
    max_message: Size,
}

impl Config {
    pub(crate) fn max_message(&self) -> Result<usize> {
        let bytes = self.max_message.bytes();
        ensure!((1..=u64::from(u32::MAX)).contains(&bytes), "`max_message` is \"1B\" to 4294967295 bytes");
        usize::try_from(bytes).context("`max_message`")
    }
}

fn default_max_message() -> Size {
    Size::from_bytes(4 << 20)
}
