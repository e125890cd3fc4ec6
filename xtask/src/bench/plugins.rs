//! Plugins that the comparison runs: the built-in ones, and those that only it needs.

use anyhow::Result;

use super::scratch;
use crate::build::{TARGET, built, cargo, execute, install, plugins};

/// Builds the named built-in ones, or all, unless `SLUICE_PLUGINS` names a directory of them.
pub(super) fn built_in(names: &[&str]) -> Result<()> {
    // Set for a gateway of another checkout, whose plugins may want what this one's SDK does not have, or the reverse.
    if std::env::var_os("SLUICE_PLUGINS").is_none() {
        plugins(&names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Builds them to `target/plugins/` and `target/bench/plugins/`.
pub(super) fn build() -> Result<()> {
    built_in(&["api-key", "rate-limit", "headers", "rest-grpc"])?;
    let package = "sluice-bench-plugins";
    execute(&mut cargo(&["build", "--profile", "plugin", "--target", TARGET, "-p", package, "--examples"]))?;
    for name in ["noop", "json", "jwt"] {
        // Examples of all packages lie in one directory, hence the longer names there.
        install(&built().join(format!("examples/bench_{name}.wasm")), &scratch().join("plugins"), name)?;
    }
    Ok(())
}
