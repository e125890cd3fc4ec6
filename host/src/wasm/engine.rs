//! The wasmtime engines: one for every stack size in use, which is one unless someone asks for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::{Config, Engine, InstanceAllocationStrategy, Linker, OptLevel, PoolingAllocationConfig};

use super::imports;
use super::state::HostState;
use super::ticker::Ticker;

/// Instances alive at once, over all plugins and workers. Reserved addresses, not memory.
///
/// A build with `measure` runs under valgrind, which has not enough addresses for 64 even.
const MAX_INSTANCES: u32 = if cfg!(feature = "measure") { 8 } else { 8192 };

/// The largest linear memory that configuration can grant.
const MAX_MEMORY: usize = 256 << 20;

/// The largest table that configuration can grant, in elements.
const MAX_TABLE: usize = 100_000;

/// Room on a suspendable call's stack beyond the plugin's own.
const HOST_STACK: usize = 512 << 10;

/// An engine with every host function linked.
pub(super) struct LinkedEngine {
    pub(super) engine: Engine,
    pub(super) linker: Linker<HostState>,
    pub(super) ticker: Arc<Ticker>,
    pub(super) remote_store: bool,
}

/// Engines by stack size, created when first asked for.
pub(crate) struct Engines {
    by_stack: Mutex<HashMap<usize, Arc<LinkedEngine>>>,
    /// Whether the store is on a server.
    remote_store: bool,
}

impl Engines {
    /// No engine yet; `remote_store` where the store is on a server.
    pub(crate) fn new(remote_store: bool) -> Self {
        Self { by_stack: Mutex::new(HashMap::new()), remote_store }
    }

    /// The engine for plugins that may use `stack` bytes of stack.
    pub(super) fn for_stack(&self, stack: usize) -> wasmtime::Result<Arc<LinkedEngine>> {
        let mut by_stack = self.by_stack.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(linked) = by_stack.get(&stack) {
            return Ok(Arc::clone(linked));
        }
        let engine = match Engine::new(&config(stack, true)) {
            Ok(engine) => engine,
            // Where addresses are rationed (`ulimit -v`, strict overcommit) a pool cannot be reserved.
            Err(error) => {
                tracing::warn!(%error, "no pool of instances; each is allocated by itself");
                Engine::new(&config(stack, false))?
            }
        };
        let linker = imports::linker(&engine, self.remote_store)?;
        let ticker = Ticker::start(&engine)?;
        let linked = Arc::new(LinkedEngine { engine, linker, ticker, remote_store: self.remote_store });
        by_stack.insert(stack, Arc::clone(&linked));
        Ok(linked)
    }
}

fn config(stack: usize, pooling: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(stack)
        .async_stack_size(stack + HOST_STACK)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .memory_init_cow(true);
    if pooling {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(MAX_INSTANCES)
            .total_memories(MAX_INSTANCES)
            .total_tables(MAX_INSTANCES)
            .total_stacks(MAX_INSTANCES)
            .max_memory_size(MAX_MEMORY)
            .max_memories_per_module(1)
            .max_tables_per_module(1)
            .table_elements(MAX_TABLE);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}
