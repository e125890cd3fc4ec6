//! The peers: who they are, where they are found, how they are started.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::on_its_core;
use crate::harness::{binary, root};

/// A proxy that is compared. The order is that of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Nginx,
    NginxLua,
    Haproxy,
    Envoy,
    EnvoyWasm,
    Pingora,
    Sluice,
}

impl Peer {
    pub(crate) const ALL: [Self; 7] = [
        Self::Nginx,
        Self::NginxLua,
        Self::Haproxy,
        Self::Envoy,
        Self::EnvoyWasm,
        Self::Pingora,
        Self::Sluice,
    ];

    /// As tables show it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::NginxLua => "nginx+Lua",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
            Self::EnvoyWasm => "Envoy+Wasm",
            Self::Pingora => "Pingora",
            Self::Sluice => "Sluice",
        }
    }

    /// As `--peers` and directories have it.
    pub(crate) fn word(self) -> String {
        self.name().to_lowercase().replace('+', "-")
    }

    /// The template of its configuration, if it takes part: that such a file is there says so.
    pub(crate) fn template(self, name: &str) -> Option<PathBuf> {
        let file = match self {
            Self::Nginx => format!("nginx/{name}.conf"),
            Self::NginxLua => format!("nginx-lua/{name}.conf"),
            Self::Haproxy => format!("haproxy/{name}.cfg"),
            Self::Envoy => format!("envoy/{name}.yaml"),
            Self::EnvoyWasm => format!("envoy/{name}-wasm.yaml"),
            // It has no configuration but its arguments.
            Self::Pingora if matches!(name, "plain" | "policy") => "pingora/src/main.rs".to_owned(),
            Self::Pingora => return None,
            Self::Sluice => format!("sluice/{name}.toml"),
        };
        Some(root().join("bench/peers").join(file)).filter(|path| path.is_file())
    }

    /// Its program, if it is installed.
    pub(crate) fn program(self) -> Option<PathBuf> {
        match self {
            Self::Nginx | Self::NginxLua => find("nginx"),
            Self::Haproxy => find("haproxy"),
            Self::Envoy | Self::EnvoyWasm => named("ENVOY_BIN").or_else(|| find("envoy")),
            Self::Pingora => named("PINGORA_BIN"),
            Self::Sluice => Some(binary()),
        }
    }

    /// What it says its version is.
    pub(crate) fn version(self) -> Option<String> {
        let program = self.program()?;
        let flag = match self {
            Self::Nginx | Self::NginxLua | Self::Haproxy => "-v",
            Self::Envoy | Self::EnvoyWasm | Self::Sluice => "--version",
            // Its own version says nothing; that of its library does.
            Self::Pingora => return pingora_version(),
        };
        let output = Command::new(program).arg(flag).output().ok()?;
        let words = [output.stdout, output.stderr].concat();
        first_version(&String::from_utf8_lossy(&words))
    }

    /// The command that starts it with a configuration in `directory`.
    pub(crate) fn command(self, program: &Path, start: &Start<'_>) -> Command {
        let mut command = on_its_core(program);
        command.current_dir(start.directory);
        match self {
            Self::Nginx | Self::NginxLua => {
                command.arg("-p").arg(start.directory).arg("-c").arg(start.config);
                command.arg("-e").arg(start.directory.join("error.log"))
            }
            Self::Haproxy => command.arg("-db").arg("-f").arg(start.config),
            Self::Envoy | Self::EnvoyWasm => command.arg("-c").arg(start.config).args([
                "--concurrency",
                "1",
                "-l",
                "error",
                "--disable-hot-restart",
            ]),
            Self::Pingora => {
                let [listen, origin] = [start.listen, start.origin].map(|port| port.to_string());
                command.args([start.template, &listen, &origin]);
                if start.template == "policy" {
                    command.arg(start.directory.join("keys.txt"));
                }
                &mut command
            }
            Self::Sluice => command.args(["run", "--config"]).arg(start.config),
        };
        command
    }
}

/// What a command is made of.
pub(crate) struct Start<'a> {
    pub(crate) template: &'a str,
    pub(crate) directory: &'a Path,
    pub(crate) config: &'a Path,
    pub(crate) listen: u16,
    pub(crate) origin: u16,
}

fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_file())
}

/// A program of the `PATH`, or where Debian keeps servers, which not every `PATH` has.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<_> = std::env::split_paths(&path).collect();
    directories.push(PathBuf::from("/usr/sbin"));
    directories.into_iter().map(|directory| directory.join(name)).find(|path| path.is_file())
}

fn pingora_version() -> Option<String> {
    let lock = std::fs::read_to_string(root().join("bench/peers/pingora/Cargo.lock")).ok()?;
    let (_, rest) = lock.split_once("name = \"pingora-core\"\nversion = \"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// The first thing of the form `1.2`, or `1.2.3`.
fn first_version(words: &str) -> Option<String> {
    // Before that word there may be a path, with numbers of its own.
    let said = words.split_once("version").map_or(words, |(_, said)| said);
    said.split(|sign: char| !sign.is_ascii_digit() && sign != '.')
        .map(|word| word.trim_matches('.'))
        .find(|word| word.contains('.'))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Peer, first_version};

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (words, version) in [
            ("nginx version: nginx/1.22.1\n", "1.22.1"),
            ("HAProxy version 2.6.12-1+deb12u4 2026/10/17", "2.6.12"),
            (
                "\n/lib/python3.11/envoy  version: dc2d3098ae5641555f15c71d5bb5ce0060a8015c/1.33.0/Clean",
                "1.33.0",
            ),
            ("sluice 0.1.0\n", "0.1.0"),
        ] {
            assert_eq!(first_version(words).as_deref(), Some(version), "{words}");
        }
    }

    #[test]
    fn a_peer_takes_part_where_it_has_a_template() {
        assert!(Peer::Sluice.template("plain").is_some());
        assert!(Peer::Nginx.template("jwt").is_none());
        assert_eq!(Peer::NginxLua.word(), "nginx-lua");
    }
}
