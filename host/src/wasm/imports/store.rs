//! `store`: counters and values that outlive an exchange, each plugin's under its own name.

use std::time::Duration;

use sluice_abi::{Code, Take, Taken, import};
use wasmtime::{Caller, Linker};

use super::guest::{code, open, slice, waiting};
use crate::config::Capability;
use crate::store::{Lead, MAX_KEY, StoreError};
use crate::wasm::state::{Activity, HostState};

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
        .func_wrap(import::STORE, "take", take)?
        .func_wrap(import::STORE, "release", release)?
        .func_wrap_async(
            import::STORE,
            "lead",
            |caller, (key, key_length, lease_ms, wait_ms, pointer, capacity)| {
                Box::new(lead(caller, (key, key_length), (lease_ms, wait_ms), (pointer, capacity)))
            },
        )?;
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
    if guest.state.denies(&Capability::Store) {
        return Ok(code(Code::Denied));
    }
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
    if guest.state.denies(&Capability::Store) {
        return Ok(Code::Denied.number());
    }
    let key = slice(guest.memory, guest.call, key, key_length)?;
    let value = slice(guest.memory, guest.call, value, value_length)?;
    let Ok(ttl) = time_to_live(ttl_ms) else { return Ok(Code::Invalid.number()) };
    let services = guest.state.services(guest.call)?;
    let done = services.store.set(services.clock.now_ns(), namespace(guest.state), key, value, ttl);
    // Whoever waits for the value may have it.
    services.store.release(namespace(guest.state), key);
    Ok(done.map_or_else(|error| refusal(&error).number(), |()| 0))
}

fn delete(mut caller: Call<'_>, key: u32, key_length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "store.delete")?;
    if guest.state.denies(&Capability::Store) {
        return Ok(Code::Denied.number());
    }
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
    if guest.state.denies(&Capability::Store) {
        return Ok(Code::Denied.number());
    }
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
    if guest.state.denies(&Capability::Store) {
        return Ok(code(Code::Denied));
    }
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

fn release(mut caller: Call<'_>, key: u32, key_length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "store.release")?;
    if guest.state.denies(&Capability::Store) {
        return Ok(Code::Denied.number());
    }
    let key = slice(guest.memory, guest.call, key, key_length)?;
    let services = guest.state.services(guest.call)?;
    let led = services.store.release(namespace(guest.state), key);
    Ok(if led { 0 } else { Code::None.number() })
}

async fn lead(
    mut caller: Call<'_>,
    (key, key_length): (u32, u32),
    (lease_ms, wait_ms): (i64, i64),
    (pointer, capacity): (u32, u32),
) -> wasmtime::Result<i64> {
    let (services, namespace, key) = {
        let guest = open(&mut caller, "store.lead")?;
        if guest.state.denies(&Capability::Store) {
            return Ok(code(Code::Denied));
        }
        if matches!(guest.state.activity, Activity::Load) {
            return Ok(code(Code::WrongPhase));
        }
        let key = slice(guest.memory, guest.call, key, key_length)?;
        if key.len() > MAX_KEY {
            return Ok(code(Code::TooLarge));
        }
        let services = guest.state.services(guest.call)?.clone();
        (services, namespace(guest.state).to_owned(), key.to_vec())
    };
    let (Ok(lease), Ok(wait)) = (u64::try_from(lease_ms), u64::try_from(wait_ms)) else {
        return Ok(code(Code::Invalid));
    };
    let (lease, wait) = (Duration::from_millis(lease), Duration::from_millis(wait));
    let wait_began = waiting(&mut caller);
    let found = services.store.lead(|| services.clock.now_ns(), &namespace, &key, lease, wait).await;
    wait_began.ended(&mut caller);
    let mut guest = open(&mut caller, "store.lead")?;
    match found {
        Lead::Value(value) => Ok(guest.give(pointer, capacity, &value)?),
        Lead::Leader => Ok(code(Code::None)),
        Lead::Late => Ok(code(Code::Timeout)),
    }
}
