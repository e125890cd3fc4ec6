//! `cargo xtask bench instructions`: what the call path costs in instructions, which no other load on the machine changes.
//!
//! Valgrind's callgrind counts user-space instructions: those of the operations that `host/benches/operations` lists, and
//! those of a whole exchange, through the gateway as it is built. `bench/INSTRUCTIONS.md` holds what was counted last, so
//! that a change that costs shows in its own diff.

mod exchange;
mod record;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::build::{cargo, execute, target_dir};
use record::Record;

/// One operation and how many instructions it takes.
struct Count {
    name: String,
    instructions: u64,
}

/// Counts, and records what was counted; with `--check`, fails instead where an operation has grown.
pub(crate) fn instructions(arguments: &[String]) -> Result<()> {
    let check = match arguments {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => bail!("`bench instructions` takes nothing but --check"),
    };
    let directory = target_dir().join("instructions");
    fs::create_dir_all(&directory)?;
    let guest = directory.join("noop.wasm");
    let mut counts = operations(&directory, &guest)?;

    // Last the gateway as it is, which so is what stays in the target directory.
    execute(&mut cargo(&["build", "--release", "-p", "sluice", "--features", "measure"]))?;
    counts.push(exchange::count("whole exchange with 1 empty step", Some(&guest), &directory)?);
    execute(&mut cargo(&["build", "--release", "-p", "sluice"]))?;
    counts.push(exchange::count("whole exchange, plain", None, &directory)?);

    let recorded = Record::read()?;
    let grown = recorded.compare(&counts);
    if check {
        ensure!(
            grown.is_empty(),
            "grown by more than {} %: {}\n\nhint: where that is worth it, `cargo xtask bench instructions` records it",
            record::TOLERATED,
            grown.join(", ")
        );
        return Ok(());
    }
    record::write(&counts)
}

/// Runs `host/benches/instructions.rs` under callgrind. Line by line what it did, and file by file what that took.
fn operations(directory: &Path, guest: &Path) -> Result<Vec<Count>> {
    let output = directory.join("operations");
    let part = |number: usize| PathBuf::from(format!("{}.{number}", output.display()));
    for number in (1..).take_while(|&number| part(number).exists()) {
        fs::remove_file(part(number))?;
    }
    let runner = format!(
        r#"target."cfg(unix)".runner = ["valgrind", "--tool=callgrind", "--quiet", "--callgrind-out-file={}", "--toggle-collect={COUNTED}", "--dump-after={COUNTED}"]"#,
        output.display()
    );
    let bench = ["bench", "-p", "sluice", "--features", "measure", "--bench", "instructions", "--"];
    let mut command = cargo(&["--config", &runner]);
    command.args(bench).arg(guest).stderr(Stdio::inherit());
    without_backtraces(&mut command);
    eprintln!("$ cargo {} under callgrind", bench.join(" "));
    let ran = command.output().context("cannot run cargo")?;
    ensure!(
        ran.status.success(),
        "the operations failed ({})\n\nhint: this needs valgrind (`apt-get install valgrind`)",
        ran.status
    );

    let mut counts: Vec<Count> = Vec::new();
    for (index, line) in String::from_utf8_lossy(&ran.stdout).lines().enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, turns, times, beside] = fields[..] else { bail!("`{line}` is no operation") };
        let (turns, times): (u64, u64) = (turns.parse()?, times.parse()?);
        let beside = counts.iter().find(|count| count.name == beside).map_or(0, |count| count.instructions);
        let turn = total(&part(index + 1))? / turns;
        counts.push(Count { name: name.to_owned(), instructions: turn.saturating_sub(beside) / times });
    }
    ensure!(!counts.is_empty(), "nothing was counted");
    Ok(counts)
}

/// With them every error of wasmtime, also one that is looked past, takes a picture of the stack.
fn without_backtraces(command: &mut Command) {
    command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
}

/// The function that `host/benches/instructions.rs` counts in.
const COUNTED: &str = "instructions::counted";

/// The sum of a file of callgrind's.
fn total(file: &Path) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let sum = text.lines().filter_map(|line| line.strip_prefix("totals: ")).next_back();
    let sum = sum.with_context(|| format!("{} has no totals", file.display()))?;
    Ok(sum.trim().parse()?)
}
