//! `cargo xtask dist`: the gateway as it is shipped. Fat LTO, one codegen unit, and optimised for what it does under load: a
//! first build counts where its time goes while it serves the benchmark's scenarios, a second one is laid out by that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::bench;
use crate::build::{cargo, execute, root};

/// Served while it is counted: every kind of work, in equal parts.
const SCENARIOS: &str = "plain,policy,chain,json,jwt,h2";

/// Builds it, by way of the counting build, and returns its place.
pub(crate) fn dist() -> Result<PathBuf> {
    let (directory, triple) = (root().join("target/dist"), host()?);
    let counts = directory.join("counts");
    let merged = directory.join("merged.profdata");
    if counts.exists() {
        fs::remove_dir_all(&counts).with_context(|| format!("cannot empty {}", counts.display()))?;
    }
    let profdata = profdata(&triple)?;
    // Without LTO: what is counted is the same, and the build takes half as long.
    let mut counting = build(&triple, "release", &directory.join("counting"));
    counting.args(["--config", "profile.release.lto='off'", "--config", "profile.release.debug=false"]);
    counting.env("RUSTFLAGS", format!("-Cprofile-generate={}", counts.display()));
    execute(&mut counting)?;
    bench::train(&directory.join("counting").join(&triple).join("release/sluice"), SCENARIOS)?;
    let mut merge = Command::new(profdata);
    let status =
        merge.args(["merge", "-o"]).arg(&merged).arg(&counts).status().context("cannot run llvm-profdata")?;
    ensure!(status.success(), "llvm-profdata failed ({status})");
    let mut shipped = build(&triple, "dist", &directory.join("shipped"));
    // Code that was never met has no counts, and that is no mistake.
    shipped.env(
        "RUSTFLAGS",
        format!("-Cprofile-use={} -Cllvm-args=-pgo-warn-missing-function=false", merged.display()),
    );
    execute(&mut shipped)?;
    Ok(directory.join("shipped").join(triple).join("dist/sluice"))
}

/// With a target named, the flags do not go to build scripts.
fn build(triple: &str, profile: &str, directory: &Path) -> Command {
    let mut build =
        cargo(&["build", "-p", "sluice", "--profile", profile, "--target", triple, "--target-dir"]);
    build.arg(directory);
    build
}

/// The machine's own target.
fn host() -> Result<String> {
    let text = rustc(&["-vV"])?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what it runs on")?.to_owned())
}

/// The tool that merges counts, which belongs to the compiler; added to the toolchain if it is not there.
fn profdata(triple: &str) -> Result<PathBuf> {
    let tool = PathBuf::from(rustc(&["--print", "sysroot"])?.trim())
        .join("lib/rustlib")
        .join(triple)
        .join("bin/llvm-profdata");
    if !tool.is_file() {
        eprintln!("$ rustup component add llvm-tools");
        let status =
            Command::new("rustup").args(["component", "add", "llvm-tools"]).current_dir(root()).status();
        ensure!(
            status.is_ok_and(|status| status.success()) && tool.is_file(),
            "the counts are merged with llvm-profdata\n\nhint: install it with `rustup component add llvm-tools`"
        );
    }
    Ok(tool)
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        Command::new(rustc).args(arguments).current_dir(root()).output().context("cannot run rustc")?;
    ensure!(output.status.success(), "rustc {} failed", arguments.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
