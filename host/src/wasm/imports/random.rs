//! `random`: bytes that nobody can foresee.

use std::sync::PoisonError;

use sluice_abi::{Code, import};
use wasmtime::{Caller, Linker};

use super::guest::open;
use crate::wasm::state::HostState;

/// The most bytes of one call.
const MAX_BYTES: u32 = 64 << 10;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(import::RANDOM, "fill", fill)?;
    Ok(())
}

fn fill(mut caller: Caller<'_, HostState>, pointer: u32, length: u32) -> wasmtime::Result<i32> {
    let mut guest = open(&mut caller, "random.fill")?;
    if length > MAX_BYTES {
        return Ok(Code::TooLarge.number());
    }
    let tap = guest.state.services(guest.call)?.tap.clone();
    let room = guest.room(pointer, length)?;
    if let Some(tap) = tap {
        tap.random.lock().unwrap_or_else(PoisonError::into_inner).fill(room);
        return Ok(0);
    }
    let filled = aws_lc_rs::rand::fill(room);
    Ok(filled.map_or(Code::Unavailable.number(), |()| 0))
}
