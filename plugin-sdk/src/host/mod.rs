//! The one layer through which everything reaches the host.
//!
//! Compiled for WebAssembly these are the imports of the ABI, each linked into a plugin only when
//! something calls it. Natively they go to the [`Host`] that `sluice-sdk-testing` installs.

use std::cell::Cell;

use sluice_abi::Code;

#[cfg_attr(target_family = "wasm", path = "ffi.rs")]
#[cfg_attr(not(target_family = "wasm"), path = "native.rs")]
pub(crate) mod raw;

#[cfg(not(target_family = "wasm"))]
pub use raw::{Host, install};

use crate::{Error, Result};

/// Enough for most header values and every short text, so that reading one is one host call.
const SCRATCH: usize = 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

fn code(number: i64) -> Code {
    i32::try_from(number).ok().and_then(Code::from_number).unwrap_or(Code::Invalid)
}

/// Runs a host call that returns bytes and shows them to `look`, out of a buffer that is used again.
pub(crate) fn look<R>(call: impl FnOnce(&mut [u8]) -> i64, look: impl FnOnce(&[u8]) -> R) -> Result<R, Code> {
    let mut buffer = BUFFER.take();
    if buffer.is_empty() {
        buffer.resize(SCRATCH, 0);
    }
    let returned = call(&mut buffer);
    let result = usize::try_from(returned).map_err(|_| code(returned)).map(|length| {
        if length > buffer.len() {
            fetch_kept(&mut buffer, length);
        }
        look(&buffer[..length])
    });
    BUFFER.set(buffer);
    result
}

#[cold]
fn fetch_kept(buffer: &mut Vec<u8>, length: usize) {
    buffer.resize(length, 0);
    let kept = raw::result(buffer);
    assert!(usize::try_from(kept) == Ok(length), "the host keeps what did not fit");
}

/// As [`look`], with the bytes copied out.
pub(crate) fn bytes(call: impl FnOnce(&mut [u8]) -> i64) -> Result<Vec<u8>, Code> {
    look(call, <[u8]>::to_vec)
}

/// As [`bytes`] for what the host promises to be UTF-8.
pub(crate) fn text(call: impl FnOnce(&mut [u8]) -> i64) -> Result<String, Code> {
    look(call, |bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// Turns `Code::None` into `None` and names the call in any other refusal.
pub(crate) fn optional<T>(call: &str, result: Result<T, Code>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Code::None) => Ok(None),
        Err(code) => Err(Error::from_host(call, code)),
    }
}

/// Checks the return of a host call: a number, or a negative code.
pub(crate) fn number(call: &str, returned: impl Into<i64>) -> Result<i64> {
    let returned = returned.into();
    if returned < 0 { Err(Error::from_host(call, code(returned))) } else { Ok(returned) }
}

/// Checks the return of a host call that only says whether it worked.
pub(crate) fn done(call: &str, returned: i32) -> Result<()> {
    number(call, returned).map(drop)
}
