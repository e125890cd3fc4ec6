//! Sluice, a programmable API gateway whose policies are WebAssembly plugins.
//!
//! The library exists for the binary and its tests: [`main`] is the whole of its interface. Where things
//! are and which way they depend is told in `ARCHITECTURE.md`.

mod admin;
mod body;
mod chain;
mod cli;
mod config;
mod connection;
mod consumers;
mod exchange;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod gateway;
mod http_client;
mod jwks;
mod listener;
#[cfg(feature = "measure")]
#[doc(hidden)]
pub mod measure;
mod metering;
mod net;
mod problem_document;
mod reports;
mod router;
mod snapshot;
mod store;
mod telemetry;
mod tls;
mod upstream;
mod wasm;

pub use cli::main;
