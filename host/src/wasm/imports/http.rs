//! `sluice:v1/http`, everyone's: bodies, answers, context values, configuration, results.

use std::sync::Arc;

use bytes::Bytes;
use sluice_abi::{BodyMode, Code, HeaderMap, Hold, Phase, Reply, Scope, import};
use wasmtime::{Caller, Linker};

use super::guest::{Guest, code, give, known, open, slice};
use super::http_head::{MAX_FIELDS, field};
use crate::wasm::fault::Refusal;
use crate::wasm::state::{Activity, HostState};
use crate::wasm::view::ContextKey;

/// The longest reason that a plugin can give for failing, in bytes.
const MAX_REASON: usize = 4 << 10;

/// What the lengths and counts of an answer may come to, beside its bytes.
const FRAME: usize = 16 << 10;

const BODY_PHASES: &[Phase] =
    &[Phase::RequestBody, Phase::RequestChunk, Phase::ResponseBody, Phase::ResponseChunk];

const ANSWER_PHASES: &[Phase] =
    &[Phase::Request, Phase::RequestBody, Phase::RequestChunk, Phase::Response, Phase::ResponseBody];

type Call<'a> = Caller<'a, HostState>;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker
        .func_wrap(import::HTTP, "result", result)?
        .func_wrap(import::HTTP, "config_read", config_read)?
        .func_wrap(import::HTTP, "asset_length", asset_length)?
        .func_wrap(import::HTTP, "asset_read", asset_read)?
        .func_wrap(import::HTTP, "body_read", body_read)?
        .func_wrap(import::HTTP, "body_write", body_write)?
        .func_wrap(import::HTTP, "body_mode", body_mode)?
        .func_wrap(import::HTTP, "body_hold", body_hold)?
        .func_wrap(import::HTTP, "certificate", certificate)?
        .func_wrap(import::HTTP, "respond", respond)?
        .func_wrap(import::HTTP, "fail", fail)?
        .func_wrap(import::HTTP, "context_get", context_get)?
        .func_wrap(import::HTTP, "context_set", context_set)?
        .func_wrap(import::HTTP, "context_remove", context_remove)?
        .func_wrap(import::HTTP, "outcome", outcome)?
        .func_wrap(import::HTTP, "consumer", consumer)?;
    Ok(())
}

fn result(mut caller: Call<'_>, pointer: u32, capacity: u32) -> wasmtime::Result<i64> {
    let mut guest = open(&mut caller, "result")?;
    let kept = std::mem::take(&mut guest.state.kept);
    Ok(guest.give(pointer, capacity, &kept)?)
}

fn config_read(mut caller: Call<'_>, pointer: u32, capacity: u32) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "config_read")?;
    let Some(bound) = &guest.state.bound else { return Ok(code(Code::WrongPhase)) };
    Ok(give(guest.memory, &mut guest.state.kept, guest.call, (pointer, capacity), &bound.config)?)
}

/// An asset of the plugin's own configuration, while it is configured.
fn asset(guest: &Guest<'_>, name: u32, length: u32) -> wasmtime::Result<Result<Arc<[u8]>, Code>> {
    if guest.state.activity != Activity::Load {
        return Ok(Err(Code::WrongPhase));
    }
    let name = std::str::from_utf8(slice(guest.memory, guest.call, name, length)?);
    let services = guest.state.services(guest.call)?;
    Ok(name.ok().and_then(|name| services.assets.get(name)).cloned().ok_or(Code::None))
}

fn asset_length(mut caller: Call<'_>, name: u32, length: u32) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "asset_length")?;
    Ok(match asset(&guest, name, length)? {
        Ok(bytes) => i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        Err(refused) => code(refused),
    })
}

fn asset_read(
    mut caller: Call<'_>,
    name: u32,
    length: u32,
    offset: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "asset_read")?;
    match asset(&guest, name, length)? {
        Ok(bytes) => copy(guest, &bytes, offset, (pointer, capacity)),
        Err(refused) => Ok(code(refused)),
    }
}

/// Copies as much as there is and as there is room for; how much.
fn copy(
    guest: Guest<'_>,
    bytes: &[u8],
    offset: u32,
    (pointer, capacity): (u32, u32),
) -> wasmtime::Result<i64> {
    let rest = bytes.get(offset as usize..).unwrap_or_default();
    let copied = rest.len().min(capacity as usize);
    let refusal = Refusal::Pointer { call: guest.call, pointer, length: capacity };
    let room =
        guest.memory.get_mut(pointer as usize..).and_then(|rest| rest.get_mut(..copied)).ok_or(refusal)?;
    room.copy_from_slice(&rest[..copied]);
    Ok(i64::try_from(copied).unwrap_or(i64::MAX))
}

fn body_read(mut caller: Call<'_>, offset: u32, pointer: u32, capacity: u32) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "body_read")?;
    if !guest.state.in_phase(BODY_PHASES) {
        return Ok(code(Code::WrongPhase));
    }
    let view = guest.state.view("body_read")?;
    // Sharing the bytes costs less than it looks: a count goes up and down.
    let body = view.written.as_ref().unwrap_or(&view.body).clone();
    copy(guest, &body, offset, (pointer, capacity))
}

fn body_write(mut caller: Call<'_>, pointer: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "body_write")?;
    if !guest.state.in_phase(BODY_PHASES) {
        return Ok(Code::WrongPhase.number());
    }
    let limit = guest.state.bound.as_ref().map_or(0, |bound| bound.limits.body);
    let bytes = slice(guest.memory, guest.call, pointer, length)?;
    if bytes.len() > limit {
        return Ok(Code::TooLarge.number());
    }
    let view = guest.state.view("body_write")?;
    (view.written, view.wrote) = (Some(Bytes::copy_from_slice(bytes)), true);
    Ok(0)
}

fn body_mode(mut caller: Call<'_>, map: i32, mode: i32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "body_mode")?;
    let mode = known(guest.call, "body mode", mode, BodyMode::from_number(mode))?;
    let (head, whole, chunks) = match known(guest.call, "header map", map, HeaderMap::from_number(map))? {
        HeaderMap::Request => (Phase::Request, Phase::RequestBody, Phase::RequestChunk),
        HeaderMap::Response => (Phase::Response, Phase::ResponseBody, Phase::ResponseChunk),
        HeaderMap::Trailers => return Ok(Code::WrongPhase.number()),
    };
    if !guest.state.in_phase(&[head]) {
        return Ok(Code::WrongPhase.number());
    }
    let has = |phase| guest.state.bound.as_ref().is_some_and(|bound| bound.phases().any(|it| it == phase));
    let can = match mode {
        BodyMode::Skip => true,
        BodyMode::Whole => has(whole),
        BodyMode::Chunks => has(chunks),
    };
    if !can {
        return Ok(Code::Invalid.number());
    }
    guest.state.view("body_mode")?.body_mode = Some(mode);
    Ok(0)
}

fn body_hold(mut caller: Call<'_>, from: u32, want: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "body_hold")?;
    if !guest.state.in_phase(&[Phase::RequestChunk, Phase::ResponseChunk]) {
        return Ok(Code::WrongPhase.number());
    }
    let most = guest.state.bound.as_ref().map_or(0, |bound| bound.limits.body);
    let view = guest.state.view("body_hold")?;
    // The last chunk is the one that the trailers come with.
    let hold = Hold::new(from as usize, want as usize, view.body.len(), view.trailers.is_some(), most);
    Ok(match hold {
        Ok(hold) => {
            view.hold = Some(hold);
            0
        }
        Err(code) => code.number(),
    })
}

fn certificate(mut caller: Call<'_>, pointer: u32, capacity: u32) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "certificate")?;
    let HostState { view, kept, .. } = &mut *guest.state;
    let view = view.as_deref().ok_or(Refusal::NoExchange { call: "certificate" })?;
    match &view.certificate {
        Some(der) => Ok(give(guest.memory, kept, guest.call, (pointer, capacity), der)?),
        None => Ok(code(Code::None)),
    }
}

fn respond(mut caller: Call<'_>, pointer: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "respond")?;
    if !guest.state.in_phase(ANSWER_PHASES) {
        return Ok(Code::WrongPhase.number());
    }
    let message = slice(guest.memory, guest.call, pointer, length)?;
    let limits = guest.state.bound.as_ref().map(|bound| bound.limits).unwrap_or_default();
    // Before it is taken apart, which costs a multiple of it.
    if message.len() > limits.body + limits.headers + FRAME {
        return Ok(Code::TooLarge.number());
    }
    let reply = Reply::decode(message).map_err(|_| guest.malformed())?;
    let (status, headers) = match &reply {
        Reply::Plain { status, headers, .. } => (*status, headers),
        Reply::Problem { headers, problem } => (problem.status, headers),
    };
    if headers.len() > MAX_FIELDS {
        return Ok(Code::TooLarge.number());
    }
    let least = if matches!(reply, Reply::Problem { .. }) { 400 } else { 200 };
    if !(least..=599).contains(&status) {
        return Ok(Code::Invalid.number());
    }
    for (name, value) in headers {
        if let Err(code) = field(name, value) {
            return Ok(code.number());
        }
    }
    let header_bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    // What is not header is body, a problem document's members too.
    if message.len() > limits.body + header_bytes + FRAME
        || !guest.state.budget.spend_header_bytes(header_bytes)
    {
        return Ok(Code::TooLarge.number());
    }
    guest.state.view("respond")?.reply = Some(reply);
    Ok(0)
}

fn fail(mut caller: Call<'_>, pointer: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "fail")?;
    let reason = slice(guest.memory, guest.call, pointer, length)?;
    let reason = String::from_utf8_lossy(&reason[..reason.len().min(MAX_REASON)]).into_owned();
    guest.state.failure = Some(reason);
    Ok(0)
}

fn key<'a>(
    state: &HostState,
    call: &'static str,
    scope: i32,
    name: &'a [u8],
) -> Result<ContextKey<'a>, Refusal> {
    Ok(match known(call, "scope", scope, Scope::from_number(scope))? {
        Scope::Step => ContextKey::Step(state.step.0, name),
        Scope::Exchange => ContextKey::Exchange(name),
    })
}

fn context_get(
    mut caller: Call<'_>,
    scope: i32,
    name: u32,
    name_length: u32,
    pointer: u32,
    capacity: u32,
) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "context_get")?;
    let name = slice(guest.memory, guest.call, name, name_length)?.to_vec();
    let key = key(guest.state, guest.call, scope, &name)?;
    let HostState { view, kept, .. } = &mut *guest.state;
    let view = view.as_deref().ok_or(Refusal::NoExchange { call: "context_get" })?;
    match view.context.get(key) {
        Some(value) => Ok(give(guest.memory, kept, guest.call, (pointer, capacity), value)?),
        None => Ok(code(Code::None)),
    }
}

fn context_set(
    mut caller: Call<'_>,
    scope: i32,
    name: u32,
    name_length: u32,
    value: u32,
    value_length: u32,
) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "context_set")?;
    let name = slice(guest.memory, guest.call, name, name_length)?;
    let value = slice(guest.memory, guest.call, value, value_length)?;
    let key = key(guest.state, guest.call, scope, name)?;
    let held = guest.state.view("context_set")?.context.set(key, value);
    Ok(if held { 0 } else { Code::TooLarge.number() })
}

fn context_remove(mut caller: Call<'_>, scope: i32, name: u32, name_length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "context_remove")?;
    let name = slice(guest.memory, guest.call, name, name_length)?;
    let key = key(guest.state, guest.call, scope, name)?;
    let removed = guest.state.view("context_remove")?.context.remove(key);
    Ok(if removed { 0 } else { Code::None.number() })
}

fn outcome(mut caller: Call<'_>, pointer: u32, capacity: u32) -> wasmtime::Result<i64> {
    let mut guest = open(&mut caller, "outcome")?;
    if guest.state.activity != Activity::Phase(Phase::Complete) {
        return Ok(code(Code::WrongPhase));
    }
    match guest.state.view("outcome")?.outcome.map(|outcome| outcome.encode()) {
        Some(message) => Ok(guest.give(pointer, capacity, &message)?),
        None => Ok(code(Code::None)),
    }
}

fn consumer(mut caller: Call<'_>, pointer: u32, capacity: u32) -> wasmtime::Result<i64> {
    let guest = open(&mut caller, "consumer")?;
    let HostState { view, kept, .. } = &mut *guest.state;
    let view = view.as_deref().ok_or(Refusal::NoExchange { call: "consumer" })?;
    match &view.consumer {
        Some(consumer) => Ok(give(guest.memory, kept, guest.call, (pointer, capacity), consumer.message())?),
        None => Ok(code(Code::None)),
    }
}
