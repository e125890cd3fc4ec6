//! What the kernel says of this process.

use std::fs;

/// Clock ticks in a second as `/proc` counts them: fixed by the kernel's interface on every platform we build
/// for.
const TICKS: u64 = 100;

/// One reading of `/proc/self`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) resident_bytes: u64,
    pub(super) cpu_seconds: f64,
    pub(super) threads: u64,
    pub(super) open_files: u64,
}

impl Process {
    /// Zero where there is no `/proc`.
    pub(super) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self {
            resident_bytes: number_of(&status, "VmRSS:").unwrap_or(0) * 1024,
            cpu_seconds: cpu_ticks(&stat).unwrap_or(0) as f64 / TICKS as f64,
            threads: number_of(&status, "Threads:").unwrap_or(0),
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64),
        }
    }
}

fn number_of(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time. The second field is the program's name, which may hold anything, in parentheses.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::{Process, cpu_ticks, number_of};

    #[test]
    fn fields_are_found_where_the_kernel_puts_them() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 12345 1 2";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("42 (x) S 1"), None);
        assert_eq!(number_of("Name:\tx\nVmRSS:\t  1234 kB\nThreads:\t3\n", "VmRSS:"), Some(1234));
        assert_eq!(number_of("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_read() {
        let process = Process::read();
        assert!(
            process.resident_bytes > 100_000 && process.threads > 0 && process.open_files > 2,
            "{process:?}"
        );
    }
}
