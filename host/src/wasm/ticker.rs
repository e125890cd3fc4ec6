//! The clock of running plugins: a thread that advances an engine's epoch, and sleeps when nothing runs.
//!
//! A gateway that serves nobody should cost nothing, so the thread parks once no call has been under way for
//! a while. Whoever starts a call says so in a flag of its own (no cache line is shared between workers), then
//! looks whether the thread sleeps. Both sides write before they look, with sequential consistency, so one of
//! them always sees the other.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::Engine;

/// How often running plugins look at the clock. A deadline is met within two of these.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// Ticks without a call before the thread parks: waking it costs a call some microseconds.
const IDLE_TICKS: u32 = 100;

/// How long it sleeps at once.
const LOOK_UP: Duration = Duration::from_secs(5);

/// An engine's ticker.
pub(super) struct Ticker {
    parked: AtomicBool,
    thread: OnceLock<Thread>,
    flags: Mutex<Vec<Weak<Running>>>,
}

/// The calls that one place, such as a pool on one worker, has under way. Only that place's thread writes it.
#[repr(align(128))]
pub(super) struct Running {
    calls: AtomicU32,
    ticker: Arc<Ticker>,
}

/// A call under way.
pub(super) struct Call<'a>(&'a Running);

impl Ticker {
    /// Starts the thread. It ends when `engine` is used nowhere else.
    pub(super) fn start(engine: &Engine) -> std::io::Result<Arc<Self>> {
        let ticker = Arc::new(Self {
            parked: AtomicBool::new(false),
            thread: OnceLock::new(),
            flags: Mutex::default(),
        });
        let (weak, engine) = (Arc::downgrade(&ticker), engine.weak());
        std::thread::Builder::new().name("epoch".into()).spawn(move || {
            if let Some(ticker) = weak.upgrade() {
                let _ = ticker.thread.set(std::thread::current());
            }
            let mut idle = 0;
            loop {
                let (Some(ticker), Some(engine)) = (weak.upgrade(), engine.upgrade()) else { return };
                engine.increment_epoch();
                drop(engine);
                idle = if ticker.any_running() { 0 } else { idle + 1 };
                if idle <= IDLE_TICKS {
                    drop(ticker);
                    std::thread::park_timeout(TICK);
                    continue;
                }
                ticker.parked.store(true, Ordering::SeqCst);
                let mut called = ticker.any_running();
                if called {
                    ticker.parked.store(false, Ordering::SeqCst);
                } else {
                    drop(ticker);
                    // Now and then it looks whether it is still wanted.
                    std::thread::park_timeout(LOOK_UP);
                    let Some(ticker) = weak.upgrade() else { return };
                    // A call that came has cleared it.
                    called = !ticker.parked.swap(false, Ordering::SeqCst);
                }
                if called {
                    idle = 0;
                }
            }
        })?;
        Ok(ticker)
    }

    /// A place that calls from one thread.
    pub(super) fn place(self: &Arc<Self>) -> Arc<Running> {
        let running = Arc::new(Running { calls: AtomicU32::new(0), ticker: Arc::clone(self) });
        let mut flags = self.flags.lock().unwrap_or_else(PoisonError::into_inner);
        flags.retain(|flag| flag.strong_count() > 0);
        flags.push(Arc::downgrade(&running));
        running
    }

    fn any_running(&self) -> bool {
        let flags = self.flags.lock().unwrap_or_else(PoisonError::into_inner);
        flags.iter().filter_map(Weak::upgrade).any(|running| running.calls.load(Ordering::SeqCst) > 0)
    }
}

impl Running {
    /// A call begins.
    pub(super) fn call(&self) -> Call<'_> {
        self.calls.store(self.calls.load(Ordering::Relaxed) + 1, Ordering::SeqCst);
        // Looked at before it is written: while calls come, nobody writes it.
        if self.ticker.parked.load(Ordering::SeqCst)
            && self.ticker.parked.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.ticker.thread.get()
        {
            thread.unpark();
        }
        Call(self)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.calls.store(self.0.calls.load(Ordering::Relaxed) - 1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use wasmtime::{Config, Module, Store};

    use super::*;

    const LOOP: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x08\x01\0\x0a\x09\x01\x07\0\x03\x40\x0c\0\x0b\x0b";

    fn wait_until(what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn it_parks_when_idle_and_a_call_that_comes_then_still_meets_its_deadline() {
        let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
        let ticker = Ticker::start(&engine).unwrap();
        let place = ticker.place();
        wait_until("it never parks", || ticker.parked.load(Ordering::SeqCst));
        let module = Module::from_binary(&engine, LOOP).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(2);
        let call = place.call();
        let ended = wasmtime::Instance::new(&mut store, &module, &[]);
        assert!(ended.is_err(), "an endless loop was interrupted");
        drop(call);
        wait_until("it parks again", || ticker.parked.load(Ordering::SeqCst));
    }
}
