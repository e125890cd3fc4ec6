//! Time on the call path: `cargo bench -p sluice --features measure --bench call_path`.
//!
//! The figures depend on the machine and on what else it does; `instructions` counts the same and does not. Run it without
//! `RUST_BACKTRACE`, with which every error of wasmtime, also one that is looked past, takes a picture of the stack.
#![allow(missing_docs, reason = "a program, not an interface")]

#[allow(dead_code, reason = "a thousand host calls are shown with the one call around them")]
mod operations;

use divan::Bencher;
use divan::counter::ItemsCount;
use operations::OPERATIONS;
use sluice::measure::Workshop;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// The names, with the times that one turn does it where that is not once.
fn labels() -> impl Iterator<Item = String> {
    OPERATIONS.iter().map(|operation| match operation.times {
        1 => operation.name.to_owned(),
        times => format!("{times} {} in one call", operation.name),
    })
}

// Samples of one turn would be mostly the clock's, and a first turn finds every cache cold.
#[divan::bench(args = labels(), sample_size = 100)]
fn call_path(bencher: Bencher<'_, '_>, label: &str) {
    let place = labels().position(|other| other == label).expect("a label of the list");
    let operation = &OPERATIONS[place];
    let workshop = Workshop::open();
    let mut turn = (operation.prepare)(&workshop);
    bencher.counter(ItemsCount::new(operation.times)).bench_local(&mut turn);
}
