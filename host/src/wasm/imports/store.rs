//! `store`: counters and values that outlive an exchange, each plugin's under its own name.

use std::time::Duration;

use sluice_abi::{Code, Take, Taken, import};
use wasmtime::{Caller, Linker};

use super::guest::{code, open, slice};
use crate::store::{MAX_KEY, StoreError};
use crate::wasm::state::HostState;

type Call<'a> = Caller<'a, HostState>;

/// The most limits of one take.
const MAX_TAKES: usize = 64;

/// Bytes of a take beside its key, at most.
const TAKE: usize = 64;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker
        .func_wrap(import::STORE, "get", get)?
        .func_wrap(import::STORE, "set", set)?
        .func_wrap(import::STORE, "delete", delete)?
        .func_wrap(import::STORE, "add", add)?
        .func_wrap(import::STORE, "take", take)?;
    Ok(())
}

fn namespace(state: &HostState) -> &str {
    state.bound.as_ref().map_or("", |bound| &bound.plugin)
}

fn refusal(error: &StoreError) -> Code {
    match error {
        StoreError::KeyTooLong | StoreError::ValueTooLarge | StoreError::Full => Code::TooLarge,
        StoreError::NotANumber => Code::Invalid,
    }
}

/// Milliseconds as a time to live; 0 is for good.
fn time_to_live(ms: i64) -> Result<Option<Duration>, std::num::TryFromIntError> {
    u64::try_from(ms).map(|ms| (ms > 0).then(|| Duration::from_millis(ms)))
}

fn get(
    mut caller: Call<'_>,
    key: u32,
    key_length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let mut guest = open(&mut caller, "store.get")?;
    let key = slice(guest.memory, guest.call, key, key_length)?;
    let services = guest.state.services(guest.call)?;
    match services.store.get(services.clock.now_ns(), namespace(guest.state), key) {
        Some(value) => Ok(guest.give(pointer, capacity, &value)?),
        None => Ok(code(Code::None)),
    }
}

fn set(
    mut caller: Call<'_>,
    key: u32,
    key_length: u32,
    value: u32,
    value_length: u32,
    ttl_ms: i64,
) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "store.set")?;
    let key = slice(guest.memory, guest.call, key, key_length)?;
    let value = slice(guest.memory, guest.call, value, value_length)?;
    let Ok(ttl) = time_to_live(ttl_ms) else { return Ok(Code::Invalid.number()) };
    let services = guest.state.services(guest.call)?;
    let done = services.store.set(services.clock.now_ns(), namespace(guest.state), key, value, ttl);
    Ok(done.map_or_else(|error| refusal(&error).number(), |()| 0))
}

fn delete(mut caller: Call<'_>, key: u32, key_length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "store.delete")?;
    let key = slice(guest.memory, guest.call, key, key_length)?;
    let services = guest.state.services(guest.call)?;
    let was_there = services.store.delete(services.clock.now_ns(), namespace(guest.state), key);
    Ok(if was_there { 0 } else { Code::None.number() })
}

fn add(
    mut caller: Call<'_>,
    key: u32,
    key_length: u32,
    delta: i64,
    ttl_ms: i64,
    sum: u32,
) -> wasmtime::Result<i32> {
    let mut guest = open(&mut caller, "store.add")?;
    let key = slice(guest.memory, guest.call, key, key_length)?;
    let Ok(ttl) = time_to_live(ttl_ms) else { return Ok(Code::Invalid.number()) };
    slice(guest.memory, guest.call, sum, 8)?;
    let services = guest.state.services(guest.call)?;
    match services.store.add(services.clock.now_ns(), namespace(guest.state), key, delta, ttl) {
        Ok(total) => {
            guest.room(sum, 8)?.copy_from_slice(&total.to_le_bytes());
            Ok(0)
        }
        Err(error) => Ok(refusal(&error).number()),
    }
}

fn take(
    mut caller: Call<'_>,
    message: u32,
    length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let mut guest = open(&mut caller, "store.take")?;
    if length as usize > MAX_TAKES * (MAX_KEY + TAKE) {
        return Ok(code(Code::TooLarge));
    }
    let message = slice(guest.memory, guest.call, message, length)?;
    let takes = Take::decode_all(message).map_err(|_| guest.malformed())?;
    if takes.len() > MAX_TAKES {
        return Ok(code(Code::TooLarge));
    }
    let services = guest.state.services(guest.call)?;
    match services.store.take(services.clock.now_ns(), namespace(guest.state), &takes) {
        Ok(taken) => Ok(guest.give(pointer, capacity, &Taken::encode_all(&taken))?),
        Err(error) => Ok(code(refusal(&error))),
    }
}
