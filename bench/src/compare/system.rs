//! What the system says of a process and all it started: CPU time, memory; how busy a core was.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// A process and all below it.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if let Some(parent) = parent(&stat) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        found.extend(children.remove(&found[at]).unwrap_or_default());
        at += 1;
    }
    found
}

/// The second field after the name in parentheses, which may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// User and system time of these processes, all threads, to the nanosecond.
pub(crate) fn cpu_time(processes: &[u32]) -> Duration {
    let threads =
        processes.iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten());
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Memory of these processes in bytes; what several share counts once.
pub(crate) fn memory(processes: &[u32]) -> u64 {
    processes.iter().map(|pid| memory_of(*pid)).sum()
}

fn memory_of(pid: u32) -> u64 {
    let proportional = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let resident = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    kibibytes(&proportional, "Pss:").or_else(|| kibibytes(&resident(), "VmRSS:")).unwrap_or(0) * 1024
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// How long a core worked and how long it was idle, in ticks since the start.
#[derive(Clone, Copy)]
pub(crate) struct Core {
    busy: u64,
    idle: u64,
}

impl Core {
    /// The core's counters now.
    pub(crate) fn now(number: usize) -> Self {
        Self::read(&fs::read_to_string("/proc/stat").unwrap_or_default(), number)
    }

    fn read(stat: &str, number: usize) -> Self {
        let name = format!("cpu{number} ");
        let line = stat.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal; what follows is within user and nice.
        let idle = ticks.iter().skip(3).take(2).sum();
        let all: u64 = ticks.iter().take(8).sum();
        Self { busy: all - idle, idle }
    }

    /// The part of the time since `before` in which the core worked.
    pub(crate) fn busy_since(self, before: Self) -> f64 {
        let (busy, idle) = (self.busy - before.busy, self.idle - before.idle);
        busy as f64 / (busy + idle).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::{Core, kibibytes, parent};

    #[test]
    fn the_parent_stands_after_a_name_that_may_hold_anything() {
        assert_eq!(parent("17 (a) b) S 4 17 17 0"), Some(4));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn memory_is_read_in_kibibytes() {
        assert_eq!(kibibytes("Rss:   12 kB\nPss:    7 kB\n", "Pss:"), Some(7));
    }

    #[test]
    fn a_core_is_busy_when_it_neither_idles_nor_waits() {
        let before = Core::read("cpu  9 9\ncpu0 10 0 10 100 0 0 0 0 0 0\ncpu1 1 1 1 1 1 1 1 1 1 1\n", 0);
        let after = Core::read("cpu0 70 0 40 105 5 0 0 0 0 0\n", 0);
        assert!((after.busy_since(before) - 0.9).abs() < 1e-9);
    }
}
