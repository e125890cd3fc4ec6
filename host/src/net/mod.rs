//! What both edges share: draining, connection permits, lazily armed alarms, reading a socket, the chunked coding, what an authority
//! is, which fields are the gateway's own. All of it but the crowd lives on one worker.

mod alarm;
mod chunks;
mod crowd;
mod drain;
mod grammar;
mod permits;
mod present;
mod proxy_protocol;
mod scratch;
mod timer;
mod trailers;

pub(crate) use alarm::Alarm;
pub(crate) use chunks::{ChunkError, Chunks, Piece};
pub(crate) use crowd::{Crowd, Member};
pub(crate) use drain::{Drain, Watched};
pub(crate) use grammar::{alphanumeric_and, host_of, is_authority};
pub(crate) use permits::{Permit, Permits};
pub(crate) use present::{Field, Present, is_claim, is_disguised, is_forwarding, is_identity};
pub(crate) use proxy_protocol::{Progress, announced};
pub(crate) use scratch::with_scratch;
pub(crate) use timer::Timer;
pub(crate) use trailers::strip_trailers;

#[cfg(test)]
pub(crate) mod testing;
