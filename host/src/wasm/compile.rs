//! Compilation: one thread at the lowest priority, so that traffic beside it does not notice.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use wasmtime::{Engine, Module};

use super::cache::Cache;

/// How long one module may take; the largest of ours takes under a second.
const MAX_TIME: Duration = Duration::from_secs(60);

/// Why bytes did not become code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    #[error("it is not a valid module: {0}")]
    Invalid(String),
    #[error("it does not compile within {} s", MAX_TIME.as_secs())]
    TooSlow,
    #[error("the compiler is gone")]
    Gone,
}

struct Job {
    engine: Engine,
    bytes: Vec<u8>,
    digest: [u8; 32],
    reply: oneshot::Sender<Result<Module, CompileError>>,
}

/// The compiling thread.
pub(super) struct Compiler {
    jobs: mpsc::Sender<Job>,
}

impl Compiler {
    /// Starts the thread. It ends when the compiler is dropped.
    pub(super) fn start(cache: Option<PathBuf>) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new().name("compile".into()).spawn(move || {
            // On Linux priorities are a thread's own. It may be refused in a sandbox; then it just is not nice.
            // Under valgrind (`measure`) compiling takes so long that the lowest priority would make it too slow.
            if !cfg!(feature = "measure")
                && let Err(error) = rustix::process::setpriority_process(None, 19)
            {
                tracing::debug!(%error, "compiling at normal priority");
            }
            let cache = cache.and_then(Cache::open);
            while let Ok(job) = queue.recv() {
                // Whoever gave up waiting wants no answer.
                if !job.reply.is_closed() {
                    let _ = job.reply.send(compile(&job.engine, &job.bytes, job.digest, cache.as_ref()));
                }
            }
        });
        if let Err(error) = thread {
            tracing::error!(%error, "cannot start the compiling thread");
        }
        Self { jobs }
    }

    /// Code for `bytes`, from the cache if it is there.
    pub(super) async fn compile(
        &self,
        engine: &Engine,
        bytes: Vec<u8>,
        digest: [u8; 32],
    ) -> Result<Module, CompileError> {
        let (reply, answer) = oneshot::channel();
        let job = Job { engine: engine.clone(), bytes, digest, reply };
        self.jobs.send(job).map_err(|_| CompileError::Gone)?;
        match tokio::time::timeout(MAX_TIME, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(CompileError::Gone),
            Err(_) => Err(CompileError::TooSlow),
        }
    }
}

fn compile(
    engine: &Engine,
    bytes: &[u8],
    digest: [u8; 32],
    cache: Option<&Cache>,
) -> Result<Module, CompileError> {
    if let Some(module) = cache.and_then(|cache| cache.get(engine, &digest)) {
        return Ok(module);
    }
    let started = Instant::now();
    let module =
        Module::from_binary(engine, bytes).map_err(|error| CompileError::Invalid(format!("{error:#}")))?;
    tracing::debug!(bytes = bytes.len(), elapsed = ?started.elapsed(), "compiled");
    let Some(cache) = cache else { return Ok(module) };
    cache.put(engine, &digest, &module);
    // From the file only what runs is held in memory.
    Ok(cache.get(engine, &digest).unwrap_or(module))
}
