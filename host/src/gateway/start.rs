//! The settings that are read once, when the gateway starts.

use crate::config::Config;

/// What the gateway started with.
pub(super) struct StartSettings(Config);

impl StartSettings {
    pub(super) fn of(config: &Config) -> Self {
        Self(config.clone())
    }

    /// Those that are different in `now`, and so wait for the next start.
    pub(super) fn changed(&self, now: &Config) -> Vec<&'static str> {
        let then = &self.0;
        [
            ("gateway.id", then.gateway_id != now.gateway_id),
            ("workers", then.workers != now.workers),
            ("buffered_bytes", then.buffered_bytes != now.buffered_bytes),
            ("store", then.store != now.store || then.remote_store != now.remote_store),
            ("ledger", then.ledger != now.ledger),
            ("telemetry", then.telemetry != now.telemetry),
            ("cache", then.cache != now.cache),
            ("reload.watch", then.reload.watch != now.reload.watch),
            ("reload.debounce", then.reload.debounce != now.reload.debounce),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}
