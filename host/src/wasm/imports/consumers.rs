//! `consumers`: who a credential belongs to. Credentials are looked up by digest; none enters a plugin.

use sluice_abi::{Code, import};
use wasmtime::{Caller, Linker};

use super::guest::{code, give, open, slice};
use crate::wasm::state::HostState;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(import::CONSUMERS, "identify_key", identify_key)?.func_wrap(
        import::CONSUMERS,
        "set_consumer",
        set_consumer,
    )?;
    Ok(())
}

fn identify_key(
    mut caller: Caller<'_, HostState>,
    key: u32,
    key_length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "consumers.identify_key")?;
    let key = slice(guest.memory, guest.call, key, key_length)?;
    let services = guest.state.services(guest.call)?;
    match services.consumers.identify(key, || services.clock.now()).cloned() {
        Some(consumer) => Ok(give(
            guest.memory,
            &mut guest.state.kept,
            guest.call,
            (pointer, capacity),
            consumer.message(),
        )?),
        None => Ok(code(Code::None)),
    }
}

fn set_consumer(mut caller: Caller<'_, HostState>, name: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "consumers.set_consumer")?;
    let name = slice(guest.memory, guest.call, name, length)?;
    let consumer = std::str::from_utf8(name)
        .ok()
        .and_then(|name| guest.state.services.as_ref()?.consumers.get(name))
        .cloned();
    match consumer {
        Some(consumer) => {
            guest.state.view("consumers.set_consumer")?.consumer = Some(consumer);
            Ok(0)
        }
        None => Ok(Code::None.number()),
    }
}
