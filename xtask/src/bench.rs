//! `cargo xtask bench`: builds what is measured as it is shipped, then runs `sluice-bench`.

use anyhow::{Result, bail};

use crate::build::{cargo, execute, guests, target_dir};

/// Runs one benchmark; everything after its name goes to `sluice-bench`.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    match arguments.first().map(String::as_str) {
        Some("reload" | "routes" | "damage") => {}
        _ => bail!("`bench` takes `reload`, `routes` or `damage`"),
    }
    guests()?;
    execute(&mut cargo(&["build", "--release", "-p", "sluice", "-p", "sluice-bench"]))?;
    let sluice = target_dir().join("release/sluice");
    let mut run = cargo(&["run", "--quiet", "--release", "-p", "sluice-bench", "--"]);
    run.args(arguments).env("SLUICE_BIN", sluice);
    execute(&mut run)
}
