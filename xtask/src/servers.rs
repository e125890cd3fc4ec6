//! Servers of others that tests and measurements run against: found, or installed.

use std::ffi::OsStr;
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
    ensure_node("identity-provider", "an OpenID provider")
}

/// Makes sure that `target/protocol-peers` has what the programs of `tests/protocol-peers` import: servers and clients of
/// others, for every protocol that is translated.
pub(crate) fn ensure_protocol_peers() -> Result<()> {
    ensure_node("protocol-peers", "clients and servers of Connect, gRPC-Web, SOAP and GraphQL")?;
    // Modules are looked for beside the place where a script seems to lie: this one.
    let link = root().join("target/protocol-peers/programs");
    if fs::symlink_metadata(&link).is_err() {
        std::os::unix::fs::symlink("../../tests/protocol-peers", &link)
            .with_context(|| format!("cannot write {}", link.display()))?;
    }
    ensure_python("protocol-peers")
}

/// Installs the Node.js packages that `tests/<name>/package-lock.json` says into `target/<name>`, once.
fn ensure_node(name: &str, what: &str) -> Result<()> {
    let (from, to) = (root().join("tests").join(name), root().join("target").join(name));
    let lock = from.join("package-lock.json");
    let lock = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    // Written last, so that it says that everything is there.
    let installed = to.join("installed.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) && is_there("node") {
        return Ok(());
    }
    ensure!(
        (is_there("node") && is_there("npm")) || install("nodejs npm"),
        "the tests need Node.js 18 or later with npm, for {what}\n\nhint: install `nodejs` and `npm`"
    );
    fs::create_dir_all(&to).with_context(|| format!("target/{name}"))?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(from.join(file), to.join(file)).with_context(|| format!("target/{name}/{file}"))?;
    }
    let arguments = "ci --ignore-scripts --no-audit --no-fund";
    ensure!(run(&to, "npm", arguments), "`npm {arguments}` failed in target/{name}");
    fs::write(installed, lock).with_context(|| format!("target/{name}/installed.json"))
}

/// Installs the Python packages that `tests/<name>/requirements.txt` says into `target/<name>/python`, once.
fn ensure_python(name: &str) -> Result<()> {
    const VERSION: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    let (from, to) = (root().join("tests").join(name), root().join("target").join(name));
    let requirements = from.join("requirements.txt");
    let wanted =
        fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    let installed = to.join("installed.txt");
    let is_usable = || to.join("python/bin/python").exists();
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) && is_usable() {
        return Ok(());
    }
    let is_python = || Command::new("python3").args(["-c", VERSION]).status().is_ok_and(|it| it.success());
    ensure!(
        is_python() || (install("python3 python3-venv") && is_python()),
        "the tests need Python 3.11 or later with venv, for a gRPC server and clients of gRPC and SOAP\n\nhint: install \
         `python3` and `python3-venv`"
    );
    ensure!(
        run(&to, "python3", "-m venv --clear python"),
        "no virtual environment can be made in target/{name}\n\nhint: install `python3-venv`"
    );
    // What has to be built is not wanted: the versions that are named come ready to use.
    let arguments =
        format!("install -q --no-deps --only-binary :all: -r ../../tests/{name}/requirements.txt");
    let is_installed = run(&to, to.join("python/bin/pip"), &arguments);
    ensure!(is_installed, "`pip {arguments}` failed in target/{name}");
    fs::write(installed, wanted).with_context(|| format!("target/{name}/installed.txt"))
}

/// Whether there is such a program on the PATH.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Installs Debian packages.
pub(crate) fn install(packages: &str) -> bool {
    let arguments = format!("install -y -qq --no-install-recommends {packages}");
    ["update -qq", &arguments].into_iter().all(|arguments| run(root(), "apt-get", arguments))
}

fn run(folder: &Path, program: impl AsRef<OsStr>, arguments: &str) -> bool {
    eprintln!("$ {} {arguments}", program.as_ref().display());
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments.split(' ')).env("DEBIAN_FRONTEND", "noninteractive");
    command.status().is_ok_and(|status| status.success())
}
