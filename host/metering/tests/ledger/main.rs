//! The ledger, on both databases: the same tests for each.

#![expect(clippy::unwrap_used, reason = "tests")]

mod backend;
#[path = "../postgres/mod.rs"]
mod postgres;

mod drawn;
mod grants;
mod keeping;
mod kill;
mod model;
mod server;
mod writing;
