//! `cargo xtask test`: everything a test needs, then every test.

use anyhow::Result;

use crate::build::{cargo, execute, guests, plugin_names, plugins, target_dir};

/// Builds plugins and guests, runs the tests of the workspace, then each plugin's tests once more in the real
/// runtime: the same test functions, with the plugin compiled to Wasm and the gateway around it.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
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
