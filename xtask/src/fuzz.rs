//! `cargo xtask fuzz`: builds the fuzz targets of `fuzz/` with coverage of the gateway's own code, and runs them.
//!
//! Stable Rust has the pass that counts where code goes, and libFuzzer comes as a crate: nothing else is installed but a C++ compiler.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};

use crate::build::{cargo, execute, root, target_dir};
use crate::servers::{install, is_there};

/// The targets, each with the longest input that it gets, in bytes.
const TARGETS: [(&str, u32); 7] = [
    ("chunks", 600),
    ("config", 8 << 10),
    ("frames", 2 << 10),
    ("guard", 2 << 10),
    ("head", 1 << 10),
    ("path", 256),
    ("proxy", 600),
];

/// How long one is run, in seconds, if nothing else is said.
const SECONDS: u32 = 60;

/// An input that takes longer than that is a finding, in seconds. Machines that build something else besides are slow.
const LONGEST: u32 = 30;

/// Has this program stand between cargo and the compiler.
const AS_COMPILER: &str = "SLUICE_FUZZ_AS_COMPILER";

/// What has the compiler count where code goes, as libFuzzer wants it.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Runs one target or all, for some time, or one target with one input.
pub(crate) fn fuzz(arguments: &[String]) -> Result<()> {
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) if name != "all" => (Some(name.as_str()), rest),
        Some((_, rest)) => (None, rest),
        None => (None, arguments),
    };
    let all = TARGETS.map(|(name, _)| name);
    let names = match name {
        Some(name) => {
            ensure!(all.contains(&name), "there is no target `{name}`; there are: {}", all.join(", "));
            vec![name]
        }
        None => all.to_vec(),
    };
    match (rest, &names[..]) {
        ([], _) => run(&names, SECONDS),
        ([seconds], _) if seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0) => {
            run(&names, seconds.parse()?)
        }
        ([input], [name]) if Path::new(input).is_file() => repeat(name, Path::new(input)),
        _ => bail!("after a target comes for how many seconds to run it, or the file to give it"),
    }
}

/// What this program is to cargo while fuzz targets are built: the compiler, that counts in the gateway's library and nowhere else.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    std::env::var_os(AS_COMPILER)?;
    let mut arguments = std::env::args_os().skip(1);
    let mut command = Command::new(arguments.next()?);
    let arguments: Vec<OsString> = arguments.collect();
    if arguments.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1] == "sluice") {
        command.args(COVERAGE);
    }
    let status = command.args(arguments).status();
    Some(if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn build(names: &[&str]) -> Result<()> {
    let is_installed = std::env::var_os("CXX").is_some() || is_there("c++") || is_there("g++");
    ensure!(
        is_installed || install("g++"),
        "libFuzzer is built from C++, and there is no compiler of it\n\nhint: install `g++`, or name one in CXX"
    );
    let mut build = cargo(&["build", "--profile", "fuzz", "-p", "sluice-fuzz", "--features", "fuzzer"]);
    for name in names {
        build.args(["--bin", &format!("fuzz-{name}")]);
    }
    build.arg("--target-dir").arg(directory());
    build.env("RUSTC_WORKSPACE_WRAPPER", std::env::current_exe()?).env(AS_COMPILER, "1");
    execute(&mut build)
}

/// Where all of it is kept: programs, logs, and what was found to be worth trying again.
fn directory() -> PathBuf {
    target_dir().join("fuzz")
}

fn program(name: &str) -> Command {
    let mut command = Command::new(directory().join("fuzz").join(format!("fuzz-{name}")));
    command.current_dir(root());
    command
}

fn run(names: &[&str], seconds: u32) -> Result<()> {
    build(names)?;
    let (next, at_once) = (AtomicUsize::new(0), thread::available_parallelism().map_or(1, usize::from));
    let worker = || {
        let mut failed = Vec::new();
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            match run_one(name, seconds) {
                Ok(summary) => println!("{name}: {summary}"),
                Err(error) => {
                    eprintln!("{name}: {error:#}\n");
                    failed.push(*name);
                }
            }
        }
        failed
    };
    let failed: Vec<&str> = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once.min(names.len())).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker reports what fails")).collect()
    });
    ensure!(failed.is_empty(), "does not hold: {}", failed.join(", "));
    Ok(())
}

/// Runs a target, starting with its seeds and with what former runs found.
fn run_one(name: &str, seconds: u32) -> Result<String> {
    let (corpus, crashes) = (directory().join("corpus").join(name), directory().join("crashes").join(name));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&crashes)?;
    let log = directory().join(format!("{name}.log"));
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let longest = TARGETS.iter().find(|(other, _)| *other == name).map_or(0, |(_, longest)| *longest);

    let mut command = program(name);
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={longest}"));
    command.arg(format!("-timeout={LONGEST}")).arg(format!("-artifact_prefix={}/", crashes.display()));
    command.args(["-print_final_stats=1", "-use_value_profile=1"]);
    let dictionary = root().join("fuzz/dictionaries").join(format!("{name}.txt"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.arg(corpus);
    let beside = (name == "config").then(|| root().join("tests/config"));
    let kept = ["seeds", "regressions"].map(|kind| root().join("fuzz").join(kind).join(name));
    command.args(kept.into_iter().chain(beside).filter(|folder| folder.is_dir()));
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let status = command.status().with_context(|| format!("cannot run {name}"))?;

    let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    if status.success() {
        return summary(&text, seconds)
            .with_context(|| format!("{} does not say what was done", log.display()));
    }
    let said = complaint(&text);
    match text.lines().find_map(|line| line.split_once("Test unit written to ")) {
        Some((_, input)) => bail!(
            "{said}\n\nrepeat it: cargo xtask fuzz {name} {input}\nhint: kept in fuzz/regressions/{name}/, it is a test"
        ),
        None => bail!("{said}\n\nhint: {} has the rest", log.display()),
    }
}

/// What libFuzzer counted.
fn summary(log: &str, seconds: u32) -> Option<String> {
    let count = |name: &str| {
        let line = log.lines().rev().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse::<u64>().ok()
    };
    let inputs = count("stat::number_of_executed_units:")?;
    let (each, peak) = (count("stat::average_exec_per_sec:")?, count("stat::peak_rss_mb:")?);
    let covered = log.lines().rev().find_map(|line| line.split_once(" cov: ")?.1.split(' ').next())?;
    Some(format!("holds for {inputs} inputs in {seconds} s, {each} a second, {covered} edges, {peak} MiB"))
}

/// The words of a panic, or the last lines if there is none.
fn complaint(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let panic = lines.iter().position(|line| line.contains("panicked at"));
    let from = panic.unwrap_or(lines.len().saturating_sub(12));
    let until =
        lines[from..].iter().position(|line| line.starts_with("stack backtrace") || line.starts_with("=="));
    let until = until.filter(|_| panic.is_some()).map_or(lines.len(), |until| from + until);
    lines[from..until].join("\n")
}

/// Runs a target with one input, and shows everything that it has to say.
fn repeat(name: &str, input: &Path) -> Result<()> {
    build(&[name])?;
    let input = fs::canonicalize(input)?;
    let status = program(name).arg(&input).env("RUST_BACKTRACE", "1").status();
    let status = status.with_context(|| format!("cannot run {name}"))?;
    ensure!(status.success(), "`{name}` does not hold for {}", input.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_and_what_went_wrong_is_found_in_a_log() {
        let log = "#2 INITED cov: 7 ft: 8\n#9 DONE   cov: 40 ft: 60 corp: 3/3b\nstat::number_of_executed_units: 123\n\
                   stat::average_exec_per_sec:     41\nstat::peak_rss_mb: 33\n";
        let expected = "holds for 123 inputs in 3 s, 41 a second, 40 edges, 33 MiB";
        assert_eq!(summary(log, 3).as_deref(), Some(expected));
        assert_eq!(summary("", 3), None);
        let log = "INFO: Seed\n\nthread 'main' panicked at a.rs:1:1:\nassertion failed\nstack backtrace:\n 0: x\n==1== ERROR\n";
        assert_eq!(complaint(log), "thread 'main' panicked at a.rs:1:1:\nassertion failed");
        assert_eq!(complaint("a\nb\n"), "a\nb");
    }

    #[test]
    fn the_targets_are_those_that_there_are() {
        let mut names: Vec<String> = fs::read_dir(root().join("fuzz/targets"))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, TARGETS.map(|(name, _)| name));
    }
}
