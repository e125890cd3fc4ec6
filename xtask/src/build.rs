//! Builds plugins and test guests for Wasm, seals them and installs them where the gateway looks.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::seal::seal;

pub(crate) const TARGET: &str = "wasm32-wasip1";

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the repository")
}

/// Where cargo builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A cargo command, run in the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(arguments).current_dir(root());
    command
}

/// Shows a command and runs it to its end.
pub(crate) fn execute(command: &mut Command) -> Result<()> {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let words = words.join(" ");
    eprintln!("$ cargo {words}");
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "`cargo {words}` failed ({status})");
    Ok(())
}

/// Makes sure that the toolchain can build for Wasm.
fn ensure_target() -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("cannot run rustc")?;
    let directory = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(directory.trim()).is_dir() {
        return Ok(());
    }
    eprintln!("$ rustup target add {TARGET}");
    let status = Command::new("rustup").args(["target", "add", TARGET]).current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => {
            bail!("plugins need Rust's target {TARGET}\n\nhint: install it with `rustup target add {TARGET}`")
        }
    }
}

/// The plugin crates of the repository, those among the examples included, in order of their names.
pub(crate) fn plugin_names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in ["plugins", "examples"] {
        let directory = root().join(folder);
        for entry in
            fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))?
        {
            let entry = entry?;
            if entry.path().join("Cargo.toml").is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Builds the named plugins, or all, to `target/plugins/<name>.wasm`.
pub(crate) fn plugins(only: &[String]) -> Result<Vec<PathBuf>> {
    let all = plugin_names()?;
    for name in only {
        ensure!(all.contains(name), "there is no plugin `{name}`; there are: {}", all.join(", "));
    }
    let names = if only.is_empty() { all } else { only.to_vec() };
    ensure_target()?;
    let mut build = cargo(&["build", "--profile", "plugin", "--target", TARGET]);
    for name in &names {
        build.args(["-p", name]);
    }
    execute(&mut build)?;
    names
        .iter()
        .map(|name| {
            let built = built().join(format!("{}.wasm", name.replace('-', "_")));
            install(&built, &root().join("target/plugins"), name)
        })
        .collect()
}

/// Builds the guests that are written in Rust to `target/guests/<name>.wasm`; those in text need no building.
pub(crate) fn guests() -> Result<Vec<PathBuf>> {
    ensure_target()?;
    execute(&mut cargo(&[
        "build",
        "--profile",
        "plugin",
        "--target",
        TARGET,
        "-p",
        "sluice-guests",
        "--examples",
    ]))?;
    let sources = root().join("tests/guests/examples");
    let mut installed = Vec::new();
    for entry in fs::read_dir(&sources).with_context(|| format!("cannot list {}", sources.display()))? {
        let path = entry?.path();
        let name = path.file_stem().context("a guest without a name")?.to_string_lossy().into_owned();
        let built = built().join("examples").join(format!("{name}.wasm"));
        installed.push(install(&built, &root().join("target/guests"), &name)?);
    }
    Ok(installed)
}

/// Where cargo leaves what it built with the profile `plugin`.
pub(crate) fn built() -> PathBuf {
    target_dir().join(TARGET).join("plugin")
}

/// Seals a module and puts it in place in one step, so that a running gateway never sees half of it.
/// A file that would not change is left alone, so that a running gateway does not reload for nothing.
pub(crate) fn install(built: &Path, directory: &Path, name: &str) -> Result<PathBuf> {
    let module = fs::read(built).with_context(|| format!("cannot read {}", built.display()))?;
    let sealed = seal(&module);
    let place = directory.join(format!("{name}.wasm"));
    if fs::read(&place).is_ok_and(|present| present == sealed) {
        return Ok(place);
    }
    fs::create_dir_all(directory)?;
    let half = directory.join(format!(".{name}.wasm.{}", std::process::id()));
    fs::write(&half, &sealed).with_context(|| format!("cannot write {}", half.display()))?;
    fs::rename(&half, &place).with_context(|| format!("cannot write {}", place.display()))?;
    println!(
        "{} ({} KiB)",
        place.strip_prefix(root()).unwrap_or(&place).display(),
        sealed.len().div_ceil(1024)
    );
    Ok(place)
}
