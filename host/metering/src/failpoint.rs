//! Points at which a test ends the process as `kill -9` would. In release builds there are none.

/// All points, so that a test can walk them.
pub const ALL: &[&str] = &[
    "ledger.begun",
    "ledger.before-events",
    "ledger.after-events",
    "ledger.before-commit",
    "ledger.after-commit",
    "ledger.acquired",
    "ledger.top-up",
    "ledger.subscribe",
    "ledger.advance",
    "ledger.delete",
    "ledger.compact",
    "ledger.sync",
    "ledger.checkpoint",
];

/// If `SLUICE_FAILPOINT` is this name, or `NAME:N` and this is the N-th time, the process ends here.
#[cfg(debug_assertions)]
pub fn hit(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ARMED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static HITS: AtomicU64 = AtomicU64::new(0);

    debug_assert!(ALL.contains(&name), "`{name}` is not in the list of failpoints");
    let armed = ARMED.get_or_init(|| {
        let text = std::env::var_os("SLUICE_FAILPOINT")?.into_string().ok()?;
        Some(match text.split_once(':') {
            Some((name, number)) => (name.to_owned(), number.parse().unwrap_or(1)),
            None => (text, 1),
        })
    });
    if let Some((armed, number)) = armed
        && armed == name
        && HITS.fetch_add(1, Ordering::Relaxed) + 1 == *number
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn hit(_name: &str) {}
