//! What a gateway is started with.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::gateway::{Ended, Gateway};
use super::{binary, ports};

/// Files, environment and configuration of a gateway to be.
pub(crate) struct Setup {
    directory: TempDir,
    environment: Vec<(OsString, OsString)>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let directory =
            tempfile::Builder::new().prefix("sluice-it-").tempdir().expect("a temporary directory");
        Self { directory, environment: Vec::new() }
    }

    /// Puts a file into the gateway's directory.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        write(self.path(), name, content.as_ref());
        self
    }

    /// Installs a plugin as `plugins/<name>.wasm`.
    pub(crate) fn plugin(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.file(&format!("plugins/{name}.wasm"), bytes)
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The gateway's directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A command of the gateway's binary, in its directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// What `sluice check` says of this configuration, completed as in [`start`](Self::start): exit code and words.
    #[track_caller]
    pub(crate) fn check(&self, config: &str) -> (i32, String) {
        let text = complete(config)
            .replace("@public@", &ports::free().to_string())
            .replace("@admin@", &ports::free().to_string());
        write(self.path(), "gateway.toml", text.as_bytes());
        self.run(&["check", "gateway.toml"])
    }

    /// Runs a command of the gateway's binary to its end: exit code, and what it wrote to both outputs.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().expect("the gateway's binary runs");
        let words = [output.stdout, output.stderr].concat();
        (output.status.code().expect("an exit code"), String::from_utf8_lossy(&words).into_owned())
    }

    /// Starts the gateway with this configuration and waits until it is ready.
    ///
    /// `version` and, where the text has none, listeners, a code cache that tests share and a log are added.
    /// `@public@` and `@admin@` stand for the addresses of the listeners.
    #[track_caller]
    pub(crate) fn start(self, config: &str) -> Gateway {
        match self.try_start(config) {
            Ok(gateway) => gateway,
            Err(ended) => panic!("the gateway ended with {}:\n{}", ended.status, ended.output),
        }
    }

    /// As [`start`](Self::start), where the gateway may refuse to.
    #[track_caller]
    pub(crate) fn try_start(self, config: &str) -> Result<Gateway, Ended> {
        let (public, admin) = (ports::free(), ports::free());
        let text =
            complete(config).replace("@public@", &public.to_string()).replace("@admin@", &admin.to_string());
        write(self.path(), "gateway.toml", text.as_bytes());
        let command = self.command(&["run", "--config", "gateway.toml"]);
        Gateway::spawn(command, self.directory, self.environment, public, admin)
    }
}

/// `config` with what a test does not care about.
pub(crate) fn complete(config: &str) -> String {
    let mut text = String::new();
    if !config.lines().any(|line| line.trim() == "version = 1") {
        text.push_str("version = 1\n");
    }
    text.push_str(config);
    if !config.contains("[listeners.public]") {
        text.push_str("\n[listeners.public]\nbind = \"@public@\"\n");
    }
    if !config.contains("[listeners.admin]") {
        text.push_str("\n[listeners.admin]\nbind = \"@admin@\"\nserve = [\"admin\", \"metrics\"]\n");
    }
    if !config.contains("[telemetry]") {
        text.push_str("\n[telemetry]\nlog = \"info\"\n");
    }
    if !config.contains("[cache]") {
        let cache = super::root().join("target/tests-code");
        text.push_str(&format!("\n[cache]\ndir = \"{}\"\n", cache.display()));
    }
    text
}

/// Writes a file in one step: beside its place, then renamed into it.
pub(crate) fn write(directory: &Path, name: &str, content: &[u8]) {
    let place = directory.join(name);
    let parent = place.parent().expect("a file lies in a directory");
    fs::create_dir_all(parent).expect("the directory can be made");
    let beside = parent.join(format!(".{}.new", place.file_name().expect("a name").to_string_lossy()));
    fs::write(&beside, content).expect("the file can be written");
    fs::rename(&beside, &place).expect("the file can be renamed");
}
