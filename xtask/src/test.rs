//! `cargo xtask test`: everything a test needs, then every test.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::build::{cargo, execute, guests, plugin_names, plugins, target_dir};

/// Builds plugins and guests, runs the tests of the workspace, then each plugin's tests once more in the real
/// runtime: the same test functions, with the plugin compiled to Wasm and the gateway around it.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    ensure_redis()?;
    let modules = plugins(&[])?;
    guests()?;
    execute(cargo(&["test", "--workspace", "--exclude", "sluice-guests"]).args(arguments))?;

    let sluice = target_dir().join("debug/sluice");
    for (name, module) in plugin_names()?.iter().zip(modules) {
        eprintln!("the tests of {name}, in the real runtime:");
        let mut again = cargo(&["test", "--package", name]);
        again.env("SLUICE_TEST_WASM", module).env("SLUICE_BIN", &sluice);
        execute(&mut again)?;
    }
    Ok(())
}

/// Makes sure that there is a Redis or Valkey server, which the tests start by themselves.
fn ensure_redis() -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let is_there = |name: &str| directories.iter().any(|directory| directory.join(name).is_file());
    if std::env::var_os("SLUICE_REDIS").is_some()
        || ["redis-server", "valkey-server"].into_iter().any(is_there)
    {
        return Ok(());
    }
    let installed = ["apt-get update -qq", "apt-get install -y -qq --no-install-recommends redis-server"]
        .into_iter()
        .all(|line| {
            eprintln!("$ {line}");
            let mut words = line.split(' ');
            let mut command = Command::new(words.next().unwrap_or_default());
            command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
            command.status().is_ok_and(|status| status.success())
        });
    ensure!(
        installed,
        "the tests need a Redis or Valkey server\n\nhint: install `redis-server`, or name one in SLUICE_REDIS"
    );
    Ok(())
}
