//! Usage: what is metered on its way out of the gateway.

pub(crate) mod export;
