//! Plugins that the comparison runs: the built-in ones, and those that only it needs.

use anyhow::Result;

use super::scratch;
use crate::build::{TARGET, built, cargo, execute, install, plugins};

/// Builds all the built-in ones, unless `SLUICE_PLUGINS` names a directory of them.
pub(super) fn build_all() -> Result<()> {
    if std::env::var_os("SLUICE_PLUGINS").is_none() {
        plugins(&[])?;
    }
    Ok(())
}

/// Builds them to `target/plugins/` and `target/bench/plugins/`.
pub(super) fn build() -> Result<()> {
    // Set for a gateway of another checkout, whose plugins may want what this one's SDK does not have, or the reverse.
    if std::env::var_os("SLUICE_PLUGINS").is_none() {
        plugins(&["api-key", "rate-limit", "headers"].map(str::to_owned))?;
    }
    let package = "sluice-bench-plugins";
    execute(&mut cargo(&["build", "--profile", "plugin", "--target", TARGET, "-p", package, "--examples"]))?;
    for name in ["noop", "json", "jwt"] {
        // Examples of all packages lie in one directory, hence the longer names there.
        install(&built().join(format!("examples/bench_{name}.wasm")), &scratch().join("plugins"), name)?;
    }
    Ok(())
}
