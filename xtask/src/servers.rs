//! Servers of others that tests and measurements run against: found, or installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::build::root;

/// Makes sure that there is a Redis or Valkey server, which tests and measurements start by themselves.
pub(crate) fn ensure_redis() -> Result<()> {
    if std::env::var_os("SLUICE_REDIS").is_some() || is_there("redis-server") || is_there("valkey-server") {
        return Ok(());
    }
    ensure!(
        install("redis-server"),
        "this needs a Redis or Valkey server\n\nhint: install `redis-server`, or name one in SLUICE_REDIS"
    );
    Ok(())
}

/// Makes sure that there is a NATS server, which tests start by themselves.
pub(crate) fn ensure_nats() -> Result<()> {
    // Debian puts it where only root looks.
    let is_there = is_there("nats-server") || Path::new("/usr/sbin/nats-server").is_file();
    if std::env::var_os("SLUICE_NATS").is_some() || is_there {
        return Ok(());
    }
    ensure!(
        install("nats-server"),
        "the tests need a NATS server\n\nhint: install `nats-server`, or name one in SLUICE_NATS"
    );
    Ok(())
}

/// Makes sure that there is a PostgreSQL server, which tests and measurements start by themselves.
pub(crate) fn ensure_postgres() -> Result<()> {
    // Debian keeps its programs off the PATH.
    let is_installed = || {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        versions.map(|version| version.path().join("bin/postgres")).any(|server| server.is_file())
    };
    if std::env::var_os("SLUICE_POSTGRES").is_some() || is_there("postgres") || is_installed() {
        return Ok(());
    }
    ensure!(
        install("postgresql"),
        "the tests need PostgreSQL 13 or later\n\nhint: install `postgresql`, or name the directory of its programs in \
         SLUICE_POSTGRES"
    );
    Ok(())
}

/// Makes sure that `target/identity-provider` has what `tests/identity-provider/server.mjs` imports, as its lock file says.
pub(crate) fn ensure_identity_provider() -> Result<()> {
    let (from, to) = (root().join("tests/identity-provider"), root().join("target/identity-provider"));
    let lock = fs::read(from.join("package-lock.json")).context("the identity provider's lock file")?;
    // Written last, so that it says that everything is there.
    let installed = to.join("installed.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) && is_there("node") {
        return Ok(());
    }
    ensure!(
        (is_there("node") && is_there("npm")) || install("nodejs npm"),
        "the tests need Node.js 18 or later with npm, for an OpenID provider\n\nhint: install `nodejs` and `npm`"
    );
    fs::create_dir_all(&to).context("target/identity-provider")?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(from.join(name), to.join(name))
            .with_context(|| format!("target/identity-provider/{name}"))?;
    }
    let arguments = "ci --ignore-scripts --no-audit --no-fund";
    ensure!(run(&to, "npm", arguments), "`npm {arguments}` failed in target/identity-provider");
    fs::write(installed, lock).context("target/identity-provider/installed.json")
}

/// Whether there is such a program on the PATH.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Installs Debian packages.
fn install(packages: &str) -> bool {
    let arguments = format!("install -y -qq --no-install-recommends {packages}");
    ["update -qq", &arguments].into_iter().all(|arguments| run(root(), "apt-get", arguments))
}

fn run(folder: &Path, program: &str, arguments: &str) -> bool {
    eprintln!("$ {program} {arguments}");
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments.split(' ')).env("DEBIAN_FRONTEND", "noninteractive");
    command.status().is_ok_and(|status| status.success())
}
