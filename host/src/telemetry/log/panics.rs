//! Panics are told by the log, as its lines: the hook of the standard library would wait for standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;
use std::time::Duration;

use super::line::{self, BACKTRACE};
use super::queue::Queue;

/// How long the last line of a process that is about to be aborted may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How the standard library's message begins when a panic cannot unwind: the process is aborted next.
const ABORTING: &str = "panic in a ";

/// Tells panics to the log from now on.
pub(super) fn into(queue: Queue) {
    panic::set_hook(Box::new(move |info| tell(&queue, info)));
}

fn tell(queue: &Queue, info: &PanicHookInfo<'_>) {
    let said = info.payload_as_str().unwrap_or("a value that is no text");
    let thread = thread::current();
    let mut fields = vec![("thread", thread.name().unwrap_or("unnamed").into())];
    if let Some(location) = info.location() {
        fields.push(("location", location.to_string().into()));
    }
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        fields.push((BACKTRACE, backtrace.to_string().into()));
    }
    queue.give_panic(&line::own(queue.format(), "ERROR", &format!("panic: {said}"), &fields));
    if said.starts_with(ABORTING) {
        queue.finish(LAST_WORDS);
    }
}
