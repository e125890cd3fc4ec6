//! Does every operation of the call path under `valgrind --tool=callgrind`, as `cargo xtask bench instructions` runs it.
//!
//! Callgrind collects inside of [`counted`] alone and writes its sum at the end of it, so that there is one file for
//! each line printed here. An argument is where the guest that does nothing goes, sealed, for a gateway to load.
#![allow(missing_docs, clippy::print_stdout, reason = "a program, whose output xtask reads")]

mod operations;

use std::hint::black_box;

use operations::{OPERATIONS, guests};
use sluice::measure::{Workshop, sealed};

// As in the gateway.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns before counting: whatever happens once has happened.
const WARM_UP: u32 = 100;

/// Turns that are counted. Every request of a lookup comes up equally often.
const TURNS: u32 = 1_000;

fn main() -> std::io::Result<()> {
    // Cargo adds `--bench`.
    if let Some(file) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) {
        std::fs::write(file, sealed(&guests::noop()))?;
    }
    let workshop = Workshop::open();
    for operation in OPERATIONS {
        let mut turn = (operation.prepare)(&workshop);
        // A turn of a thousand host calls is a thousand of what is counted already.
        let share = if operation.times == 1 { 1 } else { 20 };
        (0..WARM_UP / share).for_each(|_| turn());
        counted(TURNS / share, &mut *turn);
        println!(
            "{}\t{}\t{}\t{}",
            operation.name,
            TURNS / share,
            operation.times,
            operation.beside.unwrap_or_default()
        );
    }
    Ok(())
}

/// Valgrind is told this name.
#[inline(never)]
fn counted(turns: u32, turn: &mut dyn FnMut()) {
    for _ in 0..turns {
        turn();
    }
    black_box(turn);
}
