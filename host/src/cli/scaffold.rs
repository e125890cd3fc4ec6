//! `sluice plugin new`, `build` and `test`: cargo with the right arguments, and a template.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::{harness, plugin::place};
use crate::wasm::seal;

/// What plugins are built for.
const TARGET: &str = "wasm32-wasip1";

/// The template's files: where each goes, and its text.
const TEMPLATE: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../../../plugin-sdk/template/Cargo.toml.tmpl")),
    ("src/lib.rs", include_str!("../../../plugin-sdk/template/src/lib.rs.tmpl")),
    ("tests/plugin.rs", include_str!("../../../plugin-sdk/template/tests/plugin.rs.tmpl")),
    ("README.md", include_str!("../../../plugin-sdk/template/README.md.tmpl")),
    (".gitignore", "/target\n/plugins\n"),
];

/// Makes a plugin crate.
pub(super) fn new(name: &str, into: &Path, sdk: Option<&Path>) -> Result<()> {
    let valid = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-');
    ensure!(
        valid,
        "`{name}` is no plugin name\n\nhint: lower-case letters, digits and hyphens, such as `my-policy`"
    );
    let directory = into.join(name);
    ensure!(!directory.exists(), "`{}` is there already", directory.display());
    // Without a word on it, the SDK of the checkout that this program was built from, where that is still there.
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin-sdk");
    let sdk = sdk.or_else(|| built_from.join("testing").is_dir().then_some(built_from.as_path()));
    let (dependency, testing) = match sdk {
        Some(sdk) => {
            let sdk =
                sdk.canonicalize().with_context(|| format!("cannot find the SDK at `{}`", sdk.display()))?;
            ensure!(sdk.join("testing").is_dir(), "`{}` is no checkout of the SDK", sdk.display());
            let path = |path: PathBuf| format!("{{ path = {:?} }}", path.display().to_string());
            (path(sdk.clone()), path(sdk.join("testing")))
        }
        None => {
            let version = format!("{:?}", env!("CARGO_PKG_VERSION"));
            (version.clone(), version)
        }
    };
    for (file, text) in TEMPLATE {
        let text = text
            .replace("{{name}}", name)
            .replace("{{snake}}", &name.replace('-', "_"))
            .replace("{{type}}", &type_name(name))
            .replace("{{sdk}}", &dependency)
            .replace("{{sdk_testing}}", &testing);
        place(text.as_bytes(), &directory.join(file))?;
    }
    say!("{}: try `sluice plugin test` and `sluice plugin build` in it", directory.display());
    Ok(())
}

/// `my-policy` as a type: `MyPolicy`.
fn type_name(name: &str) -> String {
    name.split('-')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        })
        .collect()
}

/// What cargo says of the crate in this directory.
struct Crate {
    name: String,
    target: PathBuf,
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().context("cannot run cargo")?;
    if status.success() { Ok(()) } else { bail!("cargo failed ({status})") }
}

fn this_crate() -> Result<Crate> {
    let output =
        cargo().args(["metadata", "--format-version=1", "--no-deps"]).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let manifest = std::env::current_dir()?.canonicalize()?.join("Cargo.toml");
    let manifest = manifest.to_string_lossy();
    let package = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["manifest_path"] == *manifest)
        .with_context(|| format!("`{manifest}` is no crate"))?;
    let text = |value: &serde_json::Value| {
        value.as_str().map(str::to_owned).context("cargo metadata is not as expected")
    };
    Ok(Crate { name: text(&package["name"])?, target: text(&metadata["target_directory"])?.into() })
}

/// Builds the crate and puts the sealed module into `into`.
pub(super) fn build(into: &Path) -> Result<()> {
    let (module, name) = built()?;
    let file = into.join(name);
    place(&module, &file)?;
    say!("{}", file.display());
    Ok(())
}

/// The sealed module of this crate and the name it should have.
fn built() -> Result<(Vec<u8>, PathBuf)> {
    let this = this_crate()?;
    succeed(cargo().args(["build", "--release", "--lib", "--target", TARGET]))
        .context(format!("hint: if the target is missing, install it with `rustup target add {TARGET}`"))?;
    let file = this.target.join(TARGET).join("release").join(format!("{}.wasm", this.name.replace('-', "_")));
    let bytes = std::fs::read(&file).with_context(|| {
        format!(
            "cannot read `{}`\n\nhint: the crate's `[lib]` needs `crate-type = [\"cdylib\", \"rlib\"]`",
            file.display()
        )
    })?;
    Ok((seal(&bytes)?, PathBuf::from(format!("{}.wasm", this.name))))
}

/// Runs the crate's tests natively and in the real runtime.
pub(super) fn test() -> Result<()> {
    succeed(cargo().arg("test"))?;
    let (module, name) = built()?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join(name);
    place(&module, &file)?;
    let binary = std::env::current_exe().context("cannot find this program")?;
    say!("once more, compiled, in the real runtime:");
    succeed(
        cargo()
            .args(["test", "--tests"])
            .env("SLUICE_TEST_WASM", &file)
            .env("SLUICE_BIN", binary)
            .env(harness::CACHE, directory.path().join("code")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_types() {
        assert_eq!(type_name("my-policy"), "MyPolicy");
        assert_eq!(type_name("a"), "A");
    }

    #[test]
    fn odd_names_are_refused() {
        for name in ["", "-a", "a-", "A", "a b", "../a", "1a"] {
            assert!(new(name, Path::new("."), None).is_err(), "{name}");
        }
    }
}
