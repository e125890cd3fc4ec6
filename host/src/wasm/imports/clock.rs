//! `clock`: the time.

use sluice_abi::import;
use wasmtime::{Caller, Linker};

use super::guest::open;
use crate::wasm::state::HostState;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(import::CLOCK, "now", now)?.func_wrap(import::CLOCK, "monotonic", monotonic)?;
    Ok(())
}

fn now(mut caller: Caller<'_, HostState>) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "clock.now")?;
    Ok(guest.state.services("clock.now")?.clock.now_ns().cast_signed())
}

fn monotonic(mut caller: Caller<'_, HostState>) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "clock.monotonic")?;
    Ok(guest.state.services("clock.monotonic")?.clock.monotonic_ns().cast_signed())
}
