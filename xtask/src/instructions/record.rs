//! `bench/INSTRUCTIONS.md`: read, compared with, written anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Count;
use crate::build::root;

/// How many per cent an operation may grow unseen.
pub(super) const TOLERATED: u64 = 5;

/// What was counted before, by name.
pub(super) struct Record(BTreeMap<String, u64>);

fn place() -> PathBuf {
    root().join("bench/INSTRUCTIONS.md")
}

impl Record {
    /// Nothing, where nothing was recorded yet.
    pub(super) fn read() -> Result<Self> {
        let text = match fs::read_to_string(place()) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.context("cannot read bench/INSTRUCTIONS.md")?,
        };
        Ok(Self(text.lines().filter_map(row).collect()))
    }

    /// Prints what became of each operation; those that have grown by more than is tolerated.
    pub(super) fn compare(&self, counts: &[Count]) -> Vec<String> {
        let mut grown = Vec::new();
        for Count { name, instructions } in counts {
            let now = grouped(*instructions);
            let Some(&before) = self.0.get(name) else {
                println!("{now:>12}  {:>9}  {name}", "new");
                continue;
            };
            let change = (*instructions as f64 / before as f64 - 1.0) * 100.0;
            println!("{now:>12}  {change:>+7.1} %  {name}");
            if *instructions * 100 > before * (100 + TOLERATED) {
                grown.push(format!("{name} ({} -> {now})", grouped(before)));
            }
        }
        for name in self.0.keys().filter(|name| !counts.iter().any(|count| count.name == **name)) {
            println!("{:>12}  {:>9}  {name}", "-", "gone");
        }
        grown
    }
}

/// Writes the file anew.
pub(super) fn write(counts: &[Count]) -> Result<()> {
    let mut text = format!("{HEAD}\n{}, {}.\n\n", version("rustc")?, version("valgrind")?);
    text.push_str("| operation | instructions |\n|---|---:|\n");
    for Count { name, instructions } in counts {
        let _ = writeln!(text, "| {name} | {} |", grouped(*instructions));
    }
    fs::write(place(), text).context("cannot write bench/INSTRUCTIONS.md")
}

const HEAD: &str = "\
# Instructions

What the call path costs in instructions of user space, counted by callgrind. Other load on the machine does not change
them, so a change that makes a row grow shows here, in its own diff. They are no times: a cache miss and a system call
count nothing. `cargo xtask bench instructions` rewrites this file and prints what changed; with `--check` it fails where
a row has grown by more than 5 %.

The operations are those of `host/benches/operations`; `cargo bench -p sluice --features measure --bench call_path`
measures their time. A host call is one of 1,000 in a call of a plugin, without that call's own cost. A whole exchange is
one of 2,000 on one connection through the gateway, one worker, access log off, to an origin that echoes.

Valgrind is not the machine itself, and what is counted there differs in this: there is no vDSO, so that reading a clock
is a system call and counts next to nothing; plugins are compiled for the instruction set that valgrind knows, and the
allocator's and libc's routines are chosen for it; the pool of instances has 8 places, not 8,192, since valgrind has
fewer addresses (`MAX_INSTANCES` in `host/src/wasm/engine.rs`). All but the plain exchange, which is counted in the
gateway as `cargo build --release` makes it, is built with the feature `measure`. The operations are also built beside the
tests' dependencies, which give tokio the clock that tests can stop.
";

/// The first line that a tool says about its version.
fn version(tool: &str) -> Result<String> {
    let said = Command::new(tool).arg("--version").output().with_context(|| format!("cannot run {tool}"))?;
    Ok(String::from_utf8_lossy(&said.stdout).lines().next().unwrap_or(tool).to_owned())
}

/// A name and a number, if a line is one of the table's.
fn row(line: &str) -> Option<(String, u64)> {
    let (name, number) = line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | ")?;
    Some((name.to_owned(), number.replace(',', "").parse().ok()?))
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_as_it_was_written() {
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        let line = "| route lookup among 1,000 | 1,234 |";
        assert_eq!(row(line), Some(("route lookup among 1,000".to_owned(), 1234)));
        assert_eq!(row("| operation | instructions |"), None);
        assert_eq!(row("|---|---:|"), None);
    }

    #[test]
    fn growth_is_told_from_what_is_tolerated() {
        let record = Record(BTreeMap::from([("a".to_owned(), 100), ("b".to_owned(), 100)]));
        let count = |name: &str, instructions| Count { name: name.to_owned(), instructions };
        assert_eq!(record.compare(&[count("a", 105), count("b", 106), count("c", 9)]), ["b (100 -> 106)"]);
    }
}
