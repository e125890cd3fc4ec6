//! `sluice plugin`: everything a plugin's author needs beside cargo.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Subcommand as ClapSubcommand;
use sluice_abi::Isolation;

use super::{harness, scaffold};
use crate::config::Limits;
use crate::wasm::{Engines, Loader, Module, seal, sha256_hex};

#[derive(ClapSubcommand)]
pub(super) enum Command {
    /// Show what a plugin file is: descriptor, phases, capabilities, isolation, imports, schema, digest.
    Inspect {
        /// The plugin.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a plugin crate that builds and passes its test at once.
    New {
        /// Its name, such as `my-policy`.
        name: String,
        /// The directory to make it in.
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
        /// The SDK to depend on; by default that of the checkout this program was built from, else the published one.
        #[arg(long, value_name = "DIR")]
        sdk: Option<PathBuf>,
    },
    /// Seal a plugin file, so that the gateway can tell it is whole. Rewrites it in one step.
    Seal {
        /// The plugin.
        file: PathBuf,
    },
    /// Build the crate in this directory for Wasm, seal it and put it in place in one step.
    Build {
        /// Where to put `NAME.wasm`.
        #[arg(long, value_name = "DIR", default_value = "plugins")]
        into: PathBuf,
    },
    /// Run the crate's tests natively, then again with the compiled plugin in the real runtime.
    Test,
    /// Run a plugin for its tests: one JSON message per line on standard input and output.
    #[command(hide = true)]
    Harness {
        /// The plugin.
        file: PathBuf,
    },
}

pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::Inspect { file, json } => inspect(&file, json),
        Command::New { name, into, sdk } => scaffold::new(&name, &into, sdk.as_deref()),
        Command::Seal { file } => {
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
            place(&seal(&bytes)?, &file)
        }
        Command::Build { into } => scaffold::build(&into),
        Command::Test => scaffold::test(),
        Command::Harness { file } => harness::serve(&file),
    }
}

/// Writes a file beside its place and renames it, so that nobody sees half of it.
pub(super) fn place(bytes: &[u8], file: &Path) -> Result<()> {
    use std::io::Write as _;
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make `{}`", directory.display()))?;
    let mut half = tempfile::NamedTempFile::new_in(directory)?;
    half.write_all(bytes)?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    half.as_file().set_permissions(permissions)?;
    half.persist(file).with_context(|| format!("cannot write `{}`", file.display()))?;
    Ok(())
}

/// Loads a plugin as the gateway would; a file without a seal too, for it is only looked at. Compiled code is kept in `cache`.
pub(super) fn load(file: &Path, cache: Option<PathBuf>) -> Result<(Arc<Module>, bool)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let loader = Loader::new(Arc::new(Engines::new(false)), cache);
    let limits = Limits::default();
    match runtime.block_on(loader.load(file, None, &limits)) {
        Ok(module) => Ok((module, true)),
        Err(crate::wasm::LoadError::Seal(crate::wasm::SealError::Missing)) => {
            let bytes = std::fs::read(file)?;
            let digest = sha2::Digest::finalize(sha2::Digest::chain_update(sha2::Sha256::default(), bytes));
            Ok((runtime.block_on(loader.load(file, Some(digest.into()), &limits))?, false))
        }
        Err(error) => bail!("`{}`: {error}", file.display()),
    }
}

fn inspect(file: &Path, json: bool) -> Result<()> {
    ensure!(file.exists(), "there is no file `{}`", file.display());
    let (module, sealed) = load(file, None)?;
    let descriptor = &module.descriptor;
    let phases: Vec<&str> = descriptor.phases.iter().map(|phase| phase.name()).collect();
    let imports: Vec<String> =
        module.imports.iter().map(|(module, name)| format!("{module}.{name}")).collect();
    if json {
        let document = serde_json::json!({
            "name": descriptor.name,
            "version": descriptor.version,
            "description": descriptor.description,
            "abi": descriptor.abi,
            "phases": phases,
            "capabilities": descriptor.capabilities,
            "optional": descriptor.optional,
            "isolation": descriptor.isolation,
            "dispensable": descriptor.dispensable,
            "imports": imports,
            "config_schema": descriptor.config_schema,
            "sha256": sha256_hex(&module.digest),
            "sealed": sealed,
        });
        say!("{document:#}");
        return Ok(());
    }
    say!("{} {}", descriptor.name, descriptor.version);
    if !descriptor.description.is_empty() {
        say!("{}", descriptor.description);
    }
    say!("");
    say!("abi           {}", descriptor.abi);
    say!("sha256        {}", sha256_hex(&module.digest));
    say!("sealed        {}", if sealed { "yes" } else { "no: seal it with `sluice plugin seal FILE`" });
    say!("phases        {}", phases.join(", "));
    say!("capabilities  {}", or_none(&descriptor.capabilities));
    say!("optional      {}", or_none(&descriptor.optional));
    say!("isolation     {}", isolation(descriptor.isolation));
    say!("dispensable   {}", if descriptor.dispensable { "yes" } else { "no" });
    say!("imports       {}", imports.join("\n              "));
    say!("config schema");
    say!("{:#}", descriptor.config_schema);
    Ok(())
}

/// As the descriptor and `gateway.toml` write it.
const fn isolation(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Shared => "shared",
        Isolation::Exchange => "exchange",
    }
}

fn or_none(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}
