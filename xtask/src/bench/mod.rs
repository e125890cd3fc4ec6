//! `cargo xtask bench`: builds what is measured as it is shipped, finds or installs its peers, runs `sluice-bench`.

mod peers;
mod plugins;
mod tools;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::build::{cargo, execute, guests, root, target_dir};
use crate::servers::{ensure_postgres, ensure_redis};

/// Measures one thing, or without a name compares; everything goes on to `sluice-bench`.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    let name = arguments.first().map(String::as_str);
    let compares = name.is_none_or(|name| name.starts_with("--"));
    let mut variables = Vec::new();
    match name {
        Some("instructions") => return crate::instructions::instructions(&arguments[1..]),
        Some("reload" | "damage") => drop(guests()?),
        Some("attacks") => {}
        Some("outage") => {
            ensure_redis()?;
            plugins::built_in(&["rate-limit"])?;
        }
        Some("metering" | "million") => {
            ensure_postgres()?;
            plugins::built_in(&["api-key", "meter"])?;
        }
        Some("policies") => {
            tools::find_or_install()?;
            plugins::built_in(&[])?;
        }
        _ if compares => {
            tools::find_or_install()?;
            plugins::build()?;
            variables = peers::find_or_build(&peers::wanted(arguments))?;
        }
        _ => bail!(
            "`bench` takes `policies`, `metering`, `million`, `reload`, `outage`, `damage`, `attacks`, `instructions`, or nothing and `--quick`, `--only`, `--peers` ..."
        ),
    }
    let gateway = gateway()?;
    execute(&mut cargo(&["build", "--release", "-p", "sluice-bench"]))?;
    let mut run = cargo(&["run", "--quiet", "--release", "-p", "sluice-bench", "--"]);
    run.args(arguments).env("SLUICE_BIN", gateway).envs(variables);
    execute(&mut run)
}

/// The gateway as it is shipped, unless `SLUICE_BIN` names one that is built already.
fn gateway() -> Result<PathBuf> {
    if let Some(built) = std::env::var_os("SLUICE_BIN") {
        return Ok(root().join(built));
    }
    execute(&mut cargo(&["build", "--profile", "dist", "-p", "sluice"]))?;
    Ok(target_dir().join("dist/sluice"))
}

/// What this makes besides what cargo keeps.
fn scratch() -> PathBuf {
    root().join("target/bench")
}
