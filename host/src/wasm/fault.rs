//! What a plugin did wrong, told apart by whose limit or rule it broke.

use std::fmt::Write as _;

use wasmtime::{Trap, WasmBacktrace};

use super::limits::Refused;
use super::state::HostState;

/// The kinds of fault; their names are metric labels and part of the admin interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FaultKind {
    /// The code trapped: a panic, an unreachable, a bad access, a division by zero.
    Trap,
    /// It used more CPU time than a call, or an exchange, may.
    Deadline,
    /// It asked for more memory than granted and could not go on.
    Memory,
    /// It asked for more table than granted and could not go on.
    Table,
    /// It recursed past its stack.
    Stack,
    /// It returned what the contract does not allow.
    BadOutput,
    /// It called the host in a way that the host refuses, such as with a pointer outside its memory.
    RefusedCall,
    /// It made more host calls in one call than granted.
    HostCalls,
    /// It wrote more log bytes in one call than granted.
    LogBytes,
    /// It said itself that it failed.
    Failed,
    /// An instance could not be created or configured.
    Instantiate,
    /// More instances are needed at once than granted.
    Instances,
}

impl FaultKind {
    /// The name for metrics, problems and `/snapshot`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Table => "table",
            Self::Stack => "stack",
            Self::BadOutput => "bad-output",
            Self::RefusedCall => "refused-call",
            Self::HostCalls => "host-calls",
            Self::LogBytes => "log-bytes",
            Self::Failed => "failed",
            Self::Instantiate => "instantiate",
            Self::Instances => "instances",
        }
    }
}

/// One fault: what happened, in words for the log, with the plugin's own words and stack.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {message}", .kind.name())]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) message: String,
    /// Innermost frame first, symbolised; empty where no code was running.
    pub(crate) backtrace: Vec<String>,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), backtrace: Vec::new() }
    }

    /// What a wasmtime error means, given the state it left behind.
    pub(super) fn from_error(error: &wasmtime::Error, state: &mut HostState) -> Self {
        let backtrace = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
        let stderr = std::mem::take(&mut state.stderr);
        let refused = state.space.refused.take();
        let (kind, mut message) = if let Some(refusal) = error.downcast_ref::<Refusal>() {
            (refusal.kind(), refusal.to_string())
        } else if let Some(trap) = error.downcast_ref::<Trap>() {
            let kind = match (trap, refused) {
                (Trap::StackOverflow, _) => FaultKind::Stack,
                (Trap::Interrupt, _) => FaultKind::Deadline,
                // A Rust plugin whose allocation fails aborts, which is a trap right after the refusal.
                (_, Some(Refused::Memory)) => FaultKind::Memory,
                (_, Some(Refused::Table)) => FaultKind::Table,
                _ => FaultKind::Trap,
            };
            (kind, trap.to_string())
        } else {
            (FaultKind::Trap, error.root_cause().to_string())
        };
        let said = String::from_utf8_lossy(&stderr);
        // The standard library's advice is for a process that has an environment.
        let said: Vec<&str> = said
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("note: run with"))
            .collect();
        if !said.is_empty() {
            let _ = write!(message, "; it said: {}", said.join(" "));
        }
        Self { kind, message, backtrace }
    }
}

fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    backtrace
        .frames()
        .iter()
        .take(32)
        .map(|frame| {
            let symbol = frame.symbols().iter().find_map(|symbol| symbol.name()).or(frame.func_name());
            let name = symbol.map_or_else(|| format!("function {}", frame.func_index()), demangle);
            // Names come from the file.
            let name: String = name.chars().take(200).collect();
            match frame.module_offset() {
                Some(offset) => format!("{name} (at {offset:#x})"),
                None => name,
            }
        })
        .collect()
}

/// Rust's mangled names end in a hash that tells nobody anything.
fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Why the host ended a call: the plugin broke the contract in a way that no code could answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("`{call}` was given {length} bytes at {pointer:#x}, outside the plugin's memory")]
    Pointer { call: &'static str, pointer: u32, length: u32 },
    #[error("`{call}` was given {value}, which is no {what}")]
    Number { call: &'static str, what: &'static str, value: i64 },
    #[error("`{call}` was given a malformed message")]
    Message { call: &'static str },
    #[error("`{call}` before the plugin has a memory")]
    NoMemory { call: &'static str },
    #[error("`{call}` outside of an exchange")]
    NoExchange { call: &'static str },
    #[error("more than {limit} host calls in one call")]
    HostCalls { limit: u32 },
    #[error("more than {limit} bytes of log in one call")]
    LogBytes { limit: usize },
    #[error("the plugin called `proc_exit({code})`")]
    Exit { code: i32 },
}

impl Refusal {
    const fn kind(&self) -> FaultKind {
        match self {
            Self::HostCalls { .. } => FaultKind::HostCalls,
            Self::LogBytes { .. } => FaultKind::LogBytes,
            Self::Exit { .. } => FaultKind::Trap,
            _ => FaultKind::RefusedCall,
        }
    }
}
