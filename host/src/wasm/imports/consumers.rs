//! `consumers`: who a credential belongs to. Secrets are looked up by digest; none enters a plugin.

use std::sync::Arc;

use sluice_abi::{Code, Identity, import};
use wasmtime::{Caller, Linker};

use super::guest::{code, give, known, open, slice};
use super::keys::Key;
use crate::config::Capability;
use crate::consumers::SignatureKey;
use crate::wasm::state::HostState;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker
        .func_wrap(import::CONSUMERS, "identify", identify)?
        .func_wrap(import::CONSUMERS, "set_consumer", set_consumer)?
        .func_wrap(import::CONSUMERS, "signature_key", signature_key)?;
    Ok(())
}

fn identify(
    mut caller: Caller<'_, HostState>,
    by: i32,
    name: u32,
    length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "consumers.identify")?;
    if guest.state.denies(&Capability::Consumers) {
        return Ok(code(Code::Denied));
    }
    let by = known(guest.call, "identity", by, Identity::from_number(by))?;
    let name = slice(guest.memory, guest.call, name, length)?;
    let services = guest.state.services(guest.call)?;
    match services.consumers.identify(by, name, || services.clock.now()).cloned() {
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

fn set_consumer(
    mut caller: Caller<'_, HostState>,
    name: u32,
    length: u32,
    credential: u32,
    credential_length: u32,
) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "consumers.set_consumer")?;
    if guest.state.denies(&Capability::Consumers) {
        return Ok(Code::Denied.number());
    }
    let name = slice(guest.memory, guest.call, name, length)?;
    let credential = slice(guest.memory, guest.call, credential, credential_length)?;
    let names = std::str::from_utf8(name).ok().zip(std::str::from_utf8(credential).ok());
    let consumer = names.and_then(|(name, credential)| {
        let credential = Some(credential).filter(|credential| !credential.is_empty());
        guest.state.services.as_ref()?.consumers.get(name, credential).cloned()
    });
    match consumer {
        Some(consumer) => {
            guest.state.view("consumers.set_consumer")?.consumer = Some(consumer);
            Ok(0)
        }
        None => Ok(Code::None.number()),
    }
}

fn signature_key(mut caller: Caller<'_, HostState>, id: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "consumers.signature_key")?;
    if guest.state.denies(&Capability::Consumers) {
        return Ok(Code::Denied.number());
    }
    let id = slice(guest.memory, guest.call, id, length)?;
    let services = guest.state.services(guest.call)?;
    let found = std::str::from_utf8(id).ok();
    let found = found.and_then(|id| services.consumers.signature_key(id, || services.clock.now()));
    let Some(found) = found else { return Ok(Code::None.number()) };
    let key = match found {
        SignatureKey::Secret(secret) => Key::Secret(secret.expose().as_bytes().to_vec()),
        SignatureKey::Public(key) => Key::Public(Arc::clone(key)),
    };
    Ok(guest.state.keys.add(key).unwrap_or(Code::TooLarge.number()))
}
