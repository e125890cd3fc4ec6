//! Plugins: from the bytes of a file to a call that a step makes. Wasmtime lives only here.
//!
//! `load` turns a file into a [`Module`] (sealed, compiled, imports known, described), `bind` joins it with
//! a configuration and its grants into a [`Bound`], and each worker keeps a [`Pool`] of instances of it.
//! A call goes through [`Pool::call`]: instances are poisoned first and come back only after success.

mod bind;
mod cache;
mod compile;
mod engine;
mod fault;
mod imports;
mod instance;
mod limits;
mod load;
mod pool;
mod seal;
mod state;
mod ticker;
mod view;

pub(crate) use bind::{BindError, Bound};
pub(crate) use engine::Engines;
pub(crate) use fault::{Fault, FaultKind};
pub(crate) use imports::fetch::{FetchJob, FetchSender};
pub(crate) use imports::missing_capabilities;
#[cfg(feature = "measure")]
pub(crate) use instance::Instance;
pub(crate) use load::{LoadError, Loader, Module};
pub(crate) use pool::{Clockwork, Lease, Pool, PoolMetrics, Task};
pub(crate) use seal::{SealError, seal, sha256_hex};
pub(crate) use state::{Clock, Services, Tap};
pub(crate) use view::{Asked, ContextKey, ContextValues, ExchangeView, Left, Slot};
