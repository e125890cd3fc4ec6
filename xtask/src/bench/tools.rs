//! Debian packages that the comparison needs: found, installed by root, or asked for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// A file that shows that a package is there: a program, or a path.
const NEEDED: &[(&str, &str)] = &[
    ("nginx", "nginx-light"),
    ("/usr/lib/nginx/modules/ngx_http_lua_module.so", "libnginx-mod-http-lua"),
    ("/usr/lib/x86_64-linux-gnu/lua/5.1/cjson.so", "lua-cjson"),
    ("haproxy", "haproxy"),
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("taskset", "util-linux"),
    ("openssl", "openssl"),
    // To build Pingora.
    ("cmake", "cmake"),
];

/// Sees that everything is there.
pub(super) fn find_or_install() -> Result<()> {
    let missing: Vec<_> =
        NEEDED.iter().filter(|(sign, _)| find(sign).is_none()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !is_root() || find("apt-get").is_none() {
        bail!("the comparison needs: {packages}\n\nhint: on Debian, `sudo apt-get install {packages}`");
    }
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
    // Debian starts servers when they are installed; these are for us to start.
    install.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    run(&mut install)
}

/// A program of the `PATH` or of Debian's place for servers, or a path.
pub(super) fn find(sign: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    directories.map(|directory| directory.join(sign)).find(|path| path.is_file())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Shows a command and runs it to its end.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).display().to_string();
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let line = format!("{program} {}", words.join(" "));
    eprintln!("$ {line}");
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    ensure!(status.success(), "`{line}` failed ({status})");
    Ok(())
}
