//! The guest's memory as host functions see it: every pointer checked, every call counted.

use std::time::Instant;

use sluice_abi::{Code, export};
use wasmtime::{AsContextMut as _, Caller, Extern, Memory};

use crate::wasm::fault::Refusal;
use crate::wasm::limits::thread_cpu_time;
use crate::wasm::state::HostState;

/// Bytes of the guest's memory and the host's state, side by side, for one host call.
pub(super) struct Guest<'a> {
    pub(super) memory: &'a mut [u8],
    pub(super) state: &'a mut HostState,
    pub(super) call: &'static str,
}

/// Counts a host call and opens the guest's memory for it.
pub(super) fn open<'a>(
    caller: &'a mut Caller<'_, HostState>,
    call: &'static str,
) -> Result<Guest<'a>, Refusal> {
    count(caller.data_mut())?;
    let memory = memory(caller, call)?;
    let (memory, state) = memory.data_and_store_mut(caller.as_context_mut());
    Ok(Guest { memory, state, call })
}

/// A call that waits: its time does not count.
#[must_use]
pub(super) struct Waiting(());

/// Stops the clock of the plugin's CPU time, until [`Waiting::ended`].
pub(super) fn waiting(caller: &mut Caller<'_, HostState>) -> Waiting {
    caller.data_mut().deadline.suspend(thread_cpu_time, Instant::now());
    Waiting(())
}

impl Waiting {
    /// The next look at the clock counts from here, not from before the wait.
    pub(super) fn ended(self, caller: &mut Caller<'_, HostState>) {
        caller.data_mut().deadline.resume(Instant::now());
        caller.as_context_mut().set_epoch_deadline(1);
    }
}

fn count(state: &mut HostState) -> Result<(), Refusal> {
    match state.budget.host_calls.checked_sub(1) {
        Some(left) => {
            state.budget.host_calls = left;
            Ok(())
        }
        None => {
            Err(Refusal::HostCalls { limit: state.bound.as_ref().map_or(0, |bound| bound.limits.host_calls) })
        }
    }
}

fn memory(caller: &mut Caller<'_, HostState>, call: &'static str) -> Result<Memory, Refusal> {
    if let Some(memory) = caller.data().memory {
        return Ok(memory);
    }
    // Only while its start function runs is the memory not known yet.
    match caller.get_export(export::MEMORY) {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => Err(Refusal::NoMemory { call }),
    }
}

/// Bytes of `memory`, or the refusal to look outside of it.
pub(super) fn slice<'m>(
    memory: &'m [u8],
    call: &'static str,
    pointer: u32,
    length: u32,
) -> Result<&'m [u8], Refusal> {
    let refusal = Refusal::Pointer { call, pointer, length };
    memory.get(pointer as usize..).and_then(|rest| rest.get(..length as usize)).ok_or(refusal)
}

impl Guest<'_> {
    /// Bytes that the guest points at.
    pub(super) fn bytes(&self, pointer: u32, length: u32) -> Result<&[u8], Refusal> {
        slice(self.memory, self.call, pointer, length)
    }

    /// Room that the guest points at.
    pub(super) fn room(&mut self, pointer: u32, length: u32) -> Result<&mut [u8], Refusal> {
        let refusal = Refusal::Pointer { call: self.call, pointer, length };
        self.memory
            .get_mut(pointer as usize..)
            .and_then(|rest| rest.get_mut(..length as usize))
            .ok_or(refusal)
    }

    /// Returns bytes: into the guest's buffer if they fit, else kept for `result`.
    pub(super) fn give(&mut self, pointer: u32, capacity: u32, bytes: &[u8]) -> Result<i64, Refusal> {
        give(self.memory, &mut self.state.kept, self.call, (pointer, capacity), bytes)
    }

    /// A malformed message.
    pub(super) const fn malformed(&self) -> Refusal {
        Refusal::Message { call: self.call }
    }
}

/// As [`Guest::give`], where the bytes are borrowed from the state.
pub(super) fn give(
    memory: &mut [u8],
    kept: &mut Vec<u8>,
    call: &'static str,
    (pointer, capacity): (u32, u32),
    bytes: &[u8],
) -> Result<i64, Refusal> {
    let refusal = Refusal::Pointer { call, pointer, length: capacity };
    let room = memory
        .get_mut(pointer as usize..)
        .and_then(|rest| rest.get_mut(..capacity as usize))
        .ok_or(refusal)?;
    match room.get_mut(..bytes.len()) {
        Some(room) => room.copy_from_slice(bytes),
        None => {
            kept.clear();
            kept.extend_from_slice(bytes);
        }
    }
    Ok(i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

/// As [`give`] for a list, whose message is written in place.
pub(super) fn give_list<'v, I: Iterator<Item = &'v [u8]>>(
    memory: &mut [u8],
    kept: &mut Vec<u8>,
    call: &'static str,
    (pointer, capacity): (u32, u32),
    values: impl Fn() -> I,
) -> Result<i64, Refusal> {
    let refusal = Refusal::Pointer { call, pointer, length: capacity };
    let room = memory
        .get_mut(pointer as usize..)
        .and_then(|rest| rest.get_mut(..capacity as usize))
        .ok_or(refusal)?;
    let length = values().fold(4, |length, value| length + 4 + value.len());
    let mut message = match room.get_mut(..length) {
        Some(room) => room,
        None => {
            kept.clear();
            kept.resize(length, 0);
            &mut kept[..]
        }
    };
    let mut put = |bytes: &[u8]| {
        let (here, rest) = std::mem::take(&mut message).split_at_mut(bytes.len());
        here.copy_from_slice(bytes);
        message = rest;
    };
    put(&u32::try_from(values().count()).unwrap_or(u32::MAX).to_le_bytes());
    for value in values() {
        put(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
        put(value);
    }
    Ok(i64::try_from(length).unwrap_or(i64::MAX))
}

/// A code as functions of `i64` return it.
pub(super) const fn code(code: Code) -> i64 {
    code.number() as i64
}

/// A number of the contract, or the refusal of any other.
pub(super) fn known<T>(
    call: &'static str,
    what: &'static str,
    value: i32,
    variant: Option<T>,
) -> Result<T, Refusal> {
    variant.ok_or(Refusal::Number { call, what, value: i64::from(value) })
}
