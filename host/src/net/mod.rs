//! What both edges share: draining, connection permits, lazily armed alarms, reading a socket, the chunked coding. All of it lives on one worker.

mod alarm;
mod chunks;
mod drain;
mod permits;
mod scratch;
mod timer;

pub(crate) use alarm::Alarm;
pub(crate) use chunks::{ChunkError, Chunks, Piece};
pub(crate) use drain::{Drain, Watched};
pub(crate) use permits::{Permit, Permits};
pub(crate) use scratch::with_scratch;
pub(crate) use timer::Timer;

#[cfg(test)]
pub(crate) mod testing;
