//! The few functions of WASI preview 1 that Rust's standard library imports, granting nothing.
//!
//! There are no files, no arguments and no environment. Standard output and error are kept for the report
//! of a fault: that is where the words of a panic go. `random_get` always answers, because the standard
//! library seeds its hash maps with it; the clock answers only with the capability `clock`.
//! Reference: WASI preview 1, `wasi_snapshot_preview1.witx`.

use sluice_abi::import;
use wasmtime::{Caller, Linker};

use super::guest::{Guest, open, slice};
use crate::config::Capability;
use crate::wasm::fault::Refusal;
use crate::wasm::state::HostState;

/// Bytes of standard output and error kept of one call.
const MAX_STDERR: usize = 4 << 10;

/// Random bytes of one call: a seed needs a few.
const MAX_RANDOM: u32 = 64 << 10;

const SUCCESS: i32 = 0;
const EBADF: i32 = 8;
const EINVAL: i32 = 28;
const ENOTCAPABLE: i32 = 76;

type Call<'a> = Caller<'a, HostState>;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker
        .func_wrap(import::WASI, "fd_write", fd_write)?
        .func_wrap(import::WASI, "proc_exit", proc_exit)?
        .func_wrap(import::WASI, "random_get", random_get)?
        .func_wrap(import::WASI, "clock_time_get", clock_time_get)?
        .func_wrap(import::WASI, "sched_yield", || SUCCESS)?
        .func_wrap(import::WASI, "environ_get", |_: i32, _: i32| SUCCESS)?
        .func_wrap(import::WASI, "environ_sizes_get", no_sizes)?
        .func_wrap(import::WASI, "args_get", |_: i32, _: i32| SUCCESS)?
        .func_wrap(import::WASI, "args_sizes_get", no_sizes)?
        .func_wrap(import::WASI, "fd_close", |_: i32| EBADF)?
        .func_wrap(import::WASI, "fd_fdstat_get", |_: i32, _: i32| EBADF)?
        .func_wrap(import::WASI, "fd_prestat_get", |_: i32, _: i32| EBADF)?
        .func_wrap(import::WASI, "fd_prestat_dir_name", |_: i32, _: i32, _: i32| EBADF)?
        .func_wrap(import::WASI, "fd_seek", |_: i32, _: i64, _: i32, _: i32| EBADF)?
        .func_wrap(import::WASI, "fd_read", |_: i32, _: i32, _: i32, _: i32| EBADF)?
        .func_wrap(import::WASI, "fd_tell", |_: i32, _: i32| EBADF)?
        .func_wrap(import::WASI, "fd_filestat_get", |_: i32, _: i32| EBADF)?
        .func_wrap(import::WASI, "fd_readdir", |_: i32, _: i32, _: i32, _: i64, _: i32| EBADF)?
        .func_wrap(
            import::WASI,
            "path_open",
            |_: i32, _: i32, _: i32, _: i32, _: i32, _: i64, _: i64, _: i32, _: i32| EBADF,
        )?
        .func_wrap(import::WASI, "path_filestat_get", |_: i32, _: i32, _: i32, _: i32, _: i32| EBADF)?
        .func_wrap(import::WASI, "path_readlink", |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32| EBADF)?;
    Ok(())
}

fn put_u32(guest: &mut Guest<'_>, pointer: u32, value: u32) -> Result<(), Refusal> {
    guest.room(pointer, 4)?.copy_from_slice(&value.to_le_bytes());
    Ok(())
}

fn get_u32(guest: &Guest<'_>, pointer: u32) -> Result<u32, Refusal> {
    let bytes = slice(guest.memory, guest.call, pointer, 4)?;
    Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn fd_write(
    mut caller: Call<'_>,
    descriptor: i32,
    vectors: u32,
    count: u32,
    written: u32,
) -> wasmtime::Result<i32> {
    let mut guest = open(&mut caller, "fd_write")?;
    if descriptor != 1 && descriptor != 2 {
        return Ok(EBADF);
    }
    let mut total = 0_u32;
    for index in 0..count.min(1024) {
        let vector = vectors.wrapping_add(index.wrapping_mul(8));
        let (pointer, length) = (get_u32(&guest, vector)?, get_u32(&guest, vector.wrapping_add(4))?);
        let bytes = slice(guest.memory, guest.call, pointer, length)?;
        let room = MAX_STDERR.saturating_sub(guest.state.stderr.len());
        guest.state.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
        total = total.saturating_add(length);
    }
    put_u32(&mut guest, written, total)?;
    Ok(SUCCESS)
}

fn proc_exit(_caller: Call<'_>, code: i32) -> wasmtime::Result<()> {
    Err(Refusal::Exit { code }.into())
}

fn random_get(mut caller: Call<'_>, pointer: u32, length: u32) -> wasmtime::Result<i32> {
    let mut guest = open(&mut caller, "random_get")?;
    if length > MAX_RANDOM {
        return Ok(EINVAL);
    }
    let filled = aws_lc_rs::rand::fill(guest.room(pointer, length)?);
    Ok(filled.map_or(EINVAL, |()| SUCCESS))
}

fn clock_time_get(mut caller: Call<'_>, id: i32, _precision: i64, pointer: u32) -> wasmtime::Result<i32> {
    let mut guest = open(&mut caller, "clock_time_get")?;
    if !guest.state.bound.as_ref().is_some_and(|bound| bound.may(&Capability::Clock)) {
        return Ok(ENOTCAPABLE);
    }
    let clock = &guest.state.services("clock_time_get")?.clock;
    let now = match id {
        0 => clock.now_ns(),
        1 => clock.monotonic_ns(),
        _ => return Ok(EINVAL),
    };
    guest.room(pointer, 8)?.copy_from_slice(&now.to_le_bytes());
    Ok(SUCCESS)
}

fn no_sizes(mut caller: Call<'_>, count: u32, size: u32) -> wasmtime::Result<i32> {
    let mut guest = open(&mut caller, "sizes_get")?;
    put_u32(&mut guest, count, 0)?;
    put_u32(&mut guest, size, 0)?;
    Ok(SUCCESS)
}
