//! `log`: lines in the gateway's log, with the plugin's and the step's name.

use std::borrow::Cow;
use std::sync::PoisonError;

use sluice_abi::{Code, LogLevel, import};
use wasmtime::{Caller, Linker};

use super::guest::{known, open, slice};
use crate::config::Capability;
use crate::wasm::fault::Refusal;
use crate::wasm::state::{HostState, LogLine};

/// A line takes this much of what a call may log, beside its length: an empty one is work as well.
const LINE_COST: usize = 64;

/// Bytes beyond which a line is cut.
const MAX_LINE: usize = 4 << 10;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(import::LOG, "write", write)?;
    Ok(())
}

fn write(mut caller: Caller<'_, HostState>, level: i32, pointer: u32, length: u32) -> wasmtime::Result<i32> {
    let guest = open(&mut caller, "log.write")?;
    let level = known(guest.call, "log level", level, LogLevel::from_number(level))?;
    let bytes = slice(guest.memory, guest.call, pointer, length)?;
    let state = guest.state;
    if state.denies(&Capability::Log) {
        return Ok(Code::Denied.number());
    }
    match state.budget.log_bytes.checked_sub(bytes.len().saturating_add(LINE_COST)) {
        Some(left) => state.budget.log_bytes = left,
        None => {
            let limit = state.bound.as_ref().map_or(0, |bound| bound.limits.log);
            return Err(Refusal::LogBytes { limit }.into());
        }
    }
    if let Some(tap) = state.services.as_ref().and_then(|services| services.tap.as_ref()) {
        let line = LogLine { level, message: String::from_utf8_lossy(bytes).into_owned() };
        tap.logs.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        return Ok(0);
    }
    let message = one_line(bytes);
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

/// What a plugin says as one line of bounded length: it often repeats what a client sent, and neither may
/// write lines that look like the gateway's.
fn one_line(bytes: &[u8]) -> Cow<'_, str> {
    let mut whole = bytes.len() <= MAX_LINE;
    // Escaping only ever lengthens, so what lies beyond is never shown.
    let text = String::from_utf8_lossy(if whole { bytes } else { head(bytes) });
    if whole && text.len() <= MAX_LINE && !text.chars().any(char::is_control) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 32);
    for character in text.chars() {
        let before = line.len();
        match character {
            '\n' => line.push_str("\\n"),
            control if control.is_control() => line.extend(control.escape_unicode()),
            other => line.push(other),
        }
        if line.len() > MAX_LINE {
            line.truncate(before);
            whole = false;
            break;
        }
    }
    if !whole {
        line.push_str(&format!(" [cut: it had {} bytes]", bytes.len()));
    }
    Cow::Owned(line)
}

/// The first [`MAX_LINE`] bytes, or a few less where a character would be torn.
fn head(bytes: &[u8]) -> &[u8] {
    let is_inside = |&end: &usize| bytes[end] & 0xc0 == 0x80;
    let end = (MAX_LINE - 3..=MAX_LINE).rev().find(|end| !is_inside(end)).unwrap_or(MAX_LINE);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert, prop_assert_eq};

    use super::{MAX_LINE, one_line};

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line(b"as it was \xc3\xa9"), "as it was é");
        assert_eq!(
            one_line(b"a\n2026-09-21T14:13:20Z ERROR forged\r\x1b[31m\0\xc2\x9b"),
            r"a\n2026-09-21T14:13:20Z ERROR forged\u{d}\u{1b}[31m\u{0}\u{9b}"
        );
        assert_eq!(one_line(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(one_line(&[b'a'; MAX_LINE]).len(), MAX_LINE);
        let long = "é".repeat(MAX_LINE);
        let cut = one_line(&long.as_bytes()[1..]);
        assert!(cut.ends_with("é [cut: it had 8191 bytes]"), "{}", &cut[cut.len() - 40..]);
        assert_eq!(cut.matches('\u{fffd}').count(), 1, "the one that it began with");
        let escaped = one_line(&[0; MAX_LINE]);
        assert_eq!(escaped.find(" [cut: it had 4096 bytes]"), Some(MAX_LINE / 5 * 5));
    }

    proptest! {
        #[test]
        fn whatever_is_said_makes_one_bounded_line(bytes in collection::vec(any::<u8>(), 0..6000)) {
            let line = one_line(&bytes);
            prop_assert!(line.len() <= MAX_LINE + 40);
            prop_assert!(!line.chars().any(char::is_control));
            if bytes.len() <= 600 && !String::from_utf8_lossy(&bytes).chars().any(char::is_control) {
                prop_assert_eq!(line, String::from_utf8_lossy(&bytes));
            }
        }
    }
}
