//! `cargo xtask test`: everything a test needs, then every test.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::build::{cargo, execute, guests, plugin_names, plugins, root, target_dir};
use crate::servers::{
    ensure_identity_provider, ensure_nats, ensure_postgres, ensure_protocol_peers, ensure_redis,
};

/// The crates whose tests these are: guests are nothing but their Wasm.
const WORKSPACE: [&str; 4] = ["test", "--workspace", "--exclude", "sluice-guests"];

/// Builds plugins and guests, runs the tests of the workspace, then each plugin's tests once more in the real
/// runtime: the same test functions, with the plugin compiled to Wasm and the gateway around it.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    ensure_redis()?;
    ensure_nats()?;
    ensure_postgres()?;
    ensure_identity_provider()?;
    ensure_protocol_peers()?;
    let modules = plugins(&[])?;
    guests()?;
    service()?;
    execute(cargo(&WORKSPACE).arg("--no-run"))?;
    settle();
    execute(cargo(&WORKSPACE).args(arguments))?;

    let sluice = target_dir().join("debug/sluice");
    // Where the tests of the gateway keep compiled code too: each plugin is compiled once.
    let code = root().join("target/tests-code");
    let programs = programs()?;
    for (name, module) in plugin_names()?.iter().zip(modules) {
        let own = programs.iter().filter(|program| program.package.ends_with(name));
        for Program { package, executable } in own {
            eprintln!("{} in the real runtime:", executable.display());
            let mut again = Command::new(executable);
            again.current_dir(package);
            again.env("SLUICE_TEST_WASM", &module).env("SLUICE_BIN", &sluice).env("SLUICE_CACHE", &code);
            let status = again.status().with_context(|| format!("cannot run the tests of {name}"))?;
            ensure!(status.success(), "the tests of {name} fail in the real runtime");
        }
    }
    Ok(())
}

/// Builds the gRPC service that tests of translation talk to, with the features that the workspace's tests have anyway.
fn service() -> Result<()> {
    execute(&mut cargo(&["build", "--workspace", "--exclude", "sluice-guests", "--bin", "library-service"]))
}

/// Waits until the disk has taken what the build wrote. Databases wait for the disk at every commit, and for all of that with it: long
/// enough to be given up.
fn settle() {
    // Without such a program the tests take longer.
    let _ = Command::new("sync").status();
}

/// A file of integration tests, built.
struct Program {
    /// The folder of its crate.
    package: PathBuf,
    executable: PathBuf,
}

/// What `cargo test` has just built. To ask for each crate alone would build much of it once more, with the features that
/// this crate needs by itself.
fn programs() -> Result<Vec<Program>> {
    let mut build = cargo(&WORKSPACE);
    build.args(["--no-run", "--message-format=json"]).stderr(Stdio::null());
    let output = build.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the tests cannot be built");
    let text = String::from_utf8(output.stdout).context("cargo's messages")?;
    Ok(text.lines().filter_map(program).collect())
}

/// An integration test among cargo's messages, each of which is a line of JSON.
fn program(message: &str) -> Option<Program> {
    let value = |key: &str| {
        let rest = message.split_once(&format!("\"{key}\":\""))?.1;
        Some(PathBuf::from(rest.split_once('"')?.0))
    };
    let is_test = message.contains("\"kind\":[\"test\"]");
    let manifest = value("manifest_path").filter(|_| is_test)?;
    Some(Program { package: manifest.parent()?.to_owned(), executable: value("executable")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_among_the_messages() {
        let message = r#"{"reason":"compiler-artifact","package_id":"path+file:///r/plugins/a#0.1.0","manifest_path":"/r/plugins/a/Cargo.toml","target":{"kind":["test"],"crate_types":["bin"],"name":"policy"},"executable":"/r/target/debug/deps/policy-0"}"#;
        let found = program(message).unwrap();
        assert_eq!(found.package, PathBuf::from("/r/plugins/a"));
        assert_eq!(found.executable, PathBuf::from("/r/target/debug/deps/policy-0"));
        assert!(program(&message.replace("[\"test\"]", "[\"lib\"]")).is_none());
        assert!(program(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}
