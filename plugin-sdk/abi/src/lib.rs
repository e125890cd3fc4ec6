//! The contract between the Sluice host and its plugins, ABI version 1.
//!
//! `no_std`, shared by the host and the SDK, so that a name, a code or an encoding exists once.
//! The prose that goes with it is `docs/abi.md`.
//!
//! # Conventions
//! - A plugin is a core WebAssembly module for `wasm32-wasip1` that exports `memory` and the
//!   functions of [`export`]. Everything it imports lies in the modules of [`import`] or in
//!   `wasi_snapshot_preview1`.
//! - Bytes cross as `(pointer: i32, length: i32)` into the plugin's memory. A pointer that does
//!   not fit traps: that is the host's refusal, never the host's crash.
//! - A host function that returns bytes takes a buffer `(pointer, capacity)` and returns the
//!   length as an `i64`. What does not fit is kept, and `result(pointer, capacity)` fetches it.
//! - Negative numbers are the codes of [`Code`]: a plugin's mistake is a code, not a trap.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod codes;
mod descriptor;
pub mod harness;
mod hold;
mod message;
mod meter;
mod names;
mod take;
mod wire;

pub use codes::{
    Aggregation, Answer, BodyMode, Code, Digest, HeaderMap, Identity, LogLevel, Measure, Number, Origin,
    Scope, Signature, Text,
};
pub use descriptor::{Descriptor, Isolation, Phase};
pub use hold::Hold;
pub use message::{Consumer, FetchError, FetchRequest, FetchResponse, Headers, Outcome, Problem, Reply};
pub use meter::{Measured, MeterKind, Recorded};
pub use names::{RESERVED_HEADERS, export, import, section};
pub use take::{Algorithm, Counter, Mode, Take, Taken};
pub use wire::{Pairs, Reader, WireError, Writer, decode_list, decode_pairs, encode_list, encode_pairs};

/// The version of this contract. It is part of every export and import name.
pub const ABI_VERSION: u32 = 1;
