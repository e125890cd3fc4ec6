//! `log`: lines in the gateway's log, with the plugin's and the step's name.

use std::sync::PoisonError;

use sluice_abi::{LogLevel, import};
use wasmtime::{Caller, Linker};

use super::guest::{known, open, slice};
use crate::wasm::fault::Refusal;
use crate::wasm::state::{HostState, LogLine};

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(import::LOG, "write", write)?;
    Ok(())
}

fn write(mut caller: Caller<'_, HostState>, level: i32, pointer: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "log.write")?;
    let level = known(guest.call, "log level", level, LogLevel::from_number(level))?;
    let bytes = slice(guest.memory, guest.call, pointer, length)?;
    let state = guest.state;
    match state.budget.log_bytes.checked_sub(bytes.len()) {
        Some(left) => state.budget.log_bytes = left,
        None => {
            let limit = state.bound.as_ref().map_or(0, |bound| bound.limits.log);
            return Err(Refusal::LogBytes { limit }.into());
        }
    }
    let message = String::from_utf8_lossy(bytes);
    if let Some(tap) = state.services.as_ref().and_then(|services| services.tap.as_ref()) {
        let line = LogLine { level, message: message.into_owned() };
        tap.logs.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        return Ok(0);
    }
    let plugin = state.bound.as_ref().map_or("", |bound| &bound.plugin);
    let step = &*state.step.1;
    let request_id = state.view.as_ref().and_then(|view| view.request_id.to_str().ok()).unwrap_or_default();
    match level {
        LogLevel::Error => tracing::error!(target: "plugin", plugin, step, request_id, "{message}"),
        LogLevel::Warn => tracing::warn!(target: "plugin", plugin, step, request_id, "{message}"),
        LogLevel::Info => tracing::info!(target: "plugin", plugin, step, request_id, "{message}"),
        LogLevel::Debug => tracing::debug!(target: "plugin", plugin, step, request_id, "{message}"),
    }
    Ok(0)
}
