//! What both edges share: draining, connection permits, lazily armed alarms, reading a socket. All of it lives on one worker.

mod alarm;
mod drain;
mod permits;
mod scratch;

pub(crate) use alarm::Alarm;
pub(crate) use drain::{Drain, Watched};
pub(crate) use permits::{Permit, Permits};
pub(crate) use scratch::with_scratch;

#[cfg(test)]
pub(crate) mod testing;
